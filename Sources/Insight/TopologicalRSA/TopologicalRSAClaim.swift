import CallosumAnalysis
import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTasks
import CallosumTensors

extension Claim {
  /// The Topology and Geometry of Neural Representations.
  ///
  /// Eight instances of a network of five layers (16, 32 and 64 channels, 128 units, 10 classes) learn 3,000
  /// images of Fashion-MNIST, the same for all, for 2 epochs from other weights and in another order. 60 test
  /// images are the stimuli; codes are compared by correlation, as in the paper's recordings, with Gaussian
  /// noise of 0, 1, 2 and 3 standard deviations of their layer, drawn 8 times. Each code is given to the
  /// layer with the nearest centroid over the other instances. RDM: the correlation distances; ranks: their
  /// ranks, which is RGTM(0, 1); RGTM(0.2, 0.8); RGDM(0, 0.5). A seed has its own instances and stimuli.
  ///
  /// Without noise all but RGDM are at the ceiling, at 1 RDM is, and at 4 RDM guesses: what decides are 2, the least
  /// at which nobody is at the ceiling, and 3, the most at which RDM is above chance. Ranks are a rival because the
  /// cuts are what makes RGTM more than ranks.
  static let topologicalRSA = Claim(
    of: TopologicalRSA.card,
    sentence: "Statistics that keep the topology of a code and drop much of its geometry tell layers apart "
      + "as well as dissimilarities do, and under noise better than those and than ranks.",
    paperFigure: "regions and layers identified about as well by RGTM as by RDM, in brains and networks",
    experiment: "Eight convolutional networks on Fashion-MNIST; the layer of a held-out instance's code is "
      + "found by RDM, ranks, RGTM and RGDM, with four levels of noise.",
    arms: [
      Arm("trained", "Trained networks", .mechanism), Arm("untrained", "Untrained networks", .reference),
      Arm("random", "Random codes", .reference),
    ],
    metrics: levels.flatMap { level in Named.allCases.map { Metric($0.metric(level), chance: 0.2) } }
      + [Metric("accuracy of the networks", chance: 0.1)],
    criterion: Criterion(
      Condition(trained(.rgtm, 2) - trained(.rdm, 2), .matches(within: 0.02)),
      Condition(trained(.rgtm, 3) - trained(.rdm, 3), .isAtLeast(0)),
      Condition(trained(.rgtm, 3) - trained(.ranks, 3), .leads(by: 0.02)),
      gates: [
        Condition(.measured("accuracy of the networks", of: "trained"), .isAtLeast(0.6)),
        Condition(trained(.rdm, 2), .isAtMost(0.95)),
        Condition(trained(.rdm, 3), .isAtLeast(0.25)),
        Condition(trained(.ranks, 3), .isAtMost(0.95)),
      ]),
    matching: .stated("All statistics judge the same codes; the arms differ in where codes come from."),
    tuning: Tuning(
      seeds: [100, 101, 102], trialsPerArm: 1,
      choice:
        "levels of noise from 0 to 4 were looked at for which of them leave nobody at the ceiling or at chance; "
        + "no statistic has a setting that was chosen, RGTM(0.2, 0.8) and RGDM(0, 0.5) were fixed before"),
    explanations: [
      .contradicted:
        "For the paper speaks that RGTM finds {RGTM, noise 3(trained)} of the layers where RDM finds "
        + "{RDM, noise 3(trained)}; but ranks alone find {ranks, noise 3(trained)}, so that ranking makes what is "
        + "gained and the cuts add nothing, and at one standard deviation RDM is ahead, {RDM, noise 1(trained)} to "
        + "{RGTM, noise 1(trained)}. An error was looked for and not found: all transforms agree with the authors' "
        + "code to 1e-9, and of six other pairs of cuts none was ahead of ranks by more than 0.018 from any seed of "
        + "tuning."
    ],
    picture: { try topologicalPicture($0) }
  ) { run in
    let task = try FashionMNISTTask()
    var random = run.random("stimuli")
    let stimuli = task.batch(.test, random.distinct(60, of: task.testCount).sorted()).inputs
    var codes: [[Tensor]] = []
    var (parameters, right) = (0, 0.0)
    let instances = run.count(8, trial: 3)
    let judged = task.testBatch(0..<run.count(1000, trial: 20))
    for instance in 0..<instances {
      let share = Double(instance) / Double(instances)...Double(instance + 1) / Double(instances)
      let network = try instanceNetwork(instance, task, run, share: share)
      parameters = network.parameterCount
      let layers = layerCodes(network, stimuli)
      codes.append(run.arm == "random" ? layers.map { random.normal($0.shape) } : layers)
      right += task.objective.score(network(judged.inputs), judged).mean / Double(instances)
      try run.progress(share.upperBound)
    }
    var metrics = try identified(codes, noise: run.random("noise"))
    // Random codes are of no network.
    if run.arm != "random" { metrics["accuracy of the networks"] = right }
    return ClaimResult(metrics, parameters: run.arm == "random" ? 0 : parameters)
  }
}

/// Noise in standard deviations of the layer.
private let levels = [0, 1, 2, 3]

private func trained(_ statistic: Named, _ level: Int) -> Quantity {
  .measured(statistic.metric(level), of: "trained")
}

