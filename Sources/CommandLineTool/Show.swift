import ArgumentParser
import Callosum
import CallosumLab

/// Draws what a mechanism does.
struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw what a mechanism does, as a page that needs nothing else.")

  @Argument(help: "Id of a claim; see 'callosum list --claims'.") var id: String
  @Option(help: "Where to write the page; ID.html by default.") var output: String?

  func run() throws {
    let claim = try allClaims.claim(id)
    guard let picture = claim.picture else { throw Mistake("\(id) has no picture") }
    let path = output ?? "\(id).html"
    try AtomicFile.checkWritable(path)
    try AtomicFile.write(PictureDrawing(try picture()).page, to: path)
    print("Picture: \(path)")
  }
}
