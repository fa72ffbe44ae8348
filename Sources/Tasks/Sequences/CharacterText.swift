import CallosumContracts
import CallosumTensors
import Foundation

/// Text of a file, predicted letter by letter.
///
/// The first nine tenths are learned from, the next twentieth is for validation and the last one judges; no
/// window reaches from one part into another. An example is a window of `length` tokens and, as targets, the
/// tokens that follow each; every place of a part begins one.
public struct CharacterText: LearningTask {
  /// What a token is.
  public enum Unit: String, Codable, Sendable, CaseIterable {
    /// A byte, 0 to 255.
    case byte
    /// A character of the training part, in Unicode's order, or the last token, which stands for all others.
    case character
  }

  public let id = "text"
  public let name = "Character text"
  public let length: Int
  public let unit: Unit
  /// The characters that tokens stand for; empty for bytes.
  public let characters: [Character]
  private let tokens: [Int32]
  private let parts: [Split: Range<Int>]

  /// - Throws: ``TextError`` if there is no such file, if it is not text or too short.
  public init(path: String, length: Int = 128, unit: Unit = .character) throws {
    guard let data = FileManager.default.contents(atPath: path) else { throw TextError.missing(path: path) }
    let text: String
    switch unit {
    case .byte: text = ""
    case .character:
      guard let decoded = String(data: data, encoding: .utf8) else { throw TextError.notText(path: path) }
      text = decoded
    }
    try require(length > 0, "a window of text needs at least 1 token, got \(length)")
    self.length = length
    self.unit = unit

    let letters = Array(text)
    let count = unit == .byte ? data.count : letters.count
    let ends = [count * 9 / 10, count * 19 / 20, count]
    parts = [.training: 0..<ends[0], .validation: ends[0]..<ends[1], .test: ends[1]..<ends[2]]
    guard parts.values.allSatisfy({ $0.count > length }) else {
      throw TextError.tooShort(path: path, tokens: count, needed: 20 * (length + 1))
    }
    switch unit {
    case .byte:
      characters = []
      tokens = data.map { Int32($0) }
    case .character:
      let known = Set(letters[..<ends[0]]).sorted()
      let numbers = Dictionary(uniqueKeysWithValues: zip(known, Int32(0)...))
      characters = known
      tokens = letters.map { numbers[$0] ?? Int32(known.count) }
    }
  }

  public var vocabulary: Int { unit == .byte ? 256 : characters.count + 1 }
  public var input: TaskInput { .tokens(vocabulary: vocabulary, length: length) }
  public var positions: [Int] { [length] }
  public var objective: Objective { .classes(vocabulary) }
  public var order: TokenOrder { .causal }
  public func count(_ split: Split) -> Int? { parts[split].map { $0.count - length } ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let start = parts[split]?.lowerBound ?? 0
    let windows = indices.flatMap { tokens[start + $0..<start + $0 + length + 1] }
    let both = Tensor(windows, [indices.count, length + 1])
    return Batch(
      inputs: both.sliced(axis: 1, to: length).contiguous(),
      targets: both.sliced(axis: 1, from: 1).contiguous())
  }

  /// Windows that lie side by side, which cover a part once: what a text is judged on.
  public func sideBySide(_ split: Split) -> [Int] {
    Array(stride(from: 0, to: count(split) ?? 0, by: length))
  }

  /// What tokens say; U+FFFD for what is unknown or no text.
  public func text(_ tokens: [Int32]) -> String {
    switch unit {
    case .byte: String(decoding: tokens.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    case .character:
      String(tokens.map { characters.indices.contains(Int($0)) ? characters[Int($0)] : "\u{FFFD}" })
    }
  }
}

/// What can be wrong with a file of text; described in one line that says what to do.
public enum TextError: Error, Equatable, CustomStringConvertible {
  case missing(path: String)
  case notText(path: String)
  case tooShort(path: String, tokens: Int, needed: Int)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): no such file, or it cannot be read; check the path and its permissions"
    case .notText(let path): "\(path): is not text in UTF-8; convert it, or read it as bytes"
    case .tooShort(let path, let tokens, let needed):
      "\(path): has \(tokens) tokens, windows of this length need about \(needed); take a longer text or"
        + " shorter windows"
    }
  }
}
