import CallosumTensors
import CallosumTestSupport

// Scans and recurrences that have a golden file. Several results are joined to one tensor, as in
// Tests/Fixtures/cases/recurrent.py.

extension Operation {
  static let recurrences: [Operation] = [
    Operation("cumulativeSum") { x, a in
      x["x"].cumsum(
        axis: a.int("axis"), reverse: a[bool: "reverse"] ?? false, inclusive: a[bool: "inclusive"] ?? true)
    },
    Operation(
      "cumulativeProduct", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)
    ) { x, a in
      x["x"].cumprod(
        axis: a.int("axis"), reverse: a[bool: "reverse"] ?? false, inclusive: a[bool: "inclusive"] ?? true)
    },
    // A result of 1000 has an error of 3e-5, and so has exp of the distance from it.
    Operation(
      "cumulativeLogSumExp", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6),
      cancelling: ["far from zero": Tolerance(relative: 6e-5)]
    ) { x, a in
      x["x"].logCumsumExp(
        axis: a.int("axis"), reverse: a[bool: "reverse"] ?? false, inclusive: a[bool: "inclusive"] ?? true)
    },
    Operation("cumulativeMax", kinks: ["ties", "expanded"]) { x, a in
      x["x"].cummax(axis: a.int("axis"))
    },
    Operation("linearRecurrence", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      linearRecurrence(
        x["a"], x["b"], initial: x["initial"], axis: a.int("axis"), reverse: a.bool("reverse"))
    },
    Operation("sparseLinear") { x, _ in
      sparseLinear(x["x"], weight: x["weight"], bias: x[optional: "bias"])
    },
    Operation("rnn", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let relu = a[text: "nonlinearity"] == "relu"
      let (states, last) = rnn(
        x["x"], weights: weights(x), activation: relu ? .relu : .tanh, initial: x["0 h"],
        reverse: a.bool("reverse"), lengths: lengths(a))
      return joined(states, [last])
    },
    Operation("gru", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let (states, last) = gru(
        x["x"], weights: weights(x), initial: x["0 h"], reverse: a.bool("reverse"), lengths: lengths(a))
      return joined(states, [last])
    },
    Operation("lstm", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let (states, last) = lstm(
        x["x"], weights: weights(x), initial: (x["0 h"], x["1 c"]), reverse: a.bool("reverse"),
        lengths: lengths(a))
      return joined(states, [last.h, last.c])
    },
    Operation("selectiveScan", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let (output, state) = selectiveScan(
        x["0 x"], delta: x["1 delta"], b: x["3 b"], c: x["4 c"],
        weights: SelectiveScanWeights(
          a: x["2 a"], skip: x[optional: "6 d"], deltaBias: x[optional: "7 bias"]),
        softplus: a.bool("softplus"), gate: x[optional: "8 z"], initial: x["5 state"])
      return concatenated([output, state.swappedAxes(1, 2)], axis: 1)
    },
    // A spike has no derivative but the surrogate's.
    Operation(
      "leakyIntegrateAndFire",
      kinks: [
        "plain", "leak of each neuron", "one step", "no batch", "two batch axes",
        "reset subtract, detached", "reset subtract, attached", "reset zero, detached",
        "reset zero, attached", "reset none, detached", "reset none, attached",
        "surrogate arctangent", "surrogate triangle", "surrogate sigmoid",
        "surrogate straightThrough", "surrogate fastSigmoid", "surrogate rectangle", "surrogate gaussian",
        "transposed", "sliced", "large",
      ], tolerance: Tolerance(relative: 1e-5, ofLargest: 5e-6)
    ) { x, a in
      let rule = SpikingRule(
        surrogate: surrogate(a),
        reset: SpikeReset(rawValue: a.string("reset")) ?? .none, detachesReset: a.bool("detach"))
      let all = leakyIntegrateAndFire(
        x["current"], leak: x["leak"],
        threshold: .full([], a.double("threshold"), dtype: x["current"].dtype),
        initial: SpikingState(potential: x["initial"]), rule: rule)
      return concatenated([all.spikes, all.potentials, all.state.potential.expandedDimensions(axis: 0)])
    },
  ]

  private static func weights(_ x: Inputs) -> RecurrentWeights {
    RecurrentWeights(input: x["2 w"], hidden: x["3 u"], inputBias: x["4 b"], hiddenBias: x["5 d"])
  }

  private static func lengths(_ a: Arguments) -> Tensor? {
    a[list: "lengths"].map { Tensor($0.map { Int32($0) }) }
  }

  /// States and what each row ends with, along time.
  private static func joined(_ states: Tensor, _ last: [Tensor]) -> Tensor {
    concatenated([states] + last.map { $0.expandedDimensions(axis: 1) }, axis: 1)
  }

  private static func surrogate(_ a: Arguments) -> Surrogate {
    let slope = a.double("slope")
    return switch a.string("surrogate") {
    case "fastSigmoid": .fastSigmoid(slope: slope)
    case "arctangent": .arctangent(alpha: slope)
    case "triangle": .triangle(slope: slope)
    case "sigmoid": .sigmoid(slope: slope)
    case "rectangle": .rectangle(width: slope)
    case "gaussian": .gaussian(deviation: slope)
    default: .straightThrough
    }
  }
}
