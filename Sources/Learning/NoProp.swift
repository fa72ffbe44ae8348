import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// A classifier whose blocks learn each for itself, without a signal through the others (NoProp-DT; Li,
/// Teh and Pascanu 2025). Block t learns to name the class from the input x and a noisy code z_(t-1) of the
/// right class; classifying starts from pure noise and lets the blocks denoise it one after the other:
///
///     u_t(z, x) = p W,  p = softmax over classes of a network of x and z
///     learning:     z_(t-1) = sqrt(abar_(t-1)) u_y + sqrt(1 - abar_(t-1)) noise,  u_y row y of W
///                   loss = CE(out(z_T), y) + KL(q(z_0|y) || N(0, I))
///                          + eta / 2 sum over t of (SNR_t - SNR_(t-1)) |u_t(z_(t-1), x) - u_y|²
///     classifying:  z_t = a_t u_t(z_(t-1), x) + b_t z_(t-1) + sqrt(c_t) noise,  z_0 noise,  y = out(z_T)
///
/// The authors draw one t at a time and weight its term by T; the sum over all is what that is on average.
/// ``NoPropSchedule`` has abar, a, b, c and SNR. Inside a block derivatives flow as usual.
///
/// x [batch, tokens, width], classes [batch] -> logits [batch, classes]. Parameters: for each block
/// `blocks.T.` `input`, `code`, `codeResidual`, `joint`, `output` (and `convolutions.I`), `head.weight`
/// [classes, d], `head.bias`, and, where they are learned, `codes` [classes, d].
///
/// Not built: the variants in continuous time (NoProp-CT, NoProp-FM). The schedule, eta and the noise of
/// the last step are as in the paper's experiments as far as they are known to us.
public final class NoProp: Mechanism, Module {
  public struct Settings: Configuration {
    /// T.
    public var blocks = 10
    /// Hidden units of each of a block's layers; the paper has 256.
    public var hidden = 32
    /// Channels of 3 x 3 convolutions, each followed by pooling, in front of each block's input units; none
    /// for a block that sees its input as a vector. The paper has [32, 64, 128] or so for images.
    public var channels: [Int] = []
    /// Numbers of a learned class code; 0 for fixed one-hot codes.
    public var codeWidth = 0
    /// Weight of denoising.
    public var eta = 0.1
    /// How near abar comes to 0 and 1, where the signal-to-noise ratio has no bounds.
    public var clip = 0.01
    /// Whether blocks see the code; without, each is a classifier by itself.
    public var seesCode = true
    public init() {}

