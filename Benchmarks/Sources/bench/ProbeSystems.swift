import Callosum

// Systems that look into networks.

/// Codes of 60 stimuli by the five layers of the claim's network.
private struct Codes {
  private let probe: TopologicalRSA
  private let codes: [Tensor]

  init() throws {
    var settings = TopologicalRSA.Settings()
    settings.dissimilarity = .correlation
    probe = try TopologicalRSA(settings)
    codes = [3136, 1568, 576, 128, 10].enumerated().map { place, width in
      pattern([60, width], place) + pattern([60, 1], 10 + place) * pattern([1, width], 20 + place)
    }
  }

  /// RGTM and RGDM of each layer.
  func statistics() -> [[Double]] {
    codes.flatMap { code in
      let distances = dissimilarities(code, by: .correlation).doubles
      return [probe.geoTopological(distances), probe.geodesic(distances)]
    }
  }
}

/// What 16 heads look at in 128 prompts of 64 tokens while they write four.
private struct Looks {
  private let door: Door
  private let inputs: [String: Tensor]

  init() throws {
    var random = generator()
    let tokens = patternOfLabels([128, 64], below: 48, 1)
    // The needle stands at places 20 to 23, and all of it is written but every fifth token.
    let needle = Tensor((0..<128 * 64).map { Int32(20..<24 ~= $0 % 64 ? 1 : 0) }, [128, 64])
    let errors = (patternOfLabels([128, 4], below: 5, 2) .== 0).asType(.int32)
    let written = tokens.sliced(axis: 1, from: 20, to: 24) * (1 - errors)
    // A third of the looks is at the needle.
    let weights = pattern([128, 2, 8, 4, 64], 3) * 0.25 + 0.25
    let places = patternOfLabels([128, 2, 8, 4], below: 12, 4).expandedDimensions(axis: -1) + 20
    let looks = which(Tensor.arange(64) .== places, Tensor(Float(1)), weights)
    door = try RetrievalHead.door(.init(), in: Slot(width: 48, tokens: 64), using: &random)
    inputs = ["weights": looks, "tokens": tokens, "needle": needle, "written": written]
  }

  func scores() throws -> [String: Tensor] {
    var random = generator()
    return try door(inputs, using: &random)
  }
}

/// 50 steps of ascent of five stimuli through a twin of 120 cells, and an assignment.
private struct Ascent {
  private let clustering: MDSClustering
  private let subject: MDSClustering.Subject

  init() throws {
    var random = generator(), settings = DigitalTwin.Settings()
    (settings.channels, settings.kernels) = ([12], [9])
    let twin = try DigitalTwin(settings, rows: 16, columns: 16, channels: 1, cells: 120, using: &random)
    fill(twin.parameters())
    var plan = MDSClustering.Settings()
    (plan.norm, plan.learningRate, plan.iterations, plan.rounds, plan.finalSteps) = (6, 10, 1, 0, 0)
    clustering = try MDSClustering(plan)
    var subject = MDSClustering.Subject(
      ResponseModel(twin, stimulusShape: [16, 16, 1]), using: random)
    subject.assignment = (0..<120).map { $0 / 24 }
    subject.start = { count, _ in pattern([count, 16, 16, 1], 1) }
    self.subject = subject
  }

  /// Of all cells to the stimuli, [stimuli, cells].
  func responses() throws -> Tensor { try clustering.run(subject).responses }
}

let probeSystems: [Workload] = [
  Workload(
    name: "mds_clustering_ascent",
    prepare: {
      let ascent = try Ascent()
      return { _ = try? ascent.responses() }
    },
    compared: {
      let responses = try Ascent().responses()
      return [responses.sum().item(), (responses * pattern([5, 120], 3)).sum().item()]
    }),
  Workload(
    name: "topological_rsa",
    prepare: {
      let codes = try Codes()
      return { _ = codes.statistics() }
    },
    compared: {
      try Codes().statistics().map { values in
        zip(values, pattern([values.count], 30).doubles).reduce(0) { $0 + $1.0 * $1.1 }
      }
    }),
  Workload(
    name: "retrieval_head_scores",
    prepare: {
      let looks = try Looks()
      return { _ = try? looks.scores() }
    },
    compared: {
      let found = try Looks().scores()
      return ["scores", "recall"].compactMap { found[$0]?.sum().item() }
    }),
]
