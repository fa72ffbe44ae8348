import CallosumAnalysis
import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// Most discriminative stimuli for functional cell type clustering.
  ///
  /// 120 linear-nonlinear cells of six types (small and large ON and OFF, vertical and horizontal Gabor; sizes
  /// differ by 10 %, gains by a factor of e^0.3) answer 2,000 images with 1/f amplitudes by Poisson counts. A
  /// digital twin with one layer of 12 filters learns them, the same in every arm. All arms start from 10
  /// clusters and see the twin's responses z-scored by cell. Stimuli have norm 6, so that the best one drives a
  /// cell (whose filter has length 1) about as much as the strongest of the images, as far as the twin can
  /// know. Steps are 10 times the gradient; clusters are split and merged in 3 rounds at most.
  ///
  /// Settings were changed after runs, for reasons that need no types; the criterion never was. With the
  /// images' norm, 16, splits went on to 77 clusters, on answers that the twin makes up; with norm 6 to about
  /// 30, whether responses were z-scored or not, on errors of a twin that had learned too little (correlation
  /// with the true rates 0.96): on the cells themselves the same splits stop at 6 or 7. Its training was then
  /// chosen by the Poisson loss of other images and another population.
  ///
  /// k-means has two forms: on the twin's answers to 10 random 1/f images, which are free of noise, and on what
  /// the cells themselves answered, once each, to the 2,000 images that the twin learned, by the first 10
  /// principal components; both z-scored by cell. Nobody tells it the number of types, as nobody tells the
  /// others: of 2 to 15 clusters it takes those with the largest mean silhouette. What it finds when told is
  /// measured, and judged nowhere.
  ///
  /// One shot: 120 other cells answer each stimulus, or each of the 10 images, once, by Poisson counts, and are
  /// given the type of most cells of their cluster. Types score; nothing is chosen by them.
  static let mdsClustering = Claim(
    of: MDSClustering.card,
    sentence: "Clusters by stimuli that drive one cluster and no other recover functional cell types, and "
      + "tell new cells by one trial of each stimulus, better than stimuli that only drive their own and than "
      + "k-means on answers to random images.",
    paperFigure: "recovers functional types in mouse retina, marmoset retina and macaque V4",
    experiment:
      "120 linear-nonlinear cells of six types, a digital twin trained on single noisy trials of 2,000 "
      + "images, clustering; then other cells are told by one Poisson response to each stimulus.",
    arms: [
      Arm("mds", "Most discriminative stimuli", .mechanism),
      Arm("maximisation", "Stimuli that drive their own cluster (no log term)", .ablation),
      Arm("k-means", "k-means on the twin's answers to 10 random 1/f images", .baseline),
      Arm("k-means-trials", "k-means on single trials of 2,000 images", .baseline),
    ],
    metrics: [
      Metric("ARI", chance: 0), Metric("NMI"), Metric("one-shot accuracy", chance: 1.0 / 6),
      Metric("clusters"), Metric("ARI before splits", chance: 0), Metric("ARI told the number", chance: 0),
      Metric("twin's correlation"),
    ],
    criterion: Criterion(
      Condition(.measured("ARI", of: "mds"), .isAtLeast(0.9)),
      Condition(.measured("ARI", of: "mds") - .measured("ARI", of: "maximisation"), .leads(by: 0.1)),
      Condition(.measured("ARI", of: "mds") - .measured("ARI", of: "k-means"), .leads(by: 0.1)),
      Condition(.measured("ARI", of: "mds") - .measured("ARI", of: "k-means-trials"), .leads(by: 0.1)),
      Condition(
        .measured("one-shot accuracy", of: "mds") - .measured("one-shot accuracy", of: "k-means-trials"),
        .leads(by: 0.1)),
      gates: [Condition(.measured("twin's correlation", of: "mds"), .isAtLeast(0.95))]),
    matching: .stated(
      "All arms cluster the same cells, recorded once; all but one find clusters through the same twin."),
    tuning: Claim.Tuning(
      seeds: [100, 101, 102], trialsPerArm: 1,
      choice:
        "no setting was changed on these seeds; of the two forms of k-means that on single trials tells "
        + "new cells better, so that it is the rival there. Norm, ascent and the twin were set for an earlier "
        + "form of this claim, which judged seeds 1 to 3"),
    explanations: [
      .contradicted:
        "The types are found ({ARI(mds)}), but k-means finds them as well on principal components of the "
        + "very trials that the twin learned ({ARI(k-means-trials)}): our six types are linear and far apart, "
        + "so that nothing needs a twin to see them, which speaks for our scale. What optimised stimuli add is "
        + "that a few of them tell new cells: {one-shot accuracy(mds)}, against "
        + "{one-shot accuracy(k-means-trials)} by ten random images and the types that k-means found."
    ],
    picture: { try clusteringPicture($0) }
  ) { run in
    let world = try CellWorld(run, share: 0...0.5)
    var metrics = ["twin's correlation": world.correlation]
    let found: Types
    if run.arm.hasPrefix("k-means") {
      (found, metrics["ARI told the number"]) = try kMeansTypes(world, run)
    } else {
      let (outcome, first) = try discriminated(world, run)
      found = Types(outcome, world)
      metrics["ARI before splits"] = adjustedRandIndex(first.assignment, world.labels)
    }
    metrics["ARI"] = adjustedRandIndex(found.assignment, world.labels)
    metrics["NMI"] = normalisedMutualInformation(found.assignment, world.labels)
    metrics["clusters"] = Double(Set(found.assignment).count)
    metrics["one-shot accuracy"] = try oneShotAccuracy(found, world, run)
    return ClaimResult(metrics, parameters: world.twin.parameterCount)
  }
}

