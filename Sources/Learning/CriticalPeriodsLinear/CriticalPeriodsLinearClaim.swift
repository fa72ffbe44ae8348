import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

extension Claim {
  /// Critical Learning Periods Emerge Even in Deep Linear Networks.
  ///
  /// What the theory says of paths that compete is checked once. Equation: target 10, strengths 0.01, Euler's
  /// step 0.01, 1,000 steps, a deficit of one path of 10 steps at step 0 or at step 750. Networks: width 32, on
  /// the binary tree of 8 items and 15 features, a deficit of 150 steps at 0, compared with the equation of each
  /// mode over the whole course.
  ///
  /// What no theory says is judged. Completion: for each seed four matrices of 30 x 30 and rank 2, whose entries
  /// are 1 in the root mean square, with 300 entries seen of each; three factors, rate 0.5. Before it for 16,000
  /// steps the same entries of a matrix of rank 6, or of another one of rank 2, or nothing. Errors are those on
  /// the hidden entries after 6,000 steps, and after as many as were spent before; a matrix whose error is below
  /// 0.1 after 6,000 counts as completed.
  static let criticalPeriodsLinear = Claim(
    of: CriticalPeriodsLinear.card,
    sentence: "In deep linear networks an early deficit gives a feature to the other path for good, more so "
      + "with depth, a late one does not; long learning of the wrong rank damages what follows.",
    paperFigure: "critical periods that lengthen with depth, in theory and simulation",
    experiment:
      "Matrices of rank 2 are completed by three factors, after 16,000 steps on a matrix of rank 6, on "
      + "another one of rank 2, or on nothing.",
    arms: [
      Arm("wrong-rank", "Rank 6 first", .mechanism), Arm("right-rank", "Another of rank 2 first", .ablation),
      Arm("nothing", "Nothing first", .baseline),
    ],
    metrics: [
      Metric("error", higherIsBetter: false), Metric("error after 16k", higherIsBetter: false),
      Metric("completed"), Metric("error before", higherIsBetter: false),
    ],
    criterion: Criterion(
      Condition(measured("error", .wrong) / measured("error", .nothing), .isAtLeast(1.5)),
      Condition(
        measured("error after 16k", .wrong) - measured("error after 16k", .nothing), .leads(by: 0.1)),
      Condition(measured("completed", .right) - measured("completed", .wrong), .leads(by: 0.25)),
      gates: [
        Condition(measured("error", .nothing), .isAtMost(0.3)),
        Condition(measured("error before", .wrong), .isAtMost(0.1)),
        Condition(measured("error before", .right), .isAtMost(0.1)),
      ]),
    matching: .parameters(within: 0),
    checks: [earlyDeficits, lateDeficits, networksFollowTheEquation, depthOneKeepsNothing],
    tuning: Tuning(
      seeds: [100, 101, 102], trialsPerArm: 1,
      choice:
        "Sizes, rate and steps were written down before and not tuned; that a matrix counts as completed below "
        + "0.1, a tenth of its entries' size, was set on these seeds."),
    explanations: [
      .contradicted:
        "The error is {error(wrong-rank)} after rank 6, {error(right-rank)} after another matrix of "
        + "rank 2 and {error(nothing)} after nothing. If the first two are alike, it is learning anything else for "
        + "long that damages, and not the wrong rank, which would speak against this reading of the paper."
    ],
    picture: { _ in criticalPeriodsPicture() }
  ) { run in try completionErrors(run) }
}

/// What is learned before.
private enum Before: String { case nothing, right = "right-rank", wrong = "wrong-rank" }

private func measured(_ metric: String, _ arm: Before) -> Quantity { .measured(metric, of: arm.rawValue) }

// MARK: Equation

/// The course of both strengths with a deficit of path b.
private func course(
  depth: Int, target: Double, strengths: [Double], steps: Int, deficit: Range<Int>
) -> [[Double]] {
  var equation = MultiPathEquation(depth: depth, target: target, strengths: strengths)
  return (0..<steps).map { step in
    equation.step(open: [true, !deficit.contains(step)])
    return equation.strengths
  }
}

/// The final share of path b with a deficit of it.
private func share(depth: Int, deficit: Range<Int>) -> Double {
  let end = course(depth: depth, target: 10, strengths: [0.01, 0.01], steps: 1000, deficit: deficit)
  return (end.last.map { $0[1] / ($0[0] + $0[1]) }) ?? 0
}

private func words(_ values: [Double], digits: Int = 3) -> String {
  values.map { String(format: "%.\(digits)f", $0) }.joined(separator: ", ")
}

