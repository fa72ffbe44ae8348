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
    /// A rule for each of two inputs, nil for one that is not on the tape.
    case two(((Tensor) -> Tensor)?, ((Tensor) -> Tensor)?)
    case many((Tensor, NeedsGradient) -> [Tensor?])
    /// Several results in consecutive entries, of which the first holds the rule.
    case joint(count: Int, ([Tensor?], NeedsGradient) -> [Tensor?])
    case partOfJoint
    /// The result has no derivative: a gradient that reaches it stops the program.
    case absent
    case released
  }

  /// Indices of the inputs on a tape, -1 for constants.
  enum Inputs {
    case one(Int)
    case two(Int, Int)
    case many([Int])

    func contains(where holds: (Int) -> Bool) -> Bool {
      switch self {
      case .one(let index): holds(index)
      case .two(let first, let second): holds(first) || holds(second)
      case .many(let indices): indices.contains(where: holds)
      }
    }
  }

  struct Entry {
    let name: StaticString
    let inputs: Inputs
    var rule: Rule
  }

  let id: Int
  private(set) var entries: [Entry] = []
  /// What checkpoints keep, so that they share it.
  var kept = KeptTensors()
  /// Writes down what is recorded, if an `OperationGraph` is being made.
  var scribe: OperationScribe?

  private static let lastID = Atomic<Int>(0)

  init() { id = Tape.lastID.add(1, ordering: .relaxed).newValue }

  // MARK: Recording

  func index(of tensor: Tensor) -> Int { tensor.mark.tape == id ? tensor.mark.index : -1 }

  var count: Int { entries.count }

  func append(_ name: StaticString, _ inputs: Inputs, _ rule: Rule) -> Mark {
    entries.append(Entry(name: name, inputs: inputs, rule: rule))
    return Mark(tape: id, index: entries.count - 1)
  }

  /// `x` as something to differentiate by.
  func leaf(_ x: Tensor) -> Tensor {
    var leaf = x
    leaf.mark = append("input", .one(index(of: x)), .identity)
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
    func isWanted(_ input: Int) -> Bool { input >= start && matters[input - start] }

    for at in stride(from: last, through: start, by: -1) where matters[at - start] {
      // A leaf in the middle of the record keeps its gradient and passes it on.
      let isKept = isLeaf[at - start]
      if isKept, !entries[at].inputs.contains(where: isWanted) { continue }
      let rule = releasing ? released(at) : entries[at].rule
      switch (rule, entries[at].inputs) {
      case (.partOfJoint, _): continue
      case (.absent, _):
        precondition(
          gradients[at - start] == nil, entries[at].name,
          "has no derivative, but one was asked for; use stopGradient around it where it is a constant")
      case (.released, _):
        preconditionFailure(
          entries[at].name, "a derivative was asked for twice, but the record was given up with the first")
      case (.identity, .one(let input)):
        guard let gradient = isKept ? gradients[at - start] : gradients[at - start].take() else { continue }
        add(gradient, to: &gradients[input - start])
      case (.one(let rule), .one(let input)):
        guard let gradient = gradients[at - start].take() else { continue }
        add(rule(gradient), to: &gradients[input - start])
      case (.two(let first, let second), .two(let a, let b)):
        guard let gradient = gradients[at - start].take() else { continue }
        if let first, isWanted(a) { add(first(gradient), to: &gradients[a - start]) }
        if let second, isWanted(b) { add(second(gradient), to: &gradients[b - start]) }
      case (.many(let rule), .many(let inputs)):
        guard let gradient = gradients[at - start].take() else { continue }
        spread(rule(gradient, NeedsGradient(inputs.map(isWanted))), inputs)
      case (.joint(let count, let rule), .many(let inputs)):
        let range = at - start..<min(at - start + count, gradients.count)
        var incoming = Array(gradients[range])
        incoming += [Tensor?](repeating: nil, count: count - incoming.count)
        if incoming.allSatisfy({ $0 == nil }) { continue }
        for index in range { gradients[index] = nil }
        spread(rule(incoming, NeedsGradient(inputs.map(isWanted))), inputs)
      default: fatalError("\(entries[at].name) was recorded with inputs that its rule does not take")
      }
    }
    func spread(_ results: [Tensor?], _ inputs: [Int]) {
      var results = results
      for (position, input) in inputs.enumerated() where isWanted(input) {
        guard let result = results[position].take() else { continue }
        add(result, to: &gradients[input - start])
      }
    }
    return leaves.map { $0 <= last ? gradients[$0 - start] : nil }
  }

  /// Takes the rule of an entry out of the tape.
  private func released(_ at: Int) -> Rule {
    if case .partOfJoint = entries[at].rule { return .partOfJoint }
    var rule = Rule.released
    swap(&rule, &entries[at].rule)
    return rule
  }

  /// Gives up all rules, the last first, and calls `body` with the name of each operation after its own.
  func release(calling body: (StaticString) -> Void) {
    for at in entries.indices.reversed() {
      _ = released(at)
      body(entries[at].name)
    }
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
struct NeedsGradient {
  private let flags: [Bool]
  init(_ flags: [Bool]) { self.flags = flags }
  subscript(_ input: Int) -> Bool { flags[input] }
}
