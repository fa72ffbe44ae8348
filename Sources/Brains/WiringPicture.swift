import CallosumContracts
import CallosumNetworks
import Foundation

extension Brain {
  /// The wiring as an SVG picture that stands for itself, in light or dark as the reader prefers:
  /// regions with part, width, parameters and rule; tracts as arrows, dashed where they carry the past,
  /// grey where they are frozen.
  public func picture() -> String {
    let texts = plan.regions.indices.map(lines(of:))
    let sizes = texts.map { lines in
      let widest = lines.enumerated().map { Lettering.width($1, size: $0 == 0 ? 15 : 12) }.max() ?? 0
      return (width: max(widest + 28, 132), height: 20 + 17 * Double(lines.count))
    }
    let labels = plan.tracts.map { tract in
      let text = label(of: tract)
      return text.isEmpty ? 0 : Lettering.width(text, size: 11) + 14
    }
    let layout = WiringLayout(wiring, sizes: sizes, labels: labels, top: 44)
    let title = plan.name ?? "Wiring"
    let caption = caption
    let width = max(
      layout.size.x, Lettering.width(title, size: 17) + 48, Lettering.width(caption, size: 12) + 48)
    let height = layout.size.y + 34

    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(text(width)) \(text(height))" width="\(text(width))" \
      height="\(text(height))" role="img" aria-label="\(title.xmlEscaped)">
      <style>
      \(Lettering.style)
      </style>
      <defs>
      \(arrowHead("arrow"))\(arrowHead("arrow-frozen"))
      </defs>
      <rect class="paper" width="100%" height="100%"/>
      <text class="title" x="24" y="36">\(title.xmlEscaped)</text>

      """
    for line in layout.lines { svg += draw(line) }
    for (index, box) in layout.boxes.enumerated() { svg += draw(index, box, texts[index]) }
    for line in layout.lines {
      guard let box = line.label else { continue }
      let tract = plan.tracts[line.tract]
      svg += """
        <rect class="label" x="\(text(box.x))" y="\(text(box.y))" width="\(text(box.width))" \
        height="\(text(box.height))" rx="\(text(box.height / 2))"/>
        <text class="label\(tract.learnable ? "" : " frozen")" x="\(text(box.x + box.width / 2))" \
        y="\(text(box.y + 12.5))">\(label(of: tract).xmlEscaped)</text>

        """
    }
    svg +=
      "<text class=\"caption\" x=\"24\" y=\"\(text(height - 18))\">\(caption.xmlEscaped)</text>\n"
    return svg + "</svg>\n"
  }

  // MARK: Words

  /// What stands in the box of a region.
  private func lines(of index: Int) -> [String] {
    let region = plan.regions[index], field = wiring.activities[index]
    let count = regions[region.name]?.parameterCount ?? 0
    var lines = [region.name, region.part.name + settings(region.part)]
    lines.append("width \(field.width) · \(field.tokens) token\(field.tokens == 1 ? "" : "s")")
    lines.append(count == 0 ? "no parameters" : "\(Lettering.grouped(count)) parameters")
    if count > 0 { lines.append("learns by \(region.rule?.name ?? "backpropagation")") }
    return lines
  }

  private func settings(_ choice: Choice) -> String {
    let words = choice.settings.sorted { $0.key < $1.key }.map { key, value in
      let shown = (try? value.text().split(whereSeparator: \.isWhitespace).joined()) ?? ""
      return "\(key) \(shown.replacingOccurrences(of: "\"", with: ""))"
    }
    let text = words.joined(separator: ", ")
    return text.isEmpty ? "" : text.count > 34 ? " (…)" : " (\(text))"
  }

  private func label(of tract: Tract) -> String {
    var words: [String] = []
    if tract.through.name != Projection.card.id { words.append(tract.through.name + settings(tract.through)) }
    if tract.delay > 0 { words.append("\(tract.delay) step\(tract.delay == 1 ? "" : "s") later") }
    if !tract.learnable, tracts[tract.name]?.parameterCount ?? 0 > 0 { words.append("frozen") }
    return words.joined(separator: ", ")
  }

  private var caption: String {
    var words = ["\(Lettering.grouped(parameterCount)) parameters"]
    let steps = "\(plan.steps) step\(plan.steps == 1 ? "" : "s")"
    words.append(plan.presentation == .whole ? steps : "token by token, \(steps) each")
    words.append("answer: \(plan.output)")
    if wiring.lags.contains(where: { $0 > 0 }) { words.append("dashed: the past") }
    if plan.tracts.contains(where: { !$0.learnable }) { words.append("grey: frozen") }
    return words.joined(separator: " · ")
  }

  // MARK: Shapes

  private func draw(_ index: Int, _ box: WiringLayout.Box, _ lines: [String]) -> String {
    let region = plan.regions[index]
    let isLocal = needs(region) != .gradients
    let isOutput = index == wiring.output
    let kind =
      (region.builtIn == .input ? " view" : "") + (isLocal ? " local" : "") + (isOutput ? " answer" : "")
    var svg = """
      <rect class="region\(kind)" x="\(text(box.x))" y="\(text(box.y))" width="\(text(box.width))" \
      height="\(text(box.height))" rx="8"/>

      """
    for (row, line) in lines.enumerated() {
      let isRule = row == 4
      let style = row == 0 ? "name" : isRule && isLocal ? "rule" : "line"
      svg += """
        <text class="\(style)" x="\(text(box.x + 14))" y="\(text(box.y + 22 + 17 * Double(row)))">\
        \(line.xmlEscaped)</text>

        """
    }
    return svg
  }

  private func draw(_ line: WiringLayout.Line) -> String {
    let tract = plan.tracts[line.tract]
    let points = line.points
    guard let first = points.first else { return "" }
    var path = "M\(text(first.x)) \(text(first.y))"
    if line.closesLoop {
      path += rounded(points)
    } else {
      // Curves between columns, straight along a lane.
      for (position, (a, b)) in zip(points, points.dropFirst()).enumerated() {
        if position % 2 == 1 {
          path += " L\(text(b.x)) \(text(b.y))"
        } else {
          let bend = (b.x - a.x) / 2
          path +=
            " C\(text(a.x + bend)) \(text(a.y)) \(text(b.x - bend)) \(text(b.y)) \(text(b.x)) \(text(b.y))"
        }
      }
    }
    let isFrozen = !tract.learnable
    let kind = (isFrozen ? " frozen" : "") + (wiring.lags[line.tract] > 0 ? " past" : "")
    let count = tracts[tract.name]?.parameterCount ?? 0
    let words = "\(tract.name): \(tract.through.name), \(Lettering.grouped(count)) parameters"
    return """
      <path class="tract\(kind)" d="\(path)" marker-end="url(#arrow\(isFrozen ? "-frozen" : ""))">\
      <title>\(words.xmlEscaped)</title></path>

      """
  }

  /// Straight pieces with round corners.
  private func rounded(_ points: [WiringLayout.Point]) -> String {
    var path = ""
    for index in 1..<points.count {
      let corner = points[index]
      guard index + 1 < points.count else { return path + " L\(text(corner.x)) \(text(corner.y))" }
      func towards(_ other: WiringLayout.Point) -> WiringLayout.Point {
        let (dx, dy) = (other.x - corner.x, other.y - corner.y)
        let length = max((dx * dx + dy * dy).squareRoot(), 1e-9)
        let radius = min(8, length / 2)
        return .init(x: corner.x + dx / length * radius, y: corner.y + dy / length * radius)
      }
      let before = towards(points[index - 1]), after = towards(points[index + 1])
      path += " L\(text(before.x)) \(text(before.y)) Q\(text(corner.x)) \(text(corner.y))"
      path += " \(text(after.x)) \(text(after.y))"
    }
    return path
  }

  private func arrowHead(_ id: String) -> String {
    """
    <marker id="\(id)" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" \
    orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path class="\(id)" d="M0 0.5 L8 4 L0 7.5 z"/></marker>
    """
  }

  private func text(_ value: Double) -> String { String(format: "%.1f", value) }
}

/// Letters of the picture.
private enum Lettering {
  /// An upper estimate in pixels: no font is at hand to measure with.
  static func width(_ text: String, size: Double) -> Double { Double(text.count) * size * 0.6 }

  static func grouped(_ number: Int) -> String {
    var digits = Array(String(number))
    for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
    return String(digits)
  }

  static let style = """
    svg { --paper: #ffffff; --ink: #1c2430; --soft: #5b6675; --box: #f4f6f9; --edge: #b9c2ce;
      --tract: #3b6fb5; --frozen: #a3abb6; --local: #b4580f; --answer: #2f7d4f;
      font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
    @media (prefers-color-scheme: dark) { svg { --paper: #14181f; --ink: #e8ecf2; --soft: #9ba7b6;
      --box: #1f2630; --edge: #465263; --tract: #7fb0f0; --frozen: #66707d; --local: #f0a35e;
      --answer: #6cc391; } }
    .paper { fill: var(--paper); }
    .title { font-size: 17px; font-weight: 600; fill: var(--ink); }
    .caption { font-size: 12px; fill: var(--soft); }
    .region { fill: var(--box); stroke: var(--edge); stroke-width: 1.25; }
    .region.view { stroke-dasharray: 2 3; }
    .region.local { stroke: var(--local); stroke-width: 2; }
    .region.answer { stroke: var(--answer); stroke-width: 2; }
    .name { font-size: 15px; font-weight: 600; fill: var(--ink); }
    .line { font-size: 12px; fill: var(--soft); }
    .rule { font-size: 12px; font-weight: 600; fill: var(--local); }
    .tract { fill: none; stroke: var(--tract); stroke-width: 1.75; }
    .tract.past { stroke-dasharray: 6 4; }
    .tract.frozen { stroke: var(--frozen); }
    path.arrow { fill: var(--tract); }
    path.arrow-frozen { fill: var(--frozen); }
    rect.label { fill: var(--paper); stroke: none; }
    text.label { font-size: 11px; fill: var(--ink); text-anchor: middle; }
    text.label.frozen { fill: var(--soft); }
    """
}
