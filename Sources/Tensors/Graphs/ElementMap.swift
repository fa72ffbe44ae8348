/// Where a movement of elements, such as a reshape or a concatenation, puts each element of one input.
struct ElementMap {
  private let from, to: [Int]
  /// For each element of `from` in row-major order its place in `to`, -1 where it is left out.
  private let places: [Int]

  private init(_ from: [Int], _ to: [Int], _ places: [Int]) {
    (self.from, self.to, self.places) = (from, to, places)
  }

  /// By the operation's own derivative, which carries a gradient back the way that elements came: of the
  /// numbers 1, 2, 3, ... each input element gets that of its place. nil for an operation without one, or
  /// for more elements than float32 can count.
  init?(_ graph: OperationGraph, _ node: OperationGraph.Node, _ slot: Int) {
    let shape = graph.nodes[node.inputs[slot]].shape, count = node.shape.elementCount
    guard count < 1 << 24, node.dtype.isFloatingPoint, case .operation(_, let result) = node.kind else {
      return nil
    }
    let numbers = (Tensor.arange(count).asType(node.dtype) + 1).reshaped(node.shape)
    let all = NeedsGradient([Bool](repeating: true, count: node.inputs.count))
    let found: Tensor? = withoutRecording {
      switch graph.tape.entries[node.entry - result].rule {
      case .one(let rule): rule(numbers)
      case .many(let rule): rule(numbers, all)[slot]
      case .joint(let count, let rule): rule((0..<count).map { $0 == result ? numbers : nil }, all)[slot]
      default: nil
      }
    }
    guard let found, found.shape == shape else { return nil }
    self.init(shape, node.shape, found.doubles.map { Int($0) - 1 })
  }

  /// The way back.
  var reversed: ElementMap {
    var back = [Int](repeating: -1, count: to.elementCount)
    for (element, place) in places.enumerated() where place >= 0 { back[place] = element }
    return ElementMap(to, from, back)
  }

  /// The slice of `to` that holds the elements at `indices` along `axis`: the axis that corresponds to this
  /// one, or else the one whose slice holds the fewest other elements. nil if they are left out.
  func image(of indices: Set<Int>, along axis: Int) -> (axis: Int, indices: Set<Int>)? {
    let inner = from[(axis + 1)...].reduce(1, *), strides = to.contiguousStrides
    // For each index of the axis, the indices of each axis of `to` that its elements have.
    var reached = [[Set<Int>]](repeating: .init(repeating: [], count: to.count), count: from[axis])
    for (element, place) in places.enumerated() where place >= 0 {
      let index = element / inner % from[axis]
      for b in to.indices { reached[index][b].insert(place / strides[b] % to[b]) }
    }
    var best: (axis: Int, indices: Set<Int>, size: Int)?
    for b in to.indices {
      let found = indices.reduce(into: Set<Int>()) { $0.formUnion(reached[$1][b]) }
      if found.isEmpty { return nil }
      // One index for each, none shared: the same axis, wherever it stands now.
      let single = reached.compactMap { $0[b].count == 1 ? $0[b].first : $0[b].isEmpty ? nil : -1 }
      if to[b] > 1 || single.count == 1, !single.contains(-1), Set(single).count == single.count {
        return (b, found)
      }
      let size = found.count * (to.elementCount / to[b])
      if best == nil || size < best?.size ?? 0 { best = (b, found, size) }
    }
    return best.map { ($0.axis, $0.indices) }
  }
}
