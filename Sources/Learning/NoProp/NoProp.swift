import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// A classifier whose blocks learn each for itself, without a signal through the others (NoProp; Li, Teh and
/// Pascanu 2025). Block t learns to name the class from the input x and a noisy code z_(t-1) of the right
/// class; classifying starts from pure noise and lets the blocks denoise it one after the other:
///
///     u_t(z, x) = p W,  p = softmax over classes of a network of x and z
///     learning:     z_(t-1) = sqrt(abar_(t-1)) u_y + sqrt(1 - abar_(t-1)) noise,  u_y row y of W
///                   loss = CE(out(z_T), y) + KL(q(z_0|y) || N(0, I))
///                          + eta / 2 sum over t of (SNR_t - SNR_(t-1)) |u_t(z_(t-1), x) - u_y|²
///     classifying:  z_t = a_t u_t(z_(t-1), x) + b_t z_(t-1) + sqrt(c_t) noise,  z_0 noise,  y = out(z_T)
///
/// The authors draw one t at a time and weight its term by T; the sum over all is what that is on average.
/// ``NoPropSchedule`` has abar, a, b, c and SNR. Inside a block derivatives flow as usual. For the variants in
/// continuous time see ``Variant``.
///
/// x [batch, tokens, width], classes [batch] -> logits [batch, classes]. Parameters: `blocks.` `input`, `code`,
/// `codeResidual`, `joint`, `output` (and `convolutions.I`, `clock`) with a leading axis of blocks, see
/// ``NoPropBlocks``; `head.weight` [classes, d], `head.bias`; where they are learned, `codes` [classes, d] and
/// `noise`, see ``NoPropLearnedSchedule``.
///
/// Our blocks have no batch normalisation, which the paper's have in discrete time.
public final class NoProp: Mechanism, Module {
  public enum Variant: String, Codable, Sendable, CaseIterable {
    /// NoProp-DT, as above.
    case discrete
    /// NoProp-CT: one block u(z, x, t) for all times t in 0...1, with a schedule that is learned. The last
    /// term of the loss is eta / 2 SNR'(t) |u(z_t, x, t) - u_y|² at a time drawn for each sample; classifying
    /// takes many steps of the discrete kind.
    case continuous
    /// NoProp-FM: one block learns the velocity from noise to code. v(z, x, t) is the sum of W's rows with the
    /// logits for weights; z_t = t u_y + (1 - t) z_0 and the loss is |v(z_t, x, t) - (u_y - z_0)|², plus
    /// CE(out(z_t + (1 - t) v), y) where codes are learned. Classifying follows v from noise by Euler's
    /// method to the nearest row of W.
    case flow
  }

  public struct Settings: Configuration {
    /// Time in blocks, continuous time, or flow matching.
    public var variant = Variant.discrete
    /// Blocks of the discrete variant, the T of the paper.
    public var blocks = 10
    /// Steps in which the continuous and the flow variant classify.
    public var steps = 1000
    /// Hidden units of each of a block's layers; the paper has 256.
    public var hidden = 32
    /// Channels of 3 x 3 convolutions, each followed by pooling, in front of each block's input units; none
    /// for a block that sees its input as a vector. The paper has [32, 64, 128] or so for images.
    public var channels: [Int] = []
    /// Numbers of a learned class code; 0 for fixed one-hot codes.
    public var codeWidth = 0
    /// Weight of denoising; the paper has 1 in continuous time.
    public var eta = 0.1
    /// How near abar comes to 0 and 1, where the signal-to-noise ratio has no bounds; a learned schedule
    /// starts with these ends.
    public var clip = 0.01
    /// Whether blocks see the code; without, each is a classifier by itself.
    public var seesCode = true
    /// Numbers that tell a block the time.
    public var timeWidth = 64
    /// Hidden units of the learned schedule.
    public var scheduleWidth = 64
    /// Standard deviation about the straight path of the flow variant.
    public var pathNoise = 0.0
    public init() {}

    public func validate() throws {
      let counts = [
        ("blocks", blocks), ("steps", steps), ("hidden", hidden), ("scheduleWidth", scheduleWidth),
      ]
      for (name, value) in counts + channels.map({ ("channels", $0) }) {
        try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
      }
      try require((0...100_000).contains(codeWidth), "codeWidth must be from 0 to 100000, is \(codeWidth)")
      try require(
        (4...100_000).contains(timeWidth) && timeWidth % 2 == 0,
        "timeWidth must be even, from 4 to 100000, is \(timeWidth)")
      try require(eta > 0 && eta.isFinite, "eta must be above 0, is \(eta)")
      try require(clip > 0 && clip < 0.5, "clip must be between 0 and 0.5, is \(clip)")
      try require(pathNoise >= 0 && pathNoise.isFinite, "pathNoise must not be negative, is \(pathNoise)")
    }
  }

