import CallosumContracts
import CallosumTensors
import Foundation

/// Everything that one comparison yields. Tables, pictures and reports are made from this alone.
public struct Comparison: Codable, Sendable, Equatable {
  public var task: TaskSummary
  public var budget: Budget
  public var matching: Matching
  /// How settings were chosen for each arm; nil where none were.
  public var tuning: Tuning?
  public var arms: [Arm]
  /// The exact configuration: what the program ran with, defaults spelled out.
  public var configuration: JSONValue
  public var machine: Machine
  /// The command line that repeats it.
  public var command: String
  public var date: Date
  /// Whether it was stopped before every run had ended.
  public var wasInterrupted: Bool

  public init(
    task: TaskSummary, budget: Budget, matching: Matching = Matching(.none), tuning: Tuning? = nil,
    arms: [Arm],
    configuration: JSONValue, machine: Machine, command: String, date: Date = Date(),
    wasInterrupted: Bool = false
  ) {
    self.task = task
    self.budget = budget
    self.matching = matching
    self.tuning = tuning
    self.arms = arms
    self.configuration = configuration
    self.machine = machine
    self.command = command
    self.date = date
    self.wasInterrupted = wasInterrupted
  }

  /// What was learned, and by what it is judged.
  public struct TaskSummary: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var metric: Metric
    /// Nil where they never end.
    public var trainingExamples: Int?
    /// Held out from training, to look at on the way.
    public var validationExamples: Int?
    public var testExamples: Int?

    public init(
      id: String, name: String, metric: Metric, trainingExamples: Int?, validationExamples: Int?,
      testExamples: Int?
    ) {
      self.id = id
      self.name = name
      self.metric = metric
      self.trainingExamples = trainingExamples
      self.validationExamples = validationExamples
      self.testExamples = testExamples
    }
  }

  /// What every run was allowed.
  public struct Budget: Codable, Sendable, Equatable {
    public var steps: Int
    public var batchSize: Int
    public var seeds: [UInt64]

    public init(steps: Int, batchSize: Int, seeds: [UInt64]) {
      self.steps = steps
      self.batchSize = batchSize
      self.seeds = seeds
    }
  }

  /// One of the things compared: a part with its settings in a skeleton, or a brain.
  public struct Arm: Codable, Sendable, Equatable {
    /// Unique in its comparison, such as `delta-net` or `delta-net{"gate": true}`.
    public var id: String
    public var name: String
    /// Nil for a brain.
    public var partID: String?
    /// What stands around the part; `brain` for a brain.
    public var skeleton: String
    /// The size that was chosen for it, see `Skeleton.sizeName`; nil where there was nothing to choose.
    public var size: Int?
    /// What was chosen for it by tuning, such as `learningRate`.
    public var tuned: [String: Double]
    /// Learned numbers of the whole network.
    public var parameters: Int
    /// Of one forward pass on one example.
    public var multiplyAccumulates: Int
    public var runs: [Run]

    public init(
      id: String, name: String, partID: String?, skeleton: String, size: Int? = nil,
      tuned: [String: Double] = [:], parameters: Int, multiplyAccumulates: Int, runs: [Run] = []
    ) {
      self.id = id
      self.name = name
      self.partID = partID
      self.skeleton = skeleton
      self.size = size
      self.tuned = tuned
      self.parameters = parameters
      self.multiplyAccumulates = multiplyAccumulates
      self.runs = runs
    }
  }

  /// One training of an arm from one seed.
  public struct Run: Codable, Sendable, Equatable {
    public var seed: UInt64
    public var status: RunRecord.Status
    public var curve: [CurvePoint]
    /// In the task's metric after the last step; nil if the run did not come to its end.
    public var testScore: Double?
    /// Seconds spent training, evaluation left out.
    public var trainingSeconds: Double
    /// Examples trained on per second.
    public var examplesPerSecond: Double

    public init(
      seed: UInt64, status: RunRecord.Status = .complete, curve: [CurvePoint], testScore: Double?,
      trainingSeconds: Double, examplesPerSecond: Double
    ) {
      self.seed = seed
      self.status = status
      self.curve = curve
      self.testScore = testScore
      self.trainingSeconds = trainingSeconds
      self.examplesPerSecond = examplesPerSecond
    }
  }

  /// A point of a learning curve; what was not measured there is nil.
  public struct CurvePoint: Codable, Sendable, Equatable {
    public var step: Int
    /// Seconds of training until here.
    public var seconds: Double
    /// Mean loss over the training batches since the point before.
    public var trainingLoss: Double?
    /// In the task's metric, on examples held out from training; the test examples are used after the last
    /// step only.
    public var validationScore: Double?

    public init(step: Int, seconds: Double, trainingLoss: Double?, validationScore: Double?) {
      self.step = step
      self.seconds = seconds
      self.trainingLoss = trainingLoss
      self.validationScore = validationScore
    }
  }
}
