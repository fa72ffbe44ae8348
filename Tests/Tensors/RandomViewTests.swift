import CallosumTensors
import CallosumTestSupport
import Testing

/// A view of a tensor beside the values that it should show, moved one by one.
private struct Witness {
  var tensor: Tensor
  var shape: [Int]
  var values: [Double]

  /// 0, 1, 2, ... (with an offset) in the given shape.
  init(_ shape: [Int], from start: Double = 0) {
    self.shape = shape
    values = (0..<shape.elementCount).map { Double($0) + start }
    tensor = Tensor(values).reshaped(shape)
  }

  /// All positions of a shape in row-major order.
  static func places(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { places, size in places.flatMap { place in (0..<size).map { place + [$0] } } }
  }

  func value(_ place: [Int]) -> Double { values[zip(place, shape).reduce(0) { $0 * $1.1 + $1.0 }] }

  /// The view of `newShape` that shows at each place what this one shows at `source` of it.
  func moved(_ tensor: Tensor, _ newShape: [Int], _ source: ([Int]) -> [Int]) -> Witness {
    var result = self
    result.values = Witness.places(newShape).map { value(source($0)) }
    (result.tensor, result.shape) = (tensor, newShape)
    return result
  }

  /// One more random change.
  func changed(_ random: inout RandomGenerator) -> Witness {
    let axis = Int.random(in: shape.indices, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0:
      let order = shape.indices.shuffled(using: &random)
      return moved(tensor.transposed(axes: order), order.map { shape[$0] }) { place in
        var source = place
        for (position, axis) in order.enumerated() { source[axis] = place[position] }
        return source
      }
    case 1:
      return moved(tensor.flipped(axes: [axis]), shape) { place in
        var source = place
        source[axis] = shape[axis] - 1 - place[axis]
        return source
      }
    case 2:
      let from = Int.random(in: 0...shape[axis], using: &random)
      let to = Int.random(in: from...shape[axis], using: &random)
      let step = Int.random(in: 1...3, using: &random)
      var target = shape
      target[axis] = (to - from + step - 1) / step
      return moved(tensor.sliced(axis: axis, from: from, to: to, by: step), target) { place in
        var source = place
        source[axis] = from + place[axis] * step
        return source
      }
    case 3:
      let target = [2] + shape.map { $0 == 1 ? 3 : $0 }
      return moved(tensor.broadcast(to: target), target) { place in
        zip(place.dropFirst(), shape).map { $1 == 1 ? 0 : $0 }
      }
    default:
      let target = [shape.elementCount, 1]
      var copy = self
      (copy.tensor, copy.shape) = (tensor.reshaped(target), target)
      return copy
    }
  }
}

extension TensorTests {
  /// Random chains of views against values moved one by one, read by every kind of kernel.
  @Suite struct RandomViews {
    @Test func showWhatTheyShould() {
      var random = RandomGenerator(seed: 21)
      let settings = Setting.ofKernels
      for round in 0..<600 {
        let rank = Int.random(in: 1...4, using: &random)
        var view = Witness((0..<rank).map { _ in Int.random(in: 0...9, using: &random) })
        for _ in 0..<Int.random(in: 1...4, using: &random) where view.values.count < 5000 {
          view = view.changed(&random)
        }
        let other = Witness(view.shape, from: 0.5).changedKeepingShape(&random)
        let axis = Int.random(in: view.shape.indices, using: &random)
        settings[round % settings.count].run { check(view, other, axis) }
      }
    }

    private func check(_ view: Witness, _ other: Witness, _ axis: Int) {
      let (x, y) = (view.tensor, other.tensor)
      #expect(x.shape == view.shape)
      #expect(x.doubles == view.values)
      #expect((x.asType(.float32) + y.asType(.float32)).doubles == zip(view.values, other.values).map(+))
      #expect((x - y).doubles == zip(view.values, other.values).map(-))
      #expect(which(x .< y, x, y).doubles == zip(view.values, other.values).map(min))
      #expect((x.asType(.int32) .> 3).asArray() == view.values.map { $0 > 3 })

      var target = view.shape
      target[axis] = 1
      var sums = [[Int]: Double]()
      for place in Witness.places(view.shape) {
        var kept = place
        kept[axis] = 0
        sums[kept, default: 0] += view.value(place)
      }
      let wanted = Witness.places(target).map { sums[$0] ?? 0 }
      #expect(x.sum(axis: axis, keepDims: true).doubles == wanted)
      #expect(x.asType(.float32).sum(axis: axis, keepDims: true).doubles == wanted)

      let joined = concatenated([x, y], axis: axis)
      #expect(joined.sliced(axis: axis, to: x.dim(axis)).doubles == view.values)
      #expect(joined.sliced(axis: axis, from: x.dim(axis)).doubles == other.values)
    }

    @Test func passGradientsBackToTheirPlaces() {
      var random = RandomGenerator(seed: 22)
      for _ in 0..<200 {
        let shape = (0..<Int.random(in: 1...3, using: &random)).map { _ in
          Int.random(in: 1...5, using: &random)
        }
        let replay = random
        var wanted = [Double](repeating: 0, count: shape.elementCount)
        let slope = gradient(at: Witness(shape).tensor) { x in
          var view = Witness(shape)
          view.tensor = x
          for _ in 0..<3 { view = view.changed(&random) }
          // Weighting each place by its number tells places apart.
          let weights = Tensor((0..<view.values.count).map { Double($0 + 1) }).reshaped(view.shape)
          for (number, value) in view.values.enumerated() { wanted[Int(value)] += Double(number + 1) }
          return (view.tensor * weights).sum()
        }
        #expect(slope.doubles == wanted, "\(shape), \(replay)")
      }
    }
  }
}

extension Witness {
  /// Transposed or reversed in memory, but with the same shape.
  fileprivate func changedKeepingShape(_ random: inout RandomGenerator) -> Witness {
    var copy = self
    let order = shape.indices.shuffled(using: &random)
    var back = order
    for (position, axis) in order.enumerated() { back[axis] = position }
    copy.tensor = tensor.transposed(axes: order).contiguous().transposed(axes: back)
    return copy
  }
}
