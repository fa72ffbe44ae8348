import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// Titans: a memory learned at test time recalls what attention no longer sees.
  ///
  /// Multi-query associative recall: 128 tokens, 16 pairs of 64 keys and 64 values, 16 queries. One block of
  /// width 32 (embedding, mixer and MLP with norms and residuals, decision), chunks of 8, 240 steps; the MLP's
  /// hidden width makes parameters equal. The first quarter of training has a quarter of the length and of the
  /// pairs, the next sixth half, with as many sequences as make 2,048 tokens of each step: with 16 short
  /// sequences gradients were so noisy that some seeds never took off. Judged at 128 and, without further
  /// training, at 512 tokens.
  ///
  /// In all arms queries and keys start by the same map, and every short convolution starts as a shift: keys
  /// see the token before, queries and values the present one, so that a value is stored under its key from the
  /// first step. From random starts a step of luck has to bring both together: some seeds learned what the
  /// window shows and stayed there, a memory's output still being noise that the gate multiplies it by.
  ///
  /// The rivals have the delta rule or the gated delta rule in the memory's place, in the same gate on the same
  /// attention. Their state of 64 x 64 is as large as the memory's, two layers of 32 x 32 and their momentum.
  /// A condition reads the gated one, which the seeds of tuning chose (see `tuning`).
  ///
  /// The memory takes relative steps (``Titans``): bounded by a constant, two-layer memories ended as NaN. The
  /// part's own bound of theta holds a chunk of eight equal tokens steady, and then a pair that is shown once
  /// corrects an eighth of its error at most, so that what it stored drowns in what the weights held at the
  /// start. Here keys differ and theta may be as large as one token allows; the last layer starts at zero, so
  /// that all that is recalled was stored; eta starts at 0.1 and alpha at 0.002. With 8 pairs, from seed 100, the
  /// gate recalled 0.17 with the part's own bound and starts and 0.93 with these.
  static let titans = Claim(
    of: Titans.card,
    sentence: "A neural memory that learns while it reads, as a gate on sliding attention, recalls what the "
      + "attention alone no longer sees, and more than a linear state of the same size.",
    paperFigure: "ahead of Transformers and linear recurrent models; needles in more than two million tokens",
    experiment: "Associative recall of 16 pairs among 128 tokens by sliding attention (window 16), alone and "
      + "gated by a two-layer memory or by states of the delta rule; the memory alone besides, with and without "
      + "momentum.",
    arms: [
      Arm("gate", "Memory as gate on attention", .mechanism),
      Arm("attention", "Sliding attention", .baseline),
      Arm("delta", "Delta rule as gate on attention", .baseline),
      Arm("gated-delta", "Gated delta rule as gate on attention", .baseline),
      Arm("two-layer", "Two-layer memory", .ablation),
      Arm("no-momentum", "Two-layer memory, eta 0", .ablation),
    ],
    metrics: [
      Metric("recall", chance: 1.0 / 64), Metric("recall at 512", chance: 1.0 / 64),
      Metric("missed", higherIsBetter: false),
    ],
    criterion: Criterion(
      Condition(recall("gate") - recall("attention"), .leads(by: 0.2)),
      Condition(fewerMisses(than: "gated-delta"), .leads(by: 0)),
      gates: [Condition(recall("gated-delta"), .isAtLeast(0.9))]),
    matching: .parameters(within: 0.05),
    tuning: Tuning(
      seeds: [100, 101, 102, 103, 104, 105], trialsPerArm: 3,
      choice:
        "Rates of 0.005, 0.01 and 0.02 for each arm; with the starts of now, tried once more for the gate and "
        + "the gated delta rule from two seeds, all three end within 0.01 of each other, and 0.01 was run from "
        + "all six, where the gate recalls 0.99 and the gated delta rule 0.997 to 1. The plain delta rule "
        + "recalls 0.999 as the gated one does, from two seeds; the gated one was the better before these "
        + "starts. Then the gate's training did not take off from one of the six (0.11 and 0.39 with rates of "
        + "0.01 and 0.006). The bound of theta and the starts of its rates and last layer were chosen at 8 "
        + "pairs, from seed 100, by five trials."),
    explanations: [
      .contradicted:
        "The memory recalls what attention alone does not, {recall(gate)} against {recall(attention)}, but it "
        + "misses {missed(gate)} where the gated delta rule, as large a state in the same place, misses "
        + "{missed(gated-delta)}. That speaks for our scale: keys without structure are what a matrix of "
        + "64 x 64 stores best, also with 32 pairs of 128 keys, where nobody is near the ceiling (0.92 against "
        + "0.985, seeds of tuning); an error was looked for in the memory's start and bound of theta, which "
        + "had held it back.",
      .smallerThanClaimed:
        "The gate recalls {recall(gate)}, attention alone {recall(attention)} and the gated delta rule "
        + "{recall(gated-delta)}: it leads, by less than would matter. That speaks for our scale, where 16 pairs "
        + "leave a deeper memory little to gain.",
      .undecided:
        "Seeds disagree: the gate recalls {recall(gate)} on average and the gated delta rule "
        + "{recall(gated-delta)}. From all seeds of tuning both had taken off.",
      .notTested:
        "The gated delta rule recalls {recall(gated-delta)} on average and did not take off from some seed, though "
        + "it had from all seeds of tuning: what the memory adds to it cannot be said.",
    ],
    picture: { _ in try titansPicture() }
  ) { run in
    let network = try RecallNetwork(run)
    /// With a fraction of the pairs and of the length, or with more tokens between.
    func task(_ part: Int, length: Int = 128) throws -> AssociativeRecall {
      try AssociativeRecall(
        keys: RecallNetwork.keys, values: RecallNetwork.keys, pairs: 16 / part, queries: 16 / part,
        length: length / part, seed: run.seed)
    }
    let quarter = try task(4), half = try task(2), whole = try task(1), long = try task(1, length: 512)
    let steps = run.steps(quick: 240, full: 2400), most = 64
    let settings = FitSettings(
      steps: steps, learningRate: 1e-2, schedule: .cosine(warmup: steps / 20))
    try fit(network.parameters(), settings, in: run) { step in
      let (task, count) =
        step * 12 < steps * 3
        ? (quarter, most) : step * 12 < steps * 5 ? (half, most / 2) : (whole, most / 4)
      let batch = task.batch(.training, Array(step * most..<step * most + count))
      return task.objective.loss(network(batch.inputs), batch)
    }
    func recall(_ task: AssociativeRecall) -> Double {
      var score = Objective.Score()
      for start in stride(from: 0, to: run.count(128, trial: 32), by: 32) {
        let batch = task.batch(.test, Array(start..<start + 32))
        score += task.objective.score(network(batch.inputs), batch)
      }
      return score.mean
    }
    let found = recall(whole)
    return ClaimResult(
      ["recall": found, "recall at 512": recall(long), "missed": 1 - found],
      parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates {
        _ = network(whole.batch(.training, [0]).inputs)
      })
  }
}

