import CallosumAnalysis
import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors

extension Claim {
  /// Retrieval Head Mechanistically Explains Long-Context Factuality.
  ///
  /// A language model of 2 layers of 8 heads, width 48, learns to write the answer of 4 symbols that stands
  /// behind its key among 64 tokens (vocabulary 48): 1,500 steps of 1,024 tokens, the first 600 at length 16 and
  /// the next 300 at 32, because at 64 from the start it learned nothing in as many (loss 3.6 to 3.7, log 40
  /// being 3.69, at rates of 3e-3 and 1e-2 from a seed that is not judged). Scores come from 128 prompts, recall
  /// from 128 others. As in the released code heads are masked while the answer is written, their output 0; the
  /// same for the whole pass is reported beside it. "Random" is the mean over 10 pairs of heads with a score
  /// below 0.1. Then the model learns 200 steps of 1,024 tokens at length 128.
  static let retrievalHead = Claim(
    of: RetrievalHead.card,
    sentence: "A few heads copy from the context; without them a model cannot answer from it, without as "
      + "many others it can, and they stay when the context is extended.",
    paperFigure: "under 5 % of the heads of four families of models; masking them ends retrieval",
    experiment: "A transformer of 16 heads that answers from 64 tokens: recall without its 2 best heads, and "
      + "without 2 others; scores before and after an extension to 128 tokens.",
    arms: [
      Arm("trained", "Trained model", .mechanism), Arm("untrained", "Untrained model", .reference),
    ],
    metrics: [
      Metric("cost of the top 2"), Metric("cost of random 2", higherIsBetter: false),
      Metric("correlation of scores"), Metric("recall", chance: 0.1), Metric("recall at 128"),
      Metric("retrieval heads", higherIsBetter: false), Metric("highest score"),
      Metric("cost of all retrieval heads"),
      Metric("cost of as many others", higherIsBetter: false),
      Metric("cost of the top 2, whole pass"), Metric("cost of random 2, whole pass", higherIsBetter: false),
      Metric("largest cost of one other head, whole pass", higherIsBetter: false),
    ],
    criterion: Criterion(
      Condition(.measured("cost of the top 2", of: "trained"), .isAtLeast(0.5)),
      Condition(.measured("cost of random 2", of: "trained"), .isAtMost(0.1)),
      Condition(.measured("correlation of scores", of: "trained"), .isAtLeast(0.8))),
    matching: .stated("Heads of one model are masked, as many at random as at the top."),
    picture: { try retrievalPicture($0) }
  ) { run in
    let model = try answeringModel(run, share: 0...0.8)
    let probe = try RetrievalHead()
    let count = run.count(128, trial: 16)
    let found = try probe.examine(try prompts(model, length: 64, 0..<count, run))
    let test = try prompts(model, length: 64, count..<2 * count, run)
    var metrics = try costs(found, test, probe, run)
    metrics["highest score"] = found.scores.joined().max() ?? 0
    metrics["retrieval heads"] = Double(found.heads.count)
    try run.progress(0.85)
    if run.arm == "trained" {
      let settings = FitSettings(steps: run.steps(200), learningRate: 1e-3)
      try train(model, settings, "extension", run, share: 0.85...0.98) { _ in 128 }
    }
    let extended = try probe.examine(try prompts(model, length: 128, 0..<count, run))
    metrics["recall at 128"] = extended.recall
    metrics["correlation of scores"] = spearman(Array(found.scores.joined()), Array(extended.scores.joined()))
    return ClaimResult(
      metrics, parameters: model.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates {
        _ = model(Tensor([Int32](repeating: 0, count: 64), [1, 64]))
      })
  }
}

private func task(length: Int, _ run: ClaimRun) throws -> NeedleInHaystack {
  try NeedleInHaystack(length: length, seed: run.seed)
}

/// A model that learned to answer from 64 tokens, or did not, for the other arm.
private func answeringModel(_ run: ClaimRun, share: ClosedRange<Double>) throws -> TinyLM {
  var random = run.random("weights")
  let model = TinyLM(TinyLM.Settings(vocabulary: try task(length: 64, run).vocabulary), using: &random)
  if run.arm == "trained" {
    let times = run.count(quick: 1, full: 4, trial: 1)
    let settings = FitSettings(steps: run.steps(times * 1500), learningRate: 3e-3)
    try train(model, settings, "training", run, share: share) { step in
      step < 600 * times ? 16 : step < 900 * times ? 32 : 64
    }
  }
  return model
}

