import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A MetaFormer in stages (Yu et al. 2021, table 1): images [batch, height, width, channels] -> class logits
/// [batch, classes]. A convolution makes tokens of the image; each stage has blocks of one width
/// (``MetaFormerBlock``), and a convolution in front of each but the first makes fewer, wider tokens. With
/// pooling as the mixer it is PoolFormer, of which ``Settings/s12`` is the smallest; the settings without
/// change are the size of our comparisons.
///
/// Parameters: `stem`, for each stage `stages.N.downsampling`, `.positions` [tokens, width], `.blocks.M`,
/// then `norm` and `head`. Weights start truncated normal of deviation 0.02, biases at 0. Stochastic depth,
/// which only training uses, is left out.
public final class MetaFormer: Mechanism, Layer {
  public struct Settings: Configuration {
    /// Width of each stage, in numbers per token.
    public var widths = [32]
    /// Blocks of each stage.
    public var depths = [4]
    /// Id of a token mixer of this family for each stage, or one for all.
    public var mixers = ["average-pooling"]
    /// Settings of the mixers, by id.
    public var mixerSettings: [String: JSONValue] = [:]
    /// The blocks of all stages.
    public var block = Settings.pooledBlock
    /// Whether each stage adds a learned position to its tokens, which pooling does without.
    public var positions = false
    /// The mean over tokens first and a layer norm of it then, as timm has it; the paper's order is norm,
    /// then mean.
    public var poolsFirst = false
    /// Convolution that makes tokens of an image.
    public var stem = Window(side: 7, stride: 4, padding: 2)
    /// Convolutions between stages.
    public var downsampling = Window(side: 3, stride: 2, padding: 1)
    public init() {}

    public struct Window: Codable, Sendable, Equatable {
      /// Rows and columns of the kernel.
      public var side: Int
      /// Rows and columns from one position to the next.
      public var stride: Int
      /// Rows and columns of zeros on each side.
      public var padding: Int

      /// Positions of the window along an axis of `size`; 0 where it does not fit.
      func count(_ size: Int) -> Int {
        let room = size + 2 * padding - side
        return room < 0 ? 0 : room / stride + 1
      }
    }

    /// As the paper has it: normalised over the image, g from 1e-5.
    public static var pooledBlock: MetaFormerBlock.Settings {
      var block = MetaFormerBlock.Settings()
      (block.norm, block.layerScale) = (.image, 1e-5)
      return block
    }

    /// PoolFormer-S12.
    public static var s12: Settings {
      var settings = Settings()
      (settings.widths, settings.depths) = ([64, 128, 320, 512], [2, 2, 6, 2])
      return settings
    }

    public func validate() throws {
      try require(
        !widths.isEmpty && widths.count == depths.count, "widths and depths must be one for each stage")
      for size in widths + depths {
        try require((1...100_000).contains(size), "widths and depths must be from 1 to 100000, not \(size)")
      }
      try require(
        mixers.count == 1 || mixers.count == widths.count,
        "mixers must be one for all or one for each of \(widths.count) stages, are \(mixers.count)")
      for window in [stem, downsampling] {
        let isSmall = [window.side, window.stride, window.padding].allSatisfy { $0 <= 1000 }
        try require(
          isSmall && window.side > 0 && window.stride > 0 && window.padding >= 0,
          "a window needs a side and a stride above 0 and a padding that is not negative")
      }
      try block.validate()
    }
  }

  public static let kind = Kind.network
  public static let needsGrid = true
  public static let card = Card(
    id: "metaformer", name: "MetaFormer", family: .mixers,
    paper: Paper(
      "MetaFormer Is Actually What You Need for Vision",
      by: [
        "Weihao Yu", "Mi Luo", "Pan Zhou", "Chenyang Si", "Yichen Zhou", "Xinchao Wang", "Jiashi Feng",
        "Shuicheng Yan",
      ],
      year: 2021, link: "https://arxiv.org/abs/2111.11418"),
    summary: "The skeleton that transformers for images share, with the mixer of tokens left open: residual "
      + "connections, norms and a network on channels. Even pooling in the open place works well.",
    verification: "timm's poolformer, a small one with gradients and poolformer_s12 whole; its last norm is "
      + "timm's with poolsFirst, the paper's without")

  public static var trials: [Trial<Settings>] {
    var mixed = Settings(), bare = Settings()
    (mixed.widths, mixed.depths, mixed.positions) = ([6, 8], [1, 2], true)
    mixed.mixers = ["average-pooling", "softmax-attention"]
    mixed.mixerSettings = ["softmax-attention": .object(["heads": .number(2)])]
    (mixed.block.mlpRatio, mixed.block.layerScale, mixed.poolsFirst) = (2, 0.1, true)
    mixed.stem = Settings.Window(side: 3, stride: 2, padding: 1)
    (bare.widths, bare.depths, bare.mixers) = ([5], [2], ["depthwise-convolution"])
    (bare.block.norm, bare.block.mlp, bare.block.residual, bare.block.layerScale) = (.none, false, false, 0)
    return [
      Trial(mixed, in: Slot(width: 3, outputWidth: 4, rows: 9, columns: 7)),
      Trial(bare, in: Slot(width: 1, outputWidth: 2, rows: 11, columns: 8)),
    ]
  }

  /// Blocks of one width, with the convolution before them.
  public final class Stage: Layer {
    public let downsampling: Conv2d?
    @Parameter public var positions: Tensor?
    public let blocks: [MetaFormerBlock]

