import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// What is kept for reuse, by our own counters, in processes where nothing else runs.
@Suite(.enabled(if: !isSanitized, "freed blocks are not kept, so that misuse shows"))
struct TensorMemoryTests {
  private static func hold(_ condition: Bool, line: Int = #line) {
    if !condition { fatalError("line \(line): \(TensorMemory.activeMemory), \(TensorMemory.cacheMemory)") }
  }

  @Test func growingSizesAreNotKeptForGood() async {
    await #expect(processExitsWith: .success) {
      var alive: [Tensor] = []
      // 1.3 GB in all, two of them alive.
      for i in 1...400 {
        alive.append(.zeros([4096 * i]))
        if alive.count > 2 { alive.removeFirst() }
        // See `TensorMemory.cacheLimit`.
        let most = TensorMemory.peakMemory * 5 / 4 + 64 << 20
        Self.hold(TensorMemory.activeMemory + TensorMemory.cacheMemory <= most)
      }
      Self.hold(TensorMemory.activeMemory >= 4 * 4096 * (399 + 400))
      Self.hold(TensorMemory.peakMemory < 4 * 4096 * 3 * 450)
      alive = []
      TensorMemory.clearCache()
      Self.hold(TensorMemory.cacheMemory == 0 && TensorMemory.activeMemory == 0)
      TensorMemory.resetPeakMemory()
      Self.hold(TensorMemory.peakMemory == 0)
    }
  }

  @Test func blocksServeAgainUpToTheLimit() async {
    await #expect(processExitsWith: .success) {
      @inline(never) func make(_ sizes: Int...) {
        let tensors = sizes.map { Tensor.zeros([$0 / 4]) }
        withExtendedLifetime(tensors) {}
      }
      let size = 1 << 20
      TensorMemory.cacheLimit = 3 * size
      make(size, size, size, size, size)
      Self.hold(TensorMemory.cacheMemory == 3 * size)
      // Asked for again, they are taken; for one of another size the oldest make room.
      make(size, size)
      Self.hold(TensorMemory.cacheMemory == 3 * size)
      make(2 * size)
      Self.hold(TensorMemory.cacheMemory == 3 * size)
      TensorMemory.cacheLimit = 0
      make(size)
      Self.hold(TensorMemory.cacheMemory == 0 && TensorMemory.activeMemory == 0)
    }
    let mistake = #expect(throws: InvalidInput.self) {
      try withErrors { TensorMemory.cacheLimit = -1 }
    }
    #expect(mistake?.description == "TensorMemory: a limit is 0 or more bytes, got -1")
  }
}
