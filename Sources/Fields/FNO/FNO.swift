import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The Fourier neural operator on a plane (Li et al. 2020): from functions on a grid to functions on it,
/// [batch, rows, columns, width] -> [batch, rows, columns, outputWidth].
///
/// Channels are lifted, together with the coordinates of the point (0 to 1 along each side); each layer is
/// u <- GELU(K u + w u + b), K a ``SpectralConv2d`` and w a linear map of the channels of a point, the last
/// layer without GELU; a network of one hidden layer makes the outputs. Any grid will do that has the modes.
///
/// The Fourier series takes the grid for a ring: where it is none, `padding` adds rows and columns of zeros
/// behind the lifted ones and cuts them off in the end, as the published program does (by 9) for flow in rock.
/// Parameters: `lift`, `layers.N.spectral.weight`, `layers.N.pointwise`, `hidden`, `output`.
public final class FNO: Mechanism, Layer {
  public struct Settings: Configuration {
    /// Channels between the layers.
    public var channels = 32
    /// Layers, each a spectral convolution beside a linear map of the channels.
    public var layers = 4
    /// Wave numbers that are kept: 0 to modes - 1, along the rows of either sign; fewer where the slot's grid
    /// has fewer.
    public var modes = 12
    /// The same along the columns, where it shall be another number than along the rows; 0 for `modes`.
    public var columnModes = 0
    /// Rows and columns of zeros that are added behind the grid, for functions that are not periodic.
    public var padding = 0
    /// Width of the network that makes the outputs.
    public var hidden = 128
    /// Whether each point is told where it lies.
    public var coordinates = true
    public init() {}

    public func validate() throws {
      for (name, value) in [("channels", channels), ("layers", layers), ("modes", modes), ("hidden", hidden)]
      {
        try require((1...10_000).contains(value), "\(name) must be from 1 to 10000, is \(value)")
      }
      try require(
        (0...10_000).contains(columnModes), "columnModes must be from 0 to 10000, is \(columnModes)")
      try require((0...10_000).contains(padding), "padding must be from 0 to 10000, is \(padding)")
    }
  }

  public static let kind = Kind.fieldOperator
  public static let needsGrid = true
  public static let card = Card(
    id: "fno", name: "Fourier neural operator", family: .fields,
    paper: Paper(
      "Fourier Neural Operator for Parametric Partial Differential Equations",
      by: [
        "Zongyi Li", "Nikola Kovachki", "Kamyar Azizzadenesheli", "Burigede Liu",
        "Kaushik Bhattacharya", "Andrew Stuart", "Anima Anandkumar",
      ],
      year: 2020, link: "https://arxiv.org/abs/2010.08895"),
    summary:
      "An operator whose linear maps multiply the lowest Fourier coefficients of a function by learned "
      + "matrices: every point hears all others, on any grid. The rival of other operators.",
    verification: "PyTorch's torch.fft in the published form, outputs and gradients of every parameter")

  public static var trials: [Trial<Settings>] {
    var padded = Settings(), plain = Settings()
    (padded.channels, padded.layers, padded.modes, padded.padding, padded.hidden) = (3, 2, 2, 2, 4)
    (plain.channels, plain.layers, plain.modes, plain.hidden, plain.coordinates) = (2, 1, 3, 3, false)
    plain.columnModes = 2
    return [
      Trial(padded, in: Slot(width: 2, outputWidth: 3, rows: 5, columns: 4)),
      Trial(plain, in: Slot(width: 1, outputWidth: 1, rows: 7, columns: 5)),
    ]
  }

  /// GELU(K u + w u + b), or that without GELU.
  public final class Block: Layer {
    /// K
    public let spectral: SpectralConv2d
    /// w and b
    public let pointwise: Linear
    private let isLast: Bool

    fileprivate init(spectral: SpectralConv2d, pointwise: Linear, isLast: Bool) {
      self.spectral = spectral
      self.pointwise = pointwise
      self.isLast = isLast
    }

    public func forward(_ u: Tensor) -> Tensor {
      let sum = spectral(u) + pointwise(u)
      return isLast ? sum : gelu(sum)
    }
  }

  public let lift: Linear
  public let layers: [Block]
  public let hidden: Linear
  public let output: Linear
  private let padding: Int
  private let coordinates: Bool