private func recall(_ arm: String) -> Quantity { .measured("recall", of: arm) }

/// Above 0 where the gate misses less than four fifths of what the rival misses, the smallest lead that counts:
/// rivals that recall nearly all leave no room for a lead in recall.
private func fewerMisses(than rival: String) -> Quantity {
  0.8 * .measured("missed", of: rival) - .measured("missed", of: "gate")
}

/// Tokens [batch, length] -> logits [batch, length, vocabulary], by one block around the mixer of an arm.
private final class RecallNetwork: Module {
  static let keys = 64
  private let embedding: Embedding
  private let mixer: any StatefulLayer
  private let first, second, last: RMSNorm
  private let mlp: MLP
  private let head: Linear

  init(_ run: ClaimRun) throws {
    var random = run.random("weights")
    let width = 32, vocabulary = 2 * Self.keys + 1
    embedding = Embedding(vocabulary, width, using: &random)
    (first, second, last) = (RMSNorm(width), RMSNorm(width), RMSNorm(width))
    head = Linear(width, vocabulary, using: &random)
    let slot = Slot(width: width, tokens: 128)
    var settings = Titans.Settings()
    (settings.expansion, settings.chunk, settings.step) = (1, 8, .relative)
    (settings.largestRate, settings.momentumStart, settings.forgettingStart) = (0.5, 0.1, 0.002)
    var memory: Titans?
    switch run.arm {
    case "attention":
      let made = SlidingAttention(width, heads: 4, window: 16, using: &random)
      startAsShift(made.projection, made.convolution)
      mixer = made
    case "gate":
      var block = TitansBlock.Settings()
      (block.form, block.window, block.memory) = (.gate, 16, settings)
      let made = try TitansBlock(block, in: slot, using: &random)
      startAsShift(made.attention.projection, made.attention.convolution)
      (mixer, memory) = (made, made.memory)
    case "delta", "gated-delta":
      let made = try DeltaGate(width, fades: run.arm == "gated-delta", using: &random)
      startAsShift(made.attention.projection, made.attention.convolution)
      startAsShift(made.streams.map, made.streams.convolution)
      mixer = made
    default:
      settings.momentum = run.arm != "no-momentum"
      let made = try Titans(settings, in: slot, using: &random)
      (mixer, memory) = (made, made)
    }
    if let memory { startAsShift(memory.projection, memory.convolution) }
    if let last = memory?.start.last { last.value = .zeros(last.value.shape) }
    // The rivals' blocks have some 15,500 numbers; the MLP, 65 for each hidden unit, makes up for the others.
    let hidden = 64 + max(0, 15_500 - mixer.parameterCount) / (2 * width + 1)
    mlp = MLP(width, hidden: hidden, using: &random)
  }

