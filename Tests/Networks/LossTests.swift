import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// The losses as operations with golden files: values, gradients, second derivatives.
private let losses: [CallosumTestSupport.Operation] = [
  pairwise("meanSquaredError") { meanSquaredError($0, $1, reduction: $2) },
  pairwise("l1") { meanAbsoluteError($0, $1, reduction: $2) },
  Operation("huber") {
    huberLoss($0["prediction"], $0["target"], delta: $1.double("delta"), reduction: reduction($1))
  },
  pairwise("binaryCrossEntropyWithLogits") { binaryCrossEntropy(logits: $0, $1, reduction: $2) },
  divergence(shift: 0),
  Operation("crossEntropy") { inputs, arguments in
    crossEntropy(
      logits: inputs["logits"], labels: inputs["labels"],
      labelSmoothing: arguments.double("labelSmoothing"),
      ignoring: arguments[number: "ignoredLabel"].map { Int32($0) } ?? -100,
      reduction: reduction(arguments))
  },
]

/// PyTorch has two options more: targets as logarithms, and a mean over rows only.
private func divergence(shift: Double) -> CallosumTestSupport.Operation {
  Operation("klDivergence") { inputs, arguments in
    let given = inputs["target"]
    let target = (arguments.bool("logTarget") ? exp(given) : given) + shift
    let predictions = inputs["prediction"]
    guard arguments.string("reduction") == "batchMean" else {
      return klDivergence(logPredictions: predictions, target, reduction: reduction(arguments))
    }
    return klDivergence(logPredictions: predictions, target, reduction: .sum) * (1 / Double(target.dim(0)))
  }
}

private func pairwise(
  _ name: String, _ loss: @escaping @Sendable (Tensor, Tensor, LossReduction) -> Tensor
) -> CallosumTestSupport.Operation {
  Operation(name) { loss($0["prediction"], $0["target"], reduction($1)) }
}

private func reduction(_ arguments: Arguments) -> LossReduction {
  LossReduction(rawValue: arguments.string("reduction")) ?? .none
}

@Suite struct LossTests {
  @Test(arguments: losses) func agreesWithPyTorch(_ loss: CallosumTestSupport.Operation) throws {
    report(try loss.goldenProblems(.float32, under: [Setting()]))
    report(try loss.goldenProblems(.float64, under: [Setting()]))
  }

  /// Divergences from targets moved away from 0, where the logarithm bends too much for differences.
  @Test(arguments: losses.filter { $0.name != "klDivergence" } + [divergence(shift: 0.2)])
  func derivatives(_ loss: CallosumTestSupport.Operation) throws {
    report(try loss.finiteDifferenceProblems())
    report(try loss.secondDerivativeProblems())
  }

  @Test func aLossDoesNotBroadcast() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = meanSquaredError(.zeros([4, 1]), .zeros([4]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("meanSquaredError: predictions [4, 1] and targets [4] differ in shape"))
  }
}

private func report(_ problems: [String]) {
  for problem in problems { Issue.record("\(problem)") }
}
