import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The skeleton that `compare` puts token mixers in (Yu et al. 2021, as a plain vision transformer): patches
/// become tokens; each block computes x + Mixer(Norm(x)), then x + MLP(Norm(x)); the mean over tokens is
/// classified. ``MetaFormer`` is the paper's own network.
///
/// Input [batch, height, width, channels], output [batch, classes]. Parameters: `embed.weight` [width,
/// patch² channels], `embed.bias`, `positions` [tokens, width], for each block `blocks.N.norm1`, `.mixer`,
/// `.norm2`, `.mlp`, then `norm` and `head`.
public final class PatchClassifier: Layer {
  public struct Settings: Configuration {
    /// Side of a patch, in pixels.
    public var patch = 4
    /// Numbers per token.
    public var width = 64
    /// Blocks.
    public var depth = 4
    /// Hidden units of the channel MLP per unit of width.
    public var mlpRatio = 4
    public init() {}

    public func validate() throws {
      for (name, value) in [("patch", patch), ("width", width), ("depth", depth), ("mlpRatio", mlpRatio)] {
        try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
      }
    }
  }

  public let embed: Linear
  @Parameter public var positions: Tensor
  public let blocks: [MetaFormerBlock]
  public let norm: LayerNorm
  public let head: Linear
  private let patch: Int

  /// A network for images of `imageShape` ([height, width, channels]); `mixer` makes the token mixer
  /// of each block.
  /// - Throws: `InvalidInput` if the patches do not tile the images, or what `mixer` throws.
  public init(
    _ settings: Settings, imageShape: [Int], classes: Int, using generator: inout RandomGenerator,
    mixer: (Slot, inout RandomGenerator) throws -> any Layer
  ) throws {
    try settings.validate()
    patch = settings.patch
    try require(
      imageShape[0] % patch == 0 && imageShape[1] % patch == 0,
      "patches of side \(patch) do not tile images of \(imageShape[0]) x \(imageShape[1])")
    let slot = Slot(
      width: settings.width, rows: imageShape[0] / patch, columns: imageShape[1] / patch)
    embed = Linear(patch * patch * imageShape[2], settings.width, using: &generator)
    positions = generator.normal([slot.tokens, settings.width], standardDeviation: 0.02)
    var block = MetaFormerBlock.Settings()
    block.mlpRatio = settings.mlpRatio
    var made: [MetaFormerBlock] = []
    for _ in 0..<settings.depth {
      let mixer = try mixer(slot, &generator)
      made.append(MetaFormerBlock(block, width: settings.width, mixer: mixer, using: &generator))
    }
    blocks = made
    norm = LayerNorm(settings.width)
    head = Linear(settings.width, classes, using: &generator)
  }

  public func forward(_ images: Tensor) -> Tensor {
    let (batch, channels) = (images.dim(0), images.dim(3))
    let (rows, columns) = (images.dim(1) / patch, images.dim(2) / patch)
    let patches = images.reshaped(batch, rows, patch, columns, patch, channels)
      .transposed(0, 1, 3, 2, 4, 5).reshaped(batch, rows * columns, patch * patch * channels)
    let tokens = blocks.reduce(embed(patches) + positions) { $1($0) }
    return head(norm(tokens).mean(axis: 1))
  }
}
