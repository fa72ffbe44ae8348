import CallosumContracts
import CallosumTasks
import CallosumTensors
import Testing

@Suite struct SpikeAndBagTests {
  @Test func bothAreLawful() throws {
    expectLawful(try SpikeAdding(), limit: 100)
    expectLawful(try BitPatternBags())
    expectLawful(try BitPatternBags(bits: 3, instances: 5, signals: 2), limit: 60)
  }

  /// Digits are told from their maps: the map averaged over many examples of a sum of 0 or 18 is that of one
  /// digit, the same in both halves.
  @Test func digitsFollowTheirMaps() throws {
    let task = try SpikeAdding(channels: 12, steps: 9)
    let batch = task.batch(.training, Array(0..<30_000))
    #expect(Set(batch.targets.doubles) == Set((0...18).map(Double.init)))
    #expect(Set(batch.inputs.sliced(axis: 0, to: 100).doubles) == [0, 1])
    for sum in [0.0, 18] {
      let rows = (batch.targets .== sum).nonZero().reshaped(-1)
      let mean = batch.inputs.take(rows).mean(axis: 0)
      let halves = [mean.sliced(axis: 0, to: 9), mean.sliced(axis: 0, from: 9)]
      // About 300 examples: three standard errors of a chance of 0.3 are 0.08, and there are 108 of them.
      #expect(abs(halves[0] - halves[1]).max().item() < 0.16)
      #expect((0.25...0.4).contains(mean.max().item()))
      #expect(mean.min().item() < 0.03)
    }
    // One of ten sums of two digits is 9.
    let nines = (batch.targets .== 9).asType(.float32).mean().item()
    #expect(Swift.abs(nines - 0.1) < 0.01)
  }

  @Test func bagsHoldOneSignalOrNone() throws {
    let task = try BitPatternBags()
    #expect(Split.allCases.map { task.count($0) } == [1024, 128, 512])
    let batch = task.batch(.training, Array(0..<1024))
    let bits = batch.inputs.doubles, labels = batch.targets.doubles
    for bag in 0..<1024 {
      let patterns = (0..<16).map { instance in
        (0..<8).reduce(0) { $0 + Int(bits[(bag * 16 + instance) * 8 + $1]) << $1 }
      }
      #expect(patterns.count { task.signals.contains($0) } == Int(labels[bag]))
    }
    #expect((0.44...0.56).contains(labels.reduce(0, +) / 1024))
    #expect(throws: InvalidInput("of 4 patterns, 1 to 3 can be signals")) {
      try BitPatternBags(bits: 2, signals: 4)
    }
  }
}
