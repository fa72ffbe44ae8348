import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Every operation against PyTorch's values and gradients, and against finite differences.
  @Suite struct Conformance {
    @Test func everyGoldenFileHasAnOperation() throws {
      let listed = Operation.all.map(\.name)
      #expect(Set(listed).count == listed.count)
      #expect(try Golden.operations() == Set(listed).union(Operation.elsewhere))
    }

    @Test(arguments: Operation.all) func goldenValuesByKernels(_ operation: Operation) throws {
      report(try operation.goldenProblems(.float32, under: Setting.ofKernels))
    }

    @Test(arguments: Operation.all) func goldenValuesByReference(_ operation: Operation) throws {
      let settings = [false, true].map { Setting(threadsTinyArrays: $0, prefersReference: true) }
      report(try operation.goldenProblems(.float32, under: settings))
    }

    @Test(arguments: Operation.all) func goldenValuesInFloat64(_ operation: Operation) throws {
      report(try operation.goldenProblems(.float64, under: Setting.ofKernels))
    }

    @Test(arguments: Operation.all) func finiteDifferences(_ operation: Operation) throws {
      report(try operation.finiteDifferenceProblems())
    }

    @Test(arguments: Operation.all) func secondDerivatives(_ operation: Operation) throws {
      report(try operation.secondDerivativeProblems())
    }
  }
}

private func report(_ problems: [String]) {
  for problem in problems { Issue.record("\(problem)") }
}
