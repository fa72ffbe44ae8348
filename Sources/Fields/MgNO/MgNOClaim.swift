import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// MgNO: Efficient Parameterization of Linear Operators via Multigrid.
  ///
  /// Darcy flow on 16 x 16, 512 fields to learn from and 64 to be judged by, drawn by the seed: on 32 x 32 the
  /// convolutions of one level alone take minutes a run. Three layers in all arms. MgNO: 8 channels, 3 levels, so that
  /// the coarsest is 4 x 4, a sweep each and two on the coarsest. One level: as many 3 x 3 convolutions in a layer,
  /// 11, all on the full grid, with 10 channels, which makes as many parameters. FNO: 4 modes, half of those that
  /// the grid has, 10 channels, 4 rows and columns of zeros behind the grid, coordinates as inputs. All learn on the
  /// relative H1 error by Adam, batches of 8, 2,560 steps (5,120 with a full budget), at a rate of their own that
  /// rises for a twentieth of them and falls along a cosine; fields are standardised by mean and deviation of the
  /// training fields.
  ///
  /// How far MgNO leads one level depends on how long both learn: most with the 640 steps that were planned, when
  /// one level errs as much on the fields that it learns from as on others and has not finished; the experiment is
  /// as long as it takes for that.
  static let mgno = Claim(
    of: MgNO.card,
    sentence: "V-cycles with learned stencils make an operator that learns more from as many convolutions "
      + "than one grid does, and no less than Fourier modes do.",
    paperFigure: "best on several equations, Darcy flow among them, and easy to train",
    experiment: "Darcy flow on 16 x 16 from 512 fields: MgNO, the same number of convolutions on one level, "
      + "and a Fourier neural operator of 4 modes.",
    arms: [
      Arm("mgno", "MgNO", .mechanism), Arm("one-level", "One level", .ablation),
      Arm("fno", "Fourier neural operator", .baseline),
    ],
    metrics: [
      Metric("relative error", higherIsBetter: false), Metric("relative H1 error", higherIsBetter: false),
      Metric("training error", higherIsBetter: false),
    ],
    // An error of at most 0.7 of one level's is a lead of 0.3 of it; one of at most 1.1 of FNO's is a match.
    criterion: Criterion(
      Condition(.constant(1) - error("mgno") / error("one-level"), .leads(by: 0.3)),
      Condition(.constant(1) - error("mgno") / error("fno"), .matches(within: 0.1)),
      gates: [
        Condition(error("one-level"), .isAtMost(0.2)), Condition(error("fno"), .isAtMost(0.2)),
      ]),
    matching: .parameters(within: 0.05),
    tuning: Tuning(
      seeds: Array(100...106), trialsPerArm: 9,
      choice:
        "with 1,280 steps five rates for each arm: 0.002 to 0.01 for MgNO, 0.002 to 0.008 for one level, stopped "
        + "at the largest from seed 100 after ten times the usual time, and 0.005 to 0.04 for FNO; with a rise at the "
        + "start three more for MgNO, which collapsed at 0.015 from seed 102, and for one level, one for FNO; with 2,560 "
        + "steps two for MgNO and three for the others. Chosen: 0.01 for MgNO, 0.02 for FNO, and for one level 0.006, "
        + "with which none of the seeds collapsed; with the rise 0.008 was better still. Fields and steps: so that one "
        + "level has finished"
    ),
    explanations: [
      .smallerThanClaimed: disagreement, .contradicted: disagreement, .undecided: disagreement,
      .notTested:
        "A rival did not learn: one level errs by {relative error(one-level)}, FNO by {relative error(fno)}. "
        + "Deep stacks of convolutions without normalisation collapse from some seeds at rates not far above theirs.",
    ],
    picture: { try flowPicture($0) }
  ) { run in
    let (training, validation, test) = (
      run.count(512, trial: 8), run.count(32, trial: 2), run.count(64, trial: 2)
    )
    let flow = try Flow(
      DarcyTask(size: size, training: training, validation: validation, test: test, seed: run.seed))
    var weights = run.random("weights")
    let network = try network(run.arm, using: &weights)
    let steps = run.steps(quick: 2560, full: 5120)
    let learned = Array(0..<training), kept = Array(0..<validation), judged = Array(0..<test)
    try flow.fit(network, steps: steps, in: run) { step in
      guard step % max(steps / 20, 1) == 0 else { return }
      run.note("validation error", flow.error(of: network, .validation, kept), step: step)
    }
    return ClaimResult(
      [
        "relative error": flow.error(of: network, .test, judged),
        "relative H1 error": flow.error(of: network, .test, judged, order: 1),
        "training error": flow.error(of: network, .training, learned),
      ], parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates { _ = network(Tensor.zeros([1, size, size, 1])) })
  }
}

private let size = 16

private let disagreement =
  "MgNO errs by {relative error(mgno)}, one level by {relative error(one-level)}, FNO by {relative error(fno)}; on the "
  + "fields that they learned from by {training error(mgno)}, {training error(one-level)} and {training error(fno)}. "
  + "V-cycles learn faster, which speaks for the paper: after 640 steps MgNO erred less than one level by 0.38 on seeds "
  + "100 to 102. What is left in the end speaks for our scale: on 16 x 16 the 33 convolutions of one level reach from "
  + "border to border, which they do not on the paper's grids of 200 and more. An error was looked for and not found: "
  + "V-cycles agree with the authors' code in outputs and gradients."

private func error(_ arm: String) -> Quantity { .measured("relative error", of: arm) }

