import CallosumAnalysis
import CallosumContracts
import CallosumTensors
import Foundation

/// Representational similarity by topology and geometry (Lin and Kriegeskorte 2023). The dissimilarities of
/// a code are ranked and stretched to r in 0...1. With t_l, t_u the quantiles `lower` and `upper` of r,
///
///     g = 0 where r < t_l, 1 where r > t_u, (r - t_l) / (t_u - t_l) between        (RGTM)
///
/// throws away how small small distances are, which is noise, and how large large ones are, which is
/// geometry; the sigmoid variant is g = 1 / (1 + exp(-slope (r - middle))). In the graph that joins items with
/// g < 1 by an edge of length g, the shortest paths, ranked, are geodesic distances (RGDM).
///
/// Codes [batch, items, width] -> per pair of items, as ``dissimilarities(_:by:)`` orders them:
/// dissimilarities, r, g and geodesic distances. Only the dissimilarities have a derivative other than 0.
///
/// The authors' code builds its graph with a constructor that takes a length of 0 for no edge, so its
/// *closest* pairs are unconnected; and joins i < j as neighbours if j is among the nearest of i, whatever i
/// is to j. `asReleased` does both. Ours has an edge there, and asks whether either is near the other. Where
/// `lower` equals `upper`, theirs is 0 / 0 at the quantile itself; ours is 0.
public struct TopologicalRSA: Probe {
  public struct Settings: Configuration {
    /// How unlike two items of a code are.
    public var dissimilarity = Dissimilarity.euclidean
    /// What codes are compared by.
    public var statistic = Statistic.geoTopological
    /// How ranked dissimilarities are stretched: cut off linearly, or by a sigmoid.
    public var transform = Transform.linear
    /// Share of the pairs, from 0 to 1, below which dissimilarities count as 0.
    public var lower = 0.2
    /// Share of the pairs, from 0 to 1, above which dissimilarities count as 1.
    public var upper = 0.8
    /// Slope of the sigmoid, per unit of the ranks from 0 to 1.
    public var slope = 10.0
    /// Rank, from 0 to 1, where the sigmoid is one half.
    public var middle = 0.5
    /// Which pairs are edges of the graph whose shortest paths are the geodesic distances.
    public var graph = Graph.transformed
    /// Share of the pairs that are edges, for `graph` shortest.
    public var share = 0.05
    /// Nearest items that each is joined with, for `graph` nearest.
    public var neighbours = 1
    /// Whether geodesic distances are ranked; pairs without a path share the top rank.
    public var ranksGeodesics = true
    /// Whether the graph has the faults of the released code: no edges between the closest pairs, one-sided neighbours.
    public var asReleased = false
    /// Draws of stimuli and instances that the interval of the finding comes from; 0 for none.
    public var bootstraps = 0
    public init() {}

    public func validate() throws {
      try require(
        0 <= lower && lower <= upper && upper <= 1,
        "lower and upper must be in order from 0 to 1, are \(lower) and \(upper)")
      try require((0...1).contains(share), "share must be from 0 to 1, is \(share)")
      try require(neighbours > 0, "neighbours must be at least 1, is \(neighbours)")
      try require((0...100_000).contains(bootstraps), "bootstraps must be from 0 to 100000, is \(bootstraps)")
      try require(slope.isFinite && middle.isFinite, "slope and middle must be finite")
    }
  }

  public enum Statistic: String, Codable, Sendable, CaseIterable {
    case dissimilarity, rank, geoTopological, geodesic
  }
  public enum Transform: String, Codable, Sendable, CaseIterable { case linear, sigmoid }
  public enum Graph: String, Codable, Sendable, CaseIterable {
    /// Edges where g < 1, of length g.
    case transformed
    /// The shortest share of all pairs, of length r.
    case shortest
    /// Pairs of nearest neighbours, of length r.
    case nearest
  }

  public static let card = Card(
    id: "topological-rsa", name: "Geo-topological representational similarity", family: .insight,
    paper: Paper(
      "The Topology and Geometry of Neural Representations",
      by: ["Baihan Lin", "Nikolaus Kriegeskorte"],
      year: 2023, link: "https://arxiv.org/abs/2309.11028"),
    summary: "Compares codes by which items are near each other, not by how far apart the others are: ranked "
      + "distances cut off below and above, and shortest paths over the near ones.",
    verification: "the authors' TopologicalRSA (commit 18e5beb): all transforms and graphs to 1e-9; SciPy's "
      + "distances")

  public static var trials: [Trial<Settings>] {
    var sigmoid = Settings(), nearest = Settings()
    (sigmoid.dissimilarity, sigmoid.transform, sigmoid.graph) = (.correlation, .sigmoid, .shortest)
    (sigmoid.share, sigmoid.slope) = (0.3, 4)
    (nearest.graph, nearest.neighbours, nearest.lower, nearest.upper) = (.nearest, 2, 0.3, 0.3)
    nearest.asReleased = true
    return [
      Trial(sigmoid, in: Slot(width: 5, tokens: 7)), Trial(nearest, in: Slot(width: 3, tokens: 6)),
    ]
  }

