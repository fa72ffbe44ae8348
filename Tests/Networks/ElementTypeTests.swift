import CallosumTensors
import CallosumTestSupport
import Testing

/// Losses and layers on element types that they are not made for: the right result, or a refusal.
@Suite struct ElementTypes {
  @Test(arguments: Operation.everything) func otherElementTypes(_ operation: Operation) throws {
    for problem in try operation.typeProblems() { Issue.record("\(problem)") }
  }
}
