import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// Parallelizing Linear Transformers with the Delta Rule over Sequence Length.
  ///
  /// Recall with overwriting: 16 keys, each written 1 to 3 times with one of 32 values, 64 tokens, and at the
  /// end the last value of every key is asked for. One layer of width 32 (mixer, then an MLP), one head of
  /// 16. The arms share embedding, projections, convolutions, MLP and decision; softmax attention has
  /// learned positions besides, as in the paper's own harness, because nothing else tells it which write was
  /// last, and scores that are not normalised, so that it can choose sharply.
  ///
  /// Speed: one head of keys and values of 64, 2,048 tokens, forward and backward, least of several times:
  /// in chunks against one token after the other with the state carried.
  static let deltaNet = Claim(
    of: DeltaNet.card,
    sentence: "A linear-attention state that is written by the delta rule recalls what was last written to a "
      + "key, where one that only adds does not, and chunks make it fast.",
    paperFigure: "perplexity 16.87 against 17.06 (Mamba) and 17.22 (GLA) at 1.3 B parameters",
    experiment: "Multi-query associative recall with overwriting, 16 keys, 64 tokens, one layer of width 32 "
      + "with one head of 16; time for 2,048 tokens in chunks and token by token.",
    arms: [
      Arm("delta", "Delta rule", .mechanism), Arm("additive", "Additive state", .baseline),
      Arm("retention", "Decaying state (RetNet)", .baseline), Arm("softmax", "Softmax attention", .reference),
    ],
    metrics: [Metric("accuracy", chance: 1.0 / 32), Metric("chunks over tokens"), Metric("time for twice")],
    criterion: Criterion(
      Condition(
        .measured("accuracy", of: "delta") - .measured("accuracy", of: "additive"), .leads(by: 0.2)),
      Condition(.measured("accuracy", of: "delta"), .isAtLeast(0.95)),
      Condition(.measured("chunks over tokens", of: "delta"), .isAtLeast(3))),
    matching: .stated(
      "All arms share every size; delta has 32 weights for beta besides, softmax 2,048 for positions."),
    picture: { _ in overwritingPicture() }
  ) { run in
    let network = try RecallNetwork(run)
    var metrics = ["accuracy": try network.accuracy(run)]
    if run.arm == "delta" { metrics.merge(speed(run)) { $1 } }
    return ClaimResult(
      metrics, parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates { _ = network(Tensor.zeros([1, 64], dtype: .int32)) })
  }
}

// MARK: Recall

/// Softmax attention between the same streams as the other arms have.
private final class StreamAttention: Layer {
  let streams: HeadStreams
  let norm: RMSNorm
  let output: Linear

  init(_ settings: HeadStreams.Settings, width: Int, using random: inout RandomGenerator) throws {
    var settings = settings
    (settings.activation, settings.normalisation) = (.none, .none)
    streams = try HeadStreams(settings, width: width, part: "softmax", using: &random)
    norm = RMSNorm(streams.valueWidth)
    output = Linear(settings.heads * streams.valueWidth, width, bias: false, using: &random)
  }

  func forward(_ x: Tensor) -> Tensor {
    let parts = streams(x, after: streams.initialRecent(batch: x.dim(0)))
    let y = scaledDotProductAttention(queries: parts.q, keys: parts.k, values: parts.v, causal: true)
    return output(norm(y.transposed(0, 2, 1, 3)).reshaped(x.dim(0), x.dim(1), -1))
  }
}

/// Embedding, one layer of a mixer and an MLP, decision: tokens [batch, length] -> [batch, length, vocabulary].
private final class RecallNetwork: Module {
  private let embedding: Embedding
  @Parameter private var positions: Tensor?
  private let norm1: RMSNorm
  private let mixer: any Layer
  private let norm2: RMSNorm
  private let mlp: MLP
  private let norm: RMSNorm
  private let head: Linear
  private let task: AssociativeRecall

  init(_ run: ClaimRun) throws {
    let width = 32
    task = try AssociativeRecall(
      keys: 16, values: 32, pairs: 16, queries: 16, writes: 1...3, length: 64, seed: run.seed)
    var random = run.random("weights")
    embedding = Embedding(task.vocabulary, width, using: &random)
    (norm1, norm2, norm) = (RMSNorm(width), RMSNorm(width), RMSNorm(width))
    mlp = MLP(width, hidden: 2 * width, using: &random)
    head = Linear(width, task.vocabulary, using: &random)
    var settings = DeltaNet.Settings()
    (settings.streams.heads, settings.streams.keyWidth, settings.streams.valueWidth) = (1, 16, 16)
    if let rule = DeltaNet.Rule(rawValue: run.arm) {
      settings.rule = rule
      mixer = try DeltaNet(settings, in: Slot(width: width, tokens: 64), using: &random)
      positions = nil
    } else {
      mixer = try StreamAttention(settings.streams, width: width, using: &random)
      positions = random.normal([64, width], standardDeviation: 0.02)
    }
  }

