import CallosumContracts
import CallosumExperiments
import Foundation

/// Something that was run: one training, or a whole that is made of runs, such as a comparison.
public struct RunRecord: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case comparison, claim, training, inspection
  }

  public enum Status: String, Sendable, Codable, CaseIterable {
    case running, complete
    /// Stopped by somebody, or its process is gone.
    case interrupted
    /// Its loss was no number any more.
    case diverged
    /// Stopped by an error.
    case failed
  }

  /// Given by the store.
  public var id: Int64
  /// The run that this one is part of.
  public var parent: Int64?
  public var kind: Kind
  /// What it is about: the id of a task, a claim, a part or a file.
  public var subject: String
  /// Which of the things compared; nil for a whole.
  public var arm: String?
  public var seed: UInt64?
  /// What it was allowed, in a word or two.
  public var budget: String
  /// What it ran with, defaults spelled out.
  public var configuration: JSONValue
  /// The version of Callosum.
  public var codeVersion: String
  public var machine: Machine
  /// The command line that repeats it.
  public var command: String
  public var started: Date
  public var finished: Date?
  public var status: Status
  /// What went wrong or is worth knowing, in a line.
  public var message: String?

  /// A run that starts now, on this machine.
  public init(
    kind: Kind, subject: String, arm: String? = nil, seed: UInt64? = nil, budget: String = "",
    configuration: JSONValue = .object([:]), machine: Machine = .thisOne, command: String = ""
  ) {
    id = 0
    self.kind = kind
    self.subject = subject
    self.arm = arm
    self.seed = seed
    self.budget = budget
    self.configuration = configuration
    codeVersion = machine.callosumVersion
    self.machine = machine
    self.command = command
    started = Date()
    status = .running
  }
}

/// How large a network is.
public struct RunSizes: Sendable, Equatable, Codable {
  /// Learned numbers.
  public var parameters: Int
  /// Of one forward pass on one example; nil where that means nothing.
  public var multiplyAccumulates: Int?

  public init(parameters: Int, multiplyAccumulates: Int? = nil) {
    self.parameters = parameters
    self.multiplyAccumulates = multiplyAccumulates
  }
}

/// A text that belongs to a run or to a subject, such as a picture in SVG or a finding in JSON.
public struct Attachment: Sendable, Equatable, Codable {
  /// Unique within its run, or within its subject where it belongs to no run.
  public var name: String
  /// Such as `image/svg+xml`.
  public var mediaType: String
  public var text: String

  public init(name: String, mediaType: String, text: String) {
    self.name = name
    self.mediaType = mediaType
    self.text = text
  }
}

/// What became of a claim.
public struct VerdictRecord: Sendable, Equatable, Codable {
  public var claim: String
  public var budget: String
  public var date: Date
  public var verdict: Verdict
  /// The version of Callosum.
  public var codeVersion: String
  /// The run whose parts it rests on; nil once that is deleted.
  public var run: Int64?
  /// The quantities, intervals and conditions that it was computed from.
  public var details: JSONValue

  public init(
    claim: String, budget: String, verdict: Verdict, run: Int64? = nil, details: JSONValue = .object([:]),
    codeVersion: String = Version.current, date: Date = Date()
  ) {
    self.claim = claim
    self.budget = budget
    self.date = date
    self.verdict = verdict
    self.codeVersion = codeVersion
    self.run = run
    self.details = details
  }
}

/// Which runs are wanted; what is nil does not matter.
public struct RunFilter: Sendable, Equatable {
  public enum Place: Sendable, Equatable {
    case anywhere
    /// Runs that are part of no other.
    case top
    case partOf(Int64)
  }
  public var place = Place.anywhere
  public var kind: RunRecord.Kind?
  public var subject: String?
  public var budget: String?
  public var codeVersion: String?
  public var status: RunRecord.Status?

  public init(
    _ place: Place = .anywhere, kind: RunRecord.Kind? = nil, subject: String? = nil, budget: String? = nil,
    codeVersion: String? = nil, status: RunRecord.Status? = nil
  ) {
    self.place = place
    self.kind = kind
    self.subject = subject
    self.budget = budget
    self.codeVersion = codeVersion
    self.status = status
  }
}