private enum Named: String, CaseIterable {
  case rdm = "RDM"
  case ranks, rgtm = "RGTM", rgdm = "RGDM"

  func metric(_ level: Int) -> String { "\(rawValue), noise \(level)" }
}

private func probe(_ lower: Double, _ upper: Double) throws -> TopologicalRSA {
  var settings = TopologicalRSA.Settings()
  (settings.dissimilarity, settings.lower, settings.upper) = (.correlation, lower, upper)
  return try TopologicalRSA(settings)
}

/// One of the eight networks, trained if the arm says so.
private func instanceNetwork(
  _ instance: Int, _ task: FashionMNISTTask, _ run: ClaimRun, share: ClosedRange<Double>
) throws -> TinyCNN {
  var weights = run.random("weights \(instance)"), order = run.random("order \(instance)")
  var choice = run.random("images")
  let network = TinyCNN(imageShape: task.imageShape, classes: task.classCount, using: &weights)
  guard run.arm == "trained" else { return network }
  let images = choice.distinct(3000, of: task.trainingCount)
  let size = 50, batches = images.count / size
  var shuffled: [Int] = []
  try fit(
    network.parameters(), FitSettings(steps: run.steps(quick: 2 * batches, full: 8 * batches)), in: run,
    share: share
  ) { _ in
    if shuffled.isEmpty { shuffled = order.distinct(images.count, of: images.count).map { images[$0] } }
    let batch = task.trainingBatch(Array(shuffled.suffix(size)))
    shuffled.removeLast(size)
    return task.objective.loss(network(batch.inputs), batch)
  }
  return network
}

/// What each layer makes of the images, [images, units].
private func layerCodes(_ network: TinyCNN, _ images: Tensor) -> [Tensor] {
  let names = network.layerNames
  let read = network.reading(names) { network(images) }.activations
  return names.compactMap { read[$0]?.first?.reshaped(images.dim(0), -1) }
}

/// Accuracies of all statistics at all levels of noise.
private func identified(_ codes: [[Tensor]], noise: RandomGenerator) throws -> [String: Double] {
  var noise = noise
  var metrics: [String: Double] = [:]
  let rgtm = try probe(0.2, 0.8), rgdm = try probe(0, 0.5)
  let deviations = codes.map { $0.map { $0.variance().item().squareRoot() } }
  for level in levels {
    var sums: [Named: Double] = [:]
    let draws = level == 0 ? 1 : 8
    for _ in 0..<draws {
      let distances = zip(codes, deviations).map { layers, deviations in
        zip(layers, deviations).map { code, deviation -> [Double] in
          let noisy = level == 0 ? code : code + noise.normal(code.shape) * (Double(level) * deviation)
          return dissimilarities(noisy, by: .correlation).doubles
        }
      }
      for name in Named.allCases {
        let vectors = distances.map { layers in
          layers.map { distances in
            switch name {
            case .rdm: distances
            case .ranks: rgtm.ranks(distances)
            case .rgtm: rgtm.geoTopological(distances)
            case .rgdm: rgdm.geodesic(distances)
            }
          }
        }
        sums[name, default: 0] += LayerIdentification(vectors).accuracy
      }
    }
    for (name, sum) in sums { metrics[name.metric(level)] = sum / Double(draws) }
  }
  return metrics
}

// MARK: Picture

private func topologicalPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  let task = try FashionMNISTTask()
  let run = ClaimRun(arm: "trained", seed: 1, budget: .quick, observer: observer)
  let network = try instanceNetwork(0, task, run, share: 0...1)
  // Six images of each class, class by class.
  let candidates = task.testBatch(0..<400)
  let labels = candidates.targets.doubles.map { Int($0) }
  let chosen = (0..<task.classCount).flatMap { label in
    labels.indices.filter { labels[$0] == label }.prefix(6)
  }
  let codes = layerCodes(network, candidates.inputs.take(Tensor(chosen.map(Int32.init))))
  var random = run.random("noise")
  let rgtm = try probe(0.2, 0.8), rgdm = try probe(0, 0.5)
  let places = [(0, "first layer"), (codes.count - 1, "last layer")]
  let panels = places.flatMap { layer, name -> [Picture.Panel] in
    let code = codes[layer]
    let noise = random.normal(code.shape) * code.variance().item().squareRoot()
    let clear = dissimilarities(code, by: .correlation).doubles
    let noisy = dissimilarities(code + noise, by: .correlation).doubles
    let statistics: [(String, ([Double]) -> [Double])] = [
      ("Ranks of the RDM", rgtm.ranks), ("RGTM", rgtm.geoTopological), ("RGDM", rgdm.geodesic),
    ]
    return statistics.flatMap { title, statistic in
      [("", clear), (", noise", noisy)].map { suffix, distances in
        .init(
          "\(title), \(name)\(suffix)",
          .grid(
            x: "stimulus", y: "stimulus", squareForm(minMaxScaled(statistic(distances))), range: 0...1))
      }
    }
  }
  return Picture(
    "What is near what in a network",
    caption: "Pairs of 60 images, six of each of ten classes in order; bright is far. RGTM drops differences "
      + "among the nearest and among the farthest; RGDM goes from one to the next along near ones. Noise of "
      + "one standard deviation blurs all of them.",
    panels: panels)
}
