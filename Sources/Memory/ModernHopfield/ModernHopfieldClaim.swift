import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// Hopfield Networks is All You Need: one update retrieves, and pooling by retrieval finds the one
  /// instance of a bag that matters.
  ///
  /// Retrieval: patterns uniform on a sphere of radius M = 2 sqrt(19) in 20 dimensions, beta 1, noise of
  /// length 0.05 M, N from 10 to 10,000; the binary outer-product network (Hopfield 1982) with 20 patterns of
  /// 20 bits, 5 % of them flipped. Bags: 16 instances of 8 bits, 8 signals, 1,024 bags to learn from and 512
  /// to judge by; the same instance network in front of each pooling, widened for equal parameters.
  static let modernHopfield = Claim(
    of: ModernHopfield.card,
    sentence: "One update of a modern Hopfield network retrieves a stored pattern, and pooling by retrieval "
      + "finds the one instance of a bag that matters.",
    paperFigure: "exponential capacity in theory; best on 3 of 4 multiple-instance data sets",
    experiment: "Retrieval of noisy patterns on a sphere, N = 10 to 10,000, against the energy and the "
      + "bound of theorem 4; bags of bit patterns with one signal, by three poolings.",
    arms: [
      Arm("hopfield", "Hopfield pooling", .mechanism), Arm("mean", "Mean pooling", .baseline),
      Arm("max", "Max pooling", .baseline), Arm("binary", "Binary Hopfield network, N = 20", .reference),
    ],
    metrics: [
      Metric("accuracy", chance: 0.5), Metric("retrieval"),
      Metric("energy rises", higherIsBetter: false), Metric("bound broken", higherIsBetter: false),
    ],
    criterion: Criterion(
      Condition(.measured("accuracy", of: "hopfield") - .measured("accuracy", of: "mean"), .leads(by: 0.03)),
      Condition(.measured("retrieval", of: "hopfield"), .isAtLeast(0.99)),
      Condition(.measured("energy rises", of: "hopfield"), .isAtMost(0)),
      Condition(.measured("bound broken", of: "hopfield"), .isAtMost(0)),
      Condition(.measured("retrieval", of: "binary"), .isAtMost(0.5))),
    matching: .parameters(within: 0.05),
    picture: { _ in hopfieldPicture() }
  ) { run in
    if run.arm == "binary" {
      return ClaimResult(["retrieval": binaryRetrieval(run)], parameters: 0)
    }
    var metrics: [String: Double] = [:]
    if run.arm == "hopfield" { metrics = try sphereRetrieval(run) }
    let share = run.arm == "hopfield" ? 0.5...1.0 : 0.0...1.0
    let network = try BagNetwork(run)
    metrics["accuracy"] = try network.accuracy(run, share: share)
    return ClaimResult(
      metrics, parameters: network.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates { _ = network(Tensor.zeros([1, 16, 8])) })
  }
}

// MARK: Retrieval

/// `count` points on the sphere of radius 2 sqrt(dimension - 1), uniform.
private func sphere(_ count: Int, using random: inout RandomGenerator) -> Tensor {
  onSphere(random.normal([count, 20], dtype: .float64), radius: 2 * 19.0.squareRoot())
}

private func onSphere(_ points: Tensor, radius: Double) -> Tensor {
  points / norms(points) * radius
}

private func norms(_ points: Tensor) -> Tensor { sqrt(square(points).sum(axis: 1, keepDims: true)) }

/// Share of the noisy patterns that one update brings back, and how often the energy rose or the bound of
/// theorem 4 was broken, over all N.
private func sphereRetrieval(_ run: ClaimRun) throws -> [String: Double] {
  var random = run.random("sphere")
  var (tried, found, rises, broken) = (0, 0, 0, 0)
  let sizes = [10, 100, 1000, run.count(10_000, trial: 1000)]
  for (step, count) in sizes.enumerated() {
    let patterns = sphere(count, using: &random)
    let theory = HopfieldEnergy(patterns, beta: 1)
    let radius = theory.largestNorm
    let separation = theory.separation.doubles
    for start in stride(from: 0, to: count, by: 1000) {
      let chosen = patterns.sliced(axis: 0, from: start, to: min(start + 1000, count))
      let noise = onSphere(random.normal(chosen.shape, dtype: .float64), radius: 0.05 * radius)
      let states = chosen + noise, updated = theory.updated(states)
      let fixed = theory.fixedPoint(from: chosen)
      // Rounding errors of sums of a few hundred are not a rise.
      rises += (theory.energy(updated) .> theory.energy(states) + 1e-9).doubles.count { $0 > 0 }
      let errors = norms(updated - chosen).doubles
      tried += errors.count
      found += errors.count { $0 < 0.05 * radius }
      let misses = norms(updated - fixed).doubles, drift = norms(fixed - chosen).doubles
      for row in errors.indices where separation[start + row] >= theory.neededSeparation {
        let bound = theory.retrievalBound(
          separation: separation[start + row], farthest: max(0.05 * radius, drift[row]))
        if misses[row] > bound + 1e-9 { broken += 1 }
      }
    }
    try run.progress(0.5 * Double(step + 1) / Double(sizes.count))
  }
  return [
    "retrieval": Double(found) / Double(tried), "energy rises": Double(rises), "bound broken": Double(broken),
  ]
}

