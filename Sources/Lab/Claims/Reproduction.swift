import CallosumContracts
import Foundation

/// Re-checks one claim: runs its arms from as many seeds as it takes to judge, side by side where that is faster.
package struct Reproduction {
  private let claim: Claim
  package let budget: ClaimBudget
  /// Seeds that somebody wants to see, whether or not the verdict needs them.
  private let wanted: Int
  /// When the claim was judged before.
  private var earlier: [Provenance.Earlier] = []

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
    /// As many jobs come next.
    case planned(Int)
    case started(Job)
    case message(Job, ClaimMessage)
  }

  /// - Parameter seeds: at least so many, though a verdict may need fewer; more never make one.
  /// - Throws: `InvalidInput` for fewer seeds than the first look has, or as many as reach those of tuning.
  package init(
    _ claim: Claim, budget: ClaimBudget, seeds: Int? = nil
  ) throws {
    if let seeds {
      let most = Int(Claim.Tuning.firstSeed) - 1
      try require(
        (Looks.fewest...most).contains(seeds),
        "--seeds must be from \(Looks.fewest) to \(most), is \(seeds): a verdict takes \(Looks.fewest), and seeds from "
          + "\(most + 1) on are for choosing settings")
    }
    self.claim = claim
    self.budget = budget
    wanted = seeds ?? 0
  }

  /// This one, if the claim was judged before as told.
  package func after(_ judged: [Provenance.Earlier]) -> Reproduction {
    var reproduction = self
    reproduction.earlier = judged
    return reproduction
  }

  /// Seeds in the outer loop, so that an interrupted claim still compares.
  private func jobs(_ seeds: ClosedRange<UInt64>, arms: [Claim.Arm]) -> [Job] {
    seeds.flatMap { seed in arms.map { Job(arm: $0.id, seed: seed) } }
  }

  /// What `count` seeds take: all arms at the first look and as long as somebody wants to see them, then those
  /// that an open condition reads.
  private func jobs(upTo count: Int, _ judgement: Judgement?) -> [Job] {
    guard let judgement, count > wanted else { return jobs(1...UInt64(count), arms: claim.arms) }
    let (gates, conditions) = judgement.open
    let open = gates.map { claim.criterion.gates[$0] } + conditions.map { claim.criterion.conditions[$0] }
    let needed = Set(open.flatMap(\.quantity.inputs).map(\.arm))
    return jobs(1...UInt64(count), arms: claim.arms.filter { needed.contains($0.id) })
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

  /// Judges the claim: looks at the seeds until they decide. With more than one of `processes` each job gets a
  /// process of its own, started by `worker`, and its share of the cores; else they run here, one after the other.
  /// - Parameters:
  ///   - finished: runs that need not be done again, by arm.
  ///   - limit: no further look is taken after so long, and what is open then stays undecided.
  /// - Throws: `InvalidInput` if names of the claim do not fit together, or a job fails.
  package func run(
    processes: Int, finished: [String: [ClaimReport.Run]] = [:], limit: Duration? = nil,
    worker: (Job, ClaimBudget) -> [String], onEvent: (Event) throws -> Void,
    isCancelled: @escaping () -> Bool
  ) throws -> ClaimReport {
    try claim.validate()
    let start = ContinuousClock.now
    let provenance = Provenance(of: claim, earlier: earlier)
    let checks = try claim.checks.map { check in
      let run = ClaimRun(checkWith: ClaimRun.Observer(isCancelled: isCancelled))
      return ClaimReport.Check(statement: check.statement, outcome: try check.run(run))
    }
    var runs = finished
    func report() throws -> ClaimReport {
      try ClaimReport(
        claim, runs: runs, checks: checks, budget: budget,
        seconds: (ContinuousClock.now - start) / .seconds(1),
        provenance: provenance, wasInterrupted: isCancelled())
    }
    var judgement: Judgement?
    for count in Set(Looks.all.map(\.seeds) + [max(wanted, Looks.fewest)]).sorted() {
      let jobs = jobs(upTo: count, judgement).filter { job in
        !(runs[job.arm] ?? []).contains { $0.seed == job.seed }
      }
      try onEvent(.planned(jobs.count))
      try perform(jobs, processes: processes, worker: worker, onEvent: onEvent, isCancelled: isCancelled) {
        runs[$0.arm, default: []].append($1)
      }
      if isCancelled() { break }
      let found = try report().judgement
      let isClosed = found.open.gates.isEmpty && found.open.conditions.isEmpty
      if count >= wanted, isClosed || limit.map({ ContinuousClock.now - start > $0 }) == true { break }
      judgement = found
    }
    return try report()
  }

  /// Runs all arms from seeds of tuning: what they measure, and nothing about the claim.
  package func rehearse(
    seeds count: Int, processes: Int, worker: (Job, ClaimBudget) -> [String], onEvent: (Event) throws -> Void,
    isCancelled: @escaping () -> Bool
  ) throws -> Rehearsal {
    try claim.validate()
    let first = Claim.Tuning.firstSeed
    let jobs = jobs(first...first + UInt64(count) - 1, arms: claim.arms)
    var runs: [String: [ClaimReport.Run]] = [:]
    try onEvent(.planned(jobs.count))
    try perform(jobs, processes: processes, worker: worker, onEvent: onEvent, isCancelled: isCancelled) {
      runs[$0.arm, default: []].append($1)
    }
    return Rehearsal(claim, runs: runs)
  }

  /// Runs jobs, and hands over what each of them measured.
  private func perform(
    _ jobs: [Job], processes: Int, worker: (Job, ClaimBudget) -> [String], onEvent: (Event) throws -> Void,
    isCancelled: @escaping () -> Bool, keep: (Job, ClaimReport.Run) -> Void
  ) throws {
    func note(_ job: Job, _ message: ClaimMessage) throws {
      try onEvent(.message(job, message))
      switch message {
      case .result(let run): keep(job, run)
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
  }
}
