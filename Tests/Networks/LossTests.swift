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

  @Test func aLossDoesNotBroadcast() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = mseLoss(predictions: .zeros([4, 1]), targets: .zeros([4]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("mseLoss: predictions [4, 1] and targets [4] differ in shape"))
  }
}
