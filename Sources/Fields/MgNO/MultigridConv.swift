import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A linear map of functions on a grid as one V-cycle of a multigrid solver whose stencils are learned (He,
/// Liu and Xu 2023): [batch, rows, columns, inputs] -> [batch, rows, columns, outputs].
///
/// With f what comes in and u what goes out, on each level from the finest on:
///
///     u <- S f (the first sweep of all), u <- u + S (f - A u) (every other)     smoothing
///     f <- R f, or R (f - A u) with `useResidual`; u <- P u                      one level down
///     u <- u + T u', then sweeps again                                           one level up
///
/// A, S: 3x3 convolutions, `system` [outputs -> inputs channels] and `smoother` [inputs -> outputs], fresh in
/// every sweep; R, P: 3x3 with stride 2, `restriction` and `projection`; T: transposed 4x4 with stride 2,
/// `prolongation`. No bias and nothing nonlinear. Padding, all that knows where the border is, states the
/// boundary: zeros for u = 0, reflect for no flow, circular for a ring. T has zeros always, as published.
///
/// Sides must halve once for each level below the first. The released code restricts f by default, not the
/// residual; it also makes post-smoothing weights for the coarsest level that it never uses, which we leave
/// out.
public final class MultigridConv: Layer {
  /// How often a level is smoothed on the way down and on the way up; on the coarsest, only `before` is.
  public struct Sweeps: Sendable, Equatable {
    public var before, after: Int
    public init(_ before: Int, _ after: Int = 0) { (self.before, self.after) = (before, after) }
  }

  /// u <- u + S (f - A u), or S f where there is no u yet.
  public final class Sweep: Module {
    /// A; nil in the first sweep of all.
    public let system: Conv2d?
    /// S
    public let smoother: Conv2d

    fileprivate init(system: Conv2d?, smoother: Conv2d) {
      self.system = system
      self.smoother = smoother
    }

    public func callAsFunction(_ u: Tensor?, _ f: Tensor) -> Tensor {
      running {
        guard let u, let system else { return smoother(f) }
        return u + smoother(f - system(u))
      }
    }
  }

  /// The way to a level from the one above it, and back.
  public final class Descent: Module {
    /// A of the level above, where its residual is what goes down.
    public let system: Conv2d?
    /// R
    public let restriction: Conv2d
    /// P
    public let projection: Conv2d
    /// T
    public let prolongation: ConvTransposed2d

    fileprivate init(
      system: Conv2d?, restriction: Conv2d, projection: Conv2d, prolongation: ConvTransposed2d
    ) {
      self.system = system
      self.restriction = restriction
      self.projection = projection
      self.prolongation = prolongation
    }

    fileprivate func down(_ u: Tensor, _ f: Tensor) -> (u: Tensor, f: Tensor) {
      running { (projection(u), restriction(system.map { f - $0(u) } ?? f)) }
    }
  }

  public final class Level: Module {
    /// Nil on the finest level.
    public let descent: Descent?
    public let before, after: [Sweep]

    fileprivate init(descent: Descent?, before: [Sweep], after: [Sweep]) {
      self.descent = descent
      self.before = before
      self.after = after
    }
  }

  /// The finest first.
  public let levels: [Level]
  private let padding: PaddingMode

  /// - Parameter sweeps: one for each level, the finest first, which is smoothed at least once.
  public init(
    _ inputs: Int, _ outputs: Int, sweeps: [Sweeps], padding: PaddingMode = .zeros,
    useResidual: Bool = false, using generator: inout RandomGenerator
  ) {
    precondition(
      !sweeps.isEmpty && sweeps[0].before > 0 && sweeps.allSatisfy { $0.before >= 0 && $0.after >= 0 },
      "MultigridConv", "needs levels of no negative number of sweeps, the first with one at least")
    self.padding = padding
    func convolution(_ from: Int, _ to: Int, stride: Int = 1) -> Conv2d {
      Conv2d(
        from, to, kernel: (3, 3), stride: (stride, stride), padding: (1, 1), paddingMode: padding,
        bias: false,
        using: &generator)
    }
    levels = sweeps.enumerated().map { place, count in
      var descent: Descent?
      if place > 0 {
        descent = Descent(
          system: useResidual ? convolution(outputs, inputs) : nil,
          restriction: convolution(inputs, inputs, stride: 2),
          projection: convolution(outputs, outputs, stride: 2),
          prolongation: ConvTransposed2d(
            outputs, outputs, kernel: (4, 4), stride: (2, 2), padding: (1, 1), bias: false,
            using: &generator))
      }
      func sweep(isFirst: Bool) -> Sweep {
        let system = isFirst ? nil : convolution(outputs, inputs)
        return Sweep(system: system, smoother: convolution(inputs, outputs))
      }
      let isCoarsest = place == sweeps.count - 1
      return Level(
        descent: descent, before: (0..<count.before).map { sweep(isFirst: place == 0 && $0 == 0) },
        after: (0..<(isCoarsest ? 0 : count.after)).map { _ in sweep(isFirst: false) })
    }
  }

  public func forward(_ f: Tensor) -> Tensor {
    precondition(
      f.ndim == 4, "MultigridConv", "needs functions [batch, rows, columns, channels], got \(f.shape)")
    let problem = Self.problem(rows: f.dim(1), columns: f.dim(2), levels: levels.count, padding: padding)
    precondition(problem == nil, "MultigridConv", problem ?? "")
    var f = f
    var u: Tensor?
    var reached: [(u: Tensor, f: Tensor)] = []
    for level in levels {
      if let descent = level.descent, let above = u {
        let below = descent.down(above, f)
        (u, f) = (below.u, below.f)
      }
      for sweep in level.before { u = sweep(u, f) }
      guard let u else { preconditionFailure("MultigridConv", "the first level has no sweep") }
      reached.append((u, f))
    }
    var result = reached[reached.count - 1].u
    for place in (0..<levels.count - 1).reversed() {
      guard let descent = levels[place + 1].descent else { continue }
      result = reached[place].u + descent.prolongation(result)
      for sweep in levels[place].after { result = sweep(result, reached[place].f) }
    }
    return result
  }
}

// MARK: Which grids fit

extension MultigridConv {
  /// The most levels on which both sides of the coarsest are at least 2.
  public static func mostLevels(rows: Int, columns: Int) -> Int {
    var (rows, columns, levels) = (rows, columns, 1)
    while rows % 2 == 0 && columns % 2 == 0 && min(rows, columns) >= 4 {
      (rows, columns, levels) = (rows / 2, columns / 2, levels + 1)
    }
    return levels
  }

  /// Why a grid does not suit so many levels and what would, in a line; nil where it does.
  public static func problem(rows: Int, columns: Int, levels: Int, padding: PaddingMode) -> String? {
    let block = 1 << (levels - 1)
    // A mirror needs a neighbour of the border on the coarsest level too.
    let shortest = padding == .reflect ? 2 * block : block
    func fits(_ side: Int) -> Bool { side % block == 0 && side >= shortest }
    if fits(rows) && fits(columns) { return nil }
    func below(_ side: Int) -> Int { side / block * block }
    func above(_ side: Int) -> Int { max((side + block - 1) / block * block, shortest) }
    var offers = ["\(above(rows)) x \(above(columns))"]
    if min(below(rows), below(columns)) >= shortest {
      offers.insert("\(below(rows)) x \(below(columns))", at: 0)
    }
    let possible = mostLevels(rows: rows, columns: columns)
    let fewer = possible > 1 && possible < levels ? ", or at most \(possible) levels" : ""
    let least = padding == .reflect ? " to no less than 2" : ""
    let times = levels == 2 ? "once" : "\(levels - 1) times"
    return "a grid of \(rows) x \(columns) does not halve \(times)\(least), as \(levels) levels "
      + "need; \(offers.joined(separator: " or ")) would fit\(fewer)"
  }
}