  public let settings: Settings

  /// - Throws: `InvalidInput` for settings that make no sense.
  public init(_ settings: Settings = Settings()) throws {
    try settings.validate()
    self.settings = settings
  }

  // MARK: Transforms, each from a value per pair to another

  /// r: average ranks from 0 to 1.
  public func ranks(_ distances: [Double]) -> [Double] { minMaxScaled(averageRanks(distances)) }

  /// g, the geo-topological matrix.
  public func geoTopological(_ distances: [Double]) -> [Double] {
    let (order, ranks) = orderAndRanks(distances)
    let r = minMaxScaled(ranks)
    switch settings.transform {
    case .sigmoid: return r.map { 1 / (1 + exp(-($0 - settings.middle) * settings.slope)) }
    case .linear:
      let sorted = order.map { r[$0] }
      let low = quantile(settings.lower, ofSorted: sorted)
      let high = quantile(settings.upper, ofSorted: sorted)
      return r.map { $0 <= low ? 0 : $0 > high ? 1 : ($0 - low) / (high - low) }
    }
  }

  /// The shortest paths over the graph of near pairs, ranked if the settings say so.
  public func geodesic(_ distances: [Double]) -> [Double] {
    // Any path might lead over a pair whose distance is not known.
    if distances.contains(where: \.isNaN) { return distances.map { _ in .nan } }
    let paths = shortestPaths(edges(distances))
    let lengths = itemPairs(paths.count).map { paths[$0.0][$0.1] }
    return settings.ranksGeodesics ? averageRanks(lengths) : lengths
  }

  /// Lengths of edges, infinity where there is none.
  private func edges(_ distances: [Double]) -> [[Double]] {
    let isTransformed = settings.graph == .transformed
    var lengths = isTransformed ? minMaxScaled(geoTopological(distances)) : ranks(distances)
    let limit = isTransformed ? 1 : quantile(settings.share, of: lengths)
    if settings.asReleased { lengths = lengths.map { $0 == 0 ? .infinity : $0 } }
    switch settings.graph {
    case .transformed: return squareForm(lengths.map { $0 < limit ? $0 : .infinity })
    case .shortest: return squareForm(lengths.map { $0 <= limit ? $0 : .infinity })
    case .nearest: return nearest(squareForm(lengths))
    }
  }

  private func nearest(_ all: [[Double]]) -> [[Double]] {
    let near = all.indices.map { item in
      let others = all.indices.filter { $0 != item && all[item][$0] < .infinity }
      return Set(others.sorted { (all[item][$0], $0) < (all[item][$1], $1) }.prefix(settings.neighbours))
    }
    return all.indices.map { i in
      all.indices.map { j in
        let isEdge =
          settings.asReleased
          ? near[min(i, j)].contains(max(i, j)) : near[i].contains(j) || near[j].contains(i)
        return isEdge ? all[i][j] : .infinity
      }
    }
  }

  /// What the settings compare codes by: codes [items, width] -> a value per pair.
  public func statistic(of codes: Tensor) -> [Double] {
    let distances = dissimilarities(codes, by: settings.dissimilarity).doubles
    return switch settings.statistic {
    case .dissimilarity: distances
    case .rank: ranks(distances)
    case .geoTopological: geoTopological(distances)
    case .geodesic: geodesic(distances)
    }
  }

  // MARK: Finding

  /// Tells from which layer a code comes by the codes of the other instances; see ``LayerIdentification``.
  /// `subject` holds the codes [items, width] of each instance's layers, for the same items.
  public func examine(_ subject: [[Tensor]]) throws -> LayerIdentification {
    try LayerIdentification(subject, by: self)
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let probe = try TopologicalRSA(settings)
    let pairs: [TensorPort.Extent] = [.free("batch"), .free("pairs")]
    return Door(
      inputs: [TensorPort("codes", [.free("batch"), .free("tokens"), .fixed(slot.width)])],
      outputs: [
        TensorPort("dissimilarities", pairs), TensorPort("ranks", pairs, .fractions),
        TensorPort("geo-topological", pairs, .fractions), TensorPort("geodesic", pairs),
      ]
    ) { tensors, _ in
      guard let codes = tensors["codes"] else { return [:] }
      try require(codes.dim(1) > 1, "topological-rsa compares at least 2 items, got \(codes.dim(1))")
      let distances = dissimilarities(codes, by: settings.dissimilarity)
      let rows = (0..<codes.dim(0)).map { distances.sliced(axis: 0, from: $0, to: $0 + 1).doubles }
      func each(_ transform: ([Double]) -> [Double]) -> Tensor {
        Tensor(rows.flatMap(transform), distances.shape).asType(codes.dtype)
      }
      return [
        "dissimilarities": distances, "ranks": each(probe.ranks),
        "geo-topological": each(probe.geoTopological), "geodesic": each(probe.geodesic),
      ]
    }
  }
}
