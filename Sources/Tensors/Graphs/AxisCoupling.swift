/// Which parts of which tensors must go together when a network is made smaller (structured pruning; Wang et
/// al. 2024, "Structurally Prune Anything"): a removed index is followed through every operation, both ways,
/// until nothing changes. Contractions couple the axis that they sum over, elementwise operations the axes
/// that they align, movements (reshapes, transposes, slices, concatenations) wherever an element went.

/// Some indices of an axis of a named tensor.
public struct AxisSlice: Hashable, Sendable, CustomStringConvertible {
  public let name: String
  public let axis: Int
  /// In increasing order.
  public let indices: [Int]
  public init(_ name: String, axis: Int, _ indices: [Int]) {
    (self.name, self.axis, self.indices) = (name, axis, indices)
  }
  public var description: String { "\(name)[axis \(axis): \(indices)]" }
}

/// What goes with a removed slice.
public struct AxisCoupling: Sendable {
  /// All slices of inputs of the graph (parameters, buffers, data), the first one too, by name and axis.
  public let slices: [AxisSlice]
  /// Whether the function's results lose something.
  public let reachesOutput: Bool
  /// Operations that do not say what goes with what, where the search ended: what is coupled through them is
  /// missing.
  public let opaque: [OperationGraph.Node]
}

extension OperationGraph {
  /// What goes when `indices` along `axis` of the input `name` are removed.
  ///
  /// Where a reshape divides or joins axes, whole slices stay whole: the rows of an attention head take that
  /// head with them. An index that fills no slice takes with it the slice that removes least.
  public func coupled(_ name: String, axis: Int, indices: [Int]) -> AxisCoupling {
    guard let start = input(name) else { preconditionFailure("coupled", "the graph has no input '\(name)'") }
    let axis = resolved(axis, rank: start.shape.count, "coupled")
    precondition(
      !indices.isEmpty && indices.allSatisfy { $0 >= 0 && $0 < start.shape[axis] }, "coupled",
      "indices \(indices) do not lie in axis \(axis) of '\(name)' \(start.shape)")
    var search = CouplingSearch(self)
    search.remove(Place(node: start.id, axis: axis), Set(indices))
    search.run()
    let slices = search.removed.compactMap { place, indices in
      nodes[place.node].name.map { AxisSlice($0, axis: place.axis, indices.sorted()) }
    }
    return AxisCoupling(
      slices: slices.sorted { ($0.name, $0.axis) < ($1.name, $1.axis) },
      reachesOutput: search.removed.keys.contains { outputs.contains($0.node) },
      opaque: search.opaque.sorted().map { nodes[$0] })
  }
}

/// An axis of a node.
private struct Place: Hashable {
  let node, axis: Int
}

private struct CouplingSearch {
  let graph: OperationGraph
  let readers: [[Int]]
  private(set) var removed: [Place: Set<Int>] = [:]
  private(set) var opaque: Set<Int> = []
  private var waiting: [Place] = []
  private var maps: [Place: ElementMap?] = [:]

  init(_ graph: OperationGraph) {
    self.graph = graph
    var readers = [[Int]](repeating: [], count: graph.nodes.count)
    for node in graph.nodes { for input in Set(node.inputs) { readers[input].append(node.id) } }
    self.readers = readers
  }

  mutating func remove(_ place: Place, _ indices: Set<Int>) {
    let before = removed[place] ?? []
    let after = before.union(indices)
    guard after.count > before.count else { return }
    removed[place] = after
    waiting.append(place)
  }

  mutating func run() {
    while let place = waiting.popLast() {
      let indices = removed[place] ?? []
      if case .operation = graph.nodes[place.node].kind { follow(place, indices, through: place.node) }
      for reader in readers[place.node] { follow(place, indices, through: reader) }
    }
  }

  // MARK: Operations

  private static let movements: Set<String> = [
    "reshaped", "transposed", "contiguous", "flipped", "padded", "sliced", "placed", "concatenated", "split",
  ]

  /// Operations of which an element of the result depends on the elements at its own place in the inputs, or
  /// along axes that it keeps or reduces to 1: aligned from the right.
  private static let aligned: Set<String> = [
    "add", "subtract", "multiply", "divide", "remainder", "power", "atan2", "maximum", "minimum", "which",
    "negate", "abs", "sign", "square", "reciprocal", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erf", "sigmoid", "floor", "ceil", "round",
    "relu", "gelu", "silu", "softplus", "clip", "asType", "broadcast", "sum", "product", "max", "min",
    "logSumExp", "softmax", "logSoftmax", "layerNorm", "rmsNorm", "maxPool", "averagePool", "adaptiveMaxPool",
    "adaptiveAveragePool", "globalMaxPool",
  ]

  /// What goes with `indices` of one operand of an operation.
  private mutating func follow(_ place: Place, _ indices: Set<Int>, through id: Int) {
    let node = graph.nodes[id]
    switch node.operation {
    case "linear" where graph.nodes[node.inputs[1]].shape.count == 2: linear(place, indices, node)
    case "matmul": product(place, indices, node)
    case "convolution": convolution(place, indices, node, x: node.inputs[0], y: id)
    // The same with input and result exchanged; its weights are already turned.
    case "convolutionTransposed": convolution(place, indices, node, x: id, y: node.inputs[0])
    case "scaledDotProductAttention": attention(place, indices, node)
    case let name where CouplingSearch.movements.contains(name): moved(place, indices, node)
    case let name where CouplingSearch.aligned.contains(name): align(place, indices, node)
    default: opaque.insert(id)
    }
  }

