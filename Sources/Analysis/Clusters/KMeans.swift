import CallosumTensors

/// Points by the nearest of so many centroids, each the weighted mean of its points (Lloyd 1957), started
/// from points far apart (k-means++, Arthur and Vassilvitskii 2007). Clusters that lose their last point keep
/// their centroid. For groups of one size see ``init(balanced:clusters:restarts:iterations:using:)``.
public struct KMeans: Sendable {
  /// [clusters, width]
  public let centroids: Tensor
  /// The cluster of each point.
  public let assignment: [Int]
  /// The sum of squared distances of points to their centroids, times the points' weights.
  public let inertia: Double

  /// The best of `restarts`.
  /// - Parameters:
  ///   - points: [points, width].
  ///   - weights: how many points each one stands for; 1 if nil.
  /// - Throws: `InvalidInput` if there are fewer points than clusters, or weights are negative or all 0.
  public init(
    _ points: Tensor, clusters: Int, weights: [Double]? = nil, restarts: Int = 10, iterations: Int = 300,
    using generator: inout RandomGenerator
  ) throws {
    let points = try WeightedPoints(points, weights, clusters: clusters)
    self = Self.best(of: restarts) {
      Self.descended(points, from: points.farApart(clusters, &generator), iterations, by: Self.nearest)
    }
  }

  /// Goes on from given centroids [clusters, width].
  /// - Throws: `InvalidInput` if there are fewer points than clusters, or weights are negative or all 0.
  public init(
    _ points: Tensor, from centroids: Tensor, weights: [Double]? = nil, iterations: Int = 300
  ) throws {
    let start = try centroids.observedTable("KMeans", "centroids")
    let points = try WeightedPoints(points, weights, clusters: start.dim(0))
    precondition(
      start.dim(1) == points.points.dim(1), "KMeans",
      "centroids \(start.shape) and points \(points.points.shape) differ in width")
    self = Self.descended(points, from: start, iterations, by: Self.nearest)
  }

  init(_ centroids: Tensor, _ assignment: [Int], _ inertia: Double) {
    (self.centroids, self.assignment, self.inertia) = (centroids, assignment, inertia)
  }

  /// The nearest centroid of other points [points, width].
  public func assign(_ points: Tensor) -> [Int] {
    Self.nearest(squaredDistances(points.chosenFrom("KMeans", "points"), centroids))
  }

  static func best(of restarts: Int, _ attempt: () -> KMeans) -> KMeans {
    var best = attempt()
    for _ in 1..<max(restarts, 1) {
      let other = attempt()
      if other.inertia < best.inertia { best = other }
    }
    return best
  }

  /// Points by `assigning`, which reads squared distances [points, clusters], and centroids by their points,
  /// in turn until no point moves.
  static func descended(
    _ points: WeightedPoints, from start: Tensor, _ iterations: Int, by assigning: (Tensor) -> [Int]
  ) -> KMeans {
    var centroids = start, distances = squaredDistances(points.points, centroids)
    var assignment = assigning(distances)
    for _ in 0..<iterations {
      centroids = points.means(assignment, keeping: centroids)
      distances = squaredDistances(points.points, centroids)
      let before = assignment
      assignment = assigning(distances)
      if assignment == before { break }
    }
    let own = distances.takeAlong(Tensor(assignment.map(Int32.init), [assignment.count, 1]), axis: 1)
    return KMeans(centroids, assignment, (own.squeezed(axis: 1) * points.weights).sum().item())
  }

  private static func nearest(_ distances: Tensor) -> [Int] {
    distances.argMin(axis: 1).doubles.map { Int($0) }
  }
}

/// Points with what each one weighs.
struct WeightedPoints {
  /// [points, width] and [points], float64.
  let points, weights: Tensor
  private let isEven: Bool

  init(_ points: Tensor, _ weights: [Double]?, clusters: Int) throws {
    try require(
      points.ndim == 2 && clusters > 0 && points.dim(0) >= clusters,
      "k-means cannot make \(clusters) clusters of points of shape \(points.shape)")
    self.points = try points.observed("KMeans", "points")
    precondition(
      weights.map { $0.count == points.dim(0) } ?? true, "KMeans",
      "\(weights?.count ?? 0) weights do not belong to points \(points.shape)")
    try require(
      weights.map { $0.allSatisfy { $0 >= 0 && $0.isFinite } && $0.contains { $0 > 0 } } ?? true,
      "weights of k-means must be at least 0, and not all 0")
    isEven = weights == nil
    self.weights = weights.map { Tensor($0) } ?? .ones([points.dim(0)], dtype: .float64)
  }

  /// The mean of each group [groups, width]; a group without weight keeps its row of `centroids`.
  func means(_ assignment: [Int], keeping centroids: Tensor) -> Tensor {
    let belongs =
      Tensor(assignment.map(Int32.init)).oneHot(count: centroids.dim(0), dtype: .float64)
      * weights.expandedDimensions(axis: 1)
    let mass = belongs.sum(axis: 0).expandedDimensions(axis: 1)
    let hasMass = mass .> 0
    let means = matmul(belongs.swappedAxes(0, 1), points) / which(hasMass, mass, Tensor(1, .float64))
    return which(hasMass, means, centroids)
  }

  /// Points drawn one after the other, each with a chance by its squared distance to the nearest so far.
  func farApart(_ clusters: Int, _ generator: inout RandomGenerator) -> Tensor {
    func drawn(_ chances: [Double]) -> Int? {
      var rest = Double.random(in: 0..<1, using: &generator) * chances.reduce(0, +)
      return chances.firstIndex { chance in
        rest -= chance
        return rest < 0
      }
    }
    func any() -> Int { Int.random(in: 0..<points.dim(0), using: &generator) }
    var chosen = [isEven ? any() : drawn(weights.doubles) ?? any()]
    while chosen.count < clusters {
      let distances = squaredDistances(points, points.take(Tensor(chosen.map(Int32.init)))).min(axis: 1)
      // Where all points are chosen or alike, any will do.
      chosen.append(drawn((distances * weights).doubles) ?? any())
    }
    return points.take(Tensor(chosen.map(Int32.init)))
  }
}
