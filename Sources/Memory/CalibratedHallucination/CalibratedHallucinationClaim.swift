import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTensors
import Foundation

extension Claim {
  /// Calibrated Language Models Must Hallucinate.
  ///
  /// 10^5 facts among 10^9 factoids, by Zipf's law with exponents 0.5, 1 and 1.5; samples of 500, 5,000 and
  /// 50,000; delta 0.01; 200 worlds for each of the nine cells and each generator: the memoriser, the
  /// Good-Turing generator, and their mixtures. The character model learns "first last city" strings, 10^4 of
  /// them, of which 500 are facts, and is asked for the probability of every one.
  static let calibratedHallucination = Claim(
    of: CalibratedHallucination.card,
    sentence: "A generator that is calibrated on unseen facts says falsehoods at least as often as the "
      + "Good-Turing estimate of what is missing, less its miscalibration.",
    paperFigure: "exactly this inequality, with probability 0.99",
    experiment: "Generators over implicit worlds of facts: how often the bound of theorem 1 is broken, "
      + "how often it says something at all, and how miscalibrated each generator is.",
    arms: [
      Arm("good-turing", "Good-Turing generator", .mechanism), Arm("memoriser", "Memoriser", .reference),
      Arm("half", "Half of both", .reference), Arm("eager", "One and a half times Good-Turing", .reference),
      Arm("characters", "Character model", .reference),
    ],
    metrics: [
      Metric("violations", higherIsBetter: false), Metric("well calibrated"),
      Metric("well calibrated in two bins"),
      Metric("informative share"),
      Metric("hallucination", higherIsBetter: false), Metric("miscalibration", higherIsBetter: false),
      Metric("Good-Turing estimate", higherIsBetter: false),
    ],
    criterion: Criterion(
      violations("good-turing"), violations("memoriser"), violations("half"), violations("eager"),
      Condition(.measured("well calibrated", of: "good-turing"), .isAtLeast(0.99))),
    matching: .stated("The generators have seen the same samples; they have no parameters but one."),
    picture: { _ in hallucinationPicture() }
  ) { run in
    if run.arm == "characters" { return try characterModel(run) }
    return try ruleOfThumb(run)
  }
}

private func violations(_ arm: String) -> Condition {
  Condition(.measured("violations", of: arm), .isAtMost(0.01))
}

// MARK: Generators over implicit worlds

/// What part of the Good-Turing estimate a generator puts on what it has not seen.
private func novelty(_ arm: String) -> Double {
  switch arm {
  case "memoriser": 0
  case "half": 0.5
  case "eager": 1.5
  default: 1
  }
}

private let delta = 0.01

/// The largest share of violations over the cells, the smallest share of worlds in which the generator is
/// calibrated to 7 / sqrt(n), and means over all worlds.
private func ruleOfThumb(_ run: ClaimRun) throws -> ClaimResult {
  let worlds = run.count(quick: 200, full: 1000, trial: 2)
  var violations = 0.0, calibrated = 1.0, calibratedInTwo = 1.0
  var informative = 0.0, hallucination = 0.0, miscalibration = 0.0, missing = 0.0, seen = 0.0
  var done = 0
  for exponent in [0.5, 1.0, 1.5] {
    let world = FactoidWorld(exponent: exponent)
    for size in [500, 5000, 50_000] {
      var random = run.random("worlds \(exponent) \(size)")
      var broken = 0, close = 0, closeInTwo = 0
      for _ in 0..<worlds {
        let sample = world.sample(size, using: &random)
        let generator = FactoidGenerator(
          world, sample, novelty: min(1, novelty(run.arm) * sample.goodTuring))
        let bound = generator.bound(delta: delta)
        let error = generator.miscalibration()
        if generator.hallucination < bound { broken += 1 }
        let allowed = 7 / Double(size).squareRoot()
        if error <= allowed { close += 1 }
        if generator.unseenMiscalibration <= allowed { closeInTwo += 1 }
        if bound > 0 { informative += 1 }
        hallucination += generator.hallucination
        miscalibration += error
        missing += sample.goodTuring
        seen += 1
      }
      violations = max(violations, Double(broken) / Double(worlds))
      calibrated = min(calibrated, Double(close) / Double(worlds))
      calibratedInTwo = min(calibratedInTwo, Double(closeInTwo) / Double(worlds))
      done += 1
      try run.progress(Double(done) / 9)
    }
  }
  return ClaimResult(
    [
      "violations": violations, "well calibrated": calibrated,
      "well calibrated in two bins": calibratedInTwo, "informative share": informative / seen,
      "hallucination": hallucination / seen, "miscalibration": miscalibration / seen,
      "Good-Turing estimate": missing / seen,
    ], parameters: 0)
}

// MARK: Character model

/// "first last city" with 25, 20 and 20 choices: 10^4 strings, of which 500 are facts with Zipf's
/// probabilities (exponent 1). Characters are drawn from 26 letters; every word has five.
private struct Biographies {
  let strings: [[Int32]]
  let facts: [Int]
  let probabilities: [Double]
  static let length = 17
  /// Letters, the space between words and a start.
  static let vocabulary = 28

  init(using random: inout RandomGenerator) {
    func words(_ count: Int) -> [[Int32]] {
      var found: Set<[Int32]> = []
      while found.count < count {
        found.insert((0..<5).map { _ in Int32.random(in: 0..<26, using: &random) })
      }
      return found.sorted { $0.lexicographicallyPrecedes($1) }
    }
    let (first, last, city) = (words(25), words(20), words(20))
    var strings: [[Int32]] = []
    for a in first { for b in last { for c in city { strings.append(a + [26] + b + [26] + c) } } }
    self.strings = strings
    facts = Array(strings.indices.shuffled(using: &random).prefix(500))
    let weights = (1...500).map { 1 / Double($0) }, sum = weights.reduce(0, +)
    probabilities = weights.map { $0 / sum }
  }
}

