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
  /// 20 bits, 5 % of them flipped.
  ///
  /// Bags: 16 instances of 8 bits, 8 signals, one of them in half of the bags; 3,000 steps on 32 fresh bags and
  /// 2,048 to judge by, so that nothing is learned by heart but signals. The same instance network stands in
  /// front of each pooling (8, 32, 16 units), widened to 80 units where the pooling has no parameters. Attention
  /// pooling is that of Ilse et al. 2018, with 34 gated units. It and the largest value are rivals that nobody
  /// claims to lead; what they reach is said.
  static let modernHopfield = Claim(
    of: ModernHopfield.card,
    sentence: "One update of a modern Hopfield network retrieves a stored pattern, and pooling by retrieval "
      + "finds the one instance of a bag that matters, where a mean does not.",
    paperFigure: "exponential capacity in theory; best on 3 of 4 multiple-instance data sets",
    experiment: "Retrieval of noisy patterns on a sphere, N = 10 to 10,000; bags of 16 bit patterns with one "
      + "signal, fresh at every step, by four poolings.",
    arms: [
      Arm("hopfield", "Hopfield pooling", .mechanism), Arm("mean", "Mean pooling", .baseline),
      Arm("max", "Max pooling", .baseline), Arm("gated", "Gated attention pooling", .baseline),
      Arm("binary", "Binary Hopfield network, N = 20", .reference),
    ],
    metrics: [Metric("accuracy", chance: 0.5), Metric("retrieval")],
    criterion: Criterion(
      Condition(.measured("accuracy", of: "hopfield") - .measured("accuracy", of: "mean"), .leads(by: 0.03)),
      Condition(.measured("retrieval", of: "hopfield"), .isAtLeast(0.99)),
      Condition(.measured("retrieval", of: "binary"), .isAtMost(0.5)),
      // The task can be learned in so many steps.
      gates: [Condition(.measured("accuracy", of: "max"), .isAtLeast(0.8))]),
    matching: .parameters(within: 0.05),
    checks: [
      Check("No update of a noisy pattern, of N = 10 to 10,000, raises the energy.") { energyCheck($0) },
      Check("One update keeps to the bound of theorem 4 wherever patterns are separated enough for it.") {
        boundCheck($0)
      },
    ],
    tuning: Claim.Tuning(
      seeds: [100, 101, 102], trialsPerArm: 7,
      choice:
        "learning rates of 0.001, 0.003 and 0.01 for each pooling, with 16 and with 64 instances on seed 100, "
        + "and 0.03 with 64; taken were 16, as with 64 differences turn with the seed, and 0.01 for the mean, "
        + "0.003 for the others. The mean ran once more, at 0.005, and two poolings with 32 instances"),
    explanations: [
      .contradicted:
        "One update retrieves; but on fresh bags a mean with a tuned rate finds the instance that matters too "
        + "({accuracy(mean)}, retrieval {accuracy(hopfield)}, the largest value {accuracy(max)}, gated attention "
        + "{accuracy(gated)}): what spoke for retrieval in an earlier form of this claim were 1,024 fixed bags "
        + "and one rate for all. An error was looked for: retrieval that falls short has missed whole signals, "
        + "and where a mean has a harder time, with 64 instances, it leads in one of three tuning seeds only. "
        + "That may be our scale: the largest bags of the paper hold hundreds of thousands of instances."
    ],
    picture: { _ in hopfieldPicture() }
  ) { run in
    if run.arm == "binary" {
      return ClaimResult(["retrieval": binaryRetrieval(run)], parameters: 0)
    }
    let network = try BagNetwork(run)
    var metrics = ["accuracy": try network.accuracy(run)]
    if run.arm == "hopfield" { metrics["retrieval"] = sphereRetrieval(run) }
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

/// For each N the theory of N patterns, the first 1,000 of them, and these with noise.
private func noisyPatterns(_ run: ClaimRun) -> [(theory: HopfieldEnergy, patterns: Tensor, states: Tensor)] {
  var random = run.random("sphere")
  return [10, 100, 1000, run.count(10_000, trial: 1000)].map { count in
    let patterns = sphere(count, using: &random)
    let theory = HopfieldEnergy(patterns, beta: 1)
    let chosen = patterns.sliced(axis: 0, to: min(count, 1000))
    let noise = onSphere(random.normal(chosen.shape, dtype: .float64), radius: 0.05 * theory.largestNorm)
    return (theory, chosen, chosen + noise)
  }
}

/// Share of the noisy patterns that one update brings back to less than the noise.
private func sphereRetrieval(_ run: ClaimRun) -> Double {
  let found = noisyPatterns(run).flatMap { theory, patterns, states in
    norms(theory.updated(states) - patterns).doubles.map { $0 < 0.05 * theory.largestNorm }
  }
  return Double(found.count { $0 }) / Double(found.count)
}

private func energyCheck(_ run: ClaimRun) -> Claim.Check.Outcome {
  let rises = noisyPatterns(run).flatMap { theory, _, states in
    // Rounding errors of sums of a few hundred are not a rise.
    (theory.energy(theory.updated(states)) .> theory.energy(states) + 1e-9).doubles
  }
  let risen = rises.count { $0 > 0 }
  return .init(risen == 0, found: "it rose in \(risen) of \(rises.count) states")
}

private func boundCheck(_ run: ClaimRun) -> Claim.Check.Outcome {
  var (spoken, broken) = (0, 0)
  for (theory, patterns, states) in noisyPatterns(run) {
    let fixed = theory.fixedPoint(from: patterns), separation = theory.separation.doubles
    let misses = norms(theory.updated(states) - fixed).doubles, drift = norms(fixed - patterns).doubles
    for row in misses.indices where separation[row] >= theory.neededSeparation {
      spoken += 1
      let farthest = max(0.05 * theory.largestNorm, drift[row])
      if misses[row] > theory.retrievalBound(separation: separation[row], farthest: farthest) + 1e-9 {
        broken += 1
      }
    }
  }
  return .init(
    broken == 0 && spoken > 0, found: "broken in \(broken) of the \(spoken) patterns that it speaks of")
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
  private let retrieval: HopfieldPooling?
  private let attention: GatedAttentionPooling?
  private let head: Linear
  private let takesLargest: Bool

  init(_ run: ClaimRun) throws {
    var random = run.random("weights")
    let width = 16
    // About 1,200 numbers of a pooling become hidden units where it has none.
    let hidden = run.arm == "hopfield" || run.arm == "gated" ? 32 : 80
    up = Linear(8, hidden, using: &random)
    down = Linear(hidden, width, using: &random)
    retrieval =
      run.arm == "hopfield"
      ? try HopfieldPooling(HopfieldPooling.Settings(), in: Slot(width: width, tokens: 16), using: &random)
      : nil
    attention = run.arm == "gated" ? GatedAttentionPooling(width: width, units: 34, using: &random) : nil
    head = Linear(width, 2, using: &random)
    takesLargest = run.arm == "max"
  }

  func forward(_ x: Tensor) -> Tensor {
    let instances = down(relu(up(x)))
    if let retrieval { return head(retrieval(instances).squeezed(axis: 1)) }
    if let attention { return head(attention(instances)) }
    return head(takesLargest ? instances.max(axis: 1) : instances.mean(axis: 1))
  }

  /// Trains on fresh bags of this run's seed and judges by others.
  func accuracy(_ run: ClaimRun) throws -> Double {
    let steps = run.steps(quick: 3000, full: 12_000), size = 32
    let judged = run.count(2048, trial: 64)
    let bags = try BitPatternBags(training: steps * size, test: judged, seed: run.seed)
    let settings = FitSettings(steps: steps, learningRate: run.arm == "mean" ? 1e-2 : 3e-3)
    try fit(parameters(), settings, in: run) { step in
      let batch = bags.batch(.training, Array(step * size..<(step + 1) * size))
      return bags.objective.loss(self(batch.inputs), batch)
    }
    let test = bags.batch(.test, Array(0..<judged))
    return bags.objective.score(self(test.inputs), test).mean
  }
}

/// Pooling by gated attention (Ilse et al. 2018): instances h_k are averaged with the weights
/// softmax_k(w (tanh(V h_k) sigmoid(U h_k))), [batch, instances, width] -> [batch, width].
private final class GatedAttentionPooling: Layer {
  private let content: Linear
  private let gate: Linear
  private let score: Linear

  init(width: Int, units: Int, using random: inout RandomGenerator) {
    content = Linear(width, units, using: &random)
    gate = Linear(width, units, using: &random)
    // A bias would add the same to all scores.
    score = Linear(units, 1, bias: false, using: &random)
  }

  func forward(_ instances: Tensor) -> Tensor {
    let scores = score(tanh(content(instances)) * sigmoid(gate(instances)))
    return (softmax(scores, axis: 1) * instances).sum(axis: 1)
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
