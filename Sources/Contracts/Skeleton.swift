import CallosumNetworks
import CallosumTensors

/// How a part is put to work on a kind of task: the network around it, and how that learns. Every arm of a
/// comparison has the same skeleton as far as parts allow.
public struct Skeleton: Sendable {
  public let id: String
  /// What it makes of a part, in a sentence.
  public let summary: String
  /// Its settings, defaults spelled out.
  public let defaults: JSONValue
  /// What can be changed to make arms equal in size, such as "hidden units of a block"; nil if nothing can.
  public let sizeName: String?
  /// Whether it can put a part to work on a task.
  public let fit: @Sendable (Part, any LearningTask) -> Fit
  private let standardSize: @Sendable (JSONValue?) throws -> Int?
  private let build:
    @Sendable (Part, JSONValue?, JSONValue?, Place, inout RandomGenerator) throws -> any Learner

  /// Whether a skeleton can put a part to work on a task.
  public enum Fit: Sendable, Equatable {
    case good
    /// Why not, in a line that says what would do.
    case bad(String)
    /// It is for parts of another kind.
    case otherKind
  }

  /// What is the same for all arms, and how large this one is to be.
  public struct Place {
    public let task: any LearningTask
    public let training: TrainingSettings
    /// See ``Skeleton/sizeName``; nil for what the settings say.
    public let size: Int?

    public init(task: any LearningTask, training: TrainingSettings, size: Int? = nil) {
      self.task = task
      self.training = training
      self.size = size
    }
  }

  /// - Parameters:
  ///   - size: What makes arms equal: its name, and what it is unless somebody asks for another.
  ///   - fit: Whether a part can be put to work on a task.
  ///   - build: The learner around a part with its settings.
  public init<Settings: Configuration>(
    _ id: String, _ summary: String, settings: Settings.Type,
    size: (name: String, standard: @Sendable (Settings) -> Int)? = nil,
    fit: @escaping @Sendable (Part, any LearningTask) -> Fit,
    build:
      @escaping @Sendable (Part, JSONValue?, Settings, Place, inout RandomGenerator) throws -> any Learner
  ) {
    self.id = id
    self.summary = summary
    defaults = (try? JSONValue(encoding: Settings())) ?? .object([:])
    sizeName = size?.name
    self.fit = fit
    standardSize = { json in
      guard let size else { return nil }
      return size.standard(try Settings.decoded(from: json, for: id))
    }
    self.build = { part, partSettings, json, place, generator in
      try build(part, partSettings, try Settings.decoded(from: json, for: id), place, &generator)
    }
  }

  /// The size of an arm of which nothing is asked; nil if it cannot be changed.
  /// - Throws: `InvalidInput` for settings that are unknown or unfit.
  public func standardSize(_ settings: JSONValue? = nil) throws -> Int? { try standardSize(settings) }

  /// What learns a task.
  /// - Parameters:
  ///   - settings: Of the part.
  ///   - around: Of the skeleton.
  /// - Throws: `InvalidInput` for settings that are unknown, or do not suit each other or the task.
  public func learner(
    _ part: Part, _ settings: JSONValue? = nil, around: JSONValue? = nil, in place: Place,
    using generator: inout RandomGenerator
  ) throws -> any Learner {
    try build(part, settings, around, place, &generator)
  }
}
