import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Mutated files of every format that is read from outside: a reader may refuse one in one line, but
/// neither crash nor take memory that the file does not warrant.
///
/// `Scripts/fuzz` runs many more of them. File n of a seed is always the same, and lies in the folder
/// while it is read, so whatever crashes stays there under a name that says seed and number.
@Suite(.serialized) struct FuzzingTests {
  /// What `Scripts/fuzz` asks for.
  private struct Plan {
    private static let environment = ProcessInfo.processInfo.environment
    let files = environment["CALLOSUM_FUZZ_FILES"].flatMap(Int.init) ?? 2000
    let seconds = environment["CALLOSUM_FUZZ_SECONDS"].flatMap(Double.init) ?? .infinity
    let seed = environment["CALLOSUM_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
    let first = environment["CALLOSUM_FUZZ_FIRST"].flatMap(Int.init) ?? 0
    let folder = environment["CALLOSUM_FUZZ_FOLDER"]
  }

  /// All files of the fixtures are below 20 kB and unpack to less than 1 MB.
  private let mostMemory = 64 << 20

  @Test func mutatedFilesAreReadOrRefused() throws {
    let plan = Plan()
    if let folder = plan.folder {
      try fuzz(plan, in: folder)
    } else {
      // Archives are written with fsync, thousands of which a disk would not like.
      try inTemporaryFolder(inMemory: true) { try fuzz(plan, in: $0) }
    }
  }

  private func fuzz(_ plan: Plan, in folder: String) throws {
    let subjects = try Subject.all()
    var outcomes = subjects.map { _ in (read: 0, refused: 0) }
    let start = Date()
    var done = 0
    while done < plan.files, Date().timeIntervalSince(start) < plan.seconds {
      let number = plan.first + done, which = number % subjects.count
      let path = "\(folder)/\(subjects[which].name.replacing(" ", with: "-"))-seed\(plan.seed)-\(number)"
      try make(number, seed: plan.seed, subjects[which], at: path)
      let before = peakMemory()
      var problem: String?
      do {
        try subjects[which].read(path)
        outcomes[which].read += 1
      } catch {
        outcomes[which].refused += 1
        if !Subject.isProper(error) { problem = "an error that is not one clear line: \(error)" }
      }
      let growth = peakMemory() - before
      if growth > mostMemory && !isSanitized { problem = "took \(growth >> 20) MB" }
      if let problem { Issue.record("\(path): \(problem)") } else { unlink(path) }
      done += 1
    }
    let seconds = Date().timeIntervalSince(start)
    if plan.folder != nil {
      print("seed \(plan.seed): \(done) files in \(Int(seconds)) s")
      for (subject, outcome) in zip(subjects, outcomes) {
        print("  \(subject.name): \(outcome.read) read, \(outcome.refused) refused")
      }
    }
    // Mutations that nobody refuses, or all, would test nothing.
    if done >= 600 {
      for (subject, outcome) in zip(subjects, outcomes) {
        #expect(outcome.read > 0 && outcome.refused > 0, "\(subject.name)")
      }
    }
  }

  private func make(_ number: Int, seed: UInt64, _ subject: Subject, at path: String) throws {
    var mutation = Mutation(random: RandomGenerator(seed: seed).stream("file \(number)"))
    let original = subject.seeds[mutation.below(subject.seeds.count)]
    let other = subject.seeds[mutation.below(subject.seeds.count)]
    try subject.wrapped(mutation.mutated(original, with: other), path)
  }

  /// The most memory that this process ever had in RAM, in bytes.
  private func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_maxrss << 10
    #endif
  }
}