  /// - Throws: `InvalidInput` if the settings make no sense or the slot has no grid.
  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try settings.validate()
    let grid = try slot.requireGrid(Self.card.id)
    let channels = settings.channels
    let rows = min(settings.modes, (grid.rows + settings.padding) / 2)
    let columnModes = settings.columnModes > 0 ? settings.columnModes : settings.modes
    let columns = min(columnModes, (grid.columns + settings.padding) / 2 + 1)
    try require(rows > 0, "fno: a grid of one row has no waves along it; it needs 2 rows or padding")
    lift = Linear(slot.width + (settings.coordinates ? 2 : 0), channels, using: &generator)
    layers = (0..<settings.layers).map { layer in
      Block(
        spectral: SpectralConv2d(channels, channels, modes: (rows, columns), using: &generator),
        pointwise: Linear(channels, channels, using: &generator), isLast: layer == settings.layers - 1)
    }
    hidden = Linear(channels, settings.hidden, activation: .gelu, using: &generator)
    output = Linear(settings.hidden, slot.outputWidth, using: &generator)
    (padding, coordinates) = (settings.padding, settings.coordinates)
  }

  public func forward(_ x: Tensor) -> Tensor {
    precondition(x.ndim == 4, "FNO", "needs [batch, rows, columns, channels], got \(x.shape)")
    let (rows, columns) = (x.dim(1), x.dim(2))
    var u = lift(coordinates ? concatenated([x, places(x)], axis: -1) : x)
    if padding > 0 { u = u.padded([(0, 0), (0, padding), (0, padding), (0, 0)]) }
    u = layers.reduce(u) { $1($0) }
    if padding > 0 { u = u.sliced(axis: 1, to: rows).sliced(axis: 2, to: columns) }
    return output(hidden(u))
  }

  /// Where each point lies, [batch, rows, columns, 2].
  private func places(_ x: Tensor) -> Tensor {
    let target = Array(x.shape.dropLast()) + [1]
    func along(_ axis: Int) -> Tensor {
      let count = x.dim(axis)
      var shape = [1, 1, 1, 1]
      shape[axis] = count
      let numbers = (0..<count).map { Double($0) / Double(max(count - 1, 1)) }
      return Tensor(numbers, shape).asType(x.dtype).broadcast(to: target)
    }
    return concatenated([along(1), along(2)], axis: -1)
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let grid = try slot.requireGrid(card.id)
    let network = try FNO(settings, in: slot, using: &generator)
    // Two real rows travel through one transform, the batch's rows too where they do not fill it: what is not
    // a number in one of them reaches the other.
    return Door(
      gridLayer: network, from: slot.width, to: slot.outputWidth, grid, rowsAreIndependent: false)
  }
}

/// A convolution with a kernel as large as the plane, given by its lowest Fourier coefficients: [batch, rows,
/// columns, inputs] -> [batch, rows, columns, outputs].
///
/// Coefficient (k, l) of the outputs is that of the inputs times a complex matrix, for l = 0...modes.columns
/// - 1 and k = 0...modes.rows - 1 or -modes.rows...-1; all others are 0. `weight` [2 modes.rows,
/// modes.columns, inputs, outputs, 2] holds the matrices as pairs of real numbers, negative k after the
/// others; it starts uniform in 0...1 / (inputs outputs), as published.
public final class SpectralConv2d: Layer {
  @Parameter public var weight: Tensor

  public init(
    _ inputs: Int, _ outputs: Int, modes: (rows: Int, columns: Int), using generator: inout RandomGenerator
  ) {
    weight = generator.uniform(
      [2 * modes.rows, modes.columns, inputs, outputs, 2], low: 0, high: 1 / Double(inputs * outputs))
  }

  public func forward(_ x: Tensor) -> Tensor {
    let (rows, columns) = (weight.dim(0), weight.dim(1)), (inputs, outputs) = (weight.dim(2), weight.dim(3))
    precondition(
      x.ndim == 4 && x.dim(-1) == inputs && x.dim(1) >= rows && x.dim(2) / 2 + 1 >= columns, "SpectralConv2d",
      "needs [batch, rows, columns, \(inputs)] with \(rows) rows and \(2 * columns - 2) columns at least for "
        + "its modes, got \(x.shape)")
    let (batch, height, width) = (x.dim(0), x.dim(1), x.dim(2)), half = rows / 2
    // Columns that are not kept need no transform along the rows.
    let waves = fft(rfft(x, axes: [2]).sliced(axis: 2, to: columns), axes: [1])
    let kept = concatenated(
      [waves.sliced(axis: 1, to: half), waves.sliced(axis: 1, from: height - half)], axis: 1)
    let low = kept.transposed(1, 2, 0, 3, 4).reshaped(rows, columns, batch, 2 * inputs)
    // A complex matrix on pairs is a real one of twice the size: the rows of i w answer imaginary parts.
    let turned = weight.flipped(axes: [-1]) * Tensor([-1.0, 1.0]).asType(weight.dtype)
    let matrices = stacked([weight, turned], axis: 3).reshaped(rows, columns, 2 * inputs, 2 * outputs)
    let product = matmul(low, matrices).reshaped(rows, columns, batch, outputs, 2).transposed(2, 0, 1, 3, 4)
    let between = Tensor.zeros([batch, height - rows, columns, outputs, 2], dtype: x.dtype)
    let all = concatenated(
      [product.sliced(axis: 1, to: half), between, product.sliced(axis: 1, from: half)], axis: 1)
    let back = ifft(all, axes: [1])
      .padded([(0, 0), (0, 0), (0, width / 2 + 1 - columns), (0, 0), (0, 0)])
    return irfft(back, length: width, axes: [2])
  }
}
