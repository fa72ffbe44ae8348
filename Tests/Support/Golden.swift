import CallosumTensors
import Foundation

/// One case of a golden file: inputs, and the exact output and gradients by PyTorch (the format is
/// described in Tests/Fixtures/README.md).
public struct GoldenCase: Sendable {
  public let name: String
  public let arguments: Arguments
  public let inputs: [String: Tensor]
  /// How each input lies in memory.
  public let layouts: [String: String]
  public let output: Tensor
  /// What the output is multiplied with before its sum is differentiated; nil without gradients.
  public let cotangent: Tensor?
  public let gradients: [String: Tensor]
}

public enum Golden {
  /// Tests/Fixtures
  public static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

  /// The tensors of Tests/Fixtures/<name>.safetensors.
  public static func tensors(_ name: String) throws -> GoldenTensors {
    let file = folder.appendingPathComponent("\(name).safetensors")
    return GoldenTensors(tensors: try Safetensors.load(file.path).tensors)
  }

  /// The file <name>.safetensors that lies beside a test of a system.
  public static func path(_ name: String = "golden", beside test: String) -> String {
    URL(fileURLWithPath: test).deletingLastPathComponent()
      .appendingPathComponent("\(name).safetensors").path
  }

  /// Whether the script beside a test of a system has written its file.
  public static func exists(_ name: String = "golden", beside test: String) -> Bool {
    FileManager.default.fileExists(atPath: path(name, beside: test))
  }

  /// The tensors of <name>.safetensors beside a test of a system.
  public static func tensors(_ name: String = "golden", beside test: String) throws -> GoldenTensors {
    GoldenTensors(tensors: try Safetensors.load(path(name, beside: test)).tensors)
  }

  /// The operations that have a golden file.
  public static func operations() throws -> Set<String> {
    let files = try FileManager.default.contentsOfDirectory(
      at: folder.appendingPathComponent("operations"), includingPropertiesForKeys: nil)
    return Set(
      files.filter { $0.pathExtension == "safetensors" }.map { $0.deletingPathExtension().lastPathComponent })
  }

  /// The names of the workloads of Benchmarks/.
  public static func workloads() throws -> Set<String> {
    let sources = folder.appendingPathComponent("../../Benchmarks/Sources/bench")
    let programs = try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil)
    return Set(
      try programs.filter { $0.pathExtension == "swift" }.flatMap { file in
        try String(contentsOf: file, encoding: .utf8).matches(of: /Workload\(name: "(\w+)"\)/)
          .map { String($0.output.1) }
      })
  }

  /// The cases of an operation.
  public static func cases(of operation: String) throws -> [GoldenCase] {
    struct Description: Decodable {
      let name: String
      let arguments: [String: JSON]
      let layouts: [String: String]
      let gradients: Bool
    }
    let file = folder.appendingPathComponent("operations/\(operation).safetensors")
    let (tensors, metadata) = try Safetensors.load(file.path)
    let descriptions = try JSONDecoder().decode(
      [Description].self, from: Data((metadata["cases"] ?? "").utf8))

    let golden = GoldenTensors(tensors: tensors)
    return descriptions.map { one in
      GoldenCase(
        name: one.name, arguments: Arguments(one.arguments),
        inputs: golden.group("\(one.name).input."), layouts: one.layouts,
        output: golden["\(one.name).output"],
        cotangent: one.gradients ? golden["\(one.name).cotangent"] : nil,
        gradients: golden.group("\(one.name).gradient."))
    }
  }
}

/// The tensors of a golden file. Asking for one that is absent stops.
public struct GoldenTensors: Sendable {
  public let tensors: [String: Tensor]
  public subscript(name: String) -> Tensor {
    guard let tensor = tensors[name] else { fatalError("the golden file has no tensor \(name)") }
    return tensor
  }
  /// What is wrong with a tensor that should be the one of this name; nil if nothing is.
  public func problem(_ actual: Tensor, _ name: String, within allowed: Tolerance) -> String? {
    Comparison(actual, self[name], within: allowed).problem.map { "\(name): \($0)" }
  }
  /// Those whose names begin so, by the rest of their names.
  public func group(_ prefix: String) -> [String: Tensor] {
    let members = tensors.filter { $0.key.hasPrefix(prefix) }
    return Dictionary(
      uniqueKeysWithValues: members.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
  }
}

/// The arguments of a case, by name. Asking for one that is absent or of another type stops.
public struct Arguments: Sendable {
  private let values: [String: JSON]
  init(_ values: [String: JSON]) { self.values = values }
  /// Without a case: `bools` are false, and there is nothing else.
  public init(bools: [String] = []) {
    values = Dictionary(uniqueKeysWithValues: bools.map { ($0, .bool(false)) })
  }

  private func value(_ name: String) -> JSON { values[name] ?? .null }

  /// A number, or nil where the file says null or nothing.
  public subscript(number name: String) -> Double? { value(name).number }
  public func double(_ name: String) -> Double { present(value(name).number, name) }
  public func int(_ name: String) -> Int { Int(double(name)) }
  public func bool(_ name: String) -> Bool { present(value(name).bool, name) }
  /// A truth value, or nil where the file says null or nothing.
  public subscript(bool name: String) -> Bool? { value(name).bool }
  public func string(_ name: String) -> String { present(value(name).string, name) }
  /// A text, or nil where the file says null or nothing.
  public subscript(text name: String) -> String? { value(name).string }
  /// A list of numbers, or nil where the file says null.
  public subscript(list name: String) -> [Int]? { value(name).list?.compactMap { $0.number.map { Int($0) } } }
  public func ints(_ name: String) -> [Int] { present(self[list: name], name) }
  public func pair(_ name: String) -> (Int, Int) { (ints(name)[0], ints(name)[1]) }
  /// A list of lists of numbers, nil for null.
  public func rows(_ name: String) -> [[Int?]] {
    present(value(name).list, name).map { row in (row.list ?? []).map { $0.number.map { Int($0) } } }
  }

  private func present<Value>(_ value: Value?, _ name: String) -> Value {
    guard let value else { fatalError("the golden case has no argument \(name) of the type asked for") }
    return value
  }
}

enum JSON: Decodable, Sendable {
  case null, bool(Bool), number(Double), string(String), list([JSON])

  init(from decoder: Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else {
      self = .list(try container.decode([JSON].self))
    }
  }

  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var list: [JSON]? { if case .list(let value) = self { value } else { nil } }
}
