import CallosumContracts
import CallosumMemory
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The authors' hopfield-layers, commit f56f929, with random weights: outputs and gradients by every input
/// and weight for the derivative of sum(y g).
private struct Reference {
  let tensors: [String: Tensor]

  init() throws {
    let file = Golden.path(beside: #filePath)
    tensors = try Safetensors.load(file).tensors
  }

  func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "\(name)") }

  /// Their name for one of our parameters, and the rows of theirs that are ours.
  private func place(_ name: String, _ inner: String) -> (name: String, third: Int?) {
    let parts = name.replacingOccurrences(of: "association.", with: "").split(separator: ".").map(String.init)
    let core = inner + "association_core."
    switch parts[0] {
    case "query", "key", "value":
      let third = ["query": 0, "key": 1, "value": 2][parts[0]]
      return (core + "in_proj_" + parts[1], third)
    case "output": return (core + "out_proj." + parts[1], nil)
    case "stateNorm": return (inner + "norm_state_pattern." + parts[1], nil)
    case "storedNorm": return (inner + "norm_stored_pattern." + parts[1], nil)
    case "valueNorm": return (inner + "norm_pattern_projection." + parts[1], nil)
    case "queries": return ("pooling_weights", nil)
    case "beta": return ("beta", nil)
    default: return ("lookup_weights", nil)
    }
  }

  private func tensor(
    _ kind: String, _ name: String, _ shape: [Int], _ what: String, _ inner: String
  ) throws -> Tensor {
    let place = place(name, inner)
    let whole = try self("\(kind).\(what).\(place.name)")
    guard let third = place.third else { return whole.reshaped(shape) }
    return whole.split(parts: 3)[third]
  }

  /// Compares `body`, which makes y from the inputs. Two inputs are stored patterns and states; theirs has
  /// the stored ones a second time, as what values are read from.
  func check(
    _ kind: String, _ module: any Module, inputs: Int, inner: String = "", _ body: ([Tensor]) -> Tensor
  ) throws {
    try check(kind, module, inputs, inner, .float64, 1e-10, body)
    try check(kind, module, inputs, inner, .float32, 1e-5, body)
  }

  private func check(
    _ kind: String, _ module: any Module, _ inputs: Int, _ inner: String, _ dtype: DType,
    _ tolerance: Double, _ body: ([Tensor]) -> Tensor
  ) throws {
    let parameters = module.parameters()
    for one in parameters {
      one.value = try tensor(kind, one.name, one.value.shape, "weight", inner).asType(dtype)
    }
    let given = try (0..<inputs).map { try self("\(kind).input\($0)").asType(dtype) }
    let g = try self("\(kind).g").asType(dtype)
    let (outputs, pullback) = valueAndPullback(at: given + parameters.map(\.value)) { all in
      withParameters(parameters, as: Array(all.dropFirst(inputs))) { [body(all)] }
    }
    var allowed = Tolerance(relative: tolerance, ofLargest: tolerance)
    func compare(_ actual: Tensor, _ expected: Tensor, _ what: String) {
      let wrong = CallosumTestSupport.Comparison(
        actual.reshaped(expected.shape).asType(.float64), expected, within: allowed)
      #expect(wrong.problem == nil, "\(kind): \(what) \(dtype)")
    }
    compare(outputs[0], try self("\(kind).y"), "y")
    let gradients = pullback([g.reshaped(outputs[0].shape)])
    let largest = gradients.flatMap(\.doubles).map(abs).max() ?? 0
    allowed = Tolerance(relative: tolerance, absolute: tolerance * largest)
    for place in 0..<inputs {
      var expected = try self("\(kind).grad.input\(place)")
      // With three inputs theirs has the values apart, as ours.
      if inputs == 2 && place == 0 { expected = expected + (try self("\(kind).grad.input2")) }
      compare(gradients[place], expected, "input \(place)")
    }
    for (one, gradient) in zip(parameters, gradients.dropFirst(inputs)) {
      let expected = try tensor(kind, one.name, one.value.shape, "grad", inner)
      compare(gradient, expected, one.name)
    }
  }
}