    public func validate() throws {
      for (name, value) in [("blocks", blocks), ("hidden", hidden)] + channels.map({ ("channels", $0) }) {
        try expect((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
      }
      try expect((0...100_000).contains(codeWidth), "codeWidth must be from 0 to 100000, is \(codeWidth)")
      try expect(eta > 0 && eta.isFinite, "eta must be above 0, is \(eta)")
      try expect(clip > 0 && clip < 0.5, "clip must be between 0 and 0.5, is \(clip)")
    }
  }

  public static let kind = Kind.learningRule
  public static let card = Card(
    id: "noprop", name: "NoProp", family: .learning,
    paper: "NoProp: Training Neural Networks without Back-propagation or Forward-propagation", year: 2025,
    summary: "Each block learns to denoise the code of the right class by itself; nothing flows backwards or "
      + "forwards between blocks. To classify, noise passes all blocks and becomes a code.",
    verification: "the identities of its schedule, exactly; posterior moments by simulation; zero gradient "
      + "between blocks")

  public static var trials: [Trial<Settings>] {
    var learned = Settings(), pictures = Settings(), blind = Settings()
    (learned.blocks, learned.hidden, learned.codeWidth, learned.clip) = (3, 6, 4, 0.05)
    (pictures.blocks, pictures.hidden, pictures.channels, pictures.clip) = (2, 5, [3, 2], 0.05)
    (blind.blocks, blind.hidden, blind.seesCode, blind.clip) = (2, 4, false, 0.05)
    return [
      Trial(learned, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(pictures, in: Slot(width: 1, outputWidth: 4, rows: 6, columns: 5)),
      Trial(blind, in: Slot(width: 3, outputWidth: 2, tokens: 2)),
    ]
  }

  /// u_t: (x, z) -> logits of classes [batch, classes].
  public final class Block: Module {
    public let convolutions: [Conv2d]
    public let input, joint, output: Linear
    public let code, codeResidual: Linear?
    private let grid: Slot.Grid?

    init(_ settings: Settings, slot: Slot, codeWidth: Int, using generator: inout RandomGenerator) {
      var size = slot.tokens * slot.width
      grid = settings.channels.isEmpty ? nil : slot.grid
      var layers: [Conv2d] = []
      if var grid {
        var channels = slot.width
        for next in settings.channels {
          layers.append(Conv2d(channels, next, kernel: (3, 3), padding: (1, 1), using: &generator))
          channels = next
          grid = Slot.Grid(rows: (grid.rows + 1) / 2, columns: (grid.columns + 1) / 2)
        }
        size = channels * grid.rows * grid.columns
      }
      convolutions = layers
      let hidden = settings.hidden
      input = Linear(size, hidden, activation: .relu, using: &generator)
      if settings.seesCode {
        code = Linear(codeWidth, hidden, activation: .relu, using: &generator)
        codeResidual = Linear(hidden, hidden, activation: .relu, using: &generator)
      } else {
        (code, codeResidual) = (nil, nil)
      }
      joint = Linear(settings.seesCode ? 2 * hidden : hidden, hidden, activation: .relu, using: &generator)
      output = Linear(hidden, slot.outputWidth, using: &generator)
    }

    public func callAsFunction(_ x: Tensor, _ z: Tensor) -> Tensor {
      running {
        var seen = x
        if let grid { seen = x.reshaped(x.dim(0), grid.rows, grid.columns, -1) }
        for convolution in convolutions {
          let padding = (seen.dim(1) % 2, seen.dim(2) % 2)
          // Windows at an odd border hold what there is.
          let filtered = relu(convolution(seen)).padded([(0, 0), (0, padding.0), (0, padding.1), (0, 0)])
          seen = maxPool2d(filtered, kernel: (2, 2))
        }
        var features = input(seen.flattened(start: 1))
        if let code, let codeResidual {
          let first = code(z)
          features = concatenated([features, first + codeResidual(first)], axis: 1)
        }
        return output(joint(features))
      }
    }
  }

  public let blocks: [Block]
  public let head: Linear
  @Parameter public var codes: Tensor?
  public let schedule: NoPropSchedule
  public let classes: Int
  private let settings: Settings

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    if !settings.channels.isEmpty { _ = try slot.requireGrid(Self.card.id) }
    self.settings = settings
    classes = slot.outputWidth
    let width = settings.codeWidth > 0 ? settings.codeWidth : classes
    schedule = NoPropSchedule(steps: settings.blocks, clip: settings.clip)
    blocks = (0..<settings.blocks).map { _ in
      Block(settings, slot: slot, codeWidth: width, using: &generator)
    }
    head = Linear(width, classes, using: &generator)
    codes = settings.codeWidth > 0 ? generator.orthogonal([classes, width]) : nil
  }

  /// W, [classes, d].
  private func table(_ type: DType) -> Tensor { codes ?? .eye(classes, dtype: type) }

  // MARK: Learning

  /// The code of `codes` [batch, d] after noise of step `step`, 0...T.
  private func noisy(_ codes: Tensor, _ step: Int, _ generator: inout RandomGenerator) -> Tensor {
    let signal = schedule.signal[step]
    return codes * signal.squareRoot() + noise(like: codes) * (1 - signal).squareRoot()
    func noise(like x: Tensor) -> Tensor { generator.normal(x.shape).asType(x.dtype) }
  }

  /// The loss of each sample, [batch].
  public func losses(_ x: Tensor, _ labels: Tensor, using generator: inout RandomGenerator) -> Tensor {
    let table = table(x.dtype)
    let codes = table.take(labels)
    let last = noisy(codes, blocks.count, &generator)
    var sum = crossEntropy(logits: head(last), labels: labels, reduction: .none)
    // KL of N(sqrt(abar_0) u_y, 1 - abar_0) against N(0, 1), summed over the code.
    let first = schedule.signal[0]
    let spread = -first - log(1 - first)
    sum = sum + (square(codes) * first + spread).sum(axis: 1) * 0.5
    for t in 1...blocks.count {
      let guess = matmul(softmax(blocks[t - 1](x, noisy(codes, t - 1, &generator))), table)
      let weight = settings.eta / 2 * (schedule.ratio(t) - schedule.ratio(t - 1))
      sum = sum + square(guess - codes).sum(axis: 1) * weight
    }
    return sum
  }

  // MARK: Classifying

  /// Logits [batch, classes], from noise through all blocks.
  public func callAsFunction(_ x: Tensor, using generator: inout RandomGenerator) -> Tensor {
    head(course(x, using: &generator)[blocks.count])
  }

  /// z_0 ... z_T, each [batch, d]. With `noise` 1 their end is drawn from what the blocks believe about the
  /// class, so that a class believed with 0.7 comes out in 7 of 10 draws; with less noise the likeliest
  /// class comes out more often.
  public func course(
    _ x: Tensor, noise amount: Double = 1, using generator: inout RandomGenerator
  ) -> [Tensor] {
    let table = table(x.dtype)
    func noise() -> Tensor { generator.normal([x.dim(0), table.dim(1)]).asType(x.dtype) * amount }
    var course = [noise()]
    for t in 1...blocks.count {
      let z = course[t - 1], guess = matmul(softmax(blocks[t - 1](x, z)), table)
      let step = schedule.steps[t - 1]
      course.append(guess * step.guess + z * step.kept + noise() * step.noise.squareRoot())
    }
    return course
  }

  /// `x` and `labels` in; `logits` [batch, classes] and `losses` [batch] out. Noise goes by the place in the
  /// batch.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let network = try NoProp(settings, in: slot, using: &generator)
    return Door(
      module: network,
      inputs: [
        TensorPort("x", [.free("batch"), .fixed(slot.tokens), .fixed(slot.width)]),
        TensorPort("labels", [.free("batch")], .indices(below: slot.outputWidth)),
      ],
      outputs: [
        TensorPort("logits", [.free("batch"), .fixed(slot.outputWidth)]),
        TensorPort("losses", [.free("batch")]),
      ], rowsAreIndependent: false
    ) { tensors, random in
      guard let x = tensors["x"], let labels = tensors["labels"] else { return [:] }
      return [
        "logits": network(x, using: &random), "losses": network.losses(x, labels, using: &random),
      ]
    }
  }
}

/// How much of a code is signal at steps 0...T of ``NoProp``, and what follows for a step of denoising.
///
/// abar_t = sin²(pi t / 2T) (the cosine schedule, from noise to signal), kept away from 0 and 1 by `clip`;
/// with alpha = abar_(t-1) / abar_t and D = 1 - abar_(t-1): a = sqrt(abar_t) (1 - alpha) / D,
/// b = sqrt(alpha) (1 - abar_t) / D, c = (1 - abar_t) (1 - alpha) / D.
public struct NoPropSchedule: Sendable {
  /// abar, T + 1 numbers that rise.
  public let signal: [Double]
  /// a, b and c of step t at t - 1.
  public let steps: [(guess: Double, kept: Double, noise: Double)]

  public init(steps count: Int, clip: Double) {
    let signal = (0...count).map { step in
      let sine = sin(Double.pi / 2 * Double(step) / Double(count))
      return clip + (1 - 2 * clip) * sine * sine
    }
    self.signal = signal
    steps = (1...count).map { t in
      let alpha = signal[t - 1] / signal[t], rest = 1 - signal[t - 1]
      return (
        signal[t].squareRoot() * (1 - alpha) / rest, alpha.squareRoot() * (1 - signal[t]) / rest,
        (1 - signal[t]) * (1 - alpha) / rest
      )
    }
  }

  /// The signal-to-noise ratio of step t, 0...T.
  public func ratio(_ t: Int) -> Double { signal[t] / (1 - signal[t]) }
}
