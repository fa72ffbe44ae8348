import CallosumContracts
import CallosumLab
import CallosumTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct StoreReportTests {
  private func elements(of report: StoreReport) -> Set<String> {
    let checker = TagChecker()
    let parser = XMLParser(data: Data(report.text.utf8))
    parser.delegate = checker
    let isWellFormed = parser.parse()
    #expect(isWellFormed, "line \(parser.lineNumber)")
    return checker.elements
  }

  @Test func showsTrainedNetworksWithTheirWiring() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      func train(_ name: String, on task: String, accuracy: Double?, wiring: String?) throws {
        var record = RunRecord(
          kind: .training, subject: "file", seed: 3, budget: "40 steps of 8",
          configuration: .object(["task": .string(task)]), machine: SampleComparison.make().machine,
          command: "callosum train file.yaml")
        record.arm = name
        let run = try store.begin(record)
        if let wiring { try run.attach(wiring: wiring) }
        try run.note("loss", 2.5, step: 10)
        try run.note("loss", 1.5, step: 20)
        try run.record(RunSizes(parameters: 1234))
        if let accuracy { try run.finish(["accuracy": accuracy]) } else { try run.end(.interrupted) }
      }
      let wiring = "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>left &amp; right</text></svg>"
      try train("<script>Two hemispheres</script>", on: "images", accuracy: 0.8125, wiring: wiring)
      try train("One hemisphere", on: "images", accuracy: nil, wiring: wiring)
      try train("A loop", on: "recall", accuracy: 0.5, wiring: nil)
      let report = try StoreReport(store)
      #expect(elements(of: report).isDisjoint(with: ["script", "iframe", "link"]))
      let text = report.text
      #expect(text.contains("3 trainings, no claims yet"))
      #expect(text.contains("Trained on images") && text.contains("Trained on recall"))
      #expect(text.contains("0.812") && text.contains("1,234") && text.contains("40 steps of 8"))
      #expect(text.contains("interrupted"))
      // The same wiring of two networks is drawn once.
      #expect(text.components(separatedBy: Data(wiring.utf8).base64EncodedString()).count == 2)
    }
  }

  @Test func aStoreWithNothingCompleteSaysSo() throws {
    try inTemporaryFolder { folder in
      let report = try StoreReport(RunStore(path: folder + "/runs.sqlite"))
      #expect(!elements(of: report).contains("table"))
      #expect(report.text.contains("Nothing complete, no claims yet"))
    }
  }
}
