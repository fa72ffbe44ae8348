/// Where things stand in a picture of a wiring: regions in columns by depth, tracts from left to right
/// between them, loops back underneath. A tract that skips a column has a lane of its own there, so that
/// no line crosses a box.
struct WiringLayout {
  struct Point: Equatable {
    var x, y: Double
  }

  struct Box: Equatable {
    var x, y, width, height: Double
    var right: Double { x + width }
    var bottom: Double { y + height }

    func touches(_ other: Box, margin: Double = 0) -> Bool {
      x - margin < other.right && other.x < right + margin && y - margin < other.bottom
        && other.y < bottom + margin
    }
  }

  /// A line from a region to another.
  struct Line {
    let tract: Int
    let from, to: Int
    let closesLoop: Bool
    /// Corners and ends; curves join them, except where a loop runs straight.
    var points: [Point] = []
    var label: Box?
  }

  private(set) var boxes: [Box]
  private(set) var lines: [Line]
  private(set) var size = Point(x: 0, y: 0)

  private static let gap = 26.0, laneHeight = 16.0, margin = 24.0, labelHeight = 18.0

  /// - Parameters:
  ///   - sizes: Of the boxes.
  ///   - labels: Width of each tract's label, 0 for none.
  ///   - top: Room above.
  init(_ wiring: Wiring, sizes: [(width: Double, height: Double)], labels: [Double], top: Double) {
    let (columns, isLoop) = WiringLayout.columns(wiring)
    lines = []
    for (tract, ends) in wiring.ends.enumerated() {
      for target in ends.to {
        lines.append(Line(tract: tract, from: ends.from, to: target, closesLoop: isLoop[tract]))
      }
    }
    boxes = sizes.map { Box(x: 0, y: 0, width: $0.width, height: $0.height) }
    let count = (columns.max() ?? 0) + 1

    // What stands in each column: a region, or the lane of a line that passes.
    enum Item: Hashable {
      case region(Int)
      case lane(line: Int)
    }
    var items = [[Item]](repeating: [], count: count)
    for region in boxes.indices { items[columns[region]].append(.region(region)) }
    var routes: [[Item]] = []
    for (index, line) in lines.enumerated() {
      var route: [Item] = [.region(line.from)]
      if !line.closesLoop {
        for column in stride(from: columns[line.from] + 1, to: columns[line.to], by: 1) {
          items[column].append(.lane(line: index))
          route.append(.lane(line: index))
        }
      }
      routes.append(route + [.region(line.to)])
    }
    func height(_ item: Item) -> Double {
      if case .region(let region) = item { boxes[region].height } else { WiringLayout.laneHeight }
    }
    var middle = [[Item: Double]](repeating: [:], count: count)
    func stack(_ column: Int) {
      let total = items[column].map { height($0) + WiringLayout.gap }.reduce(-WiringLayout.gap, +)
      var y = -total / 2
      for item in items[column] {
        middle[column][item] = y + height(item) / 2
        y += height(item) + WiringLayout.gap
      }
    }
    for column in 0..<count { stack(column) }
    // Sweeps to and fro: each item goes where the mean of its neighbours is.
    for sweep in 0..<8 {
      let forward = sweep % 2 == 0
      for column in forward ? Array(1..<max(count, 1)) : Array((0..<max(count - 1, 0)).reversed()) {
        let other = forward ? column - 1 : column + 1
        guard items.indices.contains(other) else { continue }
        var wish: [Item: Double] = [:]
        for item in items[column] {
          var heights: [Double] = []
          for (line, route) in zip(lines, routes) where !line.closesLoop {
            for (a, b) in zip(route, route.dropFirst()) {
              let (mine, theirs) = forward ? (b, a) : (a, b)
              if mine == item, let height = middle[other][theirs] { heights.append(height) }
            }
          }
          wish[item] =
            heights.isEmpty ? middle[column][item] : heights.reduce(0, +) / Double(heights.count)
        }
        let before = items[column]
        items[column] = before.enumerated().sorted {
          (wish[$0.element] ?? 0, $0.offset) < (wish[$1.element] ?? 0, $1.offset)
        }.map(\.element)
        stack(column)
      }
    }

    // Columns from left to right; labels and the verticals of loops stand between them.
    let loopCount = Double(lines.count { $0.closesLoop })
    let side = loopCount > 0 ? 22 + 9 * loopCount : 0
    var left = [Double](repeating: 0, count: count)
    var widths = [Double](repeating: 0, count: count)
    var x = WiringLayout.margin + side
    for column in 0..<count {
      if column > 0 {
        let widest =
          zip(lines, routes).filter { line, _ in !line.closesLoop && columns[line.to] == column }
          .map { labels[$0.0.tract] }.max() ?? 0
        x += max(widest + 44, 84) + 2 * side
      }
      widths[column] = boxes.indices.filter { columns[$0] == column }.map { boxes[$0].width }.max() ?? 0
      left[column] = x
      x += widths[column]
    }
    let highest = middle.enumerated().flatMap { _, column in column.map { $0.value - height($0.key) / 2 } }
    let shift = top + WiringLayout.margin - (highest.min() ?? 0)
    for region in boxes.indices {
      let column = columns[region]
      boxes[region].width = widths[column]
      boxes[region].x = left[column]
      boxes[region].y = (middle[column][.region(region)] ?? 0) - boxes[region].height / 2 + shift
    }
    let lowest = middle.flatMap { column in column.map { $0.value + height($0.key) / 2 } }
    let bottom = (lowest.max() ?? 0) + shift
    size = Point(x: x + side + WiringLayout.margin, y: bottom + WiringLayout.margin)

    // Where lines meet a box, in the order of where they come from and go to; loops lowest.
    func ports(_ region: Int, outgoing: Bool) -> [Int: Double] {
      func far(_ index: Int) -> Double {
        let route = routes[index]
        let next = outgoing ? route[1] : route[route.count - 2]
        return lines[index].closesLoop ? .infinity : middle.lazy.compactMap { $0[next] }.first ?? 0
      }
      let mine = lines.indices.filter { (outgoing ? lines[$0].from : lines[$0].to) == region }
        .sorted { (far($0), $0) < (far($1), $1) }
      let box = boxes[region]
      return Dictionary(
        uniqueKeysWithValues: mine.enumerated().map { position, index in
          (index, box.y + box.height * Double(position + 1) / Double(mine.count + 1))
        })
    }
    let out = boxes.indices.map { ports($0, outgoing: true) }
    let into = boxes.indices.map { ports($0, outgoing: false) }
    var lane = bottom
    var loops = 0.0
    for index in lines.indices {
      let line = lines[index]
      guard let start = out[line.from][index], let end = into[line.to][index] else { continue }
      let from = boxes[line.from], to = boxes[line.to]
      if line.closesLoop {
        loops += 1
        lane += 30
        let turn = from.right + 10 + 9 * loops, back = to.x - 14 - 9 * loops
        lines[index].points = [
          Point(x: from.right, y: start), Point(x: turn, y: start), Point(x: turn, y: lane),
          Point(x: back, y: lane), Point(x: back, y: end), Point(x: to.x, y: end),
        ]
      } else {
        var points = [Point(x: from.right, y: start)]
        for column in stride(from: columns[line.from] + 1, to: columns[line.to], by: 1) {
          let y = (middle[column][.lane(line: index)] ?? 0) + shift
          points += [Point(x: left[column], y: y), Point(x: left[column] + widths[column], y: y)]
        }
        lines[index].points = points + [Point(x: to.x, y: end)]
      }
    }
    if loops > 0 { size.y = lane + WiringLayout.margin }
    placeLabels(labels)
  }

