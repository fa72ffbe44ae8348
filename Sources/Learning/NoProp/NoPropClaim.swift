import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// NoProp: Training Neural Networks without Back-propagation or Forward-propagation.
  ///
  /// 6,000 training pictures of Fashion-MNIST, 2,000 test pictures; 10 blocks of 784-128 with one-hot codes,
  /// T = 10, eta 0.1; 15 epochs of batches of 128, AdamW with rate 0.001 and a cosine. Unrolled: the same
  /// blocks from noise to logits, by backpropagation through all of them. Feedback alignment: a network of
  /// three hidden layers whose errors reach each layer by a fixed random matrix. All four have equally many
  /// parameters.
  static let noProp = Claim(
    of: NoProp.card,
    sentence: "Blocks that learn to denoise the class each for itself classify as well as the same blocks "
      + "trained by backpropagation, and better than feedback alignment.",
    paperFigure: "MNIST 99.5 %, like backpropagation; CIFAR-10 79.3 % against 79.9 %",
    experiment: "Fashion-MNIST with 6,000 pictures: NoProp, the same blocks unrolled with backpropagation, "
      + "direct feedback alignment, and blocks that see the picture alone.",
    arms: [
      Arm("noprop", "NoProp", .mechanism), Arm("unrolled", "Unrolled backpropagation", .baseline),
      Arm("feedback", "Direct feedback alignment", .baseline),
      Arm("without-z", "Blocks without z", .ablation),
    ],
    metrics: [
      Metric("accuracy", chance: 0.1), Metric("accuracy of block 1", chance: 0.1),
      Metric("accuracy without noise", chance: 0.1),
    ],
    criterion: Criterion(
      Condition(
        .measured("accuracy", of: "noprop") - .measured("accuracy", of: "unrolled"), .matches(within: 0.02)),
      Condition(
        .measured("accuracy", of: "noprop") - .measured("accuracy", of: "feedback"), .matches(within: 0))),
    matching: .parameters(within: 0.05),
    picture: { try noPropPicture($0) }
  ) { run in
    let task = try fashion(run.count(6000, trial: 256), seed: run.seed)
    let settings = FitSettings(
      steps: run.steps(quick: 15 * 47, full: 60 * 47), schedule: .cosine(), clipNorm: 0)
    let test = task.batch(.test, Array(0..<task.testCount))
    func share(_ logits: Tensor) -> Double { task.objective.score(logits, test).mean }
    if run.arm == "feedback" {
      var weights = run.random("weights")
      let network = AlignedNetwork(using: &weights)
      try learn(network, task, settings, run) { batch in network.loss(batch) }
      return ClaimResult(["accuracy": share(network(test.inputs))], parameters: network.parameterCount)
    }
    let network = try blocks(run.arm, run.random("weights"))
    var noise = run.random("noise")
    try learn(network, task, settings, run) { batch in
      run.arm == "unrolled"
        ? task.objective.loss(network(batch.inputs, using: &noise), batch)
        : network.losses(batch.inputs, batch.targets, using: &noise).mean()
    }
    var sampling = run.random("sampling")
    let course = network.course(test.inputs, using: &sampling)
    let quiet = network.course(test.inputs, noise: 0, using: &sampling)
    return ClaimResult(
      [
        "accuracy": share(network.logits(course[course.count - 1])),
        "accuracy of block 1": share(network.guesses(test.inputs, along: course)[0]),
        "accuracy without noise": share(network.logits(quiet[quiet.count - 1])),
      ], parameters: network.parameterCount)
  }
}

private func fashion(_ count: Int, seed: UInt64) throws -> FashionVariant {
  var settings = FashionVariant.Settings()
  (settings.training, settings.test, settings.seed) = (count, 2000, seed)
  return try FashionVariant(settings)
}

private func blocks(_ arm: String, _ random: RandomGenerator) throws -> NoProp {
  var settings = NoProp.Settings(), random = random
  // 160 hidden units make up for the path of the code.
  (settings.hidden, settings.seesCode) = arm == "without-z" ? (160, false) : (128, true)
  settings.clip = 0.001
  return try NoProp(settings, in: Slot(width: 784, outputWidth: 10, tokens: 1), using: &random)
}