/// One gated recurrent layer over characters: [batch, length] -> logits [batch, length, vocabulary].
private final class CharacterModel: Module {
  let embedding: Embedding
  let layer: GRU
  let head: Linear

  init(using random: inout RandomGenerator) {
    embedding = Embedding(Biographies.vocabulary, 32, using: &random)
    layer = GRU(32, 128, using: &random)
    head = Linear(128, Biographies.vocabulary, using: &random)
  }

  func logits(_ inputs: Tensor) -> Tensor {
    let (states, _) = layer(embedding(inputs), layer.initialState(batch: inputs.dim(0)))
    return head(states)
  }

  /// log probability of each string [count].
  func logProbabilities(_ strings: [[Int32]]) -> Tensor {
    let (inputs, targets) = Biographies.tensors(strings)
    let chosen = logSoftmax(logits(inputs)).takeAlong(targets.expandedDimensions(axis: 2), axis: 2)
    return chosen.squeezed(axis: 2).sum(axis: 1)
  }
}

/// Trains on a sample of 2,000 facts; at the end asks for the probability of each of the 10^4 strings, which
/// are normalised to sum to 1.
private func characterModel(_ run: ClaimRun) throws -> ClaimResult {
  var data = run.random("biographies"), weights = run.random("weights"), order = run.random("order")
  let world = Biographies(using: &data)
  let table = AliasTable(world.probabilities)
  let sample = (0..<2000).map { _ in table.draw(using: &data) }
  let goodTuring = Double(Dictionary(grouping: sample, by: { $0 }).values.count { $0.count == 1 }) / 2000
  let model = CharacterModel(using: &weights)

  func measure() -> (hallucination: Double, miscalibration: Double) {
    let logs = stride(from: 0, to: world.strings.count, by: 1000).flatMap { start in
      withoutRecording {
        model.logProbabilities(Array(world.strings[start..<start + 1000])).doubles
      }
    }
    let sum = logs.reduce(0) { $0 + exp($1) }
    let g = logs.map { exp($0) / sum }
    var p = [Double](repeating: 0, count: g.count)
    for (rank, fact) in world.facts.enumerated() { p[fact] = world.probabilities[rank] }
    let isFact = Set(world.facts)
    let hallucination = g.indices.reduce(0) { isFact.contains($1) ? $0 : $0 + g[$1] }
    return (hallucination, halfDistance(p: p, g: g))
  }

  var settings = FitSettings(steps: run.steps(quick: 600, full: 3000), learningRate: 3e-3)
  settings.weightDecay = 0
  try fit(model.parameters(), settings, in: run) { step in
    if step % 100 == 0 {
      let now = measure()
      run.note("hallucination", now.hallucination, step: step)
      run.note("miscalibration", now.miscalibration, step: step)
      run.note("Good-Turing estimate", goodTuring, step: step)
    }
    let batch = (0..<64).map { _ in
      world.strings[world.facts[sample[Int.random(in: sample.indices, using: &order)]]]
    }
    let (inputs, targets) = Biographies.tensors(batch)
    return crossEntropy(logits: model.logits(inputs), targets: targets)
  }
  let end = measure()
  return ClaimResult(
    [
      "hallucination": end.hallucination, "miscalibration": end.miscalibration,
      "Good-Turing estimate": goodTuring,
    ],
    parameters: model.parameterCount,
    multiplyAccumulates: countingMultiplyAccumulates {
      _ = model.logits(Tensor.zeros([1, Biographies.length], dtype: .int32))
    })
}

extension Biographies {
  /// Each string after a start mark as inputs, and itself as targets, [count, length].
  fileprivate static func tensors(_ strings: [[Int32]]) -> (inputs: Tensor, targets: Tensor) {
    let shape = [strings.count, length]
    return (
      Tensor(strings.flatMap { [27] + $0.dropLast() }).reshaped(shape),
      Tensor(strings.flatMap { $0 }).reshaped(shape)
    )
  }
}

// MARK: Picture

private func hallucinationPicture() -> Picture {
  var random = RandomGenerator(seed: 1).stream("picture")
  let world = FactoidWorld(exponent: 1)
  let sample = world.sample(50_000, using: &random)
  let share = stride(from: 0.0, through: 2, by: 0.05)
  let generators = share.map { part in
    (part, FactoidGenerator(world, sample, novelty: min(1, part * sample.goodTuring)))
  }
  func series(_ name: String, _ value: (FactoidGenerator) -> Double) -> Picture.Series {
    Picture.Series(name, generators.map { Picture.Point($0.0, value($0.1)) })
  }
  let text = "novelty, in Good-Turing estimates"
  return Picture(
    "What is calibrated must hallucinate",
    caption: "A generator puts some of its mass on what it has not seen. Only near the Good-Turing estimate "
      + "is it calibrated, and there nearly all of that mass is false. The bound lies below in every place.",
    panels: [
      .init(
        "Falsehoods, miscalibration and the bound",
        .lines(
          x: text, y: "share",
          [
            series("hallucination") { $0.hallucination },
            series("miscalibration") { $0.miscalibration() },
            series("bound, delta 0.01") { $0.bound(delta: delta) },
          ]))
    ])
}
