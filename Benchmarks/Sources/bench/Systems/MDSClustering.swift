import Callosum

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

extension MDSClustering: Benchmarked {
  static let workloads: [Workload] = [
    Workload(
      name: "mds_clustering_ascent",
      prepare: {
        let ascent = try Ascent()
        return { _ = try? ascent.responses() }
      },
      compared: {
        let responses = try Ascent().responses()
        return [responses.sum().item(), (responses * pattern([5, 120], 3)).sum().item()]
      })
  ]
}