/// Epochs of batches of 128 in an order that the seed alone decides; `FitSettings` without joint clipping, so
/// that nothing couples blocks that learn apart.
private func learn(
  _ network: any Module, _ task: FashionVariant, _ settings: FitSettings, _ run: ClaimRun,
  loss: (Batch) -> Tensor
) throws {
  let all = task.batch(.training, Array(0..<task.trainingCount))
  var shuffling = run.random("order"), order: [Int] = []
  try fit(network.parameters(), settings, in: run) { _ in
    if order.isEmpty { order = Array(0..<task.trainingCount).shuffled(using: &shuffling) }
    let chosen = Tensor(order.prefix(128).map { Int32($0) })
    order.removeFirst(min(128, order.count))
    return loss(Batch(inputs: all.inputs.take(chosen), targets: all.targets.take(chosen)))
  }
}

/// Direct feedback alignment (Nokland 2016): a hidden layer learns by the error of the outputs through a fixed
/// random matrix in place of the way back through later layers.
private final class AlignedNetwork: Module {
  private let layers: [Linear]
  private let head: Linear
  private let feedback: [Tensor]

  init(using random: inout RandomGenerator) {
    let width = 697
    layers = [784, width, width].map { Linear($0, width, activation: .relu, using: &random) }
    head = Linear(width, 10, using: &random)
    feedback = layers.map { _ in random.normal([10, width], standardDeviation: 1 / 10.0.squareRoot()) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor { head(layers.reduce(x.flattened(start: 1)) { $1($0) }) }

  /// The loss, with derivatives by each layer's weights that are those of the rule: layers see each other's
  /// results as constants, and the terms added have the fed-back error as their derivative and no value.
  func loss(_ batch: Batch) -> Tensor {
    var activities: [Tensor] = []
    var x = batch.inputs.flattened(start: 1)
    for layer in layers {
      let y = layer(stopGradient(x))
      activities.append(y)
      x = y
    }
    let logits = head(stopGradient(x))
    let error = stopGradient(softmax(logits) - batch.targets.oneHot(count: 10)) / Double(x.dim(0))
    let loss = crossEntropy(logits: logits, targets: batch.targets)
    return zip(activities, feedback).reduce(loss) { sum, layer in
      let taught = (layer.0 * matmul(error, layer.1)).sum()
      return sum + taught - stopGradient(taught)
    }
  }
}

// MARK: Picture

/// A small NoProp trained briefly: how three pictures' codes come out of noise, and how much each step knows.
private func noPropPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "noprop", seed: 1, budget: .quick, observer: observer)
  let task = try fashion(3000, seed: 1)
  let network = try blocks("noprop", run.random("weights"))
  var noise = run.random("noise"), sampling = run.random("sampling")
  try learn(network, task, FitSettings(steps: 120, clipNorm: 0), run) { batch in
    network.losses(batch.inputs, batch.targets, using: &noise).mean()
  }
  let test = task.batch(.test, Array(0..<500))
  let course = network.course(test.inputs, using: &sampling)
  let labels = test.targets.doubles.map { Int($0) }
  func share(_ logits: Tensor) -> Double { task.objective.score(logits, test).mean }
  let guesses = network.guesses(test.inputs, along: course).map(share)
  let panels = [0, 3, 6].map { example in
    let rows = (0..<10).map { place in
      course.map { Double($0[example, place].item()) }
    }
    return Picture.Panel(
      "Code of a picture of class \(labels[example])",
      .grid(x: "step", y: "class", rows, range: 0...1))
  }
  return Picture(
    "A class comes out of noise",
    caption:
      "The code starts as noise; each block, which never heard of the others while it learned, moves it "
      + "towards the class that it sees in the picture and the code.",
    panels: panels + [
      .init(
        "Share of right classes",
        .lines(
          x: "step", y: "accuracy",
          [
            Picture.Series("largest number of the code", course.map { share($0) }),
            Picture.Series(
              "guess of the block",
              guesses.enumerated().map { Picture.Point(Double($0.offset + 1), $0.element) }),
          ]))
    ])
}
