import CallosumContracts

/// What the seeds of a claim say of a condition: a dot for each, against the bounds.
struct SeedStrip {
  let finding: Judgement.Finding

  private static let width = 420.0, height = 76.0, left = 10.0, floor = 50.0

  /// Nil for what older versions stored, which knew no bounds.
  var svg: HTML? {
    guard let pro = finding.pro, let contra = finding.contra else { return nil }
    let finite = finding.values.filter(\.isFinite) + [pro, contra]
    let axis = Axis("", over: (finite.min() ?? 0)...(finite.max() ?? 1))
    func place(_ value: Double) -> Double {
      Self.left + min(max(axis.position(of: value), 0), 1) * (Self.width - 2 * Self.left)
    }
    let bounds = Set([pro, contra]).sorted().map { bound -> HTML in
      """
      <line class="axis" x1="\(place(bound))" y1="4" x2="\(place(bound))" y2="\(Self.floor + 6)"/>\
      <text x="\(place(bound))" y="\(Self.height - 4)" text-anchor="middle">\(Format.significant(bound))</text>
      """
    }
    // One under the other, in four rows by turns, so that equal values do not hide each other.
    let dots = finding.values.enumerated().filter { !$1.isNaN }.map { index, value -> HTML in
      let height = 10 + Double(index % 4) * 11, title = "seed \(index + 1): \(Format.significant(value))"
      return """
        <circle class="\(value.isFinite ? "end" : "dot") arm0" cx="\(place(value))" cy="\(height)" r="4.5">\
        <title>\(title)</title></circle>
        """
    }
    let summary =
      "\(finding.condition): \(finding.wins ?? 0) of \(finding.values.count) seeds beyond \(Format.significant(pro))"
    return """
      <svg class="plot strip" viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="\(summary)">
      <line class="grid" x1="\(Self.left)" y1="\(Self.floor)" x2="\(Self.width - Self.left)" y2="\(Self.floor)"/>
      \(bounds)
      \(dots)
      </svg>
      """
  }
}
