import CallosumTensors

/// Sets that are joined one by one, each known by its smallest member. Finding halves the path to it
/// (Tarjan and van Leeuwen 1984), so that time is linear for all purposes.
struct DisjointSets {
  private var parents: [Int32]

  init(count: Int) { parents = (0..<Int32(count)).map { $0 } }

  /// The smallest member of the set that holds `element`.
  mutating func root(of element: Int) -> Int {
    parents.withUnsafeMutableBufferPointer { parents in
      var at = Int32(element)
      while parents[Int(at)] != at {
        parents[Int(at)] = parents[Int(parents[Int(at)])]
        at = parents[Int(at)]
      }
      return Int(at)
    }
  }

  mutating func join(_ a: Int, _ b: Int) {
    let (first, second) = (root(of: a), root(of: b))
    parents[max(first, second)] = Int32(min(first, second))
  }

  /// The sets numbered from `start` in the order of their smallest members, of the elements that are
  /// `kept`; 0 for the others.
  mutating func numbered(from start: Int, kept: (Int) -> Bool) -> (labels: [Int32], count: Int) {
    var labels = [Int32](repeating: 0, count: parents.count), next = start
    for element in labels.indices where kept(element) {
      let root = root(of: element)
      if root == element {
        labels[element] = Int32(next)
        next += 1
      } else {
        labels[element] = labels[root]
      }
    }
    return (labels, next - start)
  }
}

/// The connected component of each node of an undirected graph, int32 [nodes], numbered from 0 in the order
/// of their first nodes; and how many there are.
///
/// - Parameters:
///   - from: one end of each edge, int32 [edges]; direction does not matter.
///   - to: the other end.
///   - nodes: how many nodes there are.
public func connectedComponents(from: Tensor, to: Tensor, nodes: Int) -> (labels: Tensor, count: Int) {
  let name: StaticString = "connectedComponents"
  precondition(
    from.dtype == .int32 && to.dtype == .int32 && from.ndim == 1 && from.shape == to.shape && nodes >= 0,
    name,
    "needs the ends of edges, int32 [edges], got \(from.dtype) \(from.shape) and \(to.dtype) \(to.shape)")
  var sets = DisjointSets(count: nodes)
  for (a, b) in zip(from.asArray(Int32.self), to.asArray(Int32.self)) {
    precondition(
      min(a, b) >= 0 && max(a, b) < nodes, name, "an edge from \(a) to \(b) leaves the \(nodes) nodes")
    sets.join(Int(a), Int(b))
  }
  let (labels, count) = sets.numbered(from: 0) { _ in true }
  return (Tensor(labels), count)
}

/// Which elements of an image or volume are neighbours.
public enum Neighbourhood: Sendable {
  /// Those that share a face: 4 in an image, 6 in a volume.
  case faces
  /// Those that touch: 8 in an image, 26 in a volume.
  case all
}

/// The connected regions of a mask (bool), one to three axes: int32 of its shape, 0 outside the mask, then
/// numbered from 1 in the order of their first elements; and how many there are. One pass and a
/// forest of joined labels; time is linear.
public func labelledComponents(
  _ mask: Tensor, neighbours: Neighbourhood = .faces
) -> (labels: Tensor, count: Int) {
  let volume = MaskVolume(mask, "labelledComponents"), size = volume.size
  var sets = DisjointSets(count: volume.values.count)
  let before = volume.offsets(neighbours).filter { $0.step < 0 }
  for place in volume.values.indices where volume.values[place] {
    let (z, y, x) = volume.coordinates(of: place)
    for offset in before
    where (0..<size.z).contains(z + offset.z) && (0..<size.y).contains(y + offset.y)
      && (0..<size.x).contains(x + offset.x) && volume.values[place + offset.step]
    { sets.join(place, place + offset.step) }
  }
  let (labels, count) = sets.numbered(from: 1) { volume.values[$0] }
  return (Tensor(labels, mask.shape), count)
}

/// A mask of one to three axes as a volume; an image is a volume of one plane.
struct MaskVolume {
  let size: (z: Int, y: Int, x: Int)
  var values: [Bool]

  init(_ mask: Tensor, _ name: StaticString, axes: ClosedRange<Int> = 1...3) {
    precondition(
      mask.dtype == .bool && axes.contains(mask.ndim), name,
      "needs a bool mask of \(axes.lowerBound) to \(axes.upperBound) axes, got \(mask.dtype) \(mask.shape)")
    let shape = [Int](repeating: 1, count: 3 - mask.ndim) + mask.shape
    size = (shape[0], shape[1], shape[2])
    values = mask.asArray()
  }

  func coordinates(of place: Int) -> (z: Int, y: Int, x: Int) {
    (place / (size.y * size.x), place / size.x % size.y, place % size.x)
  }

  /// Where neighbours lie, and how far that is in memory.
  func offsets(_ neighbours: Neighbourhood) -> [(z: Int, y: Int, x: Int, step: Int)] {
    (0..<27).compactMap { cell in
      let (z, y, x) = (cell / 9 - 1, cell / 3 % 3 - 1, cell % 3 - 1)
      let distance = abs(z) + abs(y) + abs(x)
      guard distance == 1 || (distance > 1 && neighbours == .all) else { return nil }
      // Neighbours before an element in memory come first in the order of z, y, x, whatever the sizes.
      return (z, y, x, (z * size.y + y) * size.x + x)
    }
  }
}