private func settings(
  _ change: (inout HopfieldAssociation.Settings) -> Void
) -> HopfieldAssociation.Settings {
  var settings = HopfieldAssociation.Settings()
  change(&settings)
  return settings
}

@Suite struct ModernHopfieldTests {
  private func network(
    _ settings: HopfieldAssociation.Settings, outputs: Int = 6
  ) throws -> ModernHopfield {
    var random = RandomGenerator(seed: 1)
    return try ModernHopfield(
      settings, in: Slot(width: 6, outputWidth: outputs, tokens: 5), using: &random)
  }

  @Test func agreesWithTheAuthorsCode() throws {
    let reference = try Reference()
    let own = try network(settings { _ in })
    try reference.check("self", own, inputs: 1) { own($0[0], own.initialState(batch: 2)).output }

    let iterated = try network(
      settings { ($0.heads, $0.headWidth, $0.beta, $0.updates, $0.tolerance) = (3, 5, 0.7, 4, 0) },
      outputs: 4)
    try reference.check("heads", iterated, inputs: 2) { iterated.association($0[1], $0[0]) }

    let masked = try network(settings { ($0.heads, $0.bias) = (2, false) })
    let hidden = try reference("masked.mask") .> 0
    try reference.check("masked", masked, inputs: 2) { masked.association($0[1], $0[0], mask: .!hidden) }

    let stopping = try network(
      settings { ($0.heads, $0.beta, $0.updates, $0.tolerance) = (2, 2, 51, 1e-2) })
    try reference.check("stopping", stopping, inputs: 2) { stopping.association($0[1], $0[0]) }
  }

  /// Values apart from what is stored, patterns that are missing, associations that are forbidden, with several
  /// updates; and a learned beta for each head.
  @Test func optionsAgreeWithTheAuthorsCode() throws {
    let reference = try Reference()
    let own = try network(settings { ($0.heads, $0.updates, $0.tolerance) = (3, 3, 0) })
    let mask = .!(try reference("options.mask") .> 0)
    let may = (.!(try reference("options.associationMask") .> 0)).expandedDimensions(axis: 0)
      .broadcast(to: [2, 3, 7])
    try reference.check("options", own, inputs: 3) {
      own.association($0[1], $0[0], values: $0[2], mask: mask, associationMask: may)
    }
    let betas = try network(settings { ($0.heads, $0.learnedBeta) = (3, true) })
    try reference.check("betas", betas, inputs: 3) { betas.association($0[1], $0[0], values: $0[2]) }
  }

  @Test func poolingAndLookupAgreeWithTheAuthorsCode() throws {
    let reference = try Reference()
    var random = RandomGenerator(seed: 1)
    var two = HopfieldPooling.Settings()
    (two.quantity, two.association.heads) = (2, 2)
    let pooling = try HopfieldPooling(
      two, in: Slot(width: 6, outputWidth: 12, tokens: 5), using: &random)
    try reference.check("pooling", pooling, inputs: 1, inner: "hopfield.") { pooling($0[0]) }

    var four = HopfieldLookup.Settings()
    (four.quantity, four.association.heads) = (4, 2)
    let lookup = try HopfieldLookup(four, in: Slot(width: 6, tokens: 5), using: &random)
    try reference.check("lookup", lookup, inputs: 1, inner: "hopfield.") { lookup($0[0]) }
  }

  @Test func whatIsWrittenIsRead() throws {
    let memory = try network(settings { _ in })
    var random = RandomGenerator(seed: 2)
    let (a, b, x) = (random.normal([2, 3, 6]), random.normal([2, 1, 6]), random.normal([2, 4, 6]))
    let empty = memory.initialState(batch: 2)
    let full = memory.write(keys: b, values: b, to: memory.write(keys: a, values: a, to: empty))
    let expected = memory.association(x, concatenated([a, b], axis: 1))
    #expect(memory.read(x, from: full).floats == expected.floats)
  }
}

@Suite struct HopfieldEnergyTests {
  private func sphere(_ count: Int, _ dimension: Int, seed: UInt64) -> Tensor {
    var random = RandomGenerator(seed: seed)
    let points = random.normal([count, dimension], dtype: .float64)
    return points / sqrt(square(points).sum(axis: 1, keepDims: true)) * 2 * Double(dimension - 1).squareRoot()
  }

