import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// One page from everything in the store.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Make one page of all claims, comparisons and trained networks in the store.",
    discussion: "Nothing is trained again: the page rests on what the store holds.")

  @Option(help: "Where to write the page.") var output = "report.html"
  @OptionGroup var place: StoreOption

  func run() throws {
    try checkFormat(of: output, by: "--output", "html")
    try checkFiles(writing: [("--output", output)], keeping: place)
    let store = try place.holdingRuns()
    try StoreReport(store).write(to: output)
    Terminal.say("Report: \(output)")
  }
}
