import CallosumContracts
import CallosumTensors

/// Points by the nearest of so many centroids, each the mean of its points (Lloyd 1957), started from points
/// far apart (k-means++, Arthur and Vassilvitskii 2007).
public struct KMeans: Sendable {
  /// [clusters, width]
  public let centroids: Tensor
  /// The cluster of each point.
  public let assignment: [Int]
  /// The sum of squared distances of points to their centroids.
  public let inertia: Double

  /// The best of `restarts`. Clusters that lose their last point keep their centroid.
  /// - Parameter points: [points, width].
  /// - Throws: `Mistake` if there are fewer points than clusters.
  public init(
    _ points: Tensor, clusters: Int, restarts: Int = 10, iterations: Int = 300,
    using generator: inout RandomGenerator
  ) throws {
    try expect(
      points.ndim == 2 && clusters > 0 && points.dim(0) >= clusters,
      "k-means cannot make \(clusters) clusters of points of shape \(points.shape)")
    let points = points.asType(.float64)
    var best = Self.descended(points, clusters, iterations, &generator)
    for _ in 1..<max(restarts, 1) {
      let other = Self.descended(points, clusters, iterations, &generator)
      if other.inertia < best.inertia { best = other }
    }
    self = best
  }

  private init(_ centroids: Tensor, _ assignment: [Int], _ inertia: Double) {
    (self.centroids, self.assignment, self.inertia) = (centroids, assignment, inertia)
  }

  /// The nearest centroid of other points [points, width].
  public func assign(_ points: Tensor) -> [Int] { Self.nearest(points.asType(.float64), centroids).indices }

  private static func descended(
    _ points: Tensor, _ clusters: Int, _ iterations: Int, _ generator: inout RandomGenerator
  ) -> KMeans {
    var centroids = farApart(points, clusters, &generator)
    var (assignment, inertia) = nearest(points, centroids)
    for _ in 0..<iterations {
      let belongs = Tensor(assignment.map(Int32.init)).oneHot(count: clusters, dtype: .float64)
      let counts = belongs.sum(axis: 0).expandedDimensions(axis: 1)
      let means = matmul(belongs.swappedAxes(0, 1), points) / maximum(counts, 1)
      centroids = which(counts .> 0, means, centroids)
      let before = assignment
      (assignment, inertia) = nearest(points, centroids)
      if assignment == before { break }
    }
    return KMeans(centroids, assignment, inertia)
  }

  /// Points drawn one after the other, each with a chance by its squared distance to the nearest so far.
  private static func farApart(
    _ points: Tensor, _ clusters: Int, _ generator: inout RandomGenerator
  ) -> Tensor {
    var chosen = [Int.random(in: 0..<points.dim(0), using: &generator)]
    while chosen.count < clusters {
      let distances = squaredDistances(points, points.take(Tensor(chosen.map(Int32.init))))
        .min(axis: 1).doubles
      var rest = Double.random(in: 0..<1, using: &generator) * distances.reduce(0, +)
      let next = distances.firstIndex { distance in
        rest -= distance
        return rest < 0
      }
      // Where all points are chosen or alike, any will do.
      chosen.append(next ?? Int.random(in: 0..<points.dim(0), using: &generator))
    }
    return points.take(Tensor(chosen.map(Int32.init)))
  }

  private static func nearest(_ points: Tensor, _ centroids: Tensor) -> (indices: [Int], inertia: Double) {
    let distances = squaredDistances(points, centroids)
    return (distances.argMin(axis: 1).doubles.map { Int($0) }, distances.min(axis: 1).sum().item)
  }
}
