import CallosumContracts

/// A matrix as an image, a pixel for each value, with a bar that says which colour is which number. The colours
/// are the same on light and dark ground. What is no number is grey and said to be so.
struct HeatMap {
  let x, y: String
  let values: [[Double]]
  let range: ClosedRange<Double>
  let summary: String

  private static let left = 12.0
  private static let width = Plot.width - 24
  private static let top = 24.0
  private static let bar = (width: 200.0, height: 10.0)

  /// Colours from low to high, then those of no number and of no value.
  private static let steps = 254
  private static let noNumber: UInt8 = 254
  private static let noValue: UInt8 = 255

  var svg: HTML {
    let (rows, columns) = (values.count, values.map(\.count).max() ?? 0)
    let side = columns > 0 ? min(Self.width / Double(columns), 260 / Double(max(rows, 1))) : 0
    // Squares, unless a few long rows would be too low to be seen.
    let rowHeight = max(side, min(12, 100 / Double(max(rows, 1))))
    let (width, height) = (side * Double(columns), rowHeight * Double(rows))
    let bottom = Self.top + height
    let pixels = values.map { line in
      line.map(place) + [UInt8](repeating: Self.noValue, count: columns - line.count)
    }
    // Cells keep their borders where they are wide enough to have any.
    let image: HTML =
      rows > 0 && columns > 0
      ? """
      <image class="\(min(side, rowHeight) >= 2 ? "cells" : "")" x="\(Self.left)" y="\(Self.top)" \
      width="\(width)" height="\(height)" preserveAspectRatio="none" \
      href="\(PNG.address(pixels, palette: palette, clear: Self.noValue))"/>
      """ : ""
    return """
      <svg class="plot" viewBox="0 0 \(Plot.width) \(bottom + 62)" role="img" aria-label="\(summary)">
      <title>\(summary)</title>
      <text class="axis-title" x="\(Self.left)" y="14">\(Plot.shortened(y))</text>
      \(image)
      <rect class="frame" x="\(Self.left)" y="\(Self.top)" width="\(width)" height="\(height)"/>
      <text class="axis-title" x="\(Self.left)" y="\(bottom + 18)">\(Plot.shortened(x))</text>
      \(legend(bottom + 28))
      </svg>
      """
  }

  private func place(_ value: Double) -> UInt8 {
    if value.isNaN { return Self.noNumber }
    let (low, high) = (range.lowerBound, range.upperBound)
    let share =
      high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : value < low ? 0 : value > high ? 1 : 0.5
    return UInt8((min(max(share, 0), 1) * Double(Self.steps - 1)).rounded())
  }

  // MARK: Colours

  /// Values on both sides of 0, which is in the middle.
  private var isDiverging: Bool {
    range.lowerBound < 0 && abs(range.lowerBound + range.upperBound) < 1e-9 * range.upperBound
  }

  private var palette: [PNG.Colour] {
    let anchors = isDiverging ? Self.coolWarm : Self.viridis
    let ramp = (0..<Self.steps).map { step -> PNG.Colour in
      let place = Double(step) / Double(Self.steps - 1) * Double(anchors.count - 1)
      let first = min(Int(place), anchors.count - 2), share = place - Double(first)
      func mixed(_ shift: Int) -> UInt8 {
        let (from, to) = (anchors[first] >> shift & 255, anchors[first + 1] >> shift & 255)
        return UInt8((Double(from) + share * (Double(to) - Double(from))).rounded())
      }
      return PNG.Colour(red: mixed(16), green: mixed(8), blue: mixed(0))
    }
    let grey = PNG.Colour(red: 128, green: 128, blue: 128)
    return ramp + [grey, grey]
  }

  /// Every eighth of matplotlib's viridis (van der Walt and Smith 2015), which is even to the eye and tells
  /// steps apart with every kind of colour vision.
  private static let viridis = [
    0x440154, 0x472D7B, 0x3B528B, 0x2C728E, 0x21918C, 0x28AE80, 0x5EC962, 0xADDC30, 0xFDE725,
  ]

  /// Blue, white, red (Moreland 2009).
  private static let coolWarm = [0x3B4CC0, 0x7B9FF9, 0xC0D4F5, 0xF2F2F2, 0xF7B89C, 0xE7745B, 0xB40426]

  // MARK: Legend

  private func legend(_ top: Double) -> HTML {
    let ramp = [(0..<UInt8(Self.steps)).map { $0 }]
    let known = values.joined().filter { !$0.isNaN }
    let ends = Axis.labels([range.lowerBound, range.upperBound])
    // What rounding did is not said.
    let slack = 1e-6 * (range.upperBound / 2 - range.lowerBound / 2)
    let low = (known.contains { $0 < range.lowerBound - slack } ? "≤ " : "") + ends[0]
    let high = (known.contains { $0 > range.upperBound + slack } ? "≥ " : "") + ends[1]
    let label = top + Self.bar.height + 15, end = Self.left + Self.bar.width
    let swatch: HTML =
      values.joined().contains(where: \.isNaN)
      ? """
      <rect class="no-number" x="\(end + 24)" y="\(top)" width="12" height="\(Self.bar.height)"/>
      <text x="\(end + 42)" y="\(top + Self.bar.height)">not a number</text>
      """ : ""
    return """
      <image x="\(Self.left)" y="\(top)" width="\(Self.bar.width)" height="\(Self.bar.height)" \
      preserveAspectRatio="none" href="\(PNG.address(ramp, palette: palette))"/>
      <text x="\(Self.left)" y="\(label)">\(low)</text>
      <text x="\(end)" y="\(label)" text-anchor="end">\(high)</text>
      \(swatch)
      """
  }
}
