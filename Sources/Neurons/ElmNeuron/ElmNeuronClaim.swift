import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// The Expressive Leaky Memory Neuron, "spike-adding": ten digits as maps of firing chances, 40 channels by
  /// 50 steps of smoothed noise with a peak of 0.3; two digits one after the other; the answer is their sum. Noise
  /// is smoothed over 5 channels and steps, not over 2: in 2,000 steps an LSTM learned 24 % of the sums at 2, 75 %
  /// at 4 and over 92 % at 6, so that at 5 there is something to be learned and something left.
  ///
  /// A neuron of 48 memories, an LSTM of as many parameters, and the same neuron with time constants of 5
  /// steps at most. 2,000 steps of Adam (10,000 at full budget) with batches of 32, five times what was planned,
  /// when nobody was far above guessing; all answer at the last step, and are judged on 2,048 examples. The
  /// LSTM's gates start so that it remembers for 1 to 99 steps (Tallec and Ollivier 2018).
  ///
  /// A longer experiment on harder maps (smoothed over 2.5, 4,000 steps, time constants up to 100) was judged after the
  /// one on record and held, by 0.075 over 16 seeds, against an LSTM whose rate of 0.005 had been chosen on two seeds.
  /// At 0.01 the LSTM does better on the seeds of tuning (0.72 over seven; the neuron 0.71), so that there was no lead
  /// but that of the rate, and the record was taken back.
  static let elmNeuron = Claim(
    of: ElmNeuron.card,
    sentence: "One neuron with a leaky memory of many time constants adds two digits in spikes better than "
      + "an LSTM of its size, and needs the long time constants for it.",
    paperFigure: "a detailed pyramidal neuron matched with 8,002 parameters (AUC 0.9922); over 70 % on "
      + "Pathfinder-X",
    experiment:
      "Two digits in spikes, 100 steps, 19 sums; the neuron, an LSTM that starts with a long memory, and "
      + "the neuron without long time constants, each with a learning rate of its own.",
    arms: [
      Arm("elm", "ELM neuron, 48 memories", .mechanism), Arm("lstm", "LSTM, 41 units", .baseline),
      Arm("short", "ELM neuron, time constants up to 5", .ablation),
    ],
    metrics: [Metric("accuracy", chance: 0.1)],
    criterion: Criterion(
      Condition(.measured("accuracy", of: "elm") - .measured("accuracy", of: "lstm"), .leads(by: 0.05)),
      Condition(.measured("accuracy", of: "elm") - .measured("accuracy", of: "short"), .leads(by: 0.02)),
      // The task can be learned, and there is room for the lead.
      gates: [
        Condition(.measured("accuracy", of: "lstm"), .isAtLeast(0.3)),
        Condition(.measured("accuracy", of: "lstm"), .isAtMost(0.95)),
      ]),
    matching: .parameters(within: 0.05),
    tuning: Tuning(
      seeds: [100, 101, 102], trialsPerArm: 5,
      choice: "Rates from 0.001 to 0.01 for the neuron, best 0.003; from 0.0005 to 0.01 without long time "
        + "constants, best 0.001; for the LSTM 0.003 to 0.03 with gates that start long, best 0.01, and 0.01 with "
        + "forget gates that start at 1, which was worse; all on maps smoothed over 4. The smoothness was chosen "
        + "by the LSTM's level."),
    explanations: [
      .contradicted: disagreement, .smallerThanClaimed: disagreement, .undecided: disagreement,
    ],
    picture: { try elmPicture($0) }
  ) { run in
    let task = try spikes(seed: run.seed)
    let network = try Adder(run)
    try network.learn(task, in: run)
    return ClaimResult(
      ["accuracy": network.accuracy(task, .test, count: run.count(2048, trial: 64))],
      parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates { _ = network(Tensor.zeros([1, 100, 40])) })
  }
}

private func spikes(seed: UInt64) throws -> SpikeAdding { try SpikeAdding(smoothness: 5, seed: seed) }

private let disagreement =
  "With a start that is as good for it as the spread of time constants is for the neuron, the LSTM learns the "
  + "sums about as well ({accuracy(lstm)} against {accuracy(elm)}; {accuracy(short)} without long time constants); "
  + "on the seed of tuning it did far worse with forget gates that start at 1. That speaks for our scale too: a "
  + "hundred steps are few, and the paper's own tasks are longer."

/// Reads spikes [batch, time, 40] and answers at the last step.
private final class Adder: Layer {
  let neuron: ElmNeuron?
  private let lstm: LSTM?
  private let head: Linear?

  init(_ run: ClaimRun) throws {
    var random = run.random("weights")
    if run.arm == "lstm" {
      neuron = nil
      let network = LSTM(40, 41, using: &random)
      network.remember(upTo: 99, using: &random)
      lstm = network
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

  func learn(_ task: SpikeAdding, in run: ClaimRun) throws {
    var settings = FitSettings(steps: run.steps(quick: 2000, full: 10_000))
    (settings.learningRate, settings.weightDecay) = (rate(run.arm), 0)
    try fit(parameters(), settings, in: run) { step in
      let batch = task.batch(.training, Array(step * 32..<(step + 1) * 32))
      return task.objective.loss(self(batch.inputs), batch)
    }
  }

  func accuracy(_ task: SpikeAdding, _ split: Split, count: Int) -> Double {
    let batch = task.batch(split, Array(0..<count))
    return task.objective.score(self(batch.inputs), batch).mean
  }
}

/// The rate of an arm's learning: what did best on seeds that are not judged.
private func rate(_ arm: String) -> Double {
  switch arm {
  case "lstm": 1e-2
  case "short": 1e-3
  default: 3e-3
  }
}

extension LSTM {
  /// Chrono initialisation: forget gates start such that a unit keeps what it knows for 1 to `steps` steps, and
  /// takes in as little at each.
  fileprivate func remember(upTo steps: Int, using generator: inout RandomGenerator) {
    let gates = inputBias.split(parts: 4), units = gates[0].size
    let spans = log(generator.uniform([units], low: 1, high: Double(steps)))
    inputBias = concatenated([-spans, spans, gates[2], gates[3]])
    hiddenBias = .zeros([4 * units])
  }
}

// MARK: Picture

/// What a neuron that has learned remembers while it hears two digits.
private func elmPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "elm", seed: 1, budget: .quick, observer: observer)
  let task = try spikes(seed: 1)
  let network = try Adder(run)
  try network.learn(task, in: run)
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
