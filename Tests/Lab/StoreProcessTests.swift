import CallosumLab
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The store among several real processes, some of which are killed.
@Suite(.serialized) struct StoreProcessTests {
  /// A disk that is full, or a file that may not grow, is one clear line.
  @Test func noRoomForAStoreOrACheckpoint() async {
    await #expect(processExitsWith: .success) {
      try inTemporaryFolder { folder in
        let store = try RunStore(path: folder + "/runs.sqlite")
        let run = try store.begin(
          RunRecord(kind: .training, subject: "task", machine: SampleComparison.make().machine))
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: 256 * 1024, rlim_max: 256 * 1024)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        var complaint = ""
        do {
          for step in 0..<100_000 {
            try run.note("loss", 1, step: step)
            if step % 1000 == 0 { try run.flush() }
          }
        } catch { complaint = "\(error)" }
        #expect(complaint.hasPrefix("the store \(folder)/runs.sqlite cannot be"))
        #expect(!complaint.contains("\n"))
        var random = RandomGenerator(seed: 1)
        do {
          try Safetensors.save(["x": random.normal([100_000])], to: folder + "/x.safetensors")
          Issue.record("a file that may not grow has grown")
        } catch {
          #expect("\(error)".hasPrefix("cannot write \(folder)/x.safetensors: "))
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/x.safetensors"))
      }
    }
  }

  /// Two programs make the same store and write to it at the same time; nothing is lost.
  @Test func twoProcessesWriteAtOnce() async throws {
    try await withFolder { folder in
      let path = folder + "/runs.sqlite"
      await withTaskGroup { group in
        for seed in 1...2 {
          group.addTask {
            await #expect(processExitsWith: .success) { [path = path as String, seed = seed as Int] in
              try writeRuns(path, seed: UInt64(seed), count: 20)
            }
          }
        }
      }
      let store = try RunStore(path: path)
      let runs = try store.runs()
      #expect(runs.count == 40 && runs.allSatisfy { $0.status == .complete })
      #expect(Set(runs.map(\.seed)) == [1, 2])
      for run in runs { #expect(try store.points(of: run.id).count == 200) }
    }
  }

  /// Killed at random moments, a process leaves a sound store that says so. `CALLOSUM_KILLS` says how often.
  @Test func aKilledProcess() async throws {
    let kills = ProcessInfo.processInfo.environment["CALLOSUM_KILLS"].flatMap(Int.init) ?? 10
    try await withFolder { folder in
      let path = folder + "/runs.sqlite"
      for kill in 1...kills {
        let microseconds = UInt32.random(in: 0...200_000)
        await #expect(processExitsWith: .signal(SIGKILL)) {
          [
            path = path as String, kill = kill as Int, microseconds = microseconds as UInt32
          ] in
          Thread.detachNewThread {
            usleep(microseconds)
            Foundation.kill(getpid(), SIGKILL)
          }
          try writeRuns(path, seed: UInt64(kill), count: .max)
        }
        guard let store = try RunStore.existing(path: path) else { continue }
        #expect(try store.isSound())
        let runs = try store.runs()
        #expect(runs.allSatisfy { $0.status == .complete || $0.status == .interrupted })
        for run in runs.suffix(10) where run.status == .complete {
          // What was said to be complete is.
          #expect(try store.points(of: run.id).count == 200)
          #expect(try store.results(of: run.id) == ["loss": 0.5])
        }
      }
      #expect(try RunStore(path: path).runs().count > 0)
    }
  }
}

private func writeRuns(_ path: String, seed: UInt64, count: Int) throws {
  let store = try RunStore(path: path)
  let machine = SampleComparison.make().machine
  for _ in 0..<count {
    let run = try store.begin(RunRecord(kind: .training, subject: "task", seed: seed, machine: machine))
    for step in 0..<200 {
      try run.note("loss", 1 / Double(step + 1), step: step)
      if step % 50 == 0 { try run.flush() }
    }
    try run.finish(["loss": 0.5])
  }
}

private func withFolder(_ body: (String) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("callosum-\(UUID())").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try await body(folder)
}
