import Callosum
import CallosumTestSupport
import Foundation
import Testing

/// Every part and every kind of tensor that only has to be wrong: it gets a right answer or one clear line, as
/// `callosum apply` does, and nothing that ends the process.
@Suite struct BadTensorTests {
  @Test(arguments: Catalogue.all.parts.map(\.card.id)) func oneLineOrAnAnswer(_ id: String) async throws {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent, \.standardErrorContent]
    ) { [id] in
      for trial in PartTrial.all.filter({ $0.part.card.id == id }).prefix(2) {
        let good = try GoodCall(trial)
        for bad in BadCall.all(of: good) {
          // What takes the process down shows by the last line.
          say(bad.name)
          if let problem = bad.problem(of: trial) {
            say(problem)
            exit(1)
          }
        }
      }
    }
    func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }
    let last = text(result?.standardOutputContent).split(separator: "\n").suffix(2)
    #expect(
      result?.exitStatus == .exitCode(0), "\(id): \(last) \(text(result?.standardErrorContent).prefix(600))")
  }
}

private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// What a part takes, with the state that it hands on, and the cotangents of its outputs.
private struct GoodCall {
  let door: Door
  let inputs: [String: Tensor]
  let cotangents: [String: Tensor]

  init(_ trial: PartTrial) throws {
    door = try trial.door()
    var inputs = trial.inputs(door)
    let random = RandomGenerator(seed: 3)
    let outputs = try door.applied(to: inputs, using: random)
    for name in door.carried { inputs[name] = outputs[name] }
    self.inputs = inputs
    let first = door.outputs.first?.name ?? ""
    cotangents = outputs[first].map { ["g": $0.dtype.isFloatingPoint ? $0 : .zeros($0.shape)] } ?? [:]
  }
}

/// A call with one thing wrong.
private struct BadCall {
  let name: String
  var inputs: [String: Tensor]
  var cotangents: [String: Tensor] = [:]

  /// Anything but an answer or an error of one line.
  func problem(of trial: PartTrial) -> String? {
    do {
      _ = try trial.door().applied(to: inputs, cotangents: cotangents, using: RandomGenerator(seed: 3))
      return nil
    } catch {
      let line = "\(error)"
      let isProper = error is InvalidInput && line.utf8.count < 2000 && !line.contains("\n")
      return isProper ? nil : "\(type(of: error)): \(line)"
    }
  }

  static func all(of good: GoodCall) -> [BadCall] {
    var calls: [BadCall] = []
    for (name, tensor) in good.inputs.sorted(by: { $0.key < $1.key }) {
      for (what, wrong) in variants(of: tensor) {
        var inputs = good.inputs
        inputs[name] = wrong
        calls.append(BadCall(name: "\(name) \(what)", inputs: inputs))
        // Also where derivatives are asked for.
        calls.append(
          BadCall(name: "\(name) \(what), with g", inputs: inputs, cotangents: good.cotangents))
      }
      var fewer = good.inputs
      fewer[name] = nil
      calls.append(BadCall(name: "without \(name)", inputs: fewer))
    }
    calls.append(BadCall(name: "one more", inputs: good.inputs.merging(["zzz": .ones([2])]) { $1 }))
    calls.append(
      BadCall(
        name: "float64", inputs: good.inputs.mapValues { $0.dtype == .float32 ? $0.asType(.float64) : $0 }))
    for (name, tensor) in good.cotangents {
      for (what, wrong) in variants(of: tensor) {
        calls.append(BadCall(name: "\(name) \(what)", inputs: good.inputs, cotangents: [name: wrong]))
      }
      calls.append(
        BadCall(
          name: "g.zzz", inputs: good.inputs, cotangents: good.cotangents.merging(["g.zzz": tensor]) { $1 }))
    }
    return calls
  }

  private static func variants(of x: Tensor) -> [(String, Tensor)] {
    var found: [(String, Tensor)] = [
      ("with one axis more", x.expandedDimensions(axis: 0)),
      ("of one number", Tensor.zeros([], dtype: x.dtype)),
    ]
    for type in DType.allCases where type != x.dtype { found.append(("as \(type)", finite(x).asType(type))) }
    for axis in x.shape.indices {
      found.append(("empty along \(axis)", x.sliced(axis: axis, to: 0)))
      found.append(("twice along \(axis)", concatenated([x, x], axis: axis)))
      if x.dim(axis) > 1 { found.append(("short along \(axis)", x.sliced(axis: axis, to: x.dim(axis) - 1))) }
    }
    let numbers: [Double] =
      switch x.dtype {
      case .float32, .float64: [.nan, .infinity, -.infinity, 1e30, -1e30, -1, 0.5, 1e-40]
      case .int32: [-1, 1e6, Double(Int32.max), Double(Int32.min)]
      case .bool: []
      }
    for number in numbers {
      found.append(("all \(number)", .full(x.shape, number, dtype: x.dtype)))
      guard x.size > 1 else { continue }
      var values = x.doubles
      values[values.count / 2] = number
      found.append(("one \(number)", Tensor(values, x.shape).asType(x.dtype)))
    }
    return found
  }

  /// Numbers that any type can hold.
  private static func finite(_ x: Tensor) -> Tensor {
    x.dtype.isFloatingPoint ? clip(which(isFinite(x), x, .zeros(like: x)), min: -1000, max: 1000) : x
  }
}
