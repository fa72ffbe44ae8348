import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// The Expressive Leaky Memory Neuron, "spike-adding": ten digits as maps of firing chances, 40 channels by
  /// 50 steps of smoothed noise with a peak of 0.3; two digits one after the other; the answer is their sum.
  ///
  /// A neuron of 48 memories, an LSTM of as many parameters, and the same neuron with time constants of 5
  /// steps at most. 400 steps of Adam with batches of 32; all answer at the last step. Every arm learns with
  /// each of three rates, and the one that does best on 512 examples of its own is judged on 1,024 others.
  static let elmNeuron = Claim(
    of: ElmNeuron.card,
    sentence: "One neuron with a leaky memory of many time constants adds two digits in spikes better than "
      + "an LSTM of its size, and needs the long time constants for it.",
    paperFigure: "a detailed pyramidal neuron matched with 8,002 parameters (AUC 0.9922); over 70 % on "
      + "Pathfinder-X",
    experiment: "Two digits in spikes, 100 steps, 19 sums; the neuron, an LSTM and the neuron without long "
      + "time constants, each with the best of three learning rates.",
    arms: [
      Arm("elm", "ELM neuron, 48 memories", .mechanism), Arm("lstm", "LSTM, 41 units", .baseline),
      Arm("short", "ELM neuron, time constants up to 5", .ablation),
    ],
    metrics: [Metric("accuracy", chance: 0.1)],
    criterion: Criterion(
      Condition(
        .measured("accuracy", of: "elm") - .measured("accuracy", of: "lstm"), .isAtLeast(0.05)),
      // One example of 1,024 more.
      Condition(
        .measured("accuracy", of: "elm") - .measured("accuracy", of: "short"), .isAtLeast(0.0009))),
    matching: .parameters(within: 0.05),
    picture: { try elmPicture($0) }
  ) { run in
    let task = try SpikeAdding(seed: run.seed)
    let rates = [1e-3, 3e-3, 1e-2]
    var best: (validation: Double, network: Adder)?
    for (place, rate) in rates.enumerated() {
      let network = try Adder(run)
      let share = Double(place) / 3...Double(place + 1) / 3
      try network.learn(task, rate: rate, in: run, share: share)
      let found = network.accuracy(task, .validation, count: 512)
      if found > best?.validation ?? -1 { best = (found, network) }
    }
    guard let network = best?.network else { throw InvalidInput("no learning rate was tried") }
    return ClaimResult(
      ["accuracy": network.accuracy(task, .test, count: 1024)], parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates { _ = network(Tensor.zeros([1, 100, 40])) })
  }
}

/// Reads spikes [batch, time, 40] and answers at the last step.
private final class Adder: Layer {
  let neuron: ElmNeuron?
  private let lstm: LSTM?
  private let head: Linear?

  init(_ run: ClaimRun) throws {
    var random = run.random("weights")
    if run.arm == "lstm" {
      neuron = nil
      lstm = LSTM(40, 41, using: &random)
      head = Linear(41, 19, using: &random)
    } else {
      var settings = ElmNeuron.Settings()
      settings.memories = 48
      if run.arm == "short" { settings.longestTau = 5 }
      neuron = try ElmNeuron(settings, in: Slot(width: 40, outputWidth: 19, tokens: 100), using: &random)
      (lstm, head) = (nil, nil)
    }
  }

  func forward(_ x: Tensor) -> Tensor {
    func last(_ states: Tensor) -> Tensor {
      states.sliced(axis: 1, from: x.dim(1) - 1).squeezed(axis: 1)
    }
    if let neuron { return last(neuron(x, neuron.initialState(batch: x.dim(0))).output) }
    guard let lstm, let head else { preconditionFailure("Adder", "there is neither a neuron nor an LSTM") }
    return head(last(lstm(x, lstm.initialState(batch: x.dim(0))).output))
  }

  func learn(
    _ task: SpikeAdding, rate: Double, in run: ClaimRun, share: ClosedRange<Double> = 0...1
  ) throws {
    var settings = FitSettings(steps: run.steps(quick: 400, full: 2000))
    (settings.learningRate, settings.weightDecay) = (rate, 0)
    try fit(parameters(), settings, in: run, share: share) { step in
      let batch = task.batch(.training, Array(step * 32..<(step + 1) * 32))
      return task.objective.loss(self(batch.inputs), batch)
    }
  }

  func accuracy(_ task: SpikeAdding, _ split: Split, count: Int) -> Double {
    let batch = task.batch(split, Array(0..<count))
    return task.objective.score(self(batch.inputs), batch).mean
  }
}

// MARK: Picture

/// What a neuron that has learned remembers while it hears two digits.
private func elmPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "elm", seed: 1, budget: .quick, observer: observer)
  let task = try SpikeAdding(seed: 1)
  let network = try Adder(run)
  try network.learn(task, rate: 3e-3, in: run)
  guard let neuron = network.neuron else { throw InvalidInput("the picture needs a neuron") }
  let batch = task.batch(.test, [3])
  let start = neuron.initialState(batch: 1)
  let (said, seen) = neuron.reading(["memory"]) { neuron(batch.inputs, start).output }
  guard let memory = seen["memory"]?.first else { throw InvalidInput("the neuron shows no memory") }
  func rows(_ x: Tensor) -> [[Double]] {
    x.squeezed(axis: 0).transposed().split(parts: x.dim(2)).map(\.doubles)
  }
  let taus = neuron.taus.doubles, largest = abs(memory).max(axis: 1, keepDims: true)
  let decay = [0, 16, 32, 47].map { unit in
    Picture.Series(
      "\(Int(taus[unit].rounded())) steps", (0..<100).map { exp(-Double($0) / taus[unit]) })
  }
  let label = Int(batch.targets.doubles[0])
  return Picture(
    "A memory of many time constants",
    caption: "Two digits in spikes, one from step 0 and one from step 50; their sum is \(label). Memories "
      + "with short time constants follow what is heard, those with long ones gather it over both digits; "
      + "each is shown on its own scale.",
    panels: [
      Picture.Panel("Spikes", .grid(x: "step", y: "channel", rows(batch.inputs))),
      Picture.Panel(
        "Memories, short time constants on top", .grid(x: "step", y: "memory", rows(memory / largest))),
      Picture.Panel("What is said of each sum", .grid(x: "step", y: "sum", rows(softmax(said)))),
      Picture.Panel("What is left of a memory", .lines(x: "steps", y: "share", decay)),
    ])
}