// MARK: Cells and their twin

private struct CellWorld {
  let population: CellPopulation
  let twin: DigitalTwin
  /// Mean over cells of the correlation of the twin's rates with the true ones, for images it did not learn.
  let correlation: Double
  var labels: [Int] { population.types.map(\.rawValue) }
  /// What the cells answered to the images that the twin learned, once each, [images, cells].
  let counts: Tensor
  /// The twin, and by what its responses are compared between cells: their mean and standard deviation over
  /// the images that it learned.
  let model: ResponseModel

  init(_ run: ClaimRun, share: ClosedRange<Double>) throws {
    population = try CellPopulation(seed: run.seed)
    let recording = try population.recording(training: run.count(2000, trial: 100), seed: run.seed)
    var weights = run.random("twin"), order = run.random("order")
    var settings = DigitalTwin.Settings()
    (settings.channels, settings.kernels) = ([12], [9])
    let twin = try DigitalTwin(
      settings, rows: population.size, columns: population.size, channels: 1,
      cells: population.types.count, using: &weights)
    let count = recording.count(.training) ?? 0, size = 50
    let all = recording.batch(.training, Array(0..<count))
    twin.start(from: all.targets.mean(axis: 0) + 0.01)
    var rest: [Int] = []
    var plan = FitSettings(steps: run.steps(quick: 16 * count / size, full: 60 * count / size))
    (plan.learningRate, plan.weightDecay) = (0.04, 0)
    try fit(twin.parameters(), plan, in: run, share: share) { _ in
      if rest.isEmpty { rest = (0..<count).shuffled(using: &order) }
      let chosen = Tensor(rest.suffix(size).map(Int32.init))
      rest.removeLast(size)
      let rates = twin(all.inputs.take(chosen))
      return poissonLoss(predictions: rates, targets: all.targets.take(chosen)) + twin.sparsity * 0.03
        + twin.roughness * 0.003
    }
    (self.twin, counts) = (twin, all.targets)
    var model = ResponseModel(twin, stimulusShape: [population.size, population.size, 1])
    let seen = twin(all.inputs)
    (model.subtracted, model.divisor) = (seen.mean(axis: 0), sqrt(seen.variance(axis: 0)))
    self.model = model
    let images = recording.batch(.test, Array(0..<(recording.count(.test) ?? 0))).inputs
    correlation = meanCorrelation(twin(images), population.responses(to: images))
  }
}

