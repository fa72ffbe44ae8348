/// The operations of a function as a value: what was computed from what, with shapes, the modules under way
/// and the names of what it started from. Operations that depend on no named tensor are constants.
///
/// It holds on to what the operations keep for their derivatives, so record small inputs.
public struct OperationGraph {
  public struct Node: Sendable {
    public enum Kind: Equatable, Sendable {
      /// What the function was given, under this name.
      case input(String)
      /// A tensor that depends on none of those.
      case constant
      /// One result of an operation: of several, the one in this place.
      case operation(String, result: Int)
    }
    /// Its place in `nodes`; inputs come before.
    public let id: Int
    public let kind: Kind
    /// The nodes that it is computed from, in the operation's order.
    public let inputs: [Int]
    public let shape: [Int]
    public let dtype: DType
    /// Path and type of the innermost module under way, such as `layers.0 (Linear)`; empty outside.
    public let module: String
    /// The operation's entry on the tape.
    let entry: Int

    /// The operation's name, `input` or `constant`.
    public var operation: String {
      switch kind {
      case .input: "input"
      case .constant: "constant"
      case .operation(let name, _): name
      }
    }
    /// The name of an input.
    public var name: String? { if case .input(let name) = kind { name } else { nil } }
  }

  /// In the order of computation.
  public let nodes: [Node]
  /// What the function returned.
  public let outputs: [Int]
  let tape: Tape

  // MARK: Queries

  /// The input of this name.
  public func input(_ name: String) -> Node? { nodes.first { $0.name == name } }

  /// What an operation is computed from.
  public func producers(of node: Node) -> [Node] { node.inputs.map { nodes[$0] } }

  /// The operations that read a node.
  public func consumers(of node: Node) -> [Node] { nodes.filter { $0.inputs.contains(node.id) } }

  /// All results of operations of this name.
  public func operations(_ name: String) -> [Node] {
    nodes.filter { if case .operation(name, _) = $0.kind { true } else { false } }
  }
}

extension OperationGraph: CustomStringConvertible {
  /// A line for each node: number, operation, shape, what it is computed from, module.
  public var description: String {
    nodes.map { node in
      let from = node.inputs.map { nodes[$0].name ?? "\($0)" }.joined(separator: ", ")
      return "\(node.id) \(node.operation) \(node.shape)"
        + (node.name.map { " '\($0)'" } ?? "") + (from.isEmpty ? "" : " of \(from)")
        + (node.module.isEmpty ? "" : " in \(node.module)") + (outputs.contains(node.id) ? " -> output" : "")
    }.joined(separator: "\n")
  }
}

/// The operations of `function` from `inputs`, which become nodes under `names`. What `checkpointed` would
/// compute twice is shown once, from the inside.
public func operationGraph(
  at inputs: [Tensor], named names: [String], of function: ([Tensor]) throws -> [Tensor]
) rethrows -> OperationGraph {
  precondition(
    inputs.count == names.count && Set(names).count == names.count, "operationGraph",
    "needs a name of its own for each of \(inputs.count) inputs, got \(names)")
  let state = ThreadState.current, outer = state.tape, tape = Tape()
  let leaves = inputs.map(tape.leaf)
  let scribe = OperationScribe(tape, leaves: Array(zip(names, leaves)))
  tape.scribe = scribe
  state.tape = tape
  defer {
    state.tape = outer
    tape.scribe = nil
  }
  let outputs = try function(leaves).map(scribe.node(of:))
  return OperationGraph(nodes: scribe.nodes, outputs: outputs, tape: tape)
}

/// Writes the nodes of a graph while a tape records.
final class OperationScribe {
  private(set) var nodes: [OperationGraph.Node] = []
  private unowned let tape: Tape
  /// Nodes by place on the tape.
  private var places: [Int: Int] = [:]
  /// Tensors that were no node before; kept, so that no other takes their memory.
  private var constants: [(tensor: Tensor, id: Int)] = []

  init(_ tape: Tape, leaves: [(name: String, tensor: Tensor)]) {
    self.tape = tape
    for (name, tensor) in leaves { add(.input(name), [], tensor, entry: tensor.mark.index) }
  }

  func note(_ name: StaticString, _ inputs: [Tensor], _ results: [Tensor]) {
    let from = inputs.map(node(of:))
    for (i, result) in results.enumerated() {
      add(.operation("\(name)", result: i), from, result, entry: result.mark.index)
    }
  }

  /// The node of a tensor, which becomes a constant if it is none yet.
  func node(of x: Tensor) -> Int {
    var index = tape.index(of: x)
    while index >= 0 {
      if let known = places[index] { return known }
      // A variable of an inner derivative is what it was made of.
      guard case .one(let before) = tape.entries[index].inputs, case .identity = tape.entries[index].rule
      else { break }
      index = before
    }
    let known = constants.first {
      $0.tensor.storage === x.storage && $0.tensor.offset == x.offset && $0.tensor.shape == x.shape
        && $0.tensor.strides == x.strides
    }
    if let known { return known.id }
    constants.append((x, nodes.count))
    return add(.constant, [], x, entry: -1)
  }

  @discardableResult private func add(
    _ kind: OperationGraph.Node.Kind, _ inputs: [Int], _ x: Tensor, entry: Int
  ) -> Int {
    let modules = ThreadState.current.modules
    let path = modules.isEmpty ? "" : ThreadState.describeModules?(modules) ?? ""
    let id = nodes.count
    nodes.append(
      OperationGraph.Node(
        id: id, kind: kind, inputs: inputs, shape: x.shape, dtype: x.dtype, module: path, entry: entry))
    if entry >= 0 { places[entry] = id }
    return id
  }
}
