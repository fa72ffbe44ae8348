import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct LeakTests {
  /// In a process of its own, so that no other test takes memory meanwhile.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/statm") && !isSanitized))
  func memoryStaysFlatOverManySteps() async {
    await #expect(processExitsWith: .success) {
      var random = RandomGenerator(seed: 1)
      let network = Sequential(
        Linear(12, 16, activation: .gelu, using: &random), LayerNorm(16), Dropout(0.2),
        Linear(16, 3, using: &random))
      let parameters = network.parameters()
      let optimiser = Adam(parameters)
      let inputs = random.normal([8, 12]), labels = random.integers([8], low: 0, high: 3)
      func train(_ steps: Int) {
        for _ in 0..<steps {
          let (_, gradients) = training(using: &random) {
            valueAndGradient(by: parameters) { crossEntropy(logits: network(inputs), targets: labels) }
          }
          optimiser.update(gradients)
        }
      }
      // The allocator settles in the warm-up, and may still move by some pages.
      train(1000)
      let settled = residentBytes()
      train(1000)
      let allowed = max(residentBytes() - settled, 64 * 4096)
      let before = residentBytes()
      train(10_000)
      // A single float kept from each step would be 1.3 MB: its storage, its block and their headers.
      #expect(residentBytes() - before <= allowed)
    }
  }
}

/// Memory of this process that lies in RAM.
private func residentBytes() -> Int {
  let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
  return (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * Int(getpagesize())
}
