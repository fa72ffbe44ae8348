import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Depthwise convolution over the grid of tokens (the spatial mixing of ConvNeXt, Liu et al. 2022):
/// each channel has a kernel of its own; the borders are padded with zeros.
///
/// Parameters: `convolution.weight` [width, window, window, 1], `convolution.bias` [width].
public final class DepthwiseConvolution: TokenMixer {
  public struct Settings: Configuration {
    /// Side of the kernel, odd.
    public var window = 7
    /// Whether each channel adds a bias.
    public var bias = true
    public init() {}

    public func validate() throws {
      try require(window > 0 && window % 2 == 1, "window must be odd and positive, is \(window)")
    }
  }

  public static let card = Card(
    id: "depthwise-convolution", name: "Depthwise convolution", family: .mixers,
    paper: Paper(
      "A ConvNet for the 2020s",
      by: [
        "Zhuang Liu", "Hanzi Mao", "Chao-Yuan Wu", "Christoph Feichtenhofer", "Trevor Darrell",
        "Saining Xie",
      ],
      year: 2022, link: "https://arxiv.org/abs/2201.03545"),
    summary: "A learned filter for each channel slides over the grid: local, the same everywhere, and "
      + "cheap. Channels are left to the network's other half.",
    verification: "PyTorch's conv2d with groups: values and gradients")
  public static let needsGrid = true

  public static var trials: [Trial<Settings>] {
    var unbiased = Settings(), pointwise = Settings()
    (unbiased.window, unbiased.bias) = (5, false)
    pointwise.window = 1
    return [unbiased, pointwise].map { Trial($0, in: Slot(width: 7, rows: 3, columns: 5)) }
  }

  public let convolution: Conv2d
  private let rows, columns: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    let grid = try slot.requireGrid(Self.card.id)
    let half = settings.window / 2
    convolution = Conv2d(
      slot.width, slot.width, kernel: (settings.window, settings.window), padding: (half, half),
      groups: slot.width, bias: settings.bias, using: &generator)
    (rows, columns) = (grid.rows, grid.columns)
  }

  public func forward(_ x: Tensor) -> Tensor {
    convolution(x.reshaped(x.dim(0), rows, columns, x.dim(2))).reshaped(x.shape)
  }
}
