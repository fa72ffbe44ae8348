import CallosumTensors

extension KMeans {
  /// k-means whose clusters have one size, up to one point: the assignment of points to centroids is the best
  /// of those with such sizes (Malinen and Fränti 2014, "Balanced k-means for clustering"), found as a linear
  /// assignment of points to places, of which each cluster has ⌊n/k⌋ that must be filled and one that may be.
  /// Costs about n³ operations a step. ``assign(_:)`` of other points does not balance.
  /// - Parameter points: [points, width].
  /// - Throws: `InvalidInput` if there are fewer points than clusters.
  public init(
    balanced points: Tensor, clusters: Int, restarts: Int = 3, iterations: Int = 100,
    using generator: inout RandomGenerator
  ) throws {
    let points = try WeightedPoints(points, nil, clusters: clusters)
    self = Self.best(of: restarts) {
      Self.descended(points, from: points.farApart(clusters, &generator), iterations, by: balancedAssignment)
    }
  }
}

/// The group of each item such that groups have ⌊items/groups⌋ or ⌈items/groups⌉ members and the sum of the
/// costs [items, groups] is least. Costs must be 0 or more.
public func balancedAssignment(_ cost: Tensor) -> [Int] {
  let name: StaticString = "balancedAssignment"
  precondition(
    cost.ndim == 2 && cost.dim(1) > 0 && cost.dim(0) >= cost.dim(1), name,
    "needs costs [items, groups] of at least as many items as groups, got \(cost.shape)")
  let (items, groups) = (cost.dim(0), cost.dim(1))
  let costs = cost.requireConstant(name, "costs").doubles
  precondition(costs.allSatisfy { $0 >= 0 && $0.isFinite }, name, "every cost must be finite and at least 0")
  let least = items / groups, places = (items + groups - 1) / groups
  // A place that must be filled is cheaper than any other by more than two costs can differ, so that no best
  // assignment leaves one empty while a point stands in a place that may be. In the unit of the costs, which
  // a constant could swamp.
  let most = costs.max() ?? 0
  let discount = places > least ? (most > 0 ? 2 * most : 1) : 0
  var table: [Double] = []
  table.reserveCapacity(items * groups * places)
  for item in 0..<items {
    for group in 0..<groups {
      for place in 0..<places {
        table.append(costs[item * groups + group] - (place < least ? discount : 0))
      }
    }
  }
  return linearAssignment(Tensor(table, [items, groups * places])).doubles.map { Int($0) / places }
}
