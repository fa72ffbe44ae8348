import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// The losses against PyTorch's values and gradients, and against finite differences.
@Suite struct Losses {
  @Test(arguments: Operation.losses) func goldenValues(_ loss: Operation) throws {
    for dtype in [DType.float32, .float64] {
      for problem in try loss.goldenProblems(dtype, under: [Setting()]) { Issue.record("\(problem)") }
    }
  }

  @Test(arguments: Operation.losses) func derivatives(_ loss: Operation) throws {
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

  @Test func whatIsImpossibleAndNotExpectedCostsNothing() {
    let values = klDivLoss(
      logPredictions: Tensor([-Float.infinity, .nan, -1, -1]), targets: Tensor([Float(0), 0, 0, .nan]),
      reduction: .none
    ).doubles
    #expect(values[0] == 0 && values[1].isNaN && values[2] == 0 && values[3].isNaN, "\(values)")
  }

  @Test func aLossDoesNotBroadcast() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = mseLoss(predictions: .zeros([4, 1]), targets: .zeros([4]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("mseLoss: predictions [4, 1] and targets [4] differ in shape"))
  }
}