private let earlyDeficits = Claim.Check(
  "After a deficit at the start the share of the path that had it falls with depth, by 0.001 at least each time."
) { _ in
  let shares = (1...4).map { share(depth: $0, deficit: 0..<10) }
  return Claim.Check.Outcome(
    zip(shares, shares.dropFirst()).allSatisfy { $0 - $1 >= 0.001 },
    found: "\(words(shares)) at depths 1 to 4")
}

private let lateDeficits = Claim.Check("After one at step 750 it is within 0.01 of a half, at depths 1 to 4.")
{ _ in
  let shares = (1...4).map { share(depth: $0, deficit: 750..<760) }
  return Claim.Check.Outcome(
    shares.allSatisfy { abs($0 - 0.5) <= 0.01 }, found: "\(words(shares, digits: 6)) at depths 1 to 4")
}

// MARK: Networks

/// Features of 8 items by a binary tree: what all share, halves, quarters, and each alone; [15, 8].
private let binaryTree: Tensor = {
  var rows: [Float] = []
  for size in [8, 4, 2, 1] {
    for first in stride(from: 0, to: 8, by: size) {
      rows += (0..<8).map { first..<first + size ~= $0 ? 1 : 0 }
    }
  }
  return Tensor(rows).reshaped(15, 8)
}()

/// The largest difference, over depths 2 to 4, modes, paths and time, between the strengths of a network and
/// the equation from the same start, as a fraction of the mode's target. Strengths start at 0.01 with 10 %
/// scatter; a little noise on all weights keeps the modes from being exact.
private let networksFollowTheEquation = Claim.Check(
  "Networks of width 32 differ from the equation by 5 % of the target of a mode at most, over the whole course."
) { run in
  var random = run.random("network")
  let factors = svd(binaryTree)
  let targets = factors.s.doubles, output = factors.u, input = factors.vt.swappedAxes(0, 1)
  let items = Tensor.eye(8).reshaped(1, 8, 8)
  let wanted = binaryTree.swappedAxes(0, 1).reshaped(1, 8, 15)
  let deficit: Range<Int> = 0..<150
  var gap = 0.0
  for depth in 2...4 {
    var settings = CriticalPeriodsLinear.Settings()
    settings.depth = depth
    let network = try CriticalPeriodsLinear(
      settings, in: Slot(width: 8, outputWidth: 15, tokens: 8), using: &random)
    for path in network.paths {
      let modes = random.normal([8]) * 0.001 + 0.01
      let matrices = CriticalPeriodsLinear.balanced(
        modes, output: output, input: input, depth: depth, hidden: settings.hidden, using: &random)
      for (one, matrix) in zip(path.parameters(), matrices) {
        one.value = matrix + random.normal(matrix.shape) * 1e-4
      }
    }
    /// Strength of each mode in each path.
    func strengths() -> [[Double]] {
      network.paths.map { path in
        (matmul(matmul(output.swappedAxes(0, 1), path.product), input) * Tensor.eye(8)).sum(axis: 0).doubles
      }
    }
    let start = strengths()
    var equations = targets.indices.map { mode in
      MultiPathEquation(depth: depth, target: targets[mode], strengths: start.map { $0[mode] })
    }
    let steps = run.steps(1000)
    for step in 0..<steps {
      network.isOpen = [true, !deficit.contains(step)]
      let learning = network.parameters()
      let (_, gradients) = valueAndGradient(by: learning) {
        square(network(items) - wanted).sum() * 0.5
      }
      for (one, gradient) in zip(learning, gradients) { one.value = one.value - gradient * 0.01 }
      for mode in equations.indices { equations[mode].step(open: network.isOpen) }
      guard step % 20 == 19 else { continue }
      let found = strengths()
      for (mode, equation) in equations.enumerated() {
        for (path, expected) in equation.strengths.enumerated() {
          gap = max(gap, abs(found[path][mode] - expected) / targets[mode])
        }
      }
      try run.progress((Double(depth - 2) + Double(step + 1) / Double(steps)) / 3)
    }
  }
  return Claim.Check.Outcome(gap <= 0.05, found: String(format: "%.2g at most, at depths 2 to 4", gap))
}

// MARK: Completion

private let completionSize = 30

/// Which 300 entries are seen.
private func seenMask(_ random: inout RandomGenerator) -> Tensor {
  DeepMatrixCompletion.mask(size: completionSize, count: 300, using: &random)
}