  func callAsFunction(_ tokens: Tensor) -> Tensor {
    running {
      var x = embedding(tokens)
      if let positions { x = x + positions }
      x = x + mixer(norm1(x))
      x = x + mlp(norm2(x))
      return head(norm(x))
    }
  }

  /// Trains on sequences that never repeat and judges on others.
  func accuracy(_ run: ClaimRun) throws -> Double {
    let settings = FitSettings(
      steps: run.steps(quick: 800, full: 4000), learningRate: 5e-3,
      schedule: .cosine(warmup: 80, final: 0))
    try fit(parameters(), settings, in: run, share: 0...0.9) { step in
      let batch = task.batch(.training, Array(step * 32..<(step + 1) * 32))
      return task.objective.loss(self(batch.inputs), batch)
    }
    let judged = task.batch(.test, Array(0..<512))
    return task.objective.score(self(judged.inputs), judged).mean
  }
}

// MARK: Speed

/// How many times longer a token loop takes than chunks, and chunks for twice the length.
private func speed(_ run: ClaimRun) -> [String: Double] {
  var random = run.random("speed")

  /// Seconds for forward and backward through `length` tokens, `piece` of them at a time.
  func seconds(_ length: Int, piece: Int, repeats: Int) -> Double {
    let width = 64
    func stream() -> Tensor { random.normal([1, 1, length, width]) * 0.125 }
    let inputs = [stream(), stream(), stream(), random.uniform([1, 1, length])]
    func loss(_ x: [Tensor]) -> Tensor {
      var state: Tensor?
      var outputs: [Tensor] = []
      let pieces = x.map { $0.split(parts: length / piece, axis: 2) }
      for part in 0..<length / piece {
        let (output, after) = deltaRule(
          queries: pieces[0][part], keys: pieces[1][part], values: pieces[2][part], beta: pieces[3][part],
          initial: state)
        state = after
        outputs.append(output)
      }
      return concatenated(outputs, axis: 2).sum()
    }
    var least = Double.infinity
    for _ in 0..<repeats {
      let begin = ContinuousClock.now
      _ = valueAndGradient(at: inputs, of: loss)
      least = min(least, (ContinuousClock.now - begin) / .seconds(1))
    }
    return least
  }

  let many = run.count(60, trial: 1)
  let chunks = seconds(2048, piece: 2048, repeats: many)
  return [
    "chunks over tokens": seconds(2048, piece: 1, repeats: run.count(3, trial: 1)) / chunks,
    "time for twice": seconds(4096, piece: 4096, repeats: many) / chunks,
  ]
}

// MARK: Picture

/// Four keys are written once, then two of them again; what every key gives is watched.
private func overwritingPicture() -> Picture {
  var random = RandomGenerator(seed: 1).stream("overwriting")
  let keys = random.orthogonal([4, 8]), values = random.orthogonal([6, 8])
  let writes = [(0, 0), (1, 1), (2, 2), (3, 3), (0, 4), (2, 5)]
  let rules: [(String, Bool)] = [("delta rule", true), ("additive state", false)]
  var panels: [Picture.Panel] = [], grids: [Picture.Panel] = []
  for (name, corrects) in rules {
    var state = Tensor.zeros([1, 1, 8, 8])
    var old: [Double] = [0], new: [Double] = [0]
    for (key, value) in writes {
      func row(_ x: Tensor, _ at: Int) -> Tensor {
        x.sliced(axis: 0, from: at, to: at + 1).reshaped(1, 1, 1, 8)
      }
      let (k, v) = (row(keys, key), row(values, value))
      state =
        corrects
        ? deltaRule(queries: k, keys: k, values: v, beta: .ones([1, 1, 1]), initial: state).state
        : linearAttention(queries: k, keys: k, values: v, initial: state).state
      let given = matmul(matmul(keys, state.reshaped(8, 8)), values.swappedAxes(0, 1)).doubles
      old.append(given[0])
      new.append(given[4])
      if old.count == writes.count + 1 {
        let table = (0..<4).map { row in (0..<6).map { given[row * 6 + $0] } }
        grids.append(
          .init("At the end, \(name)", .grid(x: "value, in order of writing", y: "key", table, range: 0...1)))
      }
    }
    panels.append(
      .init(
        "What the first key gives, \(name)",
        .lines(
          x: "writes", y: "share in what is read",
          [Picture.Series("its first value", old), Picture.Series("its second value", new)])))
  }
  return Picture(
    "The delta rule overwrites a key",
    caption: "Four keys are written, then the first and the third again. The delta rule takes away what the "
      + "key gave before it stores the new value; a state that only adds gives both.",
    panels: panels + grids)
}
