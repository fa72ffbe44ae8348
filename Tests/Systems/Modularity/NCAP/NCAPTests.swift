import CallosumContracts
import CallosumExperiments
import CallosumModularity
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The authors' nikhilxb/ncap, commit 5be8171, in float64 with random weights, step by step: torques y of bends q
/// and what it is told, and gradients by all of them and every weight of sum(y g).
private struct Reference {
  let tensors: [String: Tensor]

  init() throws {
    let file = Golden.path(beside: #filePath)
    tensors = try Safetensors.load(file).tensors
  }

  func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "\(name)") }

  /// What of theirs is our parameter of this shape: one number, or one for each side and joint.
  func tensor(_ kind: String, _ what: String, _ name: String, _ shape: [Int]) throws -> Tensor {
    let theirs: [String: (shared: String, dorsal: String, ventral: String, first: Int)] = [
      "proprioception": ("bneuron_prop", "bneuron_d_prop", "bneuron_v_prop", 1),
      "speed": ("bneuron_speed", "bneuron_d_speed", "bneuron_v_speed", 0),
      "turn": ("bneuron_turn", "bneuron_d_turn", "bneuron_v_turn", 0),
      "oscillator": ("bneuron_osc", "bneuron_d_osc", "bneuron_v_osc", 0),
      "ipsilateral": ("muscle_ipsi", "muscle_d_d", "muscle_v_v", 0),
      "contralateral": ("muscle_contra", "muscle_d_v", "muscle_v_d", 0),
    ]
    let place = try #require(theirs[name])
    if shape == [1, 1] { return try self("\(kind).\(what).\(place.shared)").reshaped([1, 1]) }
    return stacked(
      try [place.dorsal, place.ventral].map { side in
        concatenated(try (0..<shape[1]).map { try self("\(kind).\(what).\(side)_\(place.first + $0)") })
      })
  }
}

private func circuit(
  joints: Int, _ change: (inout NCAP.Settings) -> Void = { _ in }
) throws -> NCAP {
  var settings = NCAP.Settings(), random = RandomGenerator(seed: 1)
  change(&settings)
  let told = (settings.turns ? 2 : 0) + (settings.speed ? 1 : 0)
  let slot = Slot(width: joints + told, outputWidth: joints, tokens: 1)
  return try NCAP(settings, in: slot, using: &random)
}

@Suite struct NCAPTests {
  @Test func agreesWithTheAuthorsCode() throws {
    let reference = try Reference()
    let circuits: [String: NCAP] = [
      "shared": try circuit(joints: 5) { $0.period = 6 },
      "separate": try circuit(joints: 5) {
        ($0.period, $0.shared, $0.turns, $0.turnJoints, $0.speed) = (5, false, true, 2, true)
      },
      "unsigned": try circuit(joints: 4) {
        ($0.period, $0.signed, $0.turns, $0.speed) = (6, false, true, true)
      },
      "reflex": try circuit(joints: 3) { ($0.shared, $0.oscillator) = (false, false) },
      "blind": try circuit(joints: 3) { ($0.period, $0.proprioception) = (4, false) },
    ]
    for (kind, ours) in circuits {
      for (dtype, tolerance) in [(DType.float32, 1e-6), (.float64, 1e-13)] {
        let parameters = ours.parameters()
        for one in parameters {
          one.value = try reference.tensor(kind, "weight", one.name, one.value.shape).asType(dtype)
        }
        var x = try reference("\(kind).q"), slope = try reference("\(kind).grad.q")
        if let told = reference.tensors["\(kind).controls"] {
          x = concatenated([x, told], axis: -1)
          slope = concatenated([slope, try reference("\(kind).grad.controls")], axis: -1)
        }
        let start = ours.initialState(batch: x.dim(0)).mapped { $0.asType(dtype) }
        let (outputs, pullback) = valueAndPullback(at: [x.asType(dtype)] + parameters.map(\.value)) { all in
          withParameters(parameters, as: Array(all.dropFirst())) { [ours(all[0], start).output] }
        }
        let gradients = pullback([try reference("\(kind).g").asType(dtype)])
        let allowed = Tolerance(relative: tolerance, ofLargest: tolerance)
        func compare(_ actual: Tensor, _ expected: Tensor, _ what: String) {
          let found = CallosumTestSupport.Comparison(actual.asType(.float64), expected, within: allowed)
          #expect(found.problem == nil, "\(kind): \(what) \(dtype)")
        }
        compare(outputs[0], try reference("\(kind).y"), "y")
        compare(gradients[0], slope, "x")
        for (one, gradient) in zip(parameters, gradients.dropFirst()) {
          compare(gradient, try reference.tensor(kind, "grad", one.name, one.value.shape), one.name)
        }
      }
    }
  }