  public static let kind = Kind.learningRule
  public static let card = Card(
    id: "noprop", name: "NoProp", family: .learning,
    paper: Paper(
      "NoProp: Training Neural Networks without Back-propagation or Forward-propagation",
      by: ["Qinyu Li", "Yee Whye Teh", "Razvan Pascanu"],
      year: 2025, link: "https://arxiv.org/abs/2503.24322"),
    summary: "Each block learns to denoise the code of the right class by itself; nothing flows backwards or "
      + "forwards between blocks. To classify, noise passes all blocks and becomes a code.",
    verification: "losses, courses and all gradients of the three variants against the paper's equations in "
      + "PyTorch; the learned schedule and the time code against yhgon/NoProp (commit 9283324); the "
      + "schedule's identities, exactly; posterior moments by simulation; zero gradient between blocks")

  public static var trials: [Trial<Settings>] {
    var learned = Settings(), pictures = Settings(), blind = Settings()
    (learned.blocks, learned.hidden, learned.codeWidth, learned.clip) = (3, 6, 4, 0.05)
    (pictures.blocks, pictures.hidden, pictures.channels, pictures.clip) = (2, 5, [3, 2], 0.05)
    (blind.blocks, blind.hidden, blind.seesCode, blind.clip) = (2, 4, false, 0.05)
    var continuous = learned, flow = learned
    (continuous.variant, continuous.steps) = (.continuous, 3)
    (continuous.timeWidth, continuous.scheduleWidth) = (6, 5)
    (flow.variant, flow.steps, flow.timeWidth, flow.pathNoise) = (.flow, 4, 4, 0.1)
    var pictured = flow
    (pictured.codeWidth, pictured.channels) = (0, [2])
    return [
      Trial(learned, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(pictures, in: Slot(width: 1, outputWidth: 4, rows: 6, columns: 5)),
      Trial(blind, in: Slot(width: 3, outputWidth: 2, tokens: 2)),
      Trial(continuous, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(flow, in: Slot(width: 2, outputWidth: 3, tokens: 3)),
      Trial(pictured, in: Slot(width: 1, outputWidth: 3, rows: 3, columns: 4)),
    ]
  }

  public let blocks: NoPropBlocks
  /// None where codes are fixed and the nearest one is the class.
  public let head: Linear?
  @Parameter public var codes: Tensor?
  /// The schedule of the discrete variant.
  public let schedule: NoPropSchedule
  /// That of the continuous one.
  public let noise: NoPropLearnedSchedule?
  public let classes: Int
  let settings: Settings
  private let places: [NamedParameter]

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    if !settings.channels.isEmpty { _ = try slot.requireGrid(Self.card.id) }
    self.settings = settings
    classes = slot.outputWidth
    let width = settings.codeWidth > 0 ? settings.codeWidth : classes
    schedule = NoPropSchedule(steps: settings.blocks, clip: settings.clip)
    blocks = NoPropBlocks(
      settings.variant == .discrete ? settings.blocks : 1, settings, slot: slot, codeWidth: width,
      using: &generator)
    places = blocks.parameters()
    let isFlow = settings.variant == .flow
    head = isFlow && settings.codeWidth == 0 ? nil : Linear(width, classes, using: &generator)
    codes = settings.codeWidth > 0 ? generator.orthogonal([classes, width]) : nil
    noise =
      settings.variant == .continuous
      ? NoPropLearnedSchedule(hidden: settings.scheduleWidth, clip: settings.clip, using: &generator) : nil
  }

  /// W, [classes, d].
  func table(_ type: DType) -> Tensor { codes ?? .eye(classes, dtype: type) }

  /// Rows of W in the mixture of `shares` [..., classes].
  func mixed(_ shares: Tensor) -> Tensor { codes.map { matmul(shares, $0) } ?? shares }

  // MARK: Learning

  /// The loss of each sample, [batch].
  public func losses(_ x: Tensor, _ labels: Tensor, using generator: inout RandomGenerator) -> Tensor {
    losses(x, labels, noise: nil, times: nil, using: &generator)
  }

  /// The same with `noise` [draws, batch, d] and `times` [batch] where they are given.
  func losses(
    _ x: Tensor, _ labels: Tensor, noise given: Tensor?, times givenTimes: Tensor?,
    using generator: inout RandomGenerator
  ) -> Tensor {
    let shape = [x.dim(0), codes?.dim(1) ?? classes]
    var draw = 0
    func noise() -> Tensor {
      draw += 1
      return given?[draw - 1] ?? generator.normal(shape).asType(x.dtype)
    }
    func times() -> Tensor { givenTimes ?? generator.uniform([x.dim(0)]).asType(x.dtype) }
    switch settings.variant {
    case .discrete:
      let last = noise(), before = (0..<settings.blocks).map { _ in noise() }
      return discreteLosses(x, labels, last: last, noise: stacked(before))
    case .continuous:
      return continuousLosses(x, labels, last: noise(), noise: noise(), times: times())
    case .flow:
      let start = noise(), times = times()
      let around = settings.pathNoise > 0 ? noise() * settings.pathNoise : nil
      return flowLosses(x, labels, start: start, around: around, times: times)
    }
  }

  /// How many draws of noise classifying and the loss take.
  private var draws: (course: Int, loss: Int) {
    switch settings.variant {
    case .discrete: (settings.blocks + 1, settings.blocks + 1)
    case .continuous: (settings.steps + 1, 2)
    case .flow: (1, settings.pathNoise > 0 ? 2 : 1)
    }
  }

  /// With normal numbers `last` [batch, d] for z_T and `noise` [T, batch, d] for what blocks 1...T see.
  package func discreteLosses(_ x: Tensor, _ labels: Tensor, last: Tensor, noise: Tensor) -> Tensor {
    let codes = table(x.dtype).take(labels), count = settings.blocks
    let ends = schedule.levels(0..<count + 1, x.dtype)
    let sides = endLosses(
      codes, labels, first: ends.mapped { $0[0] }, last: ends.mapped { $0[count] }, noise: last)
    let before = schedule.levels(0..<count, x.dtype).mapped { $0.reshaped(count, 1, 1) }
    let guess = mixed(softmax(blocks(blocks.features(x), before.noisy(codes, noise))))
    let gains = (1...count).map { schedule.ratio($0) - schedule.ratio($0 - 1) }
    let weights = Tensor(gains.map { settings.eta / 2 * $0 }, [count, 1]).asType(x.dtype)
    return sides + (square(guess - codes).sum(axis: 2) * weights).sum(axis: 0)
  }

  /// What the loss has at its two ends: CE(out(z_T), y) and the KL of N(sqrt(abar_0) u_y, 1 - abar_0) against
  /// N(0, 1), summed over the code.
  func endLosses(
    _ codes: Tensor, _ labels: Tensor, first: NoPropLevel, last: NoPropLevel, noise: Tensor
  ) -> Tensor {
    let named = crossEntropy(
      logits: logits(last.noisy(codes, noise)), targets: labels, reduction: .none)
    return named + ((square(codes) - 1) * first.signal - log(first.rest)).sum(axis: 1) * 0.5
  }

  // MARK: Classifying

  /// Logits [batch, classes], from noise through all blocks.
  public func callAsFunction(_ x: Tensor, using generator: inout RandomGenerator) -> Tensor {
    logits(course(x, using: &generator).last ?? x)
  }

  /// Logits [batch, classes] of the last block on a course from noise: what descent through all blocks can
  /// learn by, which the softmax in each would flatten if it learned by ``callAsFunction(_:using:)``.
  package func named(_ x: Tensor, using generator: inout RandomGenerator) -> Tensor {
    let shape = [x.dim(0), codes?.dim(1) ?? classes]
    return passed(x) { generator.normal(shape).asType(x.dtype) }.last
  }

  /// What a code z [batch, d] says of the class. For the flow the nearest row of W is the class: up to what all
  /// classes share, logits are -|z - W_k|² / 2.
  public func logits(_ z: Tensor) -> Tensor {
    if settings.variant != .flow, let head { return head(z) }
    let table = table(z.dtype)
    return matmul(z, table.transposed()) - square(table).sum(axis: 1) * 0.5
  }

  /// z_0 ... z_T, each [batch, d]. With `noise` 1 their end is drawn from what the blocks believe about the
  /// class, so that a class believed with 0.7 comes out in 7 of 10 draws; with less noise the likeliest
  /// class comes out more often.
  public func course(
    _ x: Tensor, noise amount: Double = 1, using generator: inout RandomGenerator
  ) -> [Tensor] {
    let shape = [x.dim(0), codes?.dim(1) ?? classes]
    return course(x) { generator.normal(shape).asType(x.dtype) * amount }
  }

  /// With `noise` [batch, d] for the start and then for each step that has some.
  package func course(_ x: Tensor, drawing noise: () -> Tensor) -> [Tensor] {
    passed(x, drawing: noise).course
  }

  /// The course, and the logits of the last block on it, [batch, classes].
  func passed(_ x: Tensor, drawing noise: () -> Tensor) -> (course: [Tensor], last: Tensor) {
    var course = [noise()], named = course[0]
    switch settings.variant {
    case .discrete:
      let features = blocks.features(x).split(parts: settings.blocks)
      let weights = places.map { $0.value.split(parts: settings.blocks) }
      for t in 0..<settings.blocks {
        named = exchanging(places, for: weights.map { $0[t] }) { answer(features[t], course[t]) }
        let step = schedule.steps[t]
        let z = mixed(softmax(named)) * step.guess + course[t] * step.kept
        course.append(z + noise() * step.noise.squareRoot())
      }
    case .continuous:
      guard let schedule = self.noise else { return (course, named) }
      let steps = schedule.steps(settings.steps)
      let features = blocks.features(x)
      for t in 0..<settings.steps {
        named = answer(features, course[t], at: time(t, x))
        let z = mixed(softmax(named)) * steps.guess[t] + course[t] * steps.kept[t]
        course.append(z + noise() * sqrt(steps.noise[t]))
      }
    case .flow:
      let features = blocks.features(x)
      for t in 0..<settings.steps {
        named = answer(features, course[t], at: time(t, x))
        course.append(course[t] + mixed(named) / Double(settings.steps))
      }
    }
    return (course, named)
  }

  private func time(_ step: Int, _ x: Tensor) -> Tensor {
    .full([x.dim(0)], Double(step) / Double(settings.steps), dtype: x.dtype)
  }

  /// Logits [batch, classes] of the one block whose features [1, batch, hidden] these are.
  func answer(_ features: Tensor, _ z: Tensor, at times: Tensor? = nil) -> Tensor {
    blocks(features, z.expandedDimensions(axis: 0), at: times).squeezed(axis: 0)
  }

  /// Logits [batch, classes] of every block for its z of a discrete course.
  public func guesses(_ x: Tensor, along course: [Tensor]) -> [Tensor] {
    blocks(blocks.features(x), stacked(Array(course.prefix(settings.blocks))))
      .split(parts: settings.blocks).map { $0.squeezed(axis: 0) }
  }

  /// `x` and `labels` in; `logits` [batch, classes] and `losses` [batch] out. Standard normal numbers take the
  /// place of what would be drawn: `noise` [draws, batch, d] for the start and each step of classifying,
  /// `lossNoise` [draws, batch, d] for z_T (the start of the flow) and what each block sees (what lies about the
  /// path), and `times` [batch], from 0 to 1, for the loss in continuous time. What is drawn goes by the place in
  /// the batch.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let network = try NoProp(settings, in: slot, using: &generator)
    let width = TensorPort.Extent.fixed(network.codes?.dim(1) ?? network.classes), draws = network.draws
    func noise(_ name: String, _ count: Int) -> TensorPort {
      TensorPort(name, [.fixed(count), .free("batch"), width], isOptional: true)
    }
    let times =
      settings.variant == .discrete
      ? [] : [TensorPort("times", [.free("batch")], .fractions, isOptional: true)]
    return Door(
      module: network,
      inputs: [
        TensorPort("x", [.free("batch"), .fixed(slot.tokens), .fixed(slot.width)]),
        TensorPort("labels", [.free("batch")], .indices(below: slot.outputWidth)),
        noise("noise", draws.course), noise("lossNoise", draws.loss),
      ] + times,
      outputs: [
        TensorPort("logits", [.free("batch"), .fixed(slot.outputWidth)]),
        TensorPort("losses", [.free("batch")]),
      ], rowsAreIndependent: false
    ) { tensors, random in
      guard let x = tensors["x"], let labels = tensors["labels"] else { return [:] }
      let logits =
        tensors["noise"].map { noise in
          var draw = -1
          let course = network.course(x) {
            draw += 1
            return noise[draw]
          }
          return network.logits(course.last ?? x)
        } ?? network(x, using: &random)
      let losses = network.losses(
        x, labels, noise: tensors["lossNoise"], times: tensors["times"], using: &random)
      return ["logits": logits, "losses": losses]
    }
  }
}