  func callAsFunction(_ tokens: Tensor) -> Tensor {
    running {
      var x = embedding(tokens)
      x = x + mixer(first(x), mixer.initialState(batch: tokens.dim(0))).output
      x = x + mlp(second(x))
      return head(last(x))
    }
  }
}

/// Lets keys start by the map of the queries and with the token before, queries and values with the present one.
/// The rows of `map` and the channels of `convolution` are queries, keys, values.
private func startAsShift(_ map: Linear, _ convolution: Conv1d?) {
  let maps = map.weight.split(parts: 3, axis: 0)
  map.weight = concatenated([maps[0], maps[0], maps[2]], axis: 0)
  guard let convolution else { return }
  let shape = convolution.weight.shape
  func seeing(_ back: Int) -> Tensor {
    Tensor((0..<shape[1]).map { $0 == shape[1] - 1 - back ? Float(1) : 0 }).reshaped(1, shape[1], 1)
      .broadcast(to: [shape[0] / 3, shape[1], 1])
  }
  convolution.weight = concatenated([seeing(0), seeing(1), seeing(0)], axis: 0)
}

/// The rival: the Titans block's gate with a memory by the delta rule in the neural memory's place, plain or
/// gated. Its one head of 64 keys and 64 values is as large as two layers of 32 x 32 and their momentum.
private final class DeltaGate: Layer {
  let attention: SlidingAttention
  let streams: HeadStreams
  let beta: Linear
  let decay: Linear?
  let read: Linear
  let attentionNorm, memoryNorm: RMSNorm
  let output: Linear

  init(_ width: Int, fades: Bool, using random: inout RandomGenerator) throws {
    attention = SlidingAttention(width, heads: 4, window: 16, using: &random)
    var settings = HeadStreams.Settings()
    (settings.heads, settings.keyWidth, settings.valueWidth) = (1, 64, 64)
    streams = try HeadStreams(settings, width: width, part: "delta", using: &random)
    beta = Linear(width, 1, using: &random)
    decay = fades ? Linear(width, 1, using: &random) : nil
    // As much fades with a token at the start as of the neural memory.
    decay?.bias = .full([1], Foundation.log(499))
    read = Linear(64, width, bias: false, using: &random)
    (attentionNorm, memoryNorm) = (RMSNorm(width), RMSNorm(width))
    output = Linear(width, width, bias: false, using: &random)
  }

