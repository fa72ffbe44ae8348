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

    /// Each operation has a mistake that it refuses, and an answer for its speed; none is for nothing.
    @Test func everyOperationIsCovered() throws {
      let listed = Set(Operation.all.map(\.name))
      // What stands in one of the lists alone.
      #expect(listed.symmetricDifference(Operation.refusals.keys) == [], "OperationRefusals.swift")
      #expect(listed.symmetricDifference(Speed.of.keys) == [], "OperationSpeed.swift")
      let workloads = try Golden.workloads()
      for case .workload(let name) in Speed.of.values {
        #expect(workloads.contains(name), "Benchmarks has no workload \(name)")
      }
    }

    @Test(arguments: Operation.all.map(\.name)) func refusesByName(_ name: String) async throws {
      let refusal = try #require(Operation.refusals[name])
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
        Operation.refusals[name]?.make()
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(text.contains("Fatal error: \(refusal.says)"), "\(name) stopped with \(text.prefix(300))")
    }

    /// Never a silent zero: an operation without gradients in its golden file stops with its name.
    @Test(arguments: try Operation.all.filter { try !$0.hasDerivative() }.map(\.name))
    func stopsWithoutDerivative(_ name: String) async throws {
      let says = try #require(Operation.refusals[name]).says
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
        try Operation.all.first { $0.name == name }?.askForDerivative()
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(
        text.contains("Fatal error: \(says): has no derivative"), "\(name) stopped with \(text.prefix(300))")
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

    @Test(arguments: Operation.everything) func otherElementTypes(_ operation: Operation) throws {
      report(try operation.typeProblems())
    }

    @Test(arguments: Operation.all) func secondDerivatives(_ operation: Operation) throws {
      report(try operation.secondDerivativeProblems())
    }
  }
}

private func report(_ problems: [String]) {
  for problem in problems { Issue.record("\(problem)") }
}