/// The network of Hopfield 1982 with 20 patterns of 20 bits, weights by outer products, zero diagonal: the
/// share of patterns with one flipped bit that come back whole, units updated in turn until none changes.
private func binaryRetrieval(_ run: ClaimRun) -> Double {
  var random = run.random("bits")
  let (count, size, worlds) = (20, 20, 20)
  var found = 0
  for _ in 0..<worlds {
    let patterns = (0..<count).map { _ in
      (0..<size).map { _ in Bool.random(using: &random) ? 1.0 : -1.0 }
    }
    var weights = [[Double]](repeating: [Double](repeating: 0, count: size), count: size)
    for pattern in patterns {
      for i in 0..<size { for j in 0..<size where i != j { weights[i][j] += pattern[i] * pattern[j] } }
    }
    for pattern in patterns {
      var state = pattern
      state[Int.random(in: 0..<size, using: &random)] *= -1
      var isMoving = true
      while isMoving {
        isMoving = false
        for i in 0..<size {
          let field = zip(weights[i], state).map(*).reduce(0, +)
          // A field of zero leaves the unit as it is, so the energy falls with every change.
          if field * state[i] < 0 {
            state[i] *= -1
            isMoving = true
          }
        }
      }
      if state == pattern { found += 1 }
    }
  }
  return Double(found) / Double(count * worlds)
}

// MARK: Bags

/// An instance network, a pooling, and a decision: [batch, instances, bits] -> [batch, 2].
private final class BagNetwork: Layer {
  private let up: Linear
  private let down: Linear
  private let pooling: HopfieldPooling?
  private let head: Linear
  private let takesLargest: Bool

  init(_ run: ClaimRun) throws {
    var random = run.random("weights")
    let width = 16
    // 1,200 numbers of the Hopfield pooling become hidden units of the others.
    let hidden = run.arm == "hopfield" ? 32 : 80
    up = Linear(8, hidden, using: &random)
    down = Linear(hidden, width, using: &random)
    pooling =
      run.arm == "hopfield"
      ? try HopfieldPooling(HopfieldPooling.Settings(), in: Slot(width: width, tokens: 16), using: &random)
      : nil
    head = Linear(width, 2, using: &random)
    takesLargest = run.arm == "max"
  }

  func forward(_ x: Tensor) -> Tensor {
    let instances = down(relu(up(x)))
    if let pooling { return head(pooling(instances).squeezed(axis: 1)) }
    return head(takesLargest ? instances.max(axis: 1) : instances.mean(axis: 1))
  }

  /// Trains on the bags of this run's seed and judges.
  func accuracy(_ run: ClaimRun, share: ClosedRange<Double>) throws -> Double {
    let bags = try BitPatternBags(seed: run.seed)
    var order = run.random("order")
    let settings = FitSettings(steps: run.steps(quick: 2000, full: 8000), learningRate: 2e-3)
    try fit(parameters(), settings, in: run, share: share) { _ in
      let batch = bags.batch(.training, (0..<32).map { _ in Int.random(in: 0..<1024, using: &order) })
      return bags.objective.loss(self(batch.inputs), batch)
    }
    let judged = bags.batch(.test, Array(0..<512))
    return bags.objective.score(self(judged.inputs), judged).mean
  }
}

// MARK: Picture

private func hopfieldPicture() -> Picture {
  var random = RandomGenerator(seed: 1).stream("picture")
  let patterns = sphere(50, using: &random)
  let radius = 2 * 19.0.squareRoot()
  var energies: [Picture.Series] = [], distances: [Picture.Series] = []
  let betas = [0.02, 0.05, 0.2, 1.0]
  let noise = onSphere(random.normal([1, 20], dtype: .float64), radius: 0.6 * radius)
  for beta in betas {
    let theory = HopfieldEnergy(patterns, beta: beta)
    let target = patterns.sliced(axis: 0, from: 0, to: 1)
    var state = target + noise
    var (energy, distance): ([Double], [Double]) = ([], [])
    for _ in 0...8 {
      energy.append(theory.energy(state).item())
      distance.append(norms(state - target).item() / radius)
      state = theory.updated(state)
    }
    energies.append(Picture.Series("beta \(beta)", energy))
    distances.append(Picture.Series("beta \(beta)", distance))
  }
  return Picture(
    "A modern Hopfield network retrieves",
    caption: "A pattern of 50 is shown with noise of 0.6 times its length. With a large beta one update "
      + "brings it back; with a small one the state sinks to a mixture of many patterns.",
    panels: [
      .init("Energy over updates", .lines(x: "updates", y: "energy", energies)),
      .init(
        "Distance to the stored pattern", .lines(x: "updates", y: "in lengths of a pattern", distances)),
    ])
}