  @Test func setsOfWeightsAreCircuitsSideBySide() throws {
    let ours = try circuit(joints: 4) { ($0.shared, $0.constantInit) = (false, false) }
    var random = RandomGenerator(seed: 3)
    let sets = Dictionary(
      uniqueKeysWithValues: ours.parameters().map { ($0.name, random.normal([3] + $0.value.shape)) })
    let x = random.uniform([3, 2, 70, 4]) * 2 - 1
    let together = ours.withWeightSets(sets) {
      ours(x, State(["step": .zeros([3, 2, 1])])).output
    }
    for set in 0..<3 {
      let weights = sets.mapValues { $0.sliced(axis: 0, from: set, to: set + 1).squeezed(axis: 0) }
      let alone = ours.withWeights(weights) {
        ours(x.sliced(axis: 0, from: set, to: set + 1).squeezed(axis: 0), ours.initialState(batch: 2)).output
      }
      #expect(alone.floats == together.sliced(axis: 0, from: set, to: set + 1).floats)
    }
  }

  @Test func startsAsTheSettingsSay() throws {
    let plain = try circuit(joints: 5)
    #expect(plain.parameters().map { $0.value.floats } == [[1], [1], [-1], [1]])
    let drawn = try circuit(joints: 50) { ($0.shared, $0.constantInit) = (false, false) }
    #expect(drawn.ipsilateral.floats.allSatisfy { (0...1).contains($0) })
    #expect(drawn.contralateral.floats.allSatisfy { (-1...0).contains($0) })
    #expect(drawn.startsAtRandom && !plain.startsAtRandom)
    let unsigned = try circuit(joints: 50) { ($0.shared, $0.signed) = (false, false) }
    #expect(Set(unsigned.ipsilateral.floats) == [-1, 1])
    #expect(Set(unsigned.contralateral.floats) == [-1, 1])
  }
}

@Suite struct SwimmingTests {
  /// How far an untrained circuit brings its centre of mass in 300 steps (m).
  private func way(across: Double) throws -> Double {
    var swimmer = LinkSwimmer(joints: 5)
    swimmer.dragAcross = across
    let ours = try circuit(joints: 5)
    for one in ours.parameters() { one.value = one.value.asType(.float64) }
    var body = swimmer.straight(batch: 1, dtype: .float64)
    var state = ours.initialState(batch: 1).mapped { $0.asType(.float64) }
    for _ in 0..<300 {
      let (torques, next) = ours(swimmer.senses(body).expandedDimensions(axis: 1), state)
      state = next
      body = swimmer.step(body, torques: torques.squeezed(axis: 1)).state
    }
    #expect(abs(body.bends).max().item() > 0.1)
    return square(body.position).sum().item().squareRoot()
  }

  /// The body bends all the same, but where drag is alike along and across it, that leads nowhere.
  @Test func symmetricDragLeadsNowhere() throws {
    #expect(try way(across: LinkSwimmer().dragAlong) < 1e-12)
    #expect(try way(across: 4 * LinkSwimmer().dragAlong) > 0.1)
  }
}

@Suite struct EvolutionStrategyTests {
  private func module() -> Linear {
    var random = RandomGenerator(seed: 1)
    return Linear(3, 2, using: &random)
  }

  @Test func ranksAreEvenlySpread() {
    // The example of estorch's documentation.
    let ranks = EvolutionStrategy.ranks([-123, -50, 3, -5, 20, 10, 100])
    let expected = [-3, -2, 0, -1, 2, 1, 3].map { Double($0) / 6 }
    #expect(zip(ranks, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(EvolutionStrategy.ranks([4]) == [0])
  }

  @Test func triesAreOpposites() throws {
    let module = module()
    let start = module.weight
    let strategy = try EvolutionStrategy(module, using: RandomGenerator(seed: 2))
    var shown: Tensor?
    strategy.generation { sets in
      shown = sets["weight"]
      return (0..<33).map { Double($0) }
    }
    let weights = try #require(shown)
    #expect(weights.shape == [33, 2, 3])
    #expect(weights.sliced(axis: 0, to: 1).floats == start.floats)
    let first = weights.sliced(axis: 0, from: 1, to: 17) - start
    let second = weights.sliced(axis: 0, from: 17) - start
    #expect(abs(first + second).max().item() < 1e-6)
    #expect(abs(square(first).mean().item().squareRoot() - 0.02) < 0.005)
  }

  @Test func climbsToTheTop() throws {
    let module = module()
    var settings = EvolutionStrategy.Settings()
    (settings.learningRate, settings.decay) = (0.05, 0)
    let strategy = try EvolutionStrategy(module, settings, using: RandomGenerator(seed: 3))
    var returns: [Double] = []
    for _ in 0..<150 {
      let found = strategy.generation { sets in
        let weight = square((sets["weight"] ?? Tensor(0, .float32)) - 0.7).sum(axes: [1, 2])
        let bias = square((sets["bias"] ?? Tensor(0, .float32)) + 0.4).sum(axes: [1])
        return (-(weight + bias)).doubles
      }
      returns.append(found[0])
    }
    #expect(returns[0] < -1)
    #expect(try #require(returns.last) > -0.05)
  }
}
