import CallosumKernels
import CallosumTensors
import Foundation
import Testing

/// `withErrors`: mistakes that are thrown.
@Suite struct ErrorScopeTests {
  private struct Own: Error, Equatable {}

  /// The line that a mistake in `body` throws.
  private func mistake(_ body: () throws -> Void) -> String? {
    do {
      try withErrors(body)
      return nil
    } catch { return "\(error)" }
  }

  private let wrong = "matmul: inner axes do not fit: shapes [2, 3] and [4, 5] have 3 and 4"
  private func fail() { _ = matmul(Tensor.zeros([2, 3]), Tensor.zeros([4, 5])) }

  @Test func resultsAndErrorsPassThrough() throws {
    var count = 0
    let x = try withErrors {
      count += 1
      return Tensor([1, 2, 3] as [Float]) * 2
    }
    #expect(x.floats == [2, 4, 6] && count == 1)
    #expect(throws: Own()) { try withErrors { throw Own() } }
    #expect(mistake(fail) == wrong)
  }

  @Test func scopesNest() {
    let outer = mistake {
      let inner = mistake { #expect(mistake(fail) == wrong) }
      #expect(inner == nil)
      #expect(mistake(fail) == wrong)
      _ = Tensor.zeros([2]).reshaped(3)
    }
    #expect(outer == "reshaped: shape [2] has 2 elements, [3] has 3")
  }

  /// What the caller was doing goes on where it was: recording, counting, the number of threads.
  @Test func theCallerGoesOn() throws {
    let x = Tensor([1, 2, 3] as [Float])
    var arithmetic = 0
    let (value, slope) = try valueAndGradient(at: x) { x in
      let y = try withErrors { x * 2 }
      arithmetic = try countingMultiplyAccumulates {
        _ = try withErrors { matmul(y.reshaped(1, 3), y.reshaped(3, 1)) }
        let lost = mistake {
          _ = countingMultiplyAccumulates {
            withoutRecording {
              _ = gradient(at: y) { matmul($0.reshaped(1, 3), Tensor.zeros([4, 5])).sum() }
            }
          }
        }
        #expect(lost != nil)
      }
      return try withErrors { (y * y * x).sum() }
    }
    #expect(value.item() == 144 && slope.floats == [12, 48, 108])
    #expect(arithmetic == 3)

    let before = callosum_thread_count()
    defer { callosum_set_thread_count(before) }
    callosum_set_thread_count(3)
    #expect(try withErrors { callosum_thread_count() } == 3)
    #expect(
      mistake {
        callosum_set_thread_count(2); fail()
      } == wrong)
    #expect(callosum_thread_count() == 2)
  }

  private final class Holder {
    var numbers = [1]
    func change(_ body: (inout [Int]) -> Void) { body(&numbers) }
  }

  /// Swift takes note of who changes what; a change that was given up must not count as one in progress.
  @Test func whatWasBeingChangedCanBeChangedAgain() {
    let holder = Holder()
    for _ in 0..<20 {
      #expect(mistake { holder.change { _ in fail() } } == wrong)
      holder.change { $0[0] += 1 }
    }
    #expect(holder.numbers == [21])
  }

  /// Thousands of mistakes, from several threads at once, leave no thread behind.
  @Test func threadsEnd() async {
    await #expect(processExitsWith: .success) {
      let test = ErrorScopeTests()
      func threads() throws -> Int {
        #if os(Linux)
          let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
          return status.firstMatch(of: /Threads:\s*(\d+)/).flatMap { Int($0.output.1) } ?? 0
        #else
          return 0
        #endif
      }
      func rounds(_ count: Int) {
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
          for _ in 0..<count {
            let sum = try? withErrors { Tensor.ones([64, 64]).sum().item() }
            if test.mistake(test.fail) != test.wrong || sum != 4096 { fatalError("round") }
          }
        }
      }
      rounds(50)
      let before = try threads()
      rounds(300)
      let after = try threads()
      if after > before + 8 { fatalError("\(before) threads became \(after)") }
    }
  }

  /// What data lead to, and shapes do not.
  @Test func data() {
    let labels = mistake {
      _ = crossEntropyPerItem(logits: .zeros([2, 3]), targets: Tensor([0, 7] as [Int32]))
    }
    #expect(labels == "crossEntropy: a label lies outside 0..<3 and is not the ignored -100")
    #expect(mistake { _ = inverse(.ones([2, 2])) } == "inverse: the matrix is singular: pivot 1 is 0")
  }

  @Test func memoryThatThereIsNot() {
    let line = mistake { _ = Tensor.zeros([1 << 40, 1 << 10]) }
    #expect(
      line == "out of memory: a tensor needs 4503599627370496 bytes; use smaller batches or sizes")
  }
}
