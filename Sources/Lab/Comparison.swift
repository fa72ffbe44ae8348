import CallosumContracts
import CallosumTensors
import Foundation

/// Everything that one comparison yields. Tables, pictures and reports are made from this alone.
public struct Comparison: Codable, Sendable, Equatable {
  public var task: TaskSummary
  public var budget: Budget
  public var arms: [Arm]
  /// The exact configuration: what the program ran with, defaults spelled out.
  public var configuration: JSONValue
  public var machine: Machine
  /// The command line that repeats it.
  public var command: String
  public var date: Date
  /// Whether it was stopped before every run was complete.
  public var wasInterrupted: Bool

  public init(
    task: TaskSummary, budget: Budget, arms: [Arm], configuration: JSONValue, machine: Machine,
    command: String, date: Date = Date(), wasInterrupted: Bool = false
  ) {
    self.task = task
    self.budget = budget
    self.arms = arms
    self.configuration = configuration
    self.machine = machine
    self.command = command
    self.date = date
    self.wasInterrupted = wasInterrupted
  }

  /// What was learned.
  public struct TaskSummary: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var trainingImages: Int
    /// Held out from the training images, to look at on the way.
    public var validationImages: Int
    public var testImages: Int
    public var classes: Int

    public init(
      id: String, name: String, trainingImages: Int, validationImages: Int, testImages: Int, classes: Int
    ) {
      self.id = id
      self.name = name
      self.trainingImages = trainingImages
      self.validationImages = validationImages
      self.testImages = testImages
      self.classes = classes
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

  /// One of the things compared: a part in its place.
  public struct Arm: Codable, Sendable, Equatable {
    public var partID: String
    public var name: String
    /// Learned numbers of the whole network.
    public var parameters: Int
    /// Multiply-accumulates of one forward pass on one image.
    public var multiplyAccumulatesPerImage: Int
    public var runs: [Run]

    public init(
      partID: String, name: String, parameters: Int, multiplyAccumulatesPerImage: Int, runs: [Run]
    ) {
      self.partID = partID
      self.name = name
      self.parameters = parameters
      self.multiplyAccumulatesPerImage = multiplyAccumulatesPerImage
      self.runs = runs
    }
  }

  /// One training of an arm from one seed.
  public struct Run: Codable, Sendable, Equatable {
    public var seed: UInt64
    public var curve: [CurvePoint]
    /// Test accuracy after the last step, 0 to 1; nil if the run was stopped before.
    public var testAccuracy: Double?
    /// Seconds spent training, evaluation left out.
    public var trainingSeconds: Double
    /// Images trained on per second.
    public var imagesPerSecond: Double

    public init(
      seed: UInt64, curve: [CurvePoint], testAccuracy: Double?, trainingSeconds: Double,
      imagesPerSecond: Double
    ) {
      self.seed = seed
      self.curve = curve
      self.testAccuracy = testAccuracy
      self.trainingSeconds = trainingSeconds
      self.imagesPerSecond = imagesPerSecond
    }
  }

  /// A point of a learning curve; what was not measured there is nil.
  public struct CurvePoint: Codable, Sendable, Equatable {
    public var step: Int
    /// Seconds of training until here.
    public var seconds: Double
    /// Mean loss over the training batches since the point before.
    public var trainingLoss: Double?
    /// 0 to 1, on images held out from training; the test images are used after the last step only.
    public var validationAccuracy: Double?

    public init(step: Int, seconds: Double, trainingLoss: Double?, validationAccuracy: Double?) {
      self.step = step
      self.seconds = seconds
      self.trainingLoss = trainingLoss
      self.validationAccuracy = validationAccuracy
    }
  }
}
