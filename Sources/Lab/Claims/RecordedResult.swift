import CallosumContracts
import CallosumTensors
import Foundation

/// What re-checking one claim found, as `Results/<id>.json` keeps it: the latest complete run of each budget,
/// with every number that its verdict rests on. Lists in the documentation are made from these files.
///
/// The fields are plain numbers and words rather than the types that judge, so that a file stays readable
/// when those change; keys that are unknown are passed over.
public struct RecordedResult: Codable, Sendable, Equatable {
  /// The claim's id.
  public let claim: String
  /// By budget.
  public var runs: [String: Run]

  /// All arms from all seeds, under one budget.
  public struct Run: Codable, Sendable, Equatable {
    public let verdict: String
    /// For each gate, in order; nil in older files, as are checks, tuning and provenance.
    public let gates: [Finding]?
    /// For each condition, in order.
    public let findings: [Finding]
    /// What has no chance in it, and whether it is true.
    public let checks: [Check]?
    /// How settings were chosen, in a sentence.
    public let tuning: String?
    public let provenance: Provenance?
    public let arms: [Arm]
    public let seeds: [UInt64]
    /// Whether arms are as much alike as they should be, in a sentence.
    public let matching: String?
    /// What is to be said of the verdict, with the figures of this run.
    public let explanation: String?
    /// From start to end.
    public let seconds: Double
    public let date: Date
    /// Of Callosum.
    public let version: String
    public let machine: Machine
  }

  /// What a condition came to.
  public struct Finding: Codable, Sendable, Equatable {
    /// In words.
    public let condition: String
    public let verdict: String
    /// The condition's quantity, seed by seed.
    public let values: [Double]
    /// What was computed from them, by name: the bounds `pro` and `contra`, `wins` and `losses` of the seeds,
    /// `decidedAfter` so many of them, `mean` with `halfWidth` of its 95 % interval, `median`, `effect` in
    /// standard deviations and what would have been `detectable`.
    public let figures: [String: Double]
    /// In words what it rests on.
    public let details: [String]?
    /// Why nothing can be said, where that is so.
    public let problem: String?
  }

  /// A statement without chance.
  public struct Check: Codable, Sendable, Equatable {
    public let statement: String
    public let isTrue: Bool
    public let found: String
  }

  /// What an arm measured.
  public struct Arm: Codable, Sendable, Equatable {
    public let id: String
    public let role: String
    /// Learned numbers.
    public let parameters: Int?
    /// Of one forward pass on one example.
    public let multiplyAccumulates: Int?
    public let runs: [Seed]
  }

  /// What an arm measured from one seed.
  public struct Seed: Codable, Sendable, Equatable {
    public let seed: UInt64
    public let seconds: Double
    /// By the names of the claim's metrics.
    public let metrics: [String: Double]
  }

  public init(claim: String, runs: [String: Run] = [:]) {
    self.claim = claim
    self.runs = runs
  }
}

extension RecordedResult.Run {
  /// What `report` says.
  package init(_ report: ClaimReport) {
    func milliseconds(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
    verdict = report.judgement.verdict.rawValue
    gates = report.judgement.gates.map(RecordedResult.Finding.init)
    findings = report.judgement.findings.map(RecordedResult.Finding.init)
    checks = report.checks?.map {
      RecordedResult.Check(statement: $0.statement, isTrue: $0.outcome.isTrue, found: $0.outcome.found)
    }
    tuning = report.tuning?.text
    provenance = report.provenance
    arms = report.arms.map { arm in
      RecordedResult.Arm(
        id: arm.id, role: arm.role.rawValue, parameters: arm.parameters,
        multiplyAccumulates: arm.multiplyAccumulates,
        runs: arm.runs.map {
          RecordedResult.Seed(seed: $0.seed, seconds: milliseconds($0.seconds), metrics: $0.metrics)
        })
    }
    seeds = report.seeds
    matching = report.matching
    explanation = report.explanation
    seconds = milliseconds(report.seconds)
    date = report.date
    version = report.version
    machine = report.provenance?.machine ?? .thisOne
  }
}

extension RecordedResult.Finding {
  fileprivate init(_ finding: Judgement.Finding) {
    var figures: [String: Double] = [:]
    figures["pro"] = finding.pro
    figures["contra"] = finding.contra
    figures["wins"] = finding.wins.map(Double.init)
    figures["losses"] = finding.losses.map(Double.init)
    figures["decidedAfter"] = finding.decidedAfter.map(Double.init)
    figures["mean"] = finding.estimate?.mean
    figures["halfWidth"] = finding.estimate?.halfWidth
    figures["median"] = finding.median
    figures["effect"] = finding.effect
    figures["detectable"] = finding.detectable
    self.init(
      condition: finding.condition, verdict: finding.verdict.rawValue, values: finding.values,
      figures: figures, details: finding.details, problem: finding.problem)
  }
}

extension RecordedResult {
  /// Judged runs that it knows of, for a run to come: those it holds, and those before them.
  package var judgedRuns: [Provenance.Earlier] {
    runs.flatMap { budget, run in
      (run.provenance?.earlier ?? [])
        + [
          Provenance.Earlier(
            date: run.date, budget: budget, verdict: Verdict(stored: run.verdict) ?? .undecided,
            claim: run.provenance?.claim)
        ]
    }
  }
}

// MARK: Files

/// A folder of results, a file for each claim.
package struct ResultsFolder {
  package let path: String

  package init(_ path: String) { self.path = path }

  /// The result of a claim; nil if there is none.
  /// - Throws: `InvalidInput` for a file that holds something else.
  package func result(of claim: String) throws -> RecordedResult? {
    let file = self.file(of: claim)
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      throw InvalidInput("\(file) cannot be read; check that you may read it")
    }
    guard let result: RecordedResult = try? ResultCoding.value(text), result.claim == claim else {
      throw InvalidInput(
        "\(file) does not hold the result of \(claim); restore it, or delete it and record the claim again")
    }
    return result
  }

  /// The ids of the claims that have a file, in order.
  package func claims() throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw InvalidInput("there is no folder \(path); 'callosum reproduce ID --record' makes it")
    }
    return names.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }

  /// Says early whether a claim can be recorded, and makes the folder.
  /// - Throws: `InvalidInput` or an error of the file system, as `record` would.
  package func prepare(for claim: String) throws {
    var isFolder: ObjCBool = false
    if !FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      do {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw InvalidInput("the folder \(path) cannot be made; choose another for --record")
      }
    } else if !isFolder.boolValue {
      throw InvalidInput("\(path) is a file, not a folder; choose another place for --record")
    }
    try AtomicFile.checkWritable(file(of: claim))
    _ = try result(of: claim)
  }

  /// Puts what `report` says into the claim's file; what other budgets found stays.
  package func record(_ report: ClaimReport) throws {
    try prepare(for: report.id)
    var result = try self.result(of: report.id) ?? RecordedResult(claim: report.id)
    result.runs[report.budget.rawValue] = RecordedResult.Run(report)
    try AtomicFile.write(try ResultCoding.text(result, pretty: true) + "\n", to: file(of: report.id))
  }

  private func file(of claim: String) -> String { "\(path)/\(claim).json" }
}
