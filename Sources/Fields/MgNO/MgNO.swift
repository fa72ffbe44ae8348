import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The multigrid neural operator (He, Liu and Xu 2023): from functions on a grid to functions on it, such as
/// from the permeability of rock to the pressure in it, [batch, rows, columns, width] -> [batch, rows,
/// columns, outputWidth].
///
/// Each layer is u <- GELU(W u + w u + b), W a V-cycle (``MultigridConv``) and w a linear map of the channels
/// of a point, with bias b; there is no lifting, and a last linear map without bias makes the outputs. Any
/// grid whose sides halve as often as there are levels will do, not only that of the slot.
///
/// Parameters: `layers.N.multigrid...`, `layers.N.pointwise`, `output`; they start as PyTorch starts
/// convolutions, as published. The published networks list the sweeps of each level (`sweepsDown`,
/// `sweepsUp`); for the Navier-Stokes equation they have a layer norm of fixed size, which ties it to a grid and
/// is left out.
public final class MgNO: Mechanism, Layer {
  public struct Settings: Configuration {
    /// Channels between the layers.
    public var channels = 24
    /// Layers, each with a V-cycle of its own.
    public var layers = 5
    /// Levels of each V-cycle; 0 for as many as keep both sides of the coarsest at 2 or more, at most 5.
    public var levels = 0
    /// Sweeps of each level on the way down.
    public var pre = 1
    /// Sweeps of each level on the way up.
    public var post = 0
    /// Sweeps of the coarsest level, where it is not the only one.
    public var coarsest = 2
    /// Sweeps of each level on the way down, the finest first, as the authors list them: [1, 1, 1, 2, 2] for
    /// Darcy flow. With it `levels`, `pre` and `coarsest` are left out; empty for what those say.
    public var sweepsDown: [Int] = []
    /// Sweeps of each level on the way up, the finest first, all but the coarsest; empty for `post` on each.
    public var sweepsUp: [Int] = []
    /// What lies beyond the border.
    public var padding = PaddingMode.zeros
    /// Whether the residual goes down a level, as in a solver, and not what the level was given.
    public var useResidual = false
    public init() {}

    public func validate() throws {
      for (name, value, least) in [
        ("channels", channels, 1), ("layers", layers, 1), ("pre", pre, 1), ("post", post, 0),
        ("coarsest", coarsest, 1),
      ] {
        try require((least...10_000).contains(value), "\(name) must be from \(least) to 10000, is \(value)")
      }
      try require((0...20).contains(levels), "levels must be from 0 to 20, is \(levels)")
      try require(
        sweepsDown.count <= 20 && sweepsDown.allSatisfy { (0...10_000).contains($0) }
          && sweepsDown.first != 0,
        "sweepsDown must list up to 20 numbers from 0 to 10000, the first at least 1, is \(sweepsDown)")
      try require(
        sweepsUp.allSatisfy { (0...10_000).contains($0) },
        "sweepsUp must list numbers from 0 to 10000, is \(sweepsUp)")
      try require(
        sweepsDown.isEmpty || levels == 0 || levels == sweepsDown.count,
        "sweepsDown lists \(sweepsDown.count) levels, but levels is \(levels); leave it at 0")
    }

    /// The sweeps of each level.
    func sweeps(levels: Int) -> [MultigridConv.Sweeps] {
      (0..<levels).map { level in
        let isCoarsest = level == levels - 1
        let down = sweepsDown.isEmpty ? isCoarsest && level > 0 ? coarsest : pre : sweepsDown[level]
        return .init(down, isCoarsest ? 0 : sweepsUp.isEmpty ? post : sweepsUp[level])
      }
    }
  }

  public static let kind = Kind.fieldOperator
  public static let needsGrid = true
  public static let card = Card(
    id: "mgno", name: "Multigrid neural operator", family: .fields,
    paper: Paper(
      "MgNO: Efficient Parameterization of Linear Operators via Multigrid",
      by: ["Juncai He", "Xinliang Liu", "Jinchao Xu"],
      year: 2023, link: "https://arxiv.org/abs/2310.19809"),
    summary: "An operator whose linear maps are V-cycles of a multigrid solver with learned stencils: every "
      + "point hears all others over coarser grids, with few parameters, and padding states the boundary.",
    verification:
      "the authors' models.py (xlliu2017/MgNO 3a68a90), outputs and gradients of every parameter; "
      + "with the stencils of Poisson's equation a V-cycle is that of a textbook, written out")

