import ArgumentParser
import CallosumContracts
import CallosumLab
import CallosumTensors

/// The lists in a package's documentation.
struct Docs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the lists of claims in README.md and docs/ anew, from the recorded results.",
    discussion: """
      A list stands in a page between the lines '<!-- callosum: claims -->' (a table of verdicts) or \
      '<!-- callosum: results -->' (what each claim says and found) and '<!-- callosum: end -->'. Results are \
      what 'callosum reproduce ID --record' has written.
      """)

  @Argument(help: "Folder of the package.") var folder = "."
  @Option(help: "Folder of the results, in that of the package.") var results = "Results"
  @Flag(help: "Write nothing; end with 1 if a list is not as it should be, or a result is missing.")
  var check = false

  func run() throws {
    let place = results.hasPrefix("/") ? results : "\(folder)/\(results)"
    let lists = try GeneratedLists(Program.catalogue.claims, ResultsFolder(place))
    let pages = try lists.stalePages(in: folder)
    for problem in lists.problems { Terminal.complain(problem) }
    if check {
      for page in pages { Terminal.complain("\(page.path) is not up to date; 'callosum docs' makes it anew") }
      if !pages.isEmpty || !lists.problems.isEmpty { throw ExitCode(1) }
    } else {
      for page in pages {
        try AtomicFile.write(page.text, to: page.path)
        Terminal.say("Made anew: \(page.path)")
      }
    }
    if pages.isEmpty { Terminal.say("The lists are up to date.") }
  }
}
