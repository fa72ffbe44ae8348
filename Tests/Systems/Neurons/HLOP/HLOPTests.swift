import CallosumContracts
import CallosumNetworks
import CallosumNeurons
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The authors' HLOP-SNN, commit 530b89aa19ca1b8e31bd43cf3af8db14a229da64, in float64.
private struct Reference {
  let golden: GoldenTensors

  init() throws { golden = try Golden.tensors(beside: #filePath) }

  func check(_ actual: Tensor, _ name: String) {
    #expect(golden.problem(actual, name, within: Tolerance(relative: 0, absolute: 1e-10)) == nil)
  }
}

@Suite struct HebbianSubspaceTests {
  @Test(arguments: ["real", "spiking", "plain"])
  func everyUpdateAgreesWithTheAuthorsCode(_ name: String) throws {
    let reference = try Reference()
    var settings = HebbianSubspace.Settings()
    settings.rate = 0.2
    if name == "plain" { (settings.rate, settings.momentum) = (0.05, 0) }
    if name == "spiking" { (settings.levels, settings.range) = (8, 2) }
    let subspace = HebbianSubspace(width: 7, settings)
    (subspace.rows, subspace.velocity) = (.zeros([0, 7], dtype: .float64), .zeros([0, 7], dtype: .float64))
    subspace.append(reference.golden["\(name).start"])
    let batches = reference.golden["\(name).x"].split(parts: 4).map { $0.squeezed(axis: 0) }
    for batch in 0..<2 {
      subspace.update(batches[batch])
      reference.check(subspace.rows, "\(name).after.\(batch)")
    }
    subspace.merge()
    subspace.append(reference.golden["\(name).grown"].sliced(axis: 0, from: 3))
    for batch in 2..<4 {
      subspace.update(batches[batch])
      reference.check(subspace.rows, "\(name).after.\(batch)")
    }
    reference.check(subspace.projection(batches[0], rows: 3), "\(name).projection")

    let parts = ["weight", "bias"].map { reference.golden["\(name).linear.\($0)"] }
    let (outputs, pullback) = valueAndPullback(at: [batches[1]] + parts) {
      [projectedLinear($0[0], weight: $0[1], bias: $0[2], remainder: subspace.remainder($0[0]))]
    }
    reference.check(outputs[0], "\(name).linear.y")
    for (name, gradient) in zip(
      ["gx", "gweight", "gbias"].map { "\(name).linear.\($0)" },
      pullback([reference.golden["\(name).linear.g"]])
    ) { reference.check(gradient, name) }
  }

  /// Batch after batch through the door, rows and velocity handed on.
  @Test(arguments: ["real", "spiking", "plain"])
  func theDoorCarriesTheVelocity(_ name: String) throws {
    let reference = try Reference()
    let start = reference.golden["\(name).start"]
    var settings = HLOP.Settings(), random = RandomGenerator(seed: 1)
    (settings.rows, settings.subspace.rate) = (start.dim(0), 0.2)
    if name == "plain" { (settings.subspace.rate, settings.subspace.momentum) = (0.05, 0) }
    if name == "spiking" { (settings.subspace.levels, settings.subspace.range) = (8, 2) }
    let door = try HLOP.door(settings, in: Slot(width: 7, outputWidth: 2, tokens: 1), using: &random)
    #expect(Set(door.carried) == ["rows", "velocity"])
    var carried = ["rows": start, "velocity": Tensor.zeros(like: start)]
    let batches = reference.golden["\(name).x"].split(parts: 4).map { $0.squeezed(axis: 0) }
    for batch in 0..<2 {
      let inputs = [
        "input": batches[batch], "error": Tensor.ones([batches[batch].dim(0), 2], dtype: .float64),
      ]
      let results = try door(inputs.merging(carried) { $1 }, using: &random)
      carried = results.filter { door.carried.contains($0.key) }
      reference.check(try #require(results["rows"]), "\(name).after.\(batch)")
    }
  }

  /// On convergence the rows are orthonormal and span the largest principal components, not centred; rows of
  /// a second task find the next ones.
  @Test func findsThePrincipalSubspace() {
    var random = RandomGenerator(seed: 1)
    let scales = Tensor([3.0, 2.5, 2, 1.6, 1.2, 0.4, 0.2, 0.1])
    let basis = random.orthogonal([8, 8], dtype: .float64)
    let mean = random.normal([8], dtype: .float64)
    let x = matmul(random.normal([500, 8], dtype: .float64) * scales, basis) + mean
    let components = eigh(matmul(x.transposed(), x) * (1.0 / 500)).vectors
    var settings = HebbianSubspace.Settings()
    settings.rate = 0.02
    let subspace = HebbianSubspace(width: 8, settings)
    (subspace.rows, subspace.velocity) = (.zeros([0, 8], dtype: .float64), .zeros([0, 8], dtype: .float64))
    for found in [2, 4] {
      subspace.grow(by: 2, using: &random)
      for _ in 0..<1500 { subspace.update(x) }
      let rows = subspace.rows
      let gram = matmul(rows, rows.transposed())
      #expect(abs(gram - Tensor.eye(found, dtype: .float64)).max().item() < 1e-3)
      let largest = components.sliced(axis: 1, from: 8 - found)
      // The smallest cosine of the principal angles.
      let cosine = singularValues(matmul(rows, largest)).min().item()
      #expect(acos(min(cosine, 1)) < 0.1, "\(found) rows")
      subspace.merge()
    }
  }

  @Test func convolutionsAreProjectedPatchByPatch() {
    var random = RandomGenerator(seed: 2)
    let x = random.normal([2, 5, 6, 3], dtype: .float64), weight = random.normal([4, 27], dtype: .float64)
    let g = random.normal([2, 3, 4, 4], dtype: .float64)
    let rows = random.orthogonal([5, 27], dtype: .float64)
    func remainder(_ x: Tensor) -> Tensor { x - matmul(matmul(x, rows.transposed()), rows) }
    let (outputs, pullback) = valueAndPullback(at: [x, weight]) {
      [projectedConvolution($0[0], weight: $0[1], kernel: [3, 3], remainder: remainder)]
    }
    let (plain, ordinary) = valueAndPullback(at: [x, weight]) {
      [linear(unfold($0[0], kernel: [3, 3]), weight: $0[1])]
    }
    #expect(abs(outputs[0] - plain[0]).max().item() < 1e-12)
    let (found, expected) = (pullback([g]), ordinary([g]))
    #expect(abs(found[0] - expected[0]).max().item() < 1e-12)
    // Projecting every patch is projecting the gradient.
    #expect(abs(found[1] - remainder(expected[1])).max().item() < 1e-12)
  }
}

@Suite struct HLOPTests {
  /// Two layers of the authors' spiking network: an update, then a projected gradient.
  @Test func theSpikingNetworkAgreesWithTheAuthorsCode() throws {
    let reference = try Reference()
    var settings = SpikingPerceptron.Settings(), random = RandomGenerator(seed: 1)
    (settings.hidden, settings.steps) = ([8, 8], 6)
    let network = try SpikingPerceptron(settings, inputs: 9, classes: 3, using: &random)
    network.beginTask(rows: [3, 4], using: &random)
    for place in network.parameters() + network.buffers() { place.value = place.value.asType(.float64) }
    for (layer, name) in zip(network.trunk, ["fc1", "fc2"]) { layer.weight = reference.golden["net.\(name)"] }
    for (place, subspace) in network.subspaces.enumerated() {
      subspace.rows = reference.golden["net.start.\(place)"]
    }
    network.heads[0].weight = reference.golden["net.head"]
    let batches = reference.golden["net.x"].split(parts: 2).map { $0.squeezed(axis: 0) }
    _ = network(batches[0], task: 0) { subspace, samples in subspace.update(samples) }
    for (place, subspace) in network.subspaces.enumerated() {
      reference.check(subspace.rows, "net.after.\(place)")
    }
    network.endTask()
    let g = reference.golden["net.g"]
    let learned = network.learned(in: 0)
    let (_, gradients) = valueAndGradient(by: learned) {
      (network(batches[1], task: 0, projecting: true) * g).sum()
    }
    reference.check(network(batches[1], task: 0), "net.y")
    #expect(learned.map(\.name) == ["trunk.0.weight", "trunk.1.weight", "heads.0.weight"])
    for (name, gradient) in zip(["net.gfc1", "net.gfc2", "net.ghead"], gradients) {
      reference.check(gradient, name)
    }
  }

  /// What lies in the space of earlier tasks comes out as before, whatever is learned later.
  @Test func earlierTasksAreNotTouched() throws {
    var settings = HLOP.Settings(), random = RandomGenerator(seed: 3)
    (settings.rows, settings.laterRows, settings.subspace.rate) = (3, 2, 0.1)
    let rule = try HLOP(settings, using: &random)
    let layer = Linear(6, 4, bias: false, using: &random)
    let early = matmul(random.normal([40, 3]), random.orthogonal([3, 6]))
    let late = random.normal([40, 6])
    func teach(_ x: Tensor) throws {
      let signals = LearningSignals(
        input: x, output: layer(x), outputError: random.normal([x.dim(0), 4]))
      let directions = try rule.directions(for: layer.parameters(), signals)
      layer.weight = layer.weight - directions[0] * 0.1
    }
    for _ in 0..<300 { try teach(early) }
    rule.endTask()
    let before = layer(early), other = layer(late)
    for _ in 0..<20 { try teach(late) }
    #expect(abs(layer(early) - before).max().item() < 0.01)
    #expect(abs(layer(late) - other).max().item() > 1)
  }

  /// A threshold fires the spikes that it would fire by itself, is learned in the first task alone, and never
  /// counts as less than the lowest.
  @Test func thresholds() throws {
    var settings = SpikingPerceptron.Settings(), random = RandomGenerator(seed: 5)
    (settings.hidden, settings.steps) = ([6], 5)
    (settings.threshold, settings.learnsThreshold) = (0.3, true)
    let network = try SpikingPerceptron(settings, inputs: 4, classes: 2, using: &random)
    for _ in 0..<2 { network.beginTask(rows: [0], using: &random) }
    let x = random.normal([8, 4]), layer = network.trunk[0]
    let current = linear(x, weight: layer.weight).expandedDimensions(axis: 0).broadcast(to: [5, 8, 6])
    let spikes = leakyIntegrateAndFire(
      current, leak: Tensor(Float(0.5)), threshold: Tensor(Float(0.3))
    ).spikes
    let expected = network.heads[0](spikes.mean(axis: 0))
    #expect(abs(network(x, task: 0) - expected).max().item() < 1e-5)
    #expect(network.learned(in: 0).map(\.name).contains("trunk.0.threshold"))
    #expect(network.learned(in: 1).map(\.name) == ["trunk.0.weight", "heads.1.weight"])
    layer.threshold = Tensor(Float(-1))
    let negative = network(x, task: 0)
    layer.threshold = Tensor(Float(5e-4))
    #expect(negative.floats == network(x, task: 0).floats)
  }

  @Test func everyPresynapticSignalTeachesTheSubspace() throws {
    var random = RandomGenerator(seed: 4)
    let x = random.normal([5, 7])
    let samples = [Presynaptic.spikes: 20, .trace: 20, .spikesAndTrace: 40, .rate: 5]
    for (kind, count) in samples {
      var settings = SpikingPerceptron.Settings()
      (settings.hidden, settings.steps, settings.presynaptic) = ([6, 4], 4, kind)
      let network = try SpikingPerceptron(settings, inputs: 7, classes: 2, using: &random)
      network.beginTask(rows: [2, 2], using: &random)
      var seen: [Tensor] = []
      _ = network(x, task: 0) { seen.append($1) }
      #expect(seen[0].floats == x.floats)
      #expect(seen[1].shape == [count, 6])
      if kind == .rate { #expect(seen[1].min().item() >= 0 && seen[1].max().item() <= 1 + 1e-6) }
      if kind == .trace || kind == .spikesAndTrace { #expect(seen[1].max().item() < 2) }
    }
  }
}
