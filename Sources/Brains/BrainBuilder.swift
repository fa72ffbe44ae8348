/// Lets regions and tracts be listed one below the other, with `if`, `for` and whatever makes lists of
/// them.
@resultBuilder public enum BrainBuilder {
  public enum Piece {
    case region(Region)
    case tract(Tract)
  }

  public static func buildExpression(_ region: Region) -> [Piece] { [.region(region)] }
  public static func buildExpression(_ tract: Tract) -> [Piece] { [.tract(tract)] }
  public static func buildExpression(_ pieces: [Piece]) -> [Piece] { pieces }
  public static func buildBlock(_ pieces: [Piece]...) -> [Piece] { pieces.flatMap { $0 } }
  public static func buildArray(_ pieces: [[Piece]]) -> [Piece] { pieces.flatMap { $0 } }
  public static func buildOptional(_ pieces: [Piece]?) -> [Piece] { pieces ?? [] }
  public static func buildEither(first pieces: [Piece]) -> [Piece] { pieces }
  public static func buildEither(second pieces: [Piece]) -> [Piece] { pieces }
}

extension BrainPlan {
  /// A plan in Swift:
  ///
  ///     BrainPlan("two layers", output: "motor") {
  ///       Region("eye", part: "input")
  ///       Region("cortex", part: Choice("units", ["activation": "gelu"]), width: 64)
  ///       Region("motor", part: "units")
  ///       Tract("eye", to: "cortex")
  ///       Tract("cortex", to: "motor")
  ///     }
  public init(
    _ name: String? = nil, task: String? = nil, presentation: Presentation = .whole, steps: Int = 1,
    output: String, readout: Readout = .mean, optimiser: Choice? = nil,
    @BrainBuilder _ pieces: () -> [BrainBuilder.Piece]
  ) {
    let pieces = pieces()
    self.init(
      name, task: task, presentation: presentation, steps: steps, output: output, readout: readout,
      optimiser: optimiser,
      regions: pieces.compactMap { if case .region(let region) = $0 { region } else { nil } },
      tracts: pieces.compactMap { if case .tract(let tract) = $0 { tract } else { nil } })
  }
}
