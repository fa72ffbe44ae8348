import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// The losses against PyTorch's values and gradients, and against finite differences.
@Suite struct Losses {
  private static let all: [Operation] = [
    loss("meanSquaredError") { mseLoss(predictions: $0, targets: $1, reduction: $2) },
    loss("l1") { l1Loss(predictions: $0, targets: $1, reduction: $2) },
    Operation("huber") { x, a in
      huberLoss(
        predictions: x["prediction"], targets: x["target"], delta: a.double("delta"), reduction: reduction(a))
    },
    loss("poisson") { poissonLoss(predictions: $0, targets: $1, reduction: $2) },
    loss("binaryCrossEntropyWithLogits") { binaryCrossEntropy(logits: $0, targets: $1, reduction: $2) },
    Operation("klDivergence") { x, a in
      let target = a.bool("logTarget") ? exp(x["target"]) : x["target"]
      guard a.string("reduction") == "batchMean" else {
        return klDivLoss(logPredictions: x["prediction"], targets: target, reduction: reduction(a))
      }
      return klDivLoss(logPredictions: x["prediction"], targets: target, reduction: .sum)
        * (1 / Double(target.dim(0)))
    },
    Operation("crossEntropy") { x, a in
      crossEntropy(
        logits: x["logits"], targets: x["labels"], labelSmoothing: a.double("labelSmoothing"),
        ignoring: Int32(a[number: "ignoredLabel"] ?? -100), reduction: reduction(a))
    },
  ]

  private static func loss(
    _ name: String, _ function: @escaping @Sendable (Tensor, Tensor, LossReduction) -> Tensor
  ) -> Operation {
    Operation(name) { x, a in function(x["prediction"], x["target"], reduction(a)) }
  }

  private static func reduction(_ arguments: Arguments) -> LossReduction {
    LossReduction(rawValue: arguments.string("reduction")) ?? .none
  }

  @Test(arguments: all) func goldenValues(_ loss: Operation) throws {
    for dtype in [DType.float32, .float64] {
      for problem in try loss.goldenProblems(dtype, under: [Setting()]) { Issue.record("\(problem)") }
    }
  }

  @Test(arguments: all) func derivatives(_ loss: Operation) throws {
    for problem in try loss.finiteDifferenceProblems() + loss.secondDerivativeProblems() {
      Issue.record("\(problem)")
    }
  }

  /// log(1 + exp(-17)) and the like, by PyTorch in float64.
  @Test func sureLogitsHaveALoss() {
    let logits = Tensor([17, -17, 40, 0]), targets = Tensor([1, 0, 1, 0.5])
    let values = [4.139937459513021e-08, 4.139937459513021e-08, 4.248354255291589e-18, 0.6931471805599453]
    for type in [DType.float32, .float64] {
      let losses = binaryCrossEntropy(
        logits: logits.asType(type), targets: targets.asType(type), reduction: .none)
      #expect(zip(losses.doubles, values).allSatisfy { abs($0 - $1) < 3e-7 * $1 }, "\(losses.doubles)")
    }
  }

  @Test func aLossDoesNotBroadcast() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = mseLoss(predictions: .zeros([4, 1]), targets: .zeros([4]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("mseLoss: predictions [4, 1] and targets [4] differ in shape"))
  }
}
