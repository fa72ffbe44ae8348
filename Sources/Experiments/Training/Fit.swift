import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// How an arm of a claim is trained.
public struct FitSettings {
  public var steps: Int
  public var learningRate = 1e-3
  public var weightDecay = 0.01
  public var schedule = Schedule.cosine(warmup: 0, final: 0)
  /// Largest joint norm of the gradients; 0 leaves them as they are.
  public var clipNorm = 1.0

  public init(
    steps: Int, learningRate: Double = 1e-3, weightDecay: Double = 0.01,
    schedule: Schedule = .cosine(warmup: 0, final: 0), clipNorm: Double = 1
  ) {
    self.steps = steps
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.schedule = schedule
    self.clipNorm = clipNorm
  }
}

/// Trains `parameters` with AdamW on the loss that `loss` gives for each step, in training mode; notes the
/// loss now and then, and ends early where it is no number any more. `share` is the part of the run that this training makes up, for its progress.
public func fit(
  _ parameters: [NamedParameter], _ settings: FitSettings, in run: ClaimRun,
  share: ClosedRange<Double> = 0...1, loss: (_ step: Int) throws -> Tensor
) throws {
  var dropout = run.random("dropout")
  let descend = GradientStep(
    parameters, learningRate: settings.learningRate, weightDecay: settings.weightDecay,
    clipNorm: settings.clipNorm)
  _ = try TrainingLoop(steps: settings.steps, schedule: settings.schedule).run(
    step: { step, rateFactor in
      try descend(rateFactor: rateFactor, using: &dropout) { try loss(step) }
    },
    done: { step, loss in
      if step % max(settings.steps / 50, 1) == 0 { run.note("loss", loss, step: step) }
      let done = Double(step + 1) / Double(settings.steps)
      try run.progress(share.lowerBound + done * (share.upperBound - share.lowerBound))
    })
}
