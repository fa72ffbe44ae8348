import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// One page, or one list of claims, from everything in the store.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Make one page of all claims, comparisons and trained networks in the store.",
    discussion: "Nothing is trained again: the page rests on what the store holds.")

  @Option(help: "Where to write the page.") var output = "report.html"
  @Option(help: "Write the claims as a Markdown table to this file instead of the page.")
  var markdown: String?
  @OptionGroup var place: StoreOption

  func run() throws {
    let store = try place.holdingRuns()
    if let markdown {
      try AtomicFile.checkWritable(markdown)
      let reports = try store.claimReports(ofEachBudget: true).map(\.report)
      try AtomicFile.write(ClaimList(reports).markdown, to: markdown)
      print("Claims: \(markdown)")
    } else {
      try AtomicFile.checkWritable(output)
      try StoreReport(store).write(to: output)
      print("Report: \(output)")
    }
  }
}
