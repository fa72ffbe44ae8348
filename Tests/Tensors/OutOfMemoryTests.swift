import CallosumTensors
import Foundation
import Testing

@Suite struct OutOfMemoryTests {
  /// More than any machine has, and more than this process may have: one line, and no crash.
  @Test func endsWithOneLine() async {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([1 << 40, 1 << 10])
    }
    let line = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(line.hasPrefix("callosum: out of memory: a tensor needs 4503599627370496 bytes; use smaller"))
    #expect(line.count { $0 == "\n" } == 1)
  }

  #if os(Linux)
    @Test func underALimit() async {
      await #expect(processExitsWith: .exitCode(1)) {
        let size = rlim_t(8 << 30)
        var limit = rlimit(rlim_cur: size, rlim_max: size)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        _ = Tensor.zeros([1 << 32])
      }
    }
  #endif
}
