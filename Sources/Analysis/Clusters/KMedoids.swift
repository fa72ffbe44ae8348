import CallosumTensors

/// Items by the nearest of so many of them, the medoids, such that the sum of distances is small:
/// partitioning around medoids (Kaufman and Rousseeuw 1990). BUILD adds the medoid that lowers the sum most,
/// one after the other; SWAP exchanges a medoid for another item where that lowers the sum most, until
/// nothing does. All exchanges with one candidate are priced in a single pass (FastPAM1, Schubert and
/// Rousseeuw 2019). Needs distances only, of any kind, and no random numbers.
public struct KMedoids: Sendable, Equatable {
  /// The items that clusters lie around.
  public let medoids: [Int]
  /// The cluster of each item, a place in `medoids`.
  public let assignment: [Int]
  /// The sum of distances of items to their medoids.
  public let loss: Double

  /// - Parameter distances: [items, items], from row to column.
  /// - Throws: `InvalidInput` if there are fewer items than clusters, or distances below 0.
  public init(distances: Tensor, clusters: Int, iterations: Int = 100) throws {
    let count = distances.ndim == 2 ? distances.dim(0) : 0
    precondition(
      distances.shape == [count, count], "KMedoids", "needs distances [items, items], got \(distances.shape)")
    try require(
      (1...max(count, 1)).contains(clusters) && count > 0,
      "k-medoids cannot make \(clusters) clusters of \(count) items")
    let table = try distances.observed("KMedoids", "distances").doubles
    try require(table.allSatisfy { $0 >= 0 }, "distances of k-medoids must be at least 0")

    var medoids = Self.built(table, count, clusters)
    var nearest = Neighbours(table, count, medoids)
    for _ in 0..<(clusters > 1 ? iterations : 0) {
      guard let swap = nearest.bestSwap(table, medoids) else { break }
      medoids[swap.place] = swap.candidate
      nearest = Neighbours(table, count, medoids)
    }
    (self.medoids, assignment, loss) = (medoids, nearest.place, nearest.first.reduce(0, +))
  }

  private static func built(_ table: [Double], _ count: Int, _ clusters: Int) -> [Int] {
    var medoids: [Int] = []
    var first = [Double](repeating: .infinity, count: count)
    for _ in 0..<clusters {
      let free = (0..<count).filter { !medoids.contains($0) }
      let sums = free.map { candidate in
        (0..<count).reduce(0) { $0 + min(first[$1], table[$1 * count + candidate]) }
      }
      guard let best = free.indices.min(by: { sums[$0] < sums[$1] }) else { break }
      medoids.append(free[best])
      for item in 0..<count { first[item] = min(first[item], table[item * count + free[best]]) }
    }
    return medoids
  }
}

/// For each item the place of its nearest medoid, and the distances to it and to the second nearest.
private struct Neighbours {
  var place: [Int]
  var first, second: [Double]

  init(_ table: [Double], _ count: Int, _ medoids: [Int]) {
    place = [Int](repeating: 0, count: count)
    first = [Double](repeating: .infinity, count: count)
    second = first
    for item in 0..<count {
      for (at, medoid) in medoids.enumerated() {
        let distance = table[item * count + medoid]
        // A medoid belongs to itself, also where another one is as near.
        if distance < first[item] || medoid == item {
          (second[item], first[item], place[item]) = (first[item], distance, at)
        } else if distance < second[item] {
          second[item] = distance
        }
      }
    }
  }

  /// The exchange that lowers the sum most; nil if none does, but for rounding.
  func bestSwap(_ table: [Double], _ medoids: [Int]) -> (place: Int, candidate: Int)? {
    let count = first.count
    // What it costs to leave each medoid out.
    var removal = [Double](repeating: 0, count: medoids.count)
    for item in 0..<count { removal[place[item]] += second[item] - first[item] }
    var best = -1e-12 * first.reduce(0, +), found: (place: Int, candidate: Int)?
    for candidate in 0..<count where !medoids.contains(candidate) {
      var change = removal, gain = 0.0
      for item in 0..<count {
        let distance = table[item * count + candidate]
        if distance < first[item] {
          gain += distance - first[item]
          change[place[item]] += first[item] - second[item]
        } else if distance < second[item] {
          change[place[item]] += distance - second[item]
        }
      }
      for at in medoids.indices where change[at] + gain < best {
        (best, found) = (change[at] + gain, (at, candidate))
      }
    }
    return found
  }
}