private let depthOneKeepsNothing = Claim.Check(
  "At depth 1 hidden entries stay what they were, whatever is learned before."
) { run in
  var random = run.random("depth 1")
  let mask = seenMask(&random)
  let model = DeepMatrixCompletion(size: completionSize, depth: 1, using: &random)
  let before = model.product
  let target = DeepMatrixCompletion.target(size: completionSize, rank: 6, using: &random)
  try model.descend(to: target, mask: mask, rate: 0.5, steps: run.steps(1000))
  let change = abs((model.product - before) * (1 - mask)).max().item()
  return Claim.Check.Outcome(change == 0, found: "the largest change is \(change)")
}

/// Of four matrices, which one stack of models learns at once.
private func completionErrors(_ run: ClaimRun) throws -> ClaimResult {
  let before = Before(rawValue: run.arm) ?? .nothing, count = run.count(4, trial: 2)
  // The same targets, masks and first weights for every arm.
  let problems = (0..<count).map { matrix in
    var data = run.random("completion \(matrix)"), weights = run.random("weights \(matrix)")
    return (
      target: DeepMatrixCompletion.target(size: completionSize, rank: 2, using: &data),
      mask: seenMask(&data),
      earlier: DeepMatrixCompletion.target(
        size: completionSize, rank: before == .wrong ? 6 : 2, using: &data),
      model: DeepMatrixCompletion(size: completionSize, depth: 3, using: &weights)
    )
  }
  let target = stacked(problems.map(\.target)), earlier = stacked(problems.map(\.earlier))
  let mask = stacked(problems.map(\.mask)), model = problems[0].model
  for (place, layer) in model.layers.enumerated() {
    layer.value = stacked(problems.map { $0.model.layers[place].value })
  }
  /// Root mean squares over the entries of each matrix that `entries` has.
  func errors(to target: Tensor, at entries: Tensor) -> [Double] {
    sqrt((square(model.product - target) * entries).sum(axes: [1, 2]) / entries.sum(axes: [1, 2])).doubles
  }
  func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(count) }

  let long = before == .nothing ? 0 : run.steps(16_000), short = run.steps(6000), more = run.steps(10_000)
  var done = 0, metrics: [String: Double] = [:]
  func descend(to target: Tensor, _ steps: Int) throws {
    // The loss is a mean over all matrices: each of them learns at a rate of 0.5.
    try model.descend(to: target, mask: mask, rate: 0.5 * Double(count), steps: steps) { _ in
      done += 1
      if done % 100 == 0 { try run.progress(Double(done) / Double(long + short + more)) }
    }
  }
  try descend(to: earlier, long)
  if before != .nothing { metrics["error before"] = mean(errors(to: earlier, at: mask)) }
  try descend(to: target, short)
  let found = errors(to: target, at: 1 - mask)
  metrics["error"] = mean(found)
  metrics["completed"] = mean(found.map { $0 < 0.1 ? 1 : 0 })
  try descend(to: target, more)
  metrics["error after 16k"] = mean(errors(to: target, at: 1 - mask))
  return ClaimResult(metrics, parameters: model.parameterCount / count)
}

// MARK: Picture

private func criticalPeriodsPicture() -> Picture {
  let start = [0.01, 0.01]
  let panels = [1, 3].flatMap { depth in
    [("early", 0..<10), ("late", 750..<760)].map { name, deficit in
      let strengths = course(depth: depth, target: 10, strengths: start, steps: 1000, deficit: deficit)
      return Picture.Panel(
        "Depth \(depth), \(name) deficit of path b",
        .lines(
          x: "steps", y: "strength",
          [("path a", 0), ("path b", 1)].map { name, path in
            Picture.Series(name, strengths.map { $0[path] })
          }))
    }
  }
  let closing = Picture.Panel(
    "The period closes: final share of path b by when the deficit begins",
    .lines(
      x: "step at which a deficit of 10 steps begins", y: "share of path b",
      (1...4).map { depth in
        Picture.Series(
          "depth \(depth)",
          stride(from: 0, through: 200, by: 4).map { begin in
            let end =
              course(
                depth: depth, target: 10, strengths: start, steps: 1000, deficit: begin..<begin + 10
              ).last ?? start
            return Picture.Point(Double(begin), end[1] / (end[0] + end[1]))
          })
      }))
  return Picture(
    "A critical period closes",
    caption: "Two paths learn one feature of strength 10. While path b is closed, path a goes on; what it "
      + "has gained by then it keeps, the more so the deeper the paths are.",
    panels: [closing] + panels)
}