/// Of the columns of [images, cells].
private func meanCorrelation(_ a: Tensor, _ b: Tensor) -> Double {
  func standard(_ x: Tensor) -> Tensor {
    (x - x.mean(axis: 0, keepDims: true)) / sqrt(x.variance(axis: 0, keepDims: true) + 1e-12)
  }
  return (standard(a) * standard(b)).mean().item()
}

// MARK: Clusters

private func clusteringSettings(_ run: ClaimRun) -> MDSClustering.Settings {
  var settings = MDSClustering.Settings()
  settings.contrasts = run.arm != "maximisation"
  (settings.clusters, settings.norm, settings.learningRate) = (10, 6, 10)
  settings.rounds = run.count(3, trial: 1)
  settings.steps = run.steps(settings.steps)
  settings.partIterations = run.steps(settings.partIterations)
  return settings
}

/// What the whole procedure finds, and what its first loop alone does.
private func discriminated(
  _ world: CellWorld, _ run: ClaimRun
) throws -> (found: MDSClustering.Outcome, first: MDSClustering.Outcome) {
  let subject = MDSClustering.Subject(world.model, using: run.random("clusters"))
  var settings = clusteringSettings(run)
  let found = try MDSClustering(settings).run(subject)
  try run.progress(0.9)
  (settings.rounds, settings.finalSteps) = (0, 0)
  return (found, try MDSClustering(settings).run(subject))
}

/// Clusters of cells, and how another cell is told to be of one.
private struct Types {
  let assignment: [Int]
  /// What is shown, [count, height, width, 1].
  let stimuli: Tensor
  /// From responses [cells, count].
  let assign: (Tensor) -> [Int]

  init(assignment: [Int], stimuli: Tensor, assign: @escaping (Tensor) -> [Int]) {
    (self.assignment, self.stimuli, self.assign) = (assignment, stimuli, assign)
  }

  init(_ outcome: MDSClustering.Outcome, _ world: CellWorld) {
    self.init(assignment: outcome.assignment, stimuli: outcome.stimuli, assign: MDSClustering.assign)
  }
}

/// Types by k-means, with how another cell is told to be of one: by the nearest of the types' mean answers, as
/// the twin has them, to 10 random images. And the adjusted Rand index of as many clusters as there are types.
private func kMeansTypes(_ world: CellWorld, _ run: ClaimRun) throws -> (Types, told: Double) {
  var random = run.random("images")
  let images = world.population.images(10, using: &random)
  let answers = standardised(world.twin(images).swappedAxes(0, 1))
  let points: Tensor
  if run.arm == "k-means" {
    points = answers
  } else {
    // Silhouettes of 2,000 noisy numbers a cell would tell next to nothing.
    let trials = standardised(world.counts.swappedAxes(0, 1))
    points = try PCA(trials, components: 10).transform(trials)
  }
  let told = try KMeans(points, clusters: CellPopulation.CellType.allCases.count, using: &random)
  let assignment = try mostSeparate(points, using: &random)
  let weights = Discriminability.weights(
    Tensor(assignment.map(Int32.init)), clusters: (assignment.max() ?? 0) + 1)
  let means = matmul(weights, answers.asType(.float64))
  let types = Types(assignment: assignment, stimuli: images) { responses in
    squaredDistances(standardised(responses).asType(.float64), means).argMin(axis: 1).doubles.map { Int($0) }
  }
  return (types, adjustedRandIndex(told.assignment, world.labels))
}

/// Of k-means with 2 to 15 clusters that with the largest mean silhouette (Rousseeuw 1987).
private func mostSeparate(_ points: Tensor, using random: inout RandomGenerator) throws -> [Int] {
  let points = points.asType(.float64)
  let distances = sqrt(maximum(squaredDistances(points, points), 0))
  var best = (silhouette: -Double.infinity, assignment: [Int]())
  for clusters in 2...15 {
    let found = try KMeans(points, clusters: clusters, using: &random).assignment
    let value = silhouette(distances, found, clusters: clusters)
    if value > best.silhouette { best = (value, found) }
  }
  return best.assignment
}

