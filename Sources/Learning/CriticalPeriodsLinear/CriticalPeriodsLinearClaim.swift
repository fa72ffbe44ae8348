import CallosumContracts
import CallosumNetworks
import CallosumTensors

extension Claim {
  /// Critical Learning Periods Emerge Even in Deep Linear Networks.
  ///
  /// Equation: target 10, strengths 0.01, Euler's step 0.01, 1,000 steps, a deficit of one path of 10 steps at
  /// step 0 or at step 750. Networks: width 32, on the binary tree of 8 items and 15 features, the same
  /// deficit of 150 steps at 0, compared with the equation of each mode over the whole course. Completion: a
  /// 30 x 30 matrix, 300 entries seen, rank 6 until the switch, then rank 2 for 6,000 steps, rate 0.5.
  static let criticalPeriodsLinear = Claim(
    of: CriticalPeriodsLinear.card,
    sentence: "In deep linear networks an early deficit gives a feature to the other path for good, more so "
      + "with depth, a late one does not; long learning of the wrong rank damages what follows.",
    paperFigure: "critical periods that lengthen with depth, in theory and simulation",
    experiment: "The reduced equation, networks of width 32 against it, and matrix completion with a "
      + "switch of rank after 0, 1,000, 4,000 or 16,000 steps.",
    arms: [
      Arm("equation", "Reduced equation", .mechanism), Arm("network", "Networks of width 32", .reference),
      Arm("completion", "Matrix completion", .reference),
    ],
    metrics: [
      Metric("share at depth 1", chance: 0.5), Metric("share at depth 2", chance: 0.5),
      Metric("share at depth 3", chance: 0.5), Metric("share at depth 4", chance: 0.5),
      Metric("late share off 1/2", higherIsBetter: false),
      Metric("gap to equation", higherIsBetter: false),
      Metric("error ratio 1k"), Metric("error ratio 4k"), Metric("error ratio 16k"),
      Metric("error ratio 16k, depth 1"), Metric("error ratio 16k, depth 2"),
    ],
    criterion: Criterion(
      Condition(share(1) - share(2), .isAtLeast(0.001)),
      Condition(share(2) - share(3), .isAtLeast(0.001)),
      Condition(share(3) - share(4), .isAtLeast(0.001)),
      Condition(.measured("late share off 1/2", of: "equation"), .isAtMost(0.01)),
      Condition(.measured("gap to equation", of: "network"), .isAtMost(0.05)),
      Condition(.measured("error ratio 16k", of: "completion"), .isAtLeast(1.5))),
    matching: .stated("The arms are three views of one theory, not rivals."),
    picture: { _ in criticalPeriodsPicture() }
  ) { run in
    switch run.arm {
    case "equation": return ClaimResult(equationShares(), parameters: 2)
    case "network": return try networkGap(run)
    default: return try completionErrors(run)
    }
  }
}

private func share(_ depth: Int) -> Quantity { .measured("share at depth \(depth)", of: "equation") }

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

/// The final share of path b with an early deficit by depth, and how far a late one leaves it from 1/2.
private func equationShares() -> [String: Double] {
  var metrics: [String: Double] = [:]
  var late = 0.0
  for depth in 1...4 {
    func final(_ deficit: Range<Int>) -> Double {
      let end = course(depth: depth, target: 10, strengths: [0.01, 0.01], steps: 1000, deficit: deficit)
      return (end.last.map { $0[1] / ($0[0] + $0[1]) }) ?? 0
    }
    metrics["share at depth \(depth)"] = final(0..<10)
    late = max(late, abs(final(750..<760) - 0.5))
  }
  metrics["late share off 1/2"] = late
  return metrics
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
private func networkGap(_ run: ClaimRun) throws -> ClaimResult {
  var random = run.random("network")
  let factors = svd(binaryTree)
  let targets = factors.s.doubles, output = factors.u, input = factors.vt.swappedAxes(0, 1)
  let items = Tensor.eye(8).reshaped(1, 8, 8)
  let wanted = binaryTree.swappedAxes(0, 1).reshaped(1, 8, 15)
  let deficit: Range<Int> = 0..<150
  var gap = 0.0, parameters = 0
  for depth in 2...4 {
    var settings = CriticalPeriodsLinear.Settings()
    settings.depth = depth
    let network = try CriticalPeriodsLinear(
      settings, in: Slot(width: 8, outputWidth: 15, tokens: 8), using: &random)
    parameters = network.parameterCount
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
  return ClaimResult(["gap to equation": gap], parameters: parameters)
}

// MARK: Completion

private func completionErrors(_ run: ClaimRun) throws -> ClaimResult {
  let (size, after) = (30, run.steps(6000))
  var metrics: [String: Double] = [:]
  let switches = [0, 1000, 4000, 16_000]
  let plan = [(3, switches), (2, [0, 16_000]), (1, [0, 16_000])]
  let total = Double(plan.flatMap { $0.1 }.map { run.steps($0) + after }.reduce(0, +))
  var done = 0.0, parameters = 0
  for (depth, times) in plan {
    var errors: [Int: Double] = [:]
    for time in times {
      // The same targets, mask and first weights for every switch.
      var data = run.random("completion"), weights = run.random("weights \(depth)")
      let early = DeepMatrixCompletion.target(size: size, rank: 6, using: &data)
      let late = DeepMatrixCompletion.target(size: size, rank: 2, using: &data)
      let mask = DeepMatrixCompletion.mask(size: size, count: 300, using: &data)
      let model = DeepMatrixCompletion(size: size, depth: depth, using: &weights)
      parameters = max(parameters, model.parameterCount)
      for (target, steps) in [(early, run.steps(time)), (late, after)] {
        try model.descend(to: target, mask: mask, rate: 0.5, steps: steps) { _ in
          done += 1
          try run.progress(done / total)
        }
      }
      errors[time] = model.error(to: late, hiddenBy: mask)
    }
    guard let without = errors[0] else { continue }
    let suffix = depth == 3 ? "" : ", depth \(depth)"
    for time in times.dropFirst() {
      metrics["error ratio \(time / 1000)k\(suffix)"] = (errors[time] ?? .nan) / without
    }
  }
  return ClaimResult(metrics, parameters: parameters)
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
