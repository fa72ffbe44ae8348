import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// A deep linear network of parallel paths with a gate each (Kleinman, Achille and Soatto 2023):
/// y = sum over paths i of Omega_i x, Omega_i = W_i,D ... W_i,1.
///
/// Every token is mapped by itself: [batch, tokens, width] -> [batch, tokens, outputWidth]. Parameters:
/// `paths.I.first` and `paths.I.later.L.value` [rows, columns], from the input on. A path whose gate is
/// closed contributes what it knows but does not learn: that is a deficit.
public final class CriticalPeriodsLinear: UnitMechanism, Layer {
  public struct Settings: Configuration {
    /// Parallel paths from input to output.
    public var paths = 2
    /// Matrices of each path.
    public var depth = 2
    /// Rows of the matrices between input and output.
    public var hidden = 32
    /// Size of the singular values of each Omega at the start.
    public var start = 0.01
    public init() {}

    public func validate() throws {
      for (name, value) in [("paths", paths), ("depth", depth), ("hidden", hidden)] {
        try require((1...10_000).contains(value), "\(name) must be from 1 to 10000, is \(value)")
      }
      try require(start > 0 && start.isFinite, "start must be above 0, is \(start)")
    }
  }

  public static let kind = Kind.network
  public static let card = Card(
    id: "critical-periods-linear", name: "Multi-path deep linear network", family: .learning,
    paper: Paper(
      "Critical Learning Periods Emerge Even in Deep Linear Networks",
      by: ["Michael Kleinman", "Alessandro Achille", "Stefano Soatto"],
      year: 2023, link: "https://arxiv.org/abs/2308.12221"),
    summary: "Paths of matrices that compete for what there is to learn: the one that starts first keeps "
      + "it, the more so the deeper the paths are. Learning follows an equation with a known invariant.",
    verification: "the reduced equation and its invariants; shares computed independently")

  public static var trials: [Trial<Settings>] {
    var shallow = Settings(), deep = Settings()
    (shallow.paths, shallow.depth, shallow.start) = (1, 1, 1)
    (deep.paths, deep.depth, deep.hidden, deep.start) = (3, 3, 5, 1)
    return [
      Trial(shallow, in: Slot(width: 4, outputWidth: 6, tokens: 2)),
      Trial(deep, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
    ]
  }

  /// The matrices of one path, next to the input first.
  public final class Path: Module {
    @Parameter public var first: Tensor
    public let later: [Matrix]

    init(_ matrices: [Tensor]) {
      first = matrices[0]
      later = matrices.dropFirst().map(Matrix.init)
    }

    /// Omega [outputs, inputs].
    public var product: Tensor { later.reduce(first) { matmul($1.value, $0) } }
  }

  /// A matrix that learns, and nothing around it.
  public final class Matrix: Module {
    @Parameter public var value: Tensor
    init(_ value: Tensor) { self.value = value }
  }

  public let paths: [Path]
  /// Which paths learn.
  public var isOpen: [Bool]
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  /// Every path starts balanced, with all singular values of its Omega equal: U (start^(1/D)) R ... R' Vᵀ
  /// with random matrices of orthonormal columns.
  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    let rank = min(slot.width, slot.outputWidth)
    try require(
      settings.depth == 1 || settings.hidden >= rank,
      "critical-periods-linear: hidden \(settings.hidden) is less than the \(rank) modes to learn")
    let modes = Tensor.full([rank], settings.start)
    let bases = (
      output: CriticalPeriodsLinear.orthonormal(slot.outputWidth, rank, using: &generator),
      input: CriticalPeriodsLinear.orthonormal(slot.width, rank, using: &generator)
    )
    paths = (0..<settings.paths).map { _ in
      Path(
        CriticalPeriodsLinear.balanced(
          modes, output: bases.output, input: bases.input, depth: settings.depth,
          hidden: settings.hidden, using: &generator))
    }
    isOpen = Array(repeating: true, count: settings.paths)
  }

  public func forward(_ x: Tensor) -> Tensor { matmul(x, product.swappedAxes(0, 1)) }

  /// The map of all paths together, [outputs, inputs].
  public var product: Tensor {
    let maps = zip(paths, isOpen).map { $1 ? $0.product : stopGradient($0.product) }
    return maps.dropFirst().reduce(maps[0]) { $0 + $1 }
  }

  /// Matrices whose product is `output` diag(modes) `input`ᵀ, each with the same share of every singular
  /// value; `output` [outputs, rank] and `input` [inputs, rank] have orthonormal columns.
  public static func balanced(
    _ modes: Tensor, output: Tensor, input: Tensor, depth: Int, hidden: Int,
    using generator: inout RandomGenerator
  ) -> [Tensor] {
    let share = pow(modes, 1 / Double(depth)), rank = modes.dim(0)
    var bases = [input]
    for _ in 1..<max(depth, 1) { bases.append(orthonormal(hidden, rank, using: &generator)) }
    bases.append(output)
    return (0..<depth).map { layer in matmul(bases[layer + 1] * share, bases[layer].swappedAxes(0, 1)) }
  }

  private static func orthonormal(
    _ rows: Int, _ columns: Int, using generator: inout RandomGenerator
  ) -> Tensor {
    qr(generator.normal([rows, columns])).q
  }
}

/// Learning in one mode of a multi-path linear network that starts balanced (Kleinman et al. 2023): with
/// the target S and K_i = p_i^D the strength of path i,
///
///     dp_i/dt = p_i^(D-1) (S - sum_j K_j)   for open paths, 0 for closed ones.
///
/// For two open paths p_a / p_b (D = 2) and p_a^(2-D) - p_b^(2-D) (D > 2) do not change.
public struct MultiPathEquation: Sendable {
  public let depth: Int
  public let target: Double
  /// Step of Euler's method; too long a step is unstable for deep paths and large targets.
  public let timeStep: Double
  public private(set) var values: [Double]

  /// - Parameter strengths: K of each path at the start.
  public init(depth: Int, target: Double, strengths: [Double], timeStep: Double = 0.01) {
    self.depth = depth
    self.target = target
    self.timeStep = timeStep
    values = strengths.map { pow($0, 1 / Double(depth)) }
  }

  public var strengths: [Double] { values.map { pow($0, Double(depth)) } }

  /// What each path has of the whole.
  public var shares: [Double] {
    let strengths = strengths, sum = strengths.reduce(0, +)
    return strengths.map { $0 / sum }
  }

  /// One step of time; paths that are not open stay as they are.
  public mutating func step(open: [Bool]) {
    let known = strengths.reduce(0, +)
    for (path, isOpen) in open.enumerated() where isOpen {
      values[path] += timeStep * pow(values[path], Double(depth - 1)) * (target - known)
    }
  }

  /// The quantity that learning leaves alone while both of two paths are open; nil for depth 1.
  public var invariant: Double? {
    guard depth > 1, values.count == 2 else { return nil }
    let power = Double(2 - depth)
    return depth == 2 ? values[0] / values[1] : pow(values[0], power) - pow(values[1], power)
  }
}