  /// The gradient of the energy is xi - update(xi).
  @Test func theUpdateFollowsTheEnergy() {
    let theory = HopfieldEnergy(sphere(7, 5, seed: 1), beta: 0.3)
    let states = sphere(4, 5, seed: 2) * 0.7
    let slope = gradient { theory.energy($0).sum() }(states)
    let expected = states - theory.updated(states)
    #expect(abs(slope - expected).max().item() < 1e-12)
  }

  @Test func statesMayBeFloat32() {
    let theory = HopfieldEnergy(sphere(7, 5, seed: 1), beta: 0.3)
    let states = sphere(4, 5, seed: 2).asType(.float32), same = states.asType(.float64)
    #expect(theory.updated(states).doubles == theory.updated(same).doubles)
    #expect(theory.energy(states).doubles == theory.energy(same).doubles)
    #expect(theory.fixedPoint(from: states).doubles == theory.fixedPoint(from: same).doubles)
  }

  @Test func theEnergyNeverRisesNorFallsBelowZero() {
    let theory = HopfieldEnergy(sphere(50, 8, seed: 3), beta: 0.1)
    var states = sphere(20, 8, seed: 4) * 0.5
    var energies = theory.energy(states)
    for _ in 0..<30 {
      states = theory.updated(states)
      let next = theory.energy(states)
      #expect((next - energies).max().item() < 1e-10)
      #expect(next.min().item() >= 0)
      energies = next
    }
  }

  /// Of patterns that are more than one block: the smallest x_i·x_i - x_i·x_j of other patterns j.
  @Test func separationOfManyPatterns() {
    let patterns = sphere(1003, 6, seed: 8)
    let separation = HopfieldEnergy(patterns, beta: 1).separation.doubles
    #expect(separation.count == 1003)
    for i in [0, 999, 1000, 1002] {
      let own = patterns.take(Tensor([Int32(i)]))
      let products = matmul(own, patterns.swappedAxes(0, 1)).doubles
      let nearest = products.indices.filter { $0 != i }.map { products[$0] }.max() ?? 0
      #expect(abs(separation[i] - (products[i] - nearest)) < 1e-10)
    }
  }

  /// Theorem 4 on patterns that are separated well enough.
  @Test func theRetrievalBoundHolds() {
    let patterns = sphere(30, 20, seed: 5)
    let theory = HopfieldEnergy(patterns, beta: 1)
    let separation = theory.separation.doubles
    var random = RandomGenerator(seed: 6)
    let noise = random.normal([30, 20], dtype: .float64)
    let shift = noise / sqrt(square(noise).sum(axis: 1, keepDims: true)) * 0.05 * theory.largestNorm
    let fixed = theory.fixedPoint(from: patterns)
    let found = theory.updated(patterns + shift)
    func norms(_ x: Tensor) -> [Double] { sqrt(square(x).sum(axis: 1)).doubles }
    let (near, far, error) = (norms(shift), norms(fixed - patterns), norms(found - fixed))
    var spoken = 0
    for pattern in 0..<30 where separation[pattern] >= theory.neededSeparation {
      let farthest = max(near[pattern], far[pattern])
      let bound = theory.retrievalBound(separation: separation[pattern], farthest: farthest)
      #expect(error[pattern] <= bound)
      spoken += 1
    }
    #expect(spoken > 20)
  }

  /// Small beta finds the mean of all patterns, large beta the nearest one.
  @Test func temperature() {
    let patterns = sphere(6, 4, seed: 7)
    let state = patterns.sliced(axis: 0, from: 2, to: 3) * 0.9
    let cold = HopfieldEnergy(patterns, beta: 50).updated(state)
    let hot = HopfieldEnergy(patterns, beta: 1e-9).updated(state)
    #expect(abs(cold - patterns.sliced(axis: 0, from: 2, to: 3)).max().item() < 1e-9)
    #expect(abs(hot - patterns.mean(axis: 0)).max().item() < 1e-6)
  }
}
