/// What stands above what in the columns of a picture of a wiring. A line that skips a column has a lane
/// of its own there, so that it crosses no box.
struct WiringColumns {
  enum Item: Hashable {
    case region(Int)
    case lane(line: Int)
  }

  /// From top to bottom, column by column.
  private(set) var items: [[Item]]
  /// What each line passes, column by column; empty where a line does not lead forward.
  let routes: [[Item]]
  private let heights: [Double]
  private let columns: [Int]
  private var middles: [[Item: Double]]

  private static let gap = 26.0, laneHeight = 16.0

  /// - Parameters:
  ///   - columns: Of each region.
  ///   - heights: Of their boxes.
  ///   - lines: Regions that lines lead between; nil for one that does not lead forward.
  init(_ columns: [Int], heights: [Double], lines: [(from: Int, to: Int)?]) {
    self.columns = columns
    self.heights = heights
    var items = [[Item]](repeating: [], count: (columns.max() ?? -1) + 1)
    for (region, column) in columns.enumerated() { items[column].append(.region(region)) }
    routes = lines.enumerated().map { index, line in
      guard let line else { return [] }
      let skipped = columns[line.from] + 1..<columns[line.to]
      for column in skipped { items[column].append(.lane(line: index)) }
      return [.region(line.from)] + skipped.map { _ in .lane(line: index) } + [.region(line.to)]
    }
    self.items = items
    middles = items.map { _ in [:] }
    for column in items.indices { stack(column) }
  }

  /// The height at which an item's middle is.
  func middle(_ item: Item, in column: Int) -> Double { middles[column][item] ?? 0 }

  var top: Double { edges { $0 - $1 / 2 }.min() ?? 0 }
  var bottom: Double { edges { $0 + $1 / 2 }.max() ?? 0 }

  private func edges(_ edge: (_ middle: Double, _ height: Double) -> Double) -> [Double] {
    middles.flatMap { column in column.map { edge($0.value, height($0.key)) } }
  }

  private func height(_ item: Item) -> Double {
    if case .region(let region) = item { heights[region] } else { WiringColumns.laneHeight }
  }

  /// Puts the items of a column below each other, around 0.
  private mutating func stack(_ column: Int) {
    let gap = WiringColumns.gap
    var y = -items[column].map { height($0) + gap }.reduce(-gap, +) / 2
    for item in items[column] {
      middles[column][item] = y + height(item) / 2
      y += height(item) + gap
    }
  }

  /// Sweeps to and fro: each item goes where the mean of its neighbours is (Sugiyama et al. 1981).
  mutating func settle() {
    guard items.count > 1 else { return }
    for sweep in 0..<8 {
      let isForward = sweep % 2 == 0
      for step in 1..<items.count {
        let column = isForward ? step : items.count - 1 - step
        let wishes = items[column].map { wish($0, column, neighbours: isForward ? column - 1 : column + 1) }
        items[column] = zip(wishes, items[column].indices).sorted { $0 < $1 }.map { items[column][$0.1] }
        stack(column)
      }
    }
  }

  /// The mean height of what an item is joined with in the column beside; its own where there is nothing.
  private func wish(_ item: Item, _ column: Int, neighbours: Int) -> Double {
    var heights: [Double] = []
    for route in routes {
      for (a, b) in zip(route, route.dropFirst()) {
        let (mine, theirs) = neighbours < column ? (b, a) : (a, b)
        if mine == item, let height = middles[neighbours][theirs] { heights.append(height) }
      }
    }
    return heights.isEmpty ? middle(item, in: column) : heights.reduce(0, +) / Double(heights.count)
  }

  // MARK: Depth

  /// The column of each region, and which tracts lead back. One with a delay leads on unless it is part
  /// of a loop.
  static func depths(_ wiring: Wiring) -> (columns: [Int], isLoop: [Bool]) {
    var edges = wiring.ends.indices.filter { wiring.lags[$0] == 0 }
    var isLoop = wiring.lags.map { $0 > 0 }
    for (tract, ends) in wiring.ends.enumerated() where wiring.lags[tract] > 0 {
      var seen: Set<Int> = [], open = ends.to
      while let region = open.popLast() {
        guard seen.insert(region).inserted else { continue }
        open += wiring.ends.filter { $0.from == region }.flatMap(\.to)
      }
      if !seen.contains(ends.from) {
        edges.append(tract)
        isLoop[tract] = false
      }
    }
    // The edges left make no loop, so this settles.
    var depth = [Int](repeating: 0, count: wiring.plan.regions.count)
    for _ in depth.indices {
      for edge in edges {
        let (from, to) = wiring.ends[edge]
        for target in to { depth[target] = max(depth[target], depth[from] + 1) }
      }
    }
    return (depth, isLoop)
  }
}
