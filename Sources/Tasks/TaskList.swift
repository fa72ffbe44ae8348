import CallosumContracts

extension Catalogue {
  /// The tasks that can be asked for by name; all the others are made in Swift.
  public static let tasks: [TaskEntry] = [
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
}
