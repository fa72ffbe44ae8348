import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A model of recorded cells: one convolutional core for all, and for each cell where it looks and what it
/// looks for (Klindt et al. 2017).
///
///     h_l = ELU(norm(conv(h_(l-1)))),   f = h_L        (no ELU at the end)
///     r_n = out(b_n + sum_c w_nc sum_p m_np f_pc)
///
/// x [batch, height, width, channels] -> rates r [batch, cells]; m_n [cells, positions] is where, w_n [cells,
/// features] is what, and out keeps rates positive: ELU + 1, or softplus. It learns from counts by
/// `poissonLoss` and the penalties ``sparsity`` of the readout and ``roughness`` of the first
/// filters. Parameters: `stages.N.convolution.weight`, `stages.N.norm`, `positions`, `features`, `bias`.
///
/// The paper's ELU after the last layer is left out: with one layer cells are then linear-nonlinear.
public final class DigitalTwin: Layer, Mechanism {
  public struct Settings: Configuration {
    /// Features of each layer.
    public var channels = [16]
    /// Side of the kernels of each layer in pixels, odd.
    public var kernels = [9]
    /// What makes positive rates of real numbers.
    public var output = Output.elu
    public init() {}

    public func validate() throws {
      try require(
        !channels.isEmpty && channels.count == kernels.count,
        "channels and kernels must have a number for each layer, are \(channels) and \(kernels)")
      try require(channels.allSatisfy { $0 > 0 }, "channels must be at least 1, are \(channels)")
      try require(
        kernels.allSatisfy { $0 > 0 && $0 % 2 == 1 }, "kernels must be odd, are \(kernels)")
    }
  }

  /// What makes rates of real numbers.
  public enum Output: String, Codable, Sendable, CaseIterable {
    /// ELU(x) + 1
    case elu
    case softplus
  }

  public static let kind = Kind.network
  public static let card = Card(
    id: "digital-twin", name: "Digital twin", family: .recordings,
    paper: Paper(
      "Neural system identification for large populations separating \"what\" and \"where\"",
      by: ["David A. Klindt", "Alexander S. Ecker", "Thomas Euler", "Matthias Bethge"],
      year: 2017, link: "https://arxiv.org/abs/1711.02653"),
    summary: "Predicts the responses of many cells to images by a convolutional core that they share and a "
      + "readout of each cell: a mask of positions times weights of features.",
    verification: "PyTorch in float64: rates, penalties, the Poisson loss and its gradients")

  public static var trials: [Trial<Settings>] {
    var deep = Settings(), soft = Settings()
    (deep.channels, deep.kernels) = ([3, 5], [5, 3])
    (soft.channels, soft.kernels, soft.output) = ([4], [1], .softplus)
    return [
      Trial(deep, in: Slot(width: 2, outputWidth: 7, rows: 5, columns: 3)),
      Trial(soft, in: Slot(width: 1, outputWidth: 3, rows: 3, columns: 6)),
    ]
  }

  public final class Stage: Layer {
    public let convolution: Conv2d
    public let norm: BatchNorm
    private let isLast: Bool

    init(_ inputs: Int, _ outputs: Int, kernel: Int, isLast: Bool, using generator: inout RandomGenerator) {
      convolution = Conv2d(
        inputs, outputs, kernel: (kernel, kernel), padding: (kernel / 2, kernel / 2), bias: false,
        using: &generator)
      norm = BatchNorm(outputs)
      self.isLast = isLast
    }

    public func forward(_ x: Tensor) -> Tensor {
      let y = norm(convolution(x))
      return isLast ? y : elu(y)
    }
  }

  public let stages: [Stage]
  @Parameter public var positions: Tensor
  @Parameter public var features: Tensor
  @Parameter public var bias: Tensor
  private let output: Output

  /// - Throws: `InvalidInput` for settings that make no sense.
  public init(
    _ settings: Settings = Settings(), rows: Int, columns: Int, channels: Int, cells: Int,
    using generator: inout RandomGenerator
  ) throws {
    try settings.validate()
    let before = [channels] + settings.channels
    stages = settings.channels.indices.map {
      Stage(
        before[$0], settings.channels[$0], kernel: settings.kernels[$0],
        isLast: $0 == settings.channels.count - 1, using: &generator)
    }
    let width = before[settings.channels.count]
    positions = generator.normal([cells, rows * columns], standardDeviation: 0.1)
    features = generator.normal([cells, width], standardDeviation: 1 / Double(width).squareRoot())
    bias = .zeros([cells])
    output = settings.output
  }

  /// Rates [batch, cells] for images [batch, height, width, channels].
  public func forward(_ images: Tensor) -> Tensor {
    let maps = stages.reduce(images) { $1($0) }
    let pixels = maps.flattened(start: 1, end: -2)
    precondition(
      pixels.dim(1) == positions.dim(1), "DigitalTwin",
      "images \(images.shape) have \(pixels.dim(1)) positions, the readout \(positions.dim(1))")
    let seen = matmul(positions, pixels)
    let drive = (seen * features).sum(axis: -1) + bias
    return output == .elu ? elu(drive) + 1 : softplus(drive)
  }

  /// Lets rates start from `means` [cells], which must be above 0.
  public func start(from means: Tensor) {
    bias = output == .elu ? which(means .> 1, means - 1, log(means)) : log(expm1(means))
  }

  /// The mean over cells of |m_n| |w_n| (sums of magnitudes).
  public var sparsity: Tensor { (abs(positions).sum(axis: 1) * abs(features).sum(axis: 1)).mean() }

  /// The sum of squares of the first filters' second differences in space (zeros around them).
  public var roughness: Tensor {
    let filters = stages[0].convolution.weight
    let size = filters.dim(1), count = filters.dim(0) * filters.dim(3)
    let planes = filters.movedAxis(source: 3, destination: 1).reshaped(count, size, size, 1)
    let laplace = Tensor([0, 1, 0, 1, -4, 1, 0, 1, 0] as [Float], [1, 3, 3, 1]).asType(filters.dtype)
    return square(conv2d(planes, weight: laplace, padding: (1, 1))).sum()
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let grid = try slot.requireGrid(card.id)
    let twin = try DigitalTwin(
      settings, rows: grid.rows, columns: grid.columns, channels: slot.width, cells: slot.outputWidth,
      using: &generator)
    return Door(
      module: twin,
      inputs: [
        TensorPort(
          "x", [.free("batch"), .fixed(grid.rows), .fixed(grid.columns), .fixed(slot.width)])
      ],
      outputs: [TensorPort("rates", [.free("batch"), .fixed(slot.outputWidth)])]
    ) { tensors, _ in tensors["x"].map { ["rates": twin($0)] } ?? [:] }
  }
}

extension ResponseModel {
  /// What a twin says of its cells, to stimuli of the shape [height, width, channels].
  public init(_ twin: DigitalTwin, stimulusShape: [Int]) {
    self.init(cells: twin.bias.dim(0), stimulusShape: stimulusShape) { twin($0) }
  }
}