  func forward(_ x: Tensor) -> Tensor {
    let parts = streams(x, after: streams.initialRecent(batch: x.dim(0)))
    func head(_ x: Tensor) -> Tensor { x.swappedAxes(1, 2) }
    let found = deltaRule(
      queries: parts.q, keys: parts.k, values: parts.v, beta: head(sigmoid(beta(x))),
      logDecay: decay.map { head(logSigmoid($0(x))) }
    ).output
    let near = attention(x, attention.initialState(batch: x.dim(0))).output
    return output(attentionNorm(near) * silu(memoryNorm(read(found.squeezed(axis: 1)))))
  }
}

// MARK: Picture

/// Untrained memories of width 32 that are shown eight pairs again and again, and a new value for one.
private func titansPicture() throws -> Picture {
  let width = 32, pairs = 8, rounds = 6
  var random = RandomGenerator(seed: 1).stream("picture")
  func unit(_ x: Tensor) -> Tensor { x / sqrt(square(x).sum(axis: -1, keepDims: true)) }
  let keys = unit(random.normal([1, pairs, width])), values = unit(random.normal([1, pairs, width]))
  let replacement = unit(random.normal([1, 1, width]))
  func pair(_ x: Tensor, _ index: Int) -> Tensor { x.sliced(axis: 1, from: index, to: index + 1) }

  func course(_ change: (inout Titans.Settings) -> Void) throws -> (
    surprise: [Double], old: [Double], new: [Double], recall: [[Double]]
  ) {
    var settings = Titans.Settings()
    (settings.chunk, settings.largestRate, settings.step) = (1, 0.5, .absolute)
    change(&settings)
    var weights = RandomGenerator(seed: 2)
    let memory = try Titans(settings, in: Slot(width: width, tokens: 1), using: &weights)
    var state = memory.initialState(batch: 1)
    var (surprise, old, new): ([Double], [Double], [Double]) = ([], [], [])
    var recall = [[Double]](repeating: [], count: pairs)
    for token in 0..<pairs * rounds {
      let index = token % pairs, isLate = token >= pairs * rounds / 2
      let value = index == 0 && isLate ? replacement : pair(values, index)
      let key = pair(keys, index)
      surprise.append(square(memory.read(key, from: state) - value).sum().item())
      state = memory.write(keys: key, values: value, to: state)
      let found = unit(memory.read(keys, from: state))
      for (row, likeness) in (found * values).sum(axis: -1).floats.enumerated() {
        recall[row].append(Double(likeness))
      }
      old.append((pair(found, 0) * pair(values, 0)).sum().item())
      new.append((pair(found, 0) * replacement).sum().item())
    }
    return (surprise, old, new, recall)
  }
  let two = try course { _ in }
  let kinds: [(String, [Double])] = [
    ("two layers", two.surprise), ("two layers, no momentum", try course { $0.momentum = false }.surprise),
    ("linear", try course { $0.depth = 1 }.surprise),
  ]
  return Picture(
    "A memory that learns while it reads",
    caption: "Eight pairs are shown over and over, from the middle on with a new value for the first key. "
      + "Surprise falls as the memory's weights take the pairs in, and the new value displaces the old.",
    panels: [
      .init(
        "Surprise at each token",
        .lines(x: "tokens", y: "|M(k) - v|²", kinds.map { Picture.Series($0.0, $0.1) })),
      .init(
        "What the first key brings back",
        .lines(
          x: "tokens", y: "cosine",
          [Picture.Series("old value", two.old), Picture.Series("new value", two.new)])),
      .init(
        "What each key brings back of its first value",
        .grid(x: "tokens", y: "pairs", two.recall, range: 0...1)),
    ])
}
