/// Where things stand in a picture of a wiring: regions in columns by depth, tracts from left to right
/// between them, loops back underneath.
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
  private(set) var lines: [Line] = []
  private(set) var size = Point(x: 0, y: 0)

  private static let margin = 24.0, labelHeight = 18.0

  /// - Parameters:
  ///   - sizes: Of the boxes.
  ///   - labels: Width of each tract's label, 0 for none.
  ///   - top: Room above.
  init(_ wiring: Wiring, sizes: [(width: Double, height: Double)], labels: [Double], top: Double) {
    let (columns, isLoop) = WiringColumns.depths(wiring)
    for (tract, ends) in wiring.ends.enumerated() {
      for target in ends.to {
        lines.append(Line(tract: tract, from: ends.from, to: target, closesLoop: isLoop[tract]))
      }
    }
    boxes = sizes.map { Box(x: 0, y: 0, width: $0.width, height: $0.height) }
    let forward = lines.filter { !$0.closesLoop }
    var stacks = WiringColumns(
      columns, heights: sizes.map(\.height),
      lines: lines.map { $0.closesLoop ? nil : (from: $0.from, to: $0.to) })
    stacks.settle()

    // From left to right: labels, and the verticals of loops, stand between the columns.
    let loops = lines.count - forward.count
    let side = loops > 0 ? 22 + 9 * Double(loops) : 0
    var spans: [(left: Double, right: Double)] = []
    for column in stacks.items.indices {
      let widest = forward.filter { columns[$0.to] == column }.map { labels[$0.tract] }.max() ?? 0
      let gap = max(widest + 44, 84) + 2 * side
      let left = spans.last.map { $0.right + gap } ?? WiringLayout.margin + side
      let width = boxes.indices.filter { columns[$0] == column }.map { boxes[$0].width }.max() ?? 0
      spans.append((left, left + width))
    }
    let shift = top + WiringLayout.margin - stacks.top
    for region in boxes.indices {
      let (left, right) = spans[columns[region]]
      boxes[region].x = left
      boxes[region].width = right - left
      boxes[region].y = stacks.middle(.region(region), in: columns[region]) - boxes[region].height / 2 + shift
    }
    let bottom = stacks.bottom + shift
    size = Point(
      x: (spans.last?.right ?? 0) + side + WiringLayout.margin,
      y: bottom + 30 * Double(loops) + WiringLayout.margin)
    drawLines(columns, stacks, spans, shift: shift, bottom: bottom)
    placeLabels(labels)
  }

  // MARK: Lines

  /// Lines forward go through the lanes of the columns that they skip, loops run below `bottom`.
  private mutating func drawLines(
    _ columns: [Int], _ stacks: WiringColumns, _ spans: [(left: Double, right: Double)], shift: Double,
    bottom: Double
  ) {
    let out = boxes.indices.map { ports($0, stacks, columns, outgoing: true) }
    let into = boxes.indices.map { ports($0, stacks, columns, outgoing: false) }
    var loops = 0.0
    for index in lines.indices {
      let line = lines[index]
      guard let start = out[line.from][index], let end = into[line.to][index] else { continue }
      let from = boxes[line.from], to = boxes[line.to]
      if line.closesLoop {
        loops += 1
        let turn = from.right + 10 + 9 * loops, back = to.x - 14 - 9 * loops, lane = bottom + 30 * loops
        lines[index].points = [
          Point(x: from.right, y: start), Point(x: turn, y: start), Point(x: turn, y: lane),
          Point(x: back, y: lane), Point(x: back, y: end), Point(x: to.x, y: end),
        ]
      } else {
        var points = [Point(x: from.right, y: start)]
        for column in columns[line.from] + 1..<columns[line.to] {
          let y = stacks.middle(.lane(line: index), in: column) + shift
          points += [Point(x: spans[column].left, y: y), Point(x: spans[column].right, y: y)]
        }
        lines[index].points = points + [Point(x: to.x, y: end)]
      }
    }
  }

  /// Where lines meet a box, in the order of where they come from or go to; loops lowest.
  private func ports(
    _ region: Int, _ stacks: WiringColumns, _ columns: [Int], outgoing: Bool
  ) -> [Int: Double] {
    func far(_ index: Int) -> Double {
      let line = lines[index]
      if line.closesLoop { return .infinity }
      let route = stacks.routes[index]
      return outgoing
        ? stacks.middle(route[1], in: columns[line.from] + 1)
        : stacks.middle(route[route.count - 2], in: columns[line.to] - 1)
    }
    let mine = lines.indices.filter { (outgoing ? lines[$0].from : lines[$0].to) == region }
      .sorted { (far($0), $0) < (far($1), $1) }
    let box = boxes[region]
    return Dictionary(
      uniqueKeysWithValues: mine.enumerated().map { position, index in
        (index, box.y + box.height * Double(position + 1) / Double(mine.count + 1))
      })
  }

  /// Labels stand on their lines: of a loop below the boxes, otherwise in the gap before the target,
  /// moved up or down until none touches another.
  private mutating func placeLabels(_ labels: [Double]) {
    let height = WiringLayout.labelHeight
    for index in lines.indices where labels[lines[index].tract] > 0 {
      let points = lines[index].points, width = labels[lines[index].tract]
      guard points.count > 1 else { continue }
      let end = lines[index].closesLoop ? 3 : points.count - 1
      let (a, b) = (points[end - 1], points[end])
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
}
