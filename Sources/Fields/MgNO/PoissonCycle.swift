import CallosumNetworks
import CallosumTensors

extension MultigridConv {
  /// The V-cycle of a textbook for -Laplace u = f with u = 0 around a square of side 1: what the layer is
  /// when its stencils are not learned. [batch, size, size, 1] -> [batch, size, size, 1], and
  /// u <- u + cycle(f - A u) solves the equation.
  ///
  /// A is the 5-point stencil for the mesh width of each level, S Jacobi's step damped by 0.8, R full
  /// weighting of the residual, T bilinear; P = 0, so that each level starts from nothing. Down to a side of
  /// 2, or as far as `size` halves, where twice the sweeps solve what is left.
  public static func poisson(size: Int, sweeps: Int = 2) -> MultigridConv {
    let count = mostLevels(rows: size, columns: size)
    var random = RandomGenerator(seed: 0)
    let cycle = MultigridConv(
      1, 1, sweeps: (0..<count).map { $0 < count - 1 ? Sweeps(sweeps, sweeps) : Sweeps(2 * sweeps) },
      useResidual: true, using: &random)
    let full = Tensor([1, 2, 1, 2, 4, 2, 1, 2, 1] as [Double], [1, 3, 3, 1]) * (1.0 / 16)
    let linear = Tensor([0.25, 0.75, 0.75, 0.25])
    for (place, level) in cycle.levels.enumerated() {
      let width = 1 / Double(size >> place + 1)
      for sweep in level.before + level.after {
        sweep.system?.weight = poissonStencil(size: size >> place)
        let middle = Tensor([0, 0, 0, 0, 1, 0, 0, 0, 0] as [Double], [1, 3, 3, 1])
        sweep.smoother.weight = middle * (0.8 * width * width / 4)
      }
      guard let descent = level.descent else { continue }
      descent.system?.weight = poissonStencil(size: size >> (place - 1))
      descent.restriction.weight = full
      descent.projection.weight = .zeros([1, 3, 3, 1], dtype: .float64)
      descent.prolongation.weight = (linear.reshaped(4, 1) * linear).reshaped(1, 4, 4, 1)
    }
    return cycle
  }

  /// A of ``poisson(size:sweeps:)`` as the weight of a convolution [1, 3, 3, 1].
  public static func poissonStencil(size: Int) -> Tensor {
    let scale = Double((size + 1) * (size + 1))
    return Tensor([0, -1, 0, -1, 4, -1, 0, -1, 0] as [Double], [1, 3, 3, 1]) * scale
  }
}