  /// Labels stand on their lines: of a loop below the boxes, otherwise in the gap before the target,
  /// moved up or down until none touches another.
  private mutating func placeLabels(_ labels: [Double]) {
    let height = WiringLayout.labelHeight
    for index in lines.indices where labels[lines[index].tract] > 0 {
      let points = lines[index].points, width = labels[lines[index].tract]
      guard points.count > 1 else { continue }
      let (a, b) =
        lines[index].closesLoop
        ? (points[2], points[3]) : (points[points.count - 2], points[points.count - 1])
      let centre = Point(x: (a.x + b.x) / 2, y: (a.y + b.y) / 2)
      var box = Box(x: centre.x - width / 2, y: centre.y - height / 2, width: width, height: height)
      var attempt = 0
      while lines.contains(where: { $0.label?.touches(box, margin: 2) ?? false }), attempt < 200 {
        attempt += 1
        let distance = Double((attempt + 1) / 2) * (height / 2)
        box.y = centre.y - height / 2 + (attempt % 2 == 0 ? distance : -distance)
      }
      lines[index].label = box
      size.x = max(size.x, box.right + WiringLayout.margin)
    }
  }

  /// The column of each region, and which tracts lead back. One with a delay leads on unless it is part of
  /// a loop.
  private static func columns(_ wiring: Wiring) -> (columns: [Int], isLoop: [Bool]) {
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