  public static var trials: [Trial<Settings>] {
    var deep = Settings(), ring = Settings()
    (deep.channels, deep.layers, deep.levels, deep.post) = (3, 2, 3, 1)
    (deep.coarsest, deep.useResidual) = (1, true)
    (ring.channels, ring.layers, ring.levels, ring.pre, ring.coarsest) = (4, 1, 2, 2, 1)
    ring.padding = .circular
    var listed = Settings()
    (listed.channels, listed.layers, listed.sweepsDown, listed.sweepsUp) = (2, 2, [1, 0, 2], [1, 0])
    return [
      Trial(listed, in: Slot(width: 1, outputWidth: 2, rows: 8, columns: 4)),
      Trial(deep, in: Slot(width: 2, outputWidth: 3, rows: 4, columns: 12)),
      Trial(ring, in: Slot(width: 1, outputWidth: 1, rows: 6, columns: 2)),
    ]
  }

  /// GELU(W u + w u + b)
  public final class Block: Layer {
    /// W
    public let multigrid: MultigridConv
    /// w and b
    public let pointwise: Linear

    fileprivate init(multigrid: MultigridConv, pointwise: Linear) {
      self.multigrid = multigrid
      self.pointwise = pointwise
    }

    public func forward(_ u: Tensor) -> Tensor { gelu(multigrid(u) + pointwise(u)) }
  }

  public let layers: [Block]
  public let output: Linear

  /// - Throws: `InvalidInput` if the settings do not suit the grid of the slot.
  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try settings.validate()
    let grid = try slot.requireGrid(Self.card.id)
    let possible = MultigridConv.mostLevels(rows: grid.rows, columns: grid.columns)
    // A V-cycle has two levels; a grid that allows one only is told what would fit.
    let levels =
      !settings.sweepsDown.isEmpty
      ? settings.sweepsDown.count : settings.levels > 0 ? settings.levels : min(max(possible, 2), 5)
    try require(
      settings.sweepsUp.isEmpty || settings.sweepsUp.count == levels - 1,
      "mgno: sweepsUp must list \(levels - 1) numbers for \(levels) levels, lists \(settings.sweepsUp.count)")
    let problem = MultigridConv.problem(
      rows: grid.rows, columns: grid.columns, levels: levels, padding: settings.padding)
    if let problem { throw InvalidInput("mgno: \(problem)") }
    layers = (0..<settings.layers).map { layer in
      let inputs = layer == 0 ? slot.width : settings.channels
      return Block(
        multigrid: MultigridConv(
          inputs, settings.channels, sweeps: settings.sweeps(levels: levels), padding: settings.padding,
          useResidual: settings.useResidual, using: &generator),
        pointwise: Linear(inputs, settings.channels, using: &generator))
    }
    output = Linear(settings.channels, slot.outputWidth, bias: false, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { output(layers.reduce(x) { $1($0) }) }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let grid = try slot.requireGrid(card.id)
    let network = try MgNO(settings, in: slot, using: &generator)
    return Door(gridLayer: network, from: slot.width, to: slot.outputWidth, grid)
  }
}

extension Door {
  /// The door of a layer from functions on a grid to functions on it: `x` [batch, rows, columns, inputs] in,
  /// `y` [batch, rows, columns, outputs] out.
  init(
    gridLayer layer: any Layer, from inputs: Int, to outputs: Int, _ grid: Slot.Grid,
    rowsAreIndependent: Bool = true
  ) {
    func port(_ name: String, _ channels: Int) -> TensorPort {
      TensorPort(
        name, [.free("batch"), .fixed(grid.rows), .fixed(grid.columns), .fixed(channels)])
    }
    self.init(
      module: layer, inputs: [port("x", inputs)], outputs: [port("y", outputs)],
      rowsAreIndependent: rowsAreIndependent
    ) { tensors, _ in
      tensors["x"].map { ["y": layer($0)] } ?? [:]
    }
  }
}
