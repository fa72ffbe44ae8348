import CallosumTensors

/// Which training examples come next: random order, shuffled anew for each pass; one after the other where
/// they never end.
package struct BatchOrder: Equatable {
  private let count: Int?
  private var generator: RandomGenerator
  /// What is left of this pass, the next at the end.
  private var order: [Int] = []
  /// How many examples have been handed out.
  private var taken = 0

  package init(count: Int?, generator: RandomGenerator) {
    self.count = count
    self.generator = generator
  }

  package mutating func next(_ size: Int) -> [Int] {
    defer { taken += size }
    guard let count else { return Array(taken..<taken + size) }
    var batch: [Int] = []
    while batch.count < size {
      if order.isEmpty { order = (0..<count).shuffled(using: &generator) }
      let taken = min(size - batch.count, order.count)
      batch += order.suffix(taken)
      order.removeLast(taken)
    }
    return batch
  }

  // MARK: State

  /// What a later ``BatchOrder`` needs besides the remaining order to go on from here.
  struct Place: Codable, Equatable {
    let generator: RandomGenerator
    let taken: Int
  }

  var place: Place { Place(generator: generator, taken: taken) }

  /// What is left of this pass (int32).
  var remaining: Tensor { Tensor(order.map { Int32($0) }) }

  /// Goes on from a stored place where `examples` had been handed out; false if that is no place of this order.
  mutating func restore(_ place: Place, after examples: Int, remaining: Tensor) -> Bool {
    let left = remaining.doubles, count = count ?? 0
    guard place.taken == examples, left.count <= count,
      left.allSatisfy({ $0 >= 0 && $0 < Double(count) && $0 == $0.rounded() })
    else { return false }
    generator = place.generator
    taken = place.taken
    order = left.map { Int($0) }
    return true
  }
}
