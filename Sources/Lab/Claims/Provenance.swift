import CallosumContracts
import CallosumTasks
import Foundation

/// What a result of a claim is of: the text of the claim and of the code that it links, the machine, and how
/// often the claim was judged before. Whoever changes settings after judged seeds were seen is seen to.
public struct Provenance: Codable, Sendable, Equatable {
  /// SHA-256 of the folder that the claim is written in; nil where its text is not at hand.
  public let claim: String?
  /// SHA-256 of the code that the claim links: all rooms of its package but other families and the verbs.
  public let code: String?
  /// The commit of the package, with a + where its sources were changed since; nil outside a repository.
  public let commit: String?
  public let machine: Machine
  /// Runs that were judged before, oldest first.
  public let earlier: [Earlier]

  /// One run that was judged.
  public struct Earlier: Codable, Sendable, Equatable {
    public let date: Date
    public let budget: String
    public let verdict: Verdict
    /// As ``Provenance/claim``.
    public let claim: String?

    public init(date: Date, budget: String, verdict: Verdict, claim: String?) {
      (self.date, self.budget, self.verdict, self.claim) = (date, budget, verdict, claim)
    }
  }

  /// - Parameter earlier: from wherever they are known, in any order; a run that is known twice counts once.
  package init(of claim: Claim, earlier: [Earlier] = [], machine: Machine = .thisOne) {
    let sources = Sources(of: claim)
    self.claim = sources.flatMap { Sources.hash(files: $0.system) }
    code = sources.flatMap { Sources.hash(files: $0.linked) }
    commit = sources?.commit
    self.machine = machine
    var known: Set<Int> = []
    self.earlier = earlier.sorted { $0.date < $1.date }
      .filter { known.insert(Int($0.date.timeIntervalSince1970)).inserted }
  }

  /// How often the claim was run, and changed, in a sentence.
  package var sentence: String {
    let texts = earlier.map(\.claim) + [claim]
    let changes = zip(texts, texts.dropFirst()).count { $0 != $1 }
    let count = earlier.count + 1
    guard count > 1 else { return "First run." }
    let times = changes == 1 ? "once" : "\(changes) times"
    return "Run \(count)"
      + (changes == 0
        ? ", nothing changed between them." : "; changed \(times) after judged seeds were seen.")
  }
}

/// The files that a claim rests on, in the package that it is written in.
private struct Sources {
  private let root: URL
  /// The folder of the claim.
  private let folder: URL
  private let family: String

  /// Rooms that use results and make none.
  private static let verbs: Set<String> = ["Lab", "Callosum", "CommandLineTool", "Program", "Dashboard"]

  init?(of claim: Claim) {
    let file = URL(fileURLWithPath: claim.file)
    let files = FileManager.default
    guard files.fileExists(atPath: file.path) else { return nil }
    folder = file.deletingLastPathComponent()
    var root = folder
    while !files.fileExists(atPath: root.appendingPathComponent("Package.swift").path) {
      guard root.path != "/" else { return nil }
      root.deleteLastPathComponent()
    }
    self.root = root
    family = claim.card.family.rawValue.capitalized
  }

  var system: [URL] { Sources.files(in: folder) }

  /// Rooms below the families, and of the family what does not belong to another system.
  var linked: [URL] {
    let families = Set(Family.allCases.map(\.rawValue.capitalized))
    let sources = root.appendingPathComponent("Sources").path
    return Sources.files(in: root.appendingPathComponent("Sources")).filter { file in
      let parts = file.path.dropFirst(sources.count + 1).split(separator: "/").map(String.init)
      guard let room = parts.first, !Sources.verbs.contains(room) else { return false }
      guard families.contains(room) else { return true }
      return room == family && parts.count == 2
    }
  }

  var commit: String? {
    guard let head = git("rev-parse", "--short=12", "HEAD"), !head.isEmpty else { return nil }
    return head + (git("status", "--porcelain", "--", "Sources")?.isEmpty == false ? "+" : "")
  }

  private func git(_ arguments: String...) -> String? {
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git", "-C", root.path] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let said = (try? output.fileHandleForReading.readToEnd()) ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func files(in folder: URL) -> [URL] {
    let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    let kinds: Set<String> = ["swift", "c", "h"]
    return (found?.compactMap { $0 as? URL } ?? []).filter { kinds.contains($0.pathExtension) }
      .sorted { $0.path < $1.path }
  }

  /// Of names and contents, so that a file that moves counts.
  static func hash(files: [URL]) -> String? {
    let hash = SHA256()
    for file in files {
      guard let text = try? Data(contentsOf: file) else { return nil }
      hash.update(Data("\(file.lastPathComponent) \(text.count)\n".utf8))
      hash.update(text)
    }
    return files.isEmpty ? nil : hash.digest()
  }
}
