import CallosumContracts
import CallosumExperiments
import Foundation

/// A comparison in the store: a run of kind `comparison` about a task, with the whole comparison but its
/// runs as an attachment, and a part for each arm and seed, and for each trial of a tuning.
enum StoredComparison {
  /// Notes that a comparison starts; its runs are still to come.
  static func begin(_ comparison: Comparison, in store: RunStore) throws -> RunWriter {
    let budget = comparison.budget
    let whole = try store.begin(
      RunRecord(
        kind: .comparison, subject: comparison.task.id,
        budget: "\(budget.steps) steps of \(budget.batchSize)", configuration: comparison.configuration,
        machine: comparison.machine, command: comparison.command))
    try update(comparison, in: whole)
    return whole
  }

  /// Keeps what is known of a comparison besides its runs.
  static func update(_ comparison: Comparison, in whole: RunWriter) throws {
    var comparison = comparison
    for arm in comparison.arms.indices { comparison.arms[arm].runs = [] }
    try whole.attach(
      Attachment(name: "comparison", mediaType: "application/json", text: try comparison.json()))
  }
}

extension Comparison {
  /// The comparison that the store keeps as run `id`, as far as it came.
  /// - Throws: `InvalidInput` if that run is something else.
  public init(run id: Int64, in store: RunStore) throws {
    let record = try store.run(id)
    let text = try store.attachments(of: id).first { $0.name == "comparison" }?.text
    guard record.kind == .comparison, let text else {
      throw InvalidInput("run \(id) is no comparison; see 'callosum runs list --kind comparison'")
    }
    do { self = try Comparison(json: text) } catch {
      throw InvalidInput(
        "run \(id) of the store cannot be read: it is damaged, or of a version that nobody knows")
    }
    wasInterrupted = record.status != .complete
    let parts = try store.runs(RunFilter(.partOf(id)))
    for index in arms.indices {
      let own = parts.filter { $0.arm == arms[index].id }
      arms[index].runs = try own.map { try Run($0, in: store, of: self) }
    }
  }
}

extension Comparison.Run {
  fileprivate init(_ record: RunRecord, in store: RunStore, of comparison: Comparison) throws {
    let metric = comparison.task.metric.name
    var curve: [Int: Comparison.CurvePoint] = [:]
    for point in try store.points(of: record.id) {
      let new = Comparison.CurvePoint(
        step: point.step, seconds: point.seconds ?? 0, trainingLoss: nil, validationScore: nil)
      switch point.metric {
      case "loss": curve[point.step, default: new].trainingLoss = point.value
      case "validation \(metric)": curve[point.step, default: new].validationScore = point.value
      default: break
      }
    }
    let points = curve.values.sorted { $0.step < $1.step }
    let results = try store.results(of: record.id)
    // A process that was killed left no results; then what is known is where its curve ends.
    let seconds = results["training seconds"] ?? points.last?.seconds ?? 0
    let examples = Double(points.last?.step ?? 0) * Double(comparison.budget.batchSize)
    self.init(
      seed: record.seed ?? 0, status: record.status, curve: points,
      testScore: record.status == .complete ? results[metric] : nil, trainingSeconds: seconds,
      examplesPerSecond: results["examples per second"] ?? (seconds > 0 ? examples / seconds : 0))
  }
}