/// Steps of 1,024 tokens, of sequences as long as `length` says for each step.
private func train(
  _ model: TinyLM, _ settings: FitSettings, _ stream: String, _ run: ClaimRun,
  share: ClosedRange<Double>, length: (_ step: Int) -> Int
) throws {
  var order = run.random(stream)
  try fit(model.parameters(), settings, in: run, share: share) { step in
    let task = try task(length: length(step), run)
    let indices = (0..<1024 / task.length).map { _ in Int.random(in: 0..<1_000_000, using: &order) }
    let batch = task.batch(.training, indices)
    return task.objective.loss(model(batch.inputs), batch)
  }
}

/// Prompts up to the key that is asked for.
private func prompts(
  _ model: TinyLM, length: Int, _ indices: Range<Int>, _ run: ClaimRun
) throws -> RetrievalHead.Subject {
  let task = try task(length: length, run)
  let examples = indices.map { task.example(.test, $0) }
  // The task shows the answer but its last symbol.
  let shown = length - task.answer + 1
  return RetrievalHead.Subject(
    model, prompts: Tensor(examples.flatMap { $0.tokens.prefix(shown) }, [examples.count, shown]),
    needles: examples.map { task.place(in: $0) })
}

/// What recall loses without heads, on prompts that the heads were not found by.
private func costs(
  _ found: RetrievalHead.Finding, _ test: RetrievalHead.Subject, _ probe: RetrievalHead, _ run: ClaimRun
) throws -> [String: Double] {
  let whole = try probe.examine(test).recall
  func cost(_ heads: some Sequence<Head>, inPrompt: Bool) throws -> Double {
    whole - (try probe.examine(test, mask: HeadMask(Set(heads), inPrompt: inPrompt)).recall)
  }
  let others = found.ranking.filter { found.score($0) < probe.settings.threshold }
  var metrics = ["recall": whole]
  var random = run.random("pairs")
  let pairs =
    others.count < 2
    ? [] : (0..<10).map { _ in random.distinct(2, of: others.count).map { others[$0] } }
  for (suffix, inPrompt) in [("", false), (", whole pass", true)] {
    metrics["cost of the top 2" + suffix] = try cost(found.ranking.prefix(2), inPrompt: inPrompt)
    let losses = try pairs.map { try cost($0, inPrompt: inPrompt) }
    // With fewer than two other heads there is nothing to compare with.
    metrics["cost of random 2" + suffix] =
      losses.isEmpty ? .nan : losses.reduce(0, +) / Double(losses.count)
  }
  metrics["cost of all retrieval heads"] = try cost(found.heads, inPrompt: false)
  metrics["cost of as many others"] = try cost(
    others.suffix(found.heads.count), inPrompt: false)
  metrics["largest cost of one other head, whole pass"] =
    try others.map { try cost([$0], inPrompt: true) }.max() ?? .nan
  return metrics
}

// MARK: Picture

private func retrievalPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "trained", seed: 1, budget: .quick, observer: observer)
  let model = try answeringModel(run, share: 0...1)
  let subject = try prompts(model, length: 64, 0..<64, run)
  let probe = try RetrievalHead()
  let finding = try probe.examine(subject)
  let generation = Generation(model, after: subject.prompts, steps: 4)
  let looks = finding.ranking.prefix(2).map { head -> Picture.Panel in
    let weights = generation.weights[0, head.layer, head.head]
    let rows = (0..<4).map { weights[$0].doubles }
    let needle = subject.needles[0]
    return .init(
      "Where head \(head.head) of layer \(head.layer) looks; needle at \(needle.lowerBound) to "
        + "\(needle.upperBound - 1)",
      .grid(x: "token", y: "written", rows, range: 0...1))
  }
  let grid = Picture.Panel(
    "Score of each head", .grid(x: "head", y: "layer", finding.scores, range: 0...1))
  return Picture(
    "The heads that retrieve",
    caption: "How much of the needle each of 16 heads copies while the model writes the answer, and where "
      + "the two best ones look in one prompt of 61 tokens, a row for each token written.",
    panels: [grid] + looks)
}
