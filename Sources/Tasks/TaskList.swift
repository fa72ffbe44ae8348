import CallosumContracts

/// A task that can be asked for by its id, made with its defaults.
public struct TaskEntry: Sendable {
  public let id: String
  public let name: String
  /// The task of a seed, which decides what is drawn; real data sets are the same for every seed.
  public let make: @Sendable (_ seed: UInt64) throws -> any LearningTask

  init(_ id: String, _ name: String, _ make: @escaping @Sendable (UInt64) throws -> any LearningTask) {
    self.id = id
    self.name = name
    self.make = make
  }
}

/// The tasks that the command line knows by name; all the others are made in Swift.
public let allTasks: [TaskEntry] = [
  TaskEntry("associative-recall", "Multi-query associative recall") { try AssociativeRecall(seed: $0) },
  TaskEntry("bit-pattern-bags", "Bags of bit patterns") { try BitPatternBags(seed: $0) },
  TaskEntry("copy", "Copying symbols") { try CopyTask(seed: $0) },
  TaskEntry("cumulative-parity", "Parity of all bits so far") { try CumulativeParity(seed: $0) },
  TaskEntry("darcy", "Darcy flow") { try DarcyTask(seed: $0) },
  TaskEntry("fashion-mnist", "Fashion-MNIST") { _ in try FashionMNISTTask() },
  TaskEntry("modular-arithmetic", "Sums modulo 97") { try ModularArithmetic(seed: $0) },
  TaskEntry("n-delayed-match", "Is this what was shown n steps ago?") {
    try BinaryMemory(.match, spans: [2, 3, 4, 5], seed: $0)
  },
  TaskEntry("n-parity", "Parity of the last n bits") {
    try BinaryMemory(.parity, spans: [2, 3, 4, 5], seed: $0)
  },
  TaskEntry("needle", "Needle in a haystack") { try NeedleInHaystack(seed: $0) },
  TaskEntry("spike-adding", "Adding digits shown in spikes") { try SpikeAdding(seed: $0) },
]

extension [TaskEntry] {
  /// - Throws: `InvalidInput` with the nearest id if there is no such task, or what making it throws.
  public func task(_ id: String, seed: UInt64 = 0) throws -> any LearningTask {
    guard let entry = first(where: { $0.id == id }) else {
      throw unknownName("task", id, in: map(\.id))
    }
    return try entry.make(seed)
  }
}
