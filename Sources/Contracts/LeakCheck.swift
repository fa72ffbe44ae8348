import CallosumTensors

/// Inputs that stand in more than one split of a task, by their contents. There should be none.
public struct Leak: Sendable, Equatable, CustomStringConvertible {
  public let splits: [Split]
  /// An index for each of `splits`.
  public let indices: [Int]

  public init(splits: [Split], indices: [Int]) {
    self.splits = splits
    self.indices = indices
  }

  public var description: String {
    let places = zip(splits, indices).map { "\($0.rawValue) \($1)" }
    return "the same example is \(places.joined(separator: " and "))"
  }
}

/// What the splits of `task` share among the first `limit` examples of each.
public func leaks(in task: any LearningTask, limit: Int = 1000) -> [Leak] {
  var owners: [UInt64: (split: Split, index: Int)] = [:]
  var leaks: [Leak] = []
  for split in Split.allCases {
    let count = min(task.count(split) ?? limit, limit)
    for start in stride(from: 0, to: count, by: 100) {
      let indices = Array(start..<min(start + 100, count))
      let inputs = task.batch(split, indices).inputs
      let rows = inputs.doubles, width = inputs.size / max(indices.count, 1)
      for (place, index) in indices.enumerated() {
        let hash = fingerprint(rows[place * width..<(place + 1) * width].map(\.bitPattern))
        if let owner = owners[hash], owner.split != split {
          leaks.append(Leak(splits: [owner.split, split], indices: [owner.index, index]))
        } else {
          owners[hash] = (split, index)
        }
      }
    }
  }
  return leaks
}

/// 64 bits that depend on all of `words` and their order.
package func fingerprint(_ words: some Sequence<UInt64>) -> UInt64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for word in words {
    hash = (hash ^ word) &* 0xff51_afd7_ed55_8ccd
    hash ^= hash >> 32
  }
  return hash
}

extension Split {
  /// The split that an example with this ``fingerprint(_:)`` belongs to: three quarters are for training,
  /// an eighth each for the others. Generators that draw again until the owner is right share nothing.
  package init(owning fingerprint: UInt64) {
    // The upper bits are the better mixed ones.
    switch fingerprint >> 61 {
    case 0: self = .validation
    case 1: self = .test
    default: self = .training
    }
  }
}
