import CallosumContracts
import Foundation

/// The networks that were trained on one task: what each reached, how it got there, how it is wired.
struct TrainingCard {
  let task: String
  let runs: [Run]
  let curves: RunCurves

  struct Run {
    let record: RunRecord
    let parameters: Int?
    /// By name: the task's metric, seconds.
    let results: [String: Double]
    /// SVG.
    let wiring: String?

    var name: String { record.arm ?? record.subject }

    init(_ record: RunRecord, in store: RunStore) throws {
      self.record = record
      parameters = try store.sizes(of: record.id)?.parameters
      results = try store.results(of: record.id)
      wiring = try store.attachments(of: record.id).first { $0.name == TrainingCard.wiringName }?.text
    }
  }

  /// A card for each task that something was trained on, with the latest eight trainings of it.
  static func all(in store: RunStore) throws -> [TrainingCard] {
    let trainings = try store.runs(RunFilter(.top, kind: .training)).sorted { $0.started > $1.started }
    let tasks = Dictionary(grouping: trainings, by: task(of:))
    return try tasks.keys.sorted().map { task in
      let runs = try (tasks[task] ?? []).prefix(8).map { try Run($0, in: store) }
      let arms = runs.enumerated().map { (run: $1.record.id, arm: $0) }
      return TrainingCard(task: task, runs: runs, curves: try RunCurves(arms, in: store))
    }
  }

  private static func task(of record: RunRecord) -> String {
    guard case .object(let settings) = record.configuration, case .string(let task)? = settings["task"]
    else { return "another task" }
    return task
  }

  /// The attachment that holds a picture of what was trained.
  static let wiringName = "wiring"

  var html: HTML {
    """
    <section class="card">
    <p class="eyebrow">Trained on \(task)</p>
    \(table)
    <div class="figures">
    \(curves.figures(2) + pictures)
    </div>
    </section>
    """
  }

  private var table: HTML {
    let timing: Set = ["training seconds", "examples per second"]
    let metrics = Set(runs.flatMap { $0.results.keys }).subtracting(timing).sorted()
    let columns = metrics + ["parameters", "allowed", "seed", "seconds"]
    let rows = runs.enumerated().map { index, run in
      DataTable.Row(
        title: "\(Figures.key(index))\(run.name)",
        cells: metrics.map {
          DataTable.Cell(run.results[$0].map(Format.significant) ?? run.record.status.rawValue)
        }
          + [
            DataTable.Cell(run.parameters.map(Format.count)), DataTable.Cell(run.record.budget),
            DataTable.Cell(run.record.seed.map { "\($0)" }),
            DataTable.Cell(run.results["training seconds"].map(Format.significant)),
          ])
    }
    return DataTable(
      subject: "Network", columns: columns.map { DataTable.Column(title: $0) }, rows: rows
    ).html
  }

  /// Each wiring once. As an image of its own, so that its style and the page's keep apart.
  private var pictures: [HTML] {
    var seen: Set<String> = []
    return runs.compactMap { run in
      guard let wiring = run.wiring, seen.insert(wiring).inserted else { return nil }
      let data = Data(wiring.utf8).base64EncodedString()
      return """
        <figure class="whole"><figcaption>\(run.name)<span>Its regions and tracts.</span></figcaption>
        <div class="wide"><img class="wiring" alt="Wiring of \(run.name)" \
        src="data:image/svg+xml;base64,\(data)"/></div></figure>
        """
    }
  }
}

extension RunWriter {
  /// Keeps a picture (SVG) of what is trained, for the report.
  package func attach(wiring: String) throws {
    try attach(Attachment(name: TrainingCard.wiringName, mediaType: "image/svg+xml", text: wiring))
  }
}
