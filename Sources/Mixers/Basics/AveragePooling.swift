import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Average pooling minus its input (Yu et al. 2021, PoolFormer, equation 4): y = mean over a window of
/// the grid (stride 1, padding not counted) - x. The subtraction undoes the identity that the
/// residual connection adds. No parameters.
public final class AveragePooling: TokenMixer {
  public struct Settings: Configuration {
    /// Side of the window, odd.
    public var window = 3
    public init() {}

    public func validate() throws {
      try require(window > 0 && window % 2 == 1, "window must be odd and positive, is \(window)")
    }
  }

  public static let card = Card(
    id: "average-pooling", name: "Average pooling", family: .mixers,
    paper: MetaFormer.card.paper,
    summary: "Each token becomes the difference between the mean of its neighbourhood and itself. It "
      + "has nothing to learn, and shows how much of a network's success owes to its other pieces.",
    verification: "PyTorch's avg_pool2d: values and gradients")
  public static let needsGrid = true

  public static var trials: [Trial<Settings>] {
    [5, 7].map { window in
      var settings = Settings()
      settings.window = window
      return Trial(settings, in: Slot(width: 7, rows: 3, columns: 5))
    }
  }

  private let window: Int
  private let rows, columns: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    let grid = try slot.requireGrid(Self.card.id)
    window = settings.window
    (rows, columns) = (grid.rows, grid.columns)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let image = x.reshaped(x.dim(0), rows, columns, x.dim(2))
    let pooled = averagePool2d(
      image, kernel: (window, window), stride: (1, 1), padding: (window / 2, window / 2),
      countPadding: false)
    return pooled.reshaped(x.shape) - x
  }
}
