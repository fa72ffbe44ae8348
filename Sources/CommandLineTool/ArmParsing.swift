import CallosumBrains
import CallosumContracts
import CallosumLab
import Foundation

extension ArmChoice {
  /// What `--parts` names: ids separated by commas, each with settings in braces if need be, such as
  /// `delta-net{heads: 4}`, and YAML files of brains.
  /// - Parameter configurations: settings of parts that name none of their own, by id.
  static func list(_ text: String, _ configurations: [String: JSONValue]) throws -> [ArmChoice] {
    guard text.count(where: { $0 == "{" }) == text.count(where: { $0 == "}" }) else {
      throw UsageError("--parts opens and closes different numbers of braces: \(text.clipped)")
    }
    let arms = try pieces(of: text).map { piece in
      if BrainOptions.isPlan(piece) {
        let stem = URL(fileURLWithPath: piece).deletingPathExtension().lastPathComponent
        return ArmChoice(try BrainFile(path: piece).plan, id: stem)
      }
      return try fromCommandLine { try part(piece, configurations) }
    }
    for (place, arm) in arms.enumerated() where arms[..<place].contains(where: { $0.id == arm.id }) {
      throw UsageError("--parts names '\(arm.id)' twice")
    }
    return arms
  }

  /// Those among what `--parts` names that are files.
  static func files(in text: String) -> [String] { pieces(of: text).filter(BrainOptions.isPlan) }

  private static func part(_ piece: String, _ configurations: [String: JSONValue]) throws -> ArmChoice {
    let brace = piece.firstIndex(of: "{") ?? piece.endIndex
    let id = piece[..<brace].trimmingCharacters(in: .whitespaces)
    let part = try Program.catalogue.part(id)
    guard brace < piece.endIndex else { return ArmChoice(part, configurations[id]) }
    let settings = try JSONValue(yaml: String(piece[brace...]), called: "the settings of \(id)")
    return ArmChoice(part, try settings.placed(in: part.defaults))
  }

  /// Split at commas that stand in no braces or brackets.
  private static func pieces(of text: String) -> [String] {
    var pieces = [""], depth = 0
    for character in text {
      if "{[".contains(character) { depth += 1 }
      if "}]".contains(character) { depth -= 1 }
      if character == ",", depth == 0 {
        pieces.append("")
      } else {
        pieces[pieces.count - 1].append(character)
      }
    }
    return pieces.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }
}
