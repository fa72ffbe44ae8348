import CallosumTensors
import CallosumTestSupport
import Foundation
import Synchronization
import Testing

extension TensorTests {
  /// Calls from several threads, and the same bits again.
  @Suite struct Threads {
    @Test(arguments: FusedCall.all) func repeatTheSameBits(_ fused: FusedCall) {
      var random = RandomGenerator(seed: 2)
      let inputs = fused.shapes.map { random.normal($0) }
      let cotangent = random.normal(fused.call(inputs).shape)
      func bits() -> [[UInt32]] {
        let (values, pullback) = fused.derivative(at: inputs)
        return (values + pullback([cotangent])).map { $0.asArray(Float.self).map(\.bitPattern) }
      }
      let first = bits()
      for _ in 0..<3 { #expect(bits() == first) }
    }

    /// What a kernel keeps between calls must serve other threads than the one that made it.
    @Test(arguments: FusedCall.all) func kernelsRunOnAnyThread(_ fused: FusedCall) {
      var random = RandomGenerator(seed: 3)
      let inputs = fused.shapes.map { random.normal($0) }
      let cotangent = random.normal(fused.call(inputs).shape)
      let run: @Sendable () -> [[Float]] = {
        let (values, pullback) = fused.derivative(at: inputs)
        return (values + pullback([cotangent])).map(\.floats)
      }
      let wanted = run()
      for _ in 0..<2 {
        let found = Mutex<[[Float]]>([])
        let isDone = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
          let result = run()
          found.withLock { $0 = result }
          isDone.signal()
        }
        isDone.wait()
        #expect(found.withLock { $0 } == wanted)
      }
    }

    @Test func threadsRecordSeparately() {
      let found = Slopes()
      DispatchQueue.concurrentPerform(iterations: 8) { index in
        for _ in 0..<50 {
          let x = Tensor([Double(index), 1])
          found.set(index, gradient(at: x) { x in square(matmul(x.reshaped(2, 1), x.reshaped(1, 2))).sum() })
        }
      }
      for index in 0..<8 {
        let (a, b) = (Double(index), 1.0)
        #expect(found.get(index) == [4 * a * (a * a + b * b), 4 * b * (a * a + b * b)])
      }
    }
  }
}

/// Results that several threads write.
private final class Slopes: Sendable {
  private let values = Mutex([Int: [Double]]())
  func set(_ index: Int, _ slope: Tensor) { values.withLock { $0[index] = slope.doubles } }
  func get(_ index: Int) -> [Double]? { values.withLock { $0[index] } }
}