    fileprivate init(downsampling: Conv2d?, positions: Tensor?, blocks: [MetaFormerBlock]) {
      self.downsampling = downsampling
      self.blocks = blocks
      self.positions = positions
    }

    /// [batch, rows, columns, width] -> [batch, rows', columns', width'].
    public func forward(_ x: Tensor) -> Tensor {
      let image = downsampling.map { $0(x) } ?? x
      var tokens = image.flattened(start: 1, end: 2)
      if let positions { tokens = tokens + positions }
      return blocks.reduce(tokens) { $1($0) }.reshaped(image.shape)
    }
  }

  public let stem: Conv2d
  public let stages: [Stage]
  public let norm: (any Layer)?
  public let head: Linear
  /// Parameters that pooling makes idle.
  public private(set) var withoutGradient: [String: String] = [:]
  private let poolsFirst: Bool

  /// With the mixers that the settings name. The slot is the image: its width are the channels, its
  /// output width the classes.
  /// - Throws: `InvalidInput` if the settings do not suit the image.
  public convenience init(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws {
    let catalogue = Catalogue(Catalogue.mixers)
    try self.init(settings, in: slot, using: &generator) { stage, slot, generator in
      let id = settings.mixers[settings.mixers.count == 1 ? 0 : stage]
      return try catalogue.part(id).tokenMixer(settings.mixerSettings[id], in: slot, using: &generator)
    }
  }

  /// With what `channel`, where it is given, and `mixer` make for each block of a stage.
  /// - Throws: `InvalidInput` if the settings do not suit the image, or what they throw.
  public init(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator,
    channel: ((_ stage: Int, Slot, inout RandomGenerator) throws -> any Layer)? = nil,
    mixer: (_ stage: Int, Slot, inout RandomGenerator) throws -> any Layer
  ) throws {
    try settings.validate()
    let image = try slot.requireGrid(Self.card.id)
    func convolution(_ window: Settings.Window, _ inputs: Int, _ outputs: Int) -> Conv2d {
      Conv2d(
        inputs, outputs, kernel: (window.side, window.side), stride: (window.stride, window.stride),
        padding: (window.padding, window.padding), using: &generator)
    }
    stem = convolution(settings.stem, slot.width, settings.widths[0])
    var (rows, columns) = (settings.stem.count(image.rows), settings.stem.count(image.columns))
    var made: [Stage] = []
    for (index, (width, depth)) in zip(settings.widths, settings.depths).enumerated() {
      var downsampling: Conv2d?
      if index > 0 {
        downsampling = convolution(settings.downsampling, settings.widths[index - 1], width)
        (rows, columns) = (settings.downsampling.count(rows), settings.downsampling.count(columns))
      }
      try require(
        rows > 0 && columns > 0,
        "metaformer: an image of \(image.rows) x \(image.columns) leaves no tokens for stage \(index + 1)")
      let place = Slot(width: width, rows: rows, columns: columns)
      var blocks: [MetaFormerBlock] = []
      for block in 0..<depth {
        let mixer = try mixer(index, place, &generator)
        if mixer is AveragePooling {
          // Pooling takes away what all tokens share, which is all there is of a single one.
          let first = "stages.\(index).blocks.\(block)."
          for idle in place.tokens == 1 ? ["norm1", "scale1"] : ["norm1.bias"] {
            withoutGradient[first + idle] = "pooling leaves nothing of what all tokens share"
          }
        }
        blocks.append(
          MetaFormerBlock(
            settings.block, width: width, mixer: mixer, channel: try channel?(index, place, &generator),
            using: &generator))
      }
      let positions =
        settings.positions ? generator.normal([place.tokens, width], standardDeviation: 0.02) : nil
      made.append(Stage(downsampling: downsampling, positions: positions, blocks: blocks))
    }
    stages = made
    let last = settings.widths[settings.widths.count - 1]
    poolsFirst = settings.poolsFirst
    norm = poolsFirst ? LayerNorm(last, epsilon: 1e-6) : settings.block.norm.made(last)
    head = Linear(last, slot.outputWidth, using: &generator)
    for one in parameters() where !one.name.hasSuffix("positions") {
      if one.value.ndim > 1 {
        one.value = generator.truncatedNormal(one.value.shape, standardDeviation: 0.02)
      } else if one.name.lowercased().hasSuffix("bias") {
        one.value = .zeros(one.value.shape)
      }
    }
  }

  public func forward(_ images: Tensor) -> Tensor {
    let map = stages.reduce(stem(images)) { $1($0) }
    let tokens = map.flattened(start: 1, end: 2)
    if poolsFirst { return head(normalised(tokens.mean(axis: 1))) }
    return head(normalised(tokens).mean(axis: 1))
  }

  private func normalised(_ x: Tensor) -> Tensor { norm.map { $0(x) } ?? x }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let image = try slot.requireGrid(card.id)
    let network = try MetaFormer(settings, in: slot, using: &generator)
    return Door(
      module: network,
      inputs: [
        TensorPort(
          "x", [.free("batch"), .fixed(image.rows), .fixed(image.columns), .fixed(slot.width)])
      ],
      outputs: [TensorPort("y", [.free("batch"), .fixed(slot.outputWidth)])],
      withoutGradient: network.withoutGradient
    ) { tensors, _ in
      tensors["x"].map { ["y": network($0)] } ?? [:]
    }
  }
}
