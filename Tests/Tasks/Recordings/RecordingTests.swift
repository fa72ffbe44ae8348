import CallosumContracts
import CallosumTasks
import CallosumTensors
import Testing

@Suite struct RecordingTests {
  @Test func hubsDriveTheirCells() throws {
    let recording = try HubRecording()
    #expect(recording.cells == 24)
    #expect(Set(recording.driven.joined()) == Set(3..<24))
    let total = 260.0
    var times = [[Double]](repeating: [], count: 24)
    for spike in recording.spikes { times[spike.cell].append(spike.time) }
    // Undriven cells fire at about 4 Hz for a drive of 0.55, and faster for more; driven ones faster still.
    let rates = times.map { Double($0.count) / total }
    let hubs = rates[..<3].reduce(0, +) / 3, others = rates[3...].reduce(0, +) / 21
    #expect((3...12).contains(hubs))
    #expect(others > hubs + 1)
    // A kick fires its target within 5 ms about half the time: with unknown delays between 15 and 35 ms, the
    // spikes 15 to 40 ms behind a hub's are more frequent in its own cells than in others'.
    func response(_ hub: Int, _ cell: Int) -> Double {
      var count = 0, place = 0
      for time in times[hub] {
        while place < times[cell].count && times[cell][place] < time + 0.015 { place += 1 }
        var later = place
        while later < times[cell].count && times[cell][later] < time + 0.040 {
          count += 1
          later += 1
        }
      }
      return Double(count) / Double(times[hub].count) - 0.025 * rates[cell]
    }
    for hub in 0..<3 {
      for cell in 3..<24 {
        if recording.driven[hub].contains(cell) {
          #expect((0.25...0.75).contains(response(hub, cell)))
        } else {
          #expect(Swift.abs(response(hub, cell)) < 0.1)
        }
      }
    }
    // The behaviour is the first hub's rate.
    let mean = recording.behaviour.reduce(0, +) / Double(recording.behaviour.count)
    #expect(recording.behaviour.count == 26_000)
    #expect(Swift.abs(mean - rates[0]) < 0.05 * rates[0])
    #expect(times.allSatisfy { zip($0, $0.dropFirst()).allSatisfy { $1 - $0 > 0.002 } })
  }

  @Test func anUndrivenCellFiresAsSaid() throws {
    var settings = HubRecording.Settings()
    (settings.leastDrive, settings.largestDrive, settings.kick) = (0.55, 0.55, 0)
    let recording = try HubRecording(settings, seed: 1)
    let rate = Double(recording.spikes.count) / 24 / 260
    #expect((3...5).contains(rate))
  }

  @Test func splitsFollowOneAnother() throws {
    var settings = HubRecording.Settings()
    (settings.training, settings.validation, settings.test) = (6, 1, 2)
    let recording = try HubRecording(settings, seed: 2), again = try HubRecording(settings, seed: 2)
    #expect(recording.spikes == again.spikes)
    let counts = Split.allCases.map { recording.counts($0, width: 0.05) }
    #expect(counts.map(\.shape) == [[120, 24], [20, 24], [40, 24]])
    #expect(counts.reduce(0) { $0 + $1.sum().item() } == Double(recording.spikes.count { $0.time < 9 }))
    settings.longestDelay = 1
    #expect(throws: InvalidInput("delays must be at least a step and in order")) {
      try HubRecording(settings)
    }
  }

  @Test func cellsAnswerToWhatTheyLike() throws {
    let population = try CellPopulation(sizeJitter: 0, gainSpread: 0)
    #expect(population.types.count == 120 && Set(population.types).count == 6)
    let lengths = square(population.filters).sum(axis: 1)
    #expect(lengths.doubles.allSatisfy { Swift.abs($0 - 1) < 1e-5 })
    // Each filter as an image: its own type answers most.
    let images = population.filters.sliced(axis: 0, to: 6).reshaped(6, 16, 16, 1) * 5
    let best = population.responses(to: images).argMax(axis: 0).doubles
    #expect(best == (0..<120).map { Double($0 % 6) })
    // softplus(0) = log 2 for nothing to see.
    let dark = population.responses(to: .zeros([1, 16, 16, 1]))
    #expect(dark.doubles.allSatisfy { Swift.abs($0 - 0.693147) < 1e-5 })
    let slope = gradient(at: images) { population.responses(to: $0).sum() }
    #expect(abs(slope).max().item() > 0)
  }

  @Test func imagesAndSpikesHaveTheirStatistics() throws {
    let population = try CellPopulation()
    var generator = RandomGenerator(seed: 5)
    let images = population.images(500, using: &generator)
    #expect(abs(images.mean(axes: [1, 2, 3])).max().item() < 1e-5)
    #expect(abs(images.variance(axes: [1, 2, 3]) - 1).max().item() < 1e-4)
    // Amplitudes fall with 1 / frequency: power with its square.
    let power = square(complexMagnitude(rfft(images.squeezed(axis: 3), axes: [1, 2]))).mean(axis: 0)
    let ratio = power[0, 1].item() / power[0, 4].item()
    #expect((11...22).contains(ratio))
    for rate in [0.5, 7, 300] {
      let counts = CellPopulation.spikes(.full([4000], rate), using: &generator)
      #expect(Swift.abs(counts.mean().item() / rate - 1) < 0.06)
      #expect(Swift.abs(counts.variance().item() / rate - 1) < 0.12)
    }
    let recording = try population.recording(training: 20, validation: 5, test: 5)
    expectLawful(recording)
    #expect(recording.batch(.test, [0]).targets.shape == [1, 120])
  }
}
