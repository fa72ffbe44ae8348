import CallosumTensors
import CallosumTestSupport
import Testing

/// The tests of the tensor room. They run one after the other, because some change settings of the
/// whole process, and with NaN in all fresh memory.
@Suite(.serialized, FreshMemoryIsNaN()) struct TensorTests {}

struct FreshMemoryIsNaN: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    Storage.poisonsFreshBlocks = true
    try await function()
  }
}
