import Synchronization

/// The record of a computation whose derivative was asked for: one entry for each operation on
/// something that matters, in order. Derivatives walk it backwards. While an outer derivative is
/// wanted too, that walk is itself recorded on the same tape.
final class Tape {
  /// A tensor's place on a tape. Tapes have numbers that are never used twice, so a tensor kept
  /// from an earlier derivative is a constant in the next one.
  struct Mark {
    let tape: Int
    let index: Int
    static let none = Mark(tape: 0, index: -1)
  }

  /// What an entry does with the gradient of its result.
  enum Rule {
    /// Passes it on unchanged: what a derivative was asked for, inside an outer derivative.
    case identity
    case one((Tensor) -> Tensor)
    case many((Tensor, Wants) -> [Tensor?])
    /// Several results in consecutive entries, of which the first holds the rule.
    case joint(count: Int, ([Tensor?], Wants) -> [Tensor?])
    case partOfJoint
    case released
  }

  struct Entry {
    let name: StaticString
    /// Indices of the inputs on this tape, -1 for constants.
    let inputs: [Int]
    var rule: Rule
  }

  let id: Int
  private(set) var entries: [Entry] = []

  private static let lastID = Atomic<Int>(0)

  init() { id = Tape.lastID.add(1, ordering: .relaxed).newValue }

  // MARK: Recording

  func index(of tensor: Tensor) -> Int { tensor.mark.tape == id ? tensor.mark.index : -1 }

  var count: Int { entries.count }

  func append(_ name: StaticString, _ inputs: [Int], _ rule: Rule) -> Mark {
    entries.append(Entry(name: name, inputs: inputs, rule: rule))
    return Mark(tape: id, index: entries.count - 1)
  }

  /// `x` as something to differentiate by.
  func leaf(_ x: Tensor) -> Tensor {
    var leaf = x
    leaf.mark = append("input", [index(of: x)], .identity)
    return leaf
  }

  // MARK: Walking back

  /// Gradients of the leaves, given those of some outputs. Looks only at entries from `start` on
  /// that depend on a leaf. `releasing` gives up each rule, and so the tensors it keeps, once used.
  func gradients(
    of leaves: [Int], from start: Int, outputs: [(index: Int, gradient: Tensor)], releasing: Bool
  ) -> [Tensor?] {
    guard let last = outputs.map(\.index).max(), last >= start else {
      return leaves.map { _ in nil }
    }
    var matters = [Bool](repeating: false, count: last - start + 1)
    var isLeaf = matters
    for leaf in leaves where leaf <= last {
      matters[leaf - start] = true
      isLeaf[leaf - start] = true
    }
    for at in start...last where !matters[at - start] {
      if case .partOfJoint = entries[at].rule {
        matters[at - start] = matters[at - 1 - start]
      } else {
        matters[at - start] = entries[at].inputs.contains { $0 >= start && matters[$0 - start] }
      }
    }

    var gradients = [Tensor?](repeating: nil, count: last - start + 1)
    for (index, gradient) in outputs { add(gradient, to: &gradients[index - start]) }

    for at in stride(from: last, through: start, by: -1) where matters[at - start] {
      let entry = entries[at]
      // A leaf in the middle of the record keeps its gradient and passes it on.
      let isKept = isLeaf[at - start]
      if isKept, !entry.inputs.contains(where: { $0 >= start && matters[$0 - start] }) { continue }
      let wants = Wants(entry.inputs.map { $0 >= start && matters[$0 - start] })
      var results: [Tensor?]
      switch entry.rule {
      case .partOfJoint: continue
      case .released:
        fatalError("a derivative was asked for twice of \(entry.name), whose record was given up")
      case .joint(let count, let rule):
        let range = at - start..<min(at - start + count, gradients.count)
        var incoming = Array(gradients[range])
        incoming += [Tensor?](repeating: nil, count: count - incoming.count)
        if incoming.allSatisfy({ $0 == nil }) { continue }
        for index in range { gradients[index] = nil }
        results = rule(incoming, wants)
      case .identity, .one, .many:
        guard let gradient = isKept ? gradients[at - start] : gradients[at - start].take() else { continue }
        switch entry.rule {
        case .one(let rule): results = [rule(gradient)]
        case .many(let rule): results = rule(gradient, wants)
        default: results = [gradient]
        }
      }
      if releasing { entries[at].rule = .released }
      for position in entry.inputs.indices where wants[position] {
        guard let result = results[position].take() else { continue }
        add(result, to: &gradients[entry.inputs[position] - start])
      }
    }
    return leaves.map { $0 <= last ? gradients[$0 - start] : nil }
  }

  private func add(_ new: Tensor, to sum: inout Tensor?) {
    guard let old = sum.take() else {
      sum = new
      return
    }
    sum = old.adding(consuming: new)
  }
}

/// Which inputs of an operation need a gradient.
struct Wants {
  private let flags: [Bool]
  init(_ flags: [Bool]) { self.flags = flags }
  subscript(_ input: Int) -> Bool { flags[input] }
}
