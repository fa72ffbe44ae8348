import CallosumContracts
import Foundation

/// Re-checks one claim: runs every arm from every seed, side by side where that is faster, and judges.
package struct Reproduction {
  private let claim: Claim
  package let budget: ClaimBudget
  private let seeds: [UInt64]

  /// One arm from one seed.
  package struct Job: Sendable, Hashable {
    package let arm: String
    package let seed: UInt64
    package init(arm: String, seed: UInt64) {
      self.arm = arm
      self.seed = seed
    }
  }

  /// What happened, for progress and the store.
  package enum Event {
    case started(Job)
    case message(Job, ClaimMessage)
  }

  /// - Throws: `InvalidInput` for fewer than one seed.
  package init(_ claim: Claim, budget: ClaimBudget, seeds: Int? = nil) throws {
    if let seeds {
      try require((1...1000).contains(seeds), "--seeds must be from 1 to 1000, is \(seeds)")
    }
    self.claim = claim
    self.budget = budget
    self.seeds = seeds.map { (1...UInt64($0)).map { $0 } } ?? claim.seeds
  }

  /// Seeds run in the outer loop, so that an interrupted claim still compares.
  package var jobs: [Job] {
    seeds.flatMap { seed in claim.arms.map { Job(arm: $0.id, seed: seed) } }
  }

  /// One job in this process.
  package func run(_ job: Job, onEvent: (ClaimMessage) -> Void, isCancelled: () -> Bool) {
    let start = ContinuousClock.now
    withoutActuallyEscaping(onEvent) { onEvent in
      withoutActuallyEscaping(isCancelled) { isCancelled in
        let observer = ClaimRun.Observer(
          onEvent: { event in
            switch event {
            case .progress(let fraction): onEvent(.progress(fraction))
            case .point(let step, let metric, let value):
              onEvent(.point(step: step, metric: metric, value: value))
            }
          },
          isCancelled: isCancelled)
        let run = ClaimRun(arm: job.arm, seed: job.seed, budget: budget, observer: observer)
        do {
          let result = try claim.run(run)
          try claim.validate(result.metrics, of: job.arm)
          let seconds = (ContinuousClock.now - start) / .seconds(1)
          onEvent(.result(ClaimReport.Run(seed: job.seed, result: result, seconds: seconds)))
        } catch is CancellationError {
          onEvent(.failed("interrupted"))
        } catch {
          onEvent(.failed("\(error)"))
        }
      }
    }
  }

  /// All jobs but the `finished` ones, and the verdict. With more than one of `processes` each job gets a process of its own,
  /// started by `worker`, and its share of the cores; else they run here, one after the other.
  /// - Throws: `InvalidInput` if names of the claim do not fit together, or a job fails.
  package func run(
    processes: Int, finished: [String: [ClaimReport.Run]] = [:], worker: (Job, ClaimBudget) -> [String],
    onEvent: (Event) throws -> Void,
    isCancelled: @escaping () -> Bool
  ) throws -> ClaimReport {
    try claim.validate()
    let start = ContinuousClock.now
    var runs = finished
    let jobs = jobs.filter { job in !(finished[job.arm] ?? []).contains { $0.seed == job.seed } }
    func note(_ job: Job, _ message: ClaimMessage) throws {
      try onEvent(.message(job, message))
      switch message {
      case .result(let run): runs[job.arm, default: []].append(run)
      case .failed(let problem) where !isCancelled():
        throw InvalidInput("\(claim.id), arm \(job.arm), seed \(job.seed): \(problem)")
      default: break
      }
    }
    if processes > 1 && jobs.count > 1 {
      let pool = try WorkerPool(limit: min(processes, jobs.count))
      defer { pool.stop() }
      var waiting = jobs[...]
      while !(waiting.isEmpty && pool.isEmpty) {
        while let job = waiting.first, pool.hasRoom, !isCancelled() {
          waiting.removeFirst()
          try pool.start(job, arguments: worker(job, budget))
          try onEvent(.started(job))
        }
        for (job, message) in try pool.messages() { try note(job, message) }
        if isCancelled() {
          waiting = []
          pool.interrupt()
        }
      }
    } else {
      for job in jobs where !isCancelled() {
        try onEvent(.started(job))
        var problem: (any Error)?
        run(
          job, onEvent: { message in do { try note(job, message) } catch { problem = error } },
          isCancelled: isCancelled)
        if let problem { throw problem }
      }
    }
    return try ClaimReport(
      claim, runs: runs, budget: budget, seeds: seeds,
      seconds: (ContinuousClock.now - start) / .seconds(1), wasInterrupted: isCancelled())
  }
}