  private func shape(_ node: Int) -> [Int] { graph.nodes[node].shape }

  /// Removes the same indices of all these places, if `place` is one of them.
  private mutating func tie(_ place: Place, _ indices: Set<Int>, _ places: [Place]) {
    guard places.contains(place) else { return }
    for other in places where other != place { remove(other, indices) }
  }

  private mutating func align(_ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node) {
    let fromRight = shape(place.node).count - place.axis, size = shape(place.node)[place.axis]
    guard size > 1 else { return }
    for other in node.inputs + [node.id] where other != place.node {
      let axis = shape(other).count - fromRight
      if axis >= 0, shape(other)[axis] == size { remove(Place(node: other, axis: axis), indices) }
    }
  }

  private mutating func linear(_ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node) {
    let (x, w, last) = (node.inputs[0], node.inputs[1], node.shape.count - 1)
    tie(place, indices, [Place(node: x, axis: last), Place(node: w, axis: 1)])
    var outputs = [Place(node: node.id, axis: last), Place(node: w, axis: 0)]
    if node.inputs.count > 2 { outputs.append(Place(node: node.inputs[2], axis: 0)) }
    tie(place, indices, outputs)
    for axis in 0..<last {
      tie(place, indices, [Place(node: x, axis: axis), Place(node: node.id, axis: axis)])
    }
  }

  private mutating func product(_ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node) {
    let (a, b, rank) = (node.inputs[0], node.inputs[1], node.shape.count)
    let ranks = [shape(a).count, shape(b).count]
    guard ranks[0] > 1 && ranks[1] > 1 else {
      opaque.insert(node.id)
      return
    }
    tie(place, indices, [Place(node: a, axis: ranks[0] - 1), Place(node: b, axis: ranks[1] - 2)])
    tie(place, indices, [Place(node: a, axis: ranks[0] - 2), Place(node: node.id, axis: rank - 2)])
    tie(place, indices, [Place(node: b, axis: ranks[1] - 1), Place(node: node.id, axis: rank - 1)])
    // The axes of the batch are aligned as in an elementwise operation.
    if shape(place.node).count - place.axis > 2 { align(place, indices, node) }
  }

  private mutating func attention(_ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node) {
    let (q, k, v, y) = (node.inputs[0], node.inputs[1], node.inputs[2], node.id)
    guard [q, k, v, y].allSatisfy({ shape($0).count == 4 && shape($0)[1] == shape(q)[1] }) else {
      opaque.insert(node.id)
      return
    }
    for axis in 0..<2 { tie(place, indices, [q, k, v, y].map { Place(node: $0, axis: axis) }) }
    tie(place, indices, [Place(node: q, axis: 2), Place(node: y, axis: 2)])
    tie(place, indices, [Place(node: k, axis: 2), Place(node: v, axis: 2)])
    tie(place, indices, [Place(node: q, axis: 3), Place(node: k, axis: 3)])
    tie(place, indices, [Place(node: v, axis: 3), Place(node: y, axis: 3)])
  }

  /// x [batch, ..., C] and w [O, ..., C / groups] to y [batch, ..., O]. Groups keep equal sizes: what one
  /// loses the others lose too, unless each has one input, where a whole group goes with its input.
  private mutating func convolution(
    _ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node, x: Int, y: Int
  ) {
    let w = node.inputs[1], last = shape(w).count - 1, channel = shape(x).count - 1
    let inputs = shape(w)[last], groups = shape(x)[channel] / inputs, outputs = shape(w)[0] / groups
    let (atX, atW) = (Place(node: x, axis: channel), Place(node: w, axis: last))
    // The bias belongs to the operation's own result.
    let bias = node.inputs.dropFirst(2).map { Place(node: $0, axis: 0) }
    var atY = [Place(node: y, axis: channel), Place(node: w, axis: 0)]
    if y == node.id { atY += bias }
    var places = [atX]
    if x == node.id { places += bias }
    tie(place, indices, [Place(node: x, axis: 0), Place(node: y, axis: 0)])

    if groups > 1 && inputs == 1 {
      // A channel of its own for each group.
      let group: Set<Int>
      if places.contains(place) {
        group = indices
      } else if atY.contains(place) {
        group = Set(indices.map { $0 / outputs })
      } else {
        return
      }
      for other in places { remove(other, group) }
      let all = Set(group.flatMap { $0 * outputs..<($0 + 1) * outputs })
      for other in atY { remove(other, all) }
      return
    }
    if places.contains(place) || place == atW {
      let inner = Set(indices.map { $0 % inputs })
      remove(atW, inner)
      let all = Set(inner.flatMap { i in (0..<groups).map { $0 * inputs + i } })
      for other in places { remove(other, all) }
    }
    if atY.contains(place) {
      let all = Set(indices.flatMap { i in (0..<groups).map { $0 * outputs + i % outputs } })
      for other in atY { remove(other, all) }
    }
  }

  // MARK: Movements

  private mutating func moved(_ place: Place, _ indices: Set<Int>, _ node: OperationGraph.Node) {
    for (slot, input) in node.inputs.enumerated() where place.node == node.id || place.node == input {
      let key = Place(node: node.id, axis: slot)
      let map = maps[key] ?? ElementMap(graph, node, slot)
      maps[key] = .some(map)
      guard let map else {
        opaque.insert(node.id)
        continue
      }
      let forward = place.node == input
      guard let (axis, found) = (forward ? map : map.reversed).image(of: indices, along: place.axis) else {
        continue
      }
      remove(Place(node: forward ? node.id : input, axis: axis), found)
    }
  }
}