private func network(_ arm: String, using generator: inout RandomGenerator) throws -> any Layer {
  let slot = Slot(width: 1, outputWidth: 1, rows: size, columns: size)
  if arm == "fno" {
    var settings = FNO.Settings()
    (settings.layers, settings.channels, settings.modes, settings.padding) = (3, 10, 4, 4)
    return try FNO(settings, in: slot, using: &generator)
  }
  var settings = MgNO.Settings()
  (settings.layers, settings.channels, settings.levels) = (3, 8, 3)
  // One S and five times A and S: 11 convolutions, as on the way down through three levels.
  if arm == "one-level" { (settings.channels, settings.levels, settings.pre) = (10, 1, 6) }
  return try MgNO(settings, in: slot, using: &generator)
}

/// Permeabilities and pressures, standardised for networks by what the training fields say.
private struct Flow {
  let task: DarcyTask
  private let permeability, pressure: (mean: Double, deviation: Double)

  init(_ task: DarcyTask) {
    let fields = task.batch(.training, Array(0..<(task.count(.training) ?? 0)))
    func scale(_ x: Tensor) -> (mean: Double, deviation: Double) {
      (x.mean().item(), sqrt(x.variance()).item())
    }
    self.task = task
    (permeability, pressure) = (scale(fields.inputs), scale(fields.targets))
  }

  func predict(_ network: any Layer, _ inputs: Tensor) -> Tensor {
    network((inputs - permeability.mean) / permeability.deviation) * pressure.deviation + pressure.mean
  }

  /// The relative error in H^order, averaged over fields.
  func error(of network: any Layer, _ split: Split, _ indices: [Int], order: Int = 0) -> Double {
    let batch = task.batch(split, indices)
    return relativeSobolevError(predict(network, batch.inputs), batch.targets, order: order).mean().item()
  }

  func fit(
    _ network: any Layer, steps: Int, in run: ClaimRun, before: (_ step: Int) -> Void = { _ in }
  ) throws {
    var order = BatchOrder(count: task.count(.training), generator: run.random("order"))
    let rates = ["mgno": 0.01, "one-level": 0.006, "fno": 0.02]
    let settings = FitSettings(
      steps: steps, learningRate: rates[run.arm] ?? 0, weightDecay: 1e-4,
      schedule: .cosine(warmup: steps / 20))
    try CallosumExperiments.fit(network.parameters(), settings, in: run) { step in
      before(step)
      let batch = task.batch(.training, order.next(8))
      return relativeSobolevError(predict(network, batch.inputs), batch.targets, order: 1).mean()
    }
  }
}

// MARK: Picture

/// A field that was not learned, after a short training, and what a V-cycle does before any.
private func flowPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "mgno", seed: 7, budget: .quick, observer: observer)
  let flow = try Flow(DarcyTask(size: size, training: 512, validation: 1, test: 1, seed: 7))
  var weights = run.random("weights")
  let network = try network("mgno", using: &weights)
  try flow.fit(network, steps: 400, in: run)
  let batch = flow.task.batch(.test, [0])
  let predicted = flow.predict(network, batch.inputs)
  let largest = batch.targets.max().item()
  func rows(_ field: Tensor) -> [[Double]] {
    let values = field.doubles
    return (0..<size).map { Array(values[$0 * size..<($0 + 1) * size]) }
  }
  func panel(_ title: String, _ field: Tensor, _ range: ClosedRange<Double>) -> Picture.Panel {
    Picture.Panel(title, .grid(x: "x", y: "y", rows(field), range: range))
  }
  let error = relativeSobolevError(predicted, batch.targets).item()
  return Picture(
    "Flow through rock by V-cycles",
    caption:
      "A field of rock that the network has not seen, the pressure in it by conjugate gradients and by "
      + "MgNO after 400 steps on 512 fields, relative error \(String(format: "%.3f", error)). Below: the same "
      + "layer with the stencils of Poisson's equation instead of learned ones is a multigrid solver; "
      + "smoothing alone takes out what is rough and stalls.",
    panels: [
      panel("Permeability", batch.inputs, 0...12), panel("Pressure", batch.targets, 0...largest),
      panel("Pressure by MgNO", predicted, 0...largest),
      panel("Size of the error, scale of a fifth", abs(predicted - batch.targets), 0...largest / 5),
      residuals(size: 64),
    ])
}

/// How the residual of Poisson's equation shrinks by V-cycles and by as much smoothing on the finest level.
private func residuals(size: Int) -> Picture.Panel {
  let cycle = MultigridConv.poisson(size: size), stencil = MultigridConv.poissonStencil(size: size)
  func system(_ u: Tensor) -> Tensor { conv2d(u, weight: stencil, padding: (1, 1)) }
  let f = Tensor.ones([1, size, size, 1], dtype: .float64)
  let jacobi = 0.2 / Double((size + 1) * (size + 1))
  var u = Tensor.zeros(like: f), smoothed = u
  func share(_ x: Tensor) -> Double { log10(sqrt(square(f - system(x)).mean()).item()) }
  var curves = [[share(u)], [share(smoothed)]]
  for _ in 0..<8 {
    u = u + cycle(f - system(u))
    for _ in 0..<4 { smoothed = smoothed + (f - system(smoothed)) * jacobi }
    curves[0].append(share(u))
    curves[1].append(share(smoothed))
  }
  return Picture.Panel(
    "Poisson's equation on \(size) x \(size), a constant source",
    .lines(
      x: "cycles", y: "log10 of the residual",
      [Picture.Series("V-cycles", curves[0]), Picture.Series("as many sweeps without levels", curves[1])]))
}