/// The mean over points of (b - a) / max(a, b): a is the mean distance to the others of its cluster, b that to
/// the nearest other cluster; 0 for a point alone in its cluster.
private func silhouette(_ distances: Tensor, _ assignment: [Int], clusters: Int) -> Double {
  let belongs = Tensor(assignment.map(Int32.init)).oneHot(count: clusters, dtype: .float64)
  let sums = matmul(distances, belongs).doubles, sizes = belongs.sum(axis: 0).doubles
  let values = assignment.indices.map { point -> Double in
    let row = Array(sums[point * clusters..<(point + 1) * clusters]), own = assignment[point]
    guard sizes[own] > 1 else { return 0 }
    let a = row[own] / (sizes[own] - 1)
    let others = (0..<clusters).filter { $0 != own && sizes[$0] > 0 }.map { row[$0] / sizes[$0] }
    guard let b = others.min(), max(a, b) > 0 else { return 0 }
    return (b - a) / max(a, b)
  }
  return values.reduce(0, +) / Double(values.count)
}

/// Between the rows of `a` and those of `b`.
private func squaredDistances(_ a: Tensor, _ b: Tensor) -> Tensor {
  let products = matmul(a, b.swappedAxes(0, 1)) * 2
  return square(a).sum(axis: 1, keepDims: true) + square(b).sum(axis: 1) - products
}

/// Each row with mean 0 and standard deviation 1.
private func standardised(_ rows: Tensor) -> Tensor {
  (rows - rows.mean(axis: 1, keepDims: true)) / sqrt(rows.variance(axis: 1, keepDims: true) + 1e-6)
}

/// How many of 120 other cells get their type by one Poisson response to each stimulus.
private func oneShotAccuracy(_ types: Types, _ world: CellWorld, _ run: ClaimRun) throws -> Double {
  let others = try CellPopulation(seed: run.seed + 1000)
  var random = run.random("one shot")
  let counts = CellPopulation.spikes(others.responses(to: types.stimuli), using: &random)
  var votes: [Int: [Int: Int]] = [:]
  for (cluster, label) in zip(types.assignment, world.labels) {
    votes[cluster, default: [:]][label, default: 0] += 1
  }
  let names = votes.mapValues { votes in votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key }
  let told = types.assign(counts.swappedAxes(0, 1)).map { names[$0] ?? nil }
  let right = zip(told, others.types).count { $0 == $1.rawValue }
  return Double(right) / Double(told.count)
}

// MARK: Picture

private func clusteringPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let run = ClaimRun(arm: "mds", seed: 1, budget: .quick, observer: observer)
  let world = try CellWorld(run, share: 0...1)
  let found = try discriminated(world, run).found
  let side = world.population.size
  let stimuli = (0..<found.clusters).map { cluster -> Picture.Panel in
    let pixels = found.stimuli.sliced(axis: 0, from: cluster, to: cluster + 1).doubles
    let largest = pixels.map(abs).max() ?? 1
    let rows = (0..<side).map { Array(pixels[($0 * side)..<(($0 + 1) * side)]) }
    let size = found.assignment.count { $0 == cluster }
    return .init(
      "Stimulus \(cluster + 1), \(size) cells",
      .grid(x: "column", y: "row", rows, range: -largest...largest))
  }
  // Cells by cluster; each by its largest response, as gains differ. Rows are as high as can be seen.
  let order = found.assignment.indices.sorted {
    (found.assignment[$0], $0) < (found.assignment[$1], $1)
  }
  let responses = found.responses.take(Tensor(order.map(Int32.init)), axis: 1)
  let shares = (responses / responses.max(axis: 0, keepDims: true)).doubles
  let rows = (0..<found.clusters).flatMap { stimulus in
    let row = Array(shares[(stimulus * order.count)..<((stimulus + 1) * order.count)])
    return [[Double]](repeating: row, count: 8)
  }
  return Picture(
    "What tells cells apart",
    caption: "The stimulus of each cluster (red is bright light), and what every cell answers to each of "
      + "them, as a share of its largest response. Cells are sorted by cluster: each answers the stimulus of "
      + "its own most.",
    panels: stimuli
      + [
        .init(
          "Responses", .grid(x: "cell, by cluster", y: "stimulus, 8 rows each", rows, range: 0...1))
      ])
}
