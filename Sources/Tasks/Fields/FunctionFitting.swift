import CallosumContracts
import CallosumTensors
import Foundation

/// A function of coordinates known at some points, wanted at others: what neural fields learn.
///
/// Points are fixed; a split's are no other split's.
public struct FunctionFitting: LearningTask {
  public let id, name: String
  /// [points, coordinates] and [points, values] (float32).
  public let points, values: [Split: Tensor]

  init(id: String, name: String, _ parts: [Split: (points: Tensor, values: Tensor)]) {
    self.id = id
    self.name = name
    points = parts.mapValues { $0.points.asType(.float32) }
    values = parts.mapValues { $0.values.asType(.float32) }
  }

  public var input: TaskInput { .values([points[.training]?.dim(1) ?? 0]) }
  public let positions: [Int] = []
  public var objective: Objective { .values(values[.training]?.dim(1) ?? 0) }
  public func count(_ split: Split) -> Int? { points[split]?.dim(0) ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    guard let points = points[split], let values = values[split] else {
      preconditionFailure("batch", "\(id) has no \(split.rawValue) points")
    }
    let rows = Tensor(indices.map { Int32($0) })
    return Batch(inputs: points.take(rows), targets: values.take(rows))
  }

  /// Decibels: -10 log10 of a mean squared error of values from 0 to 1.
  public static func peakSignalToNoise(_ meanSquaredError: Double) -> Double {
    -10 * Foundation.log10(meanSquaredError)
  }

  /// A sum of sines on [0, 1): f(x) = sum of a_i sin(2π c_i x + p_i), with `waves` frequencies c_i spread
  /// evenly up to `cycles`, a_i normal, p_i uniform, scaled to a root mean square of 1. On a grid of 4 `count`
  /// points every second is for training; of the others half are for validation, half judge.
  public static func sines(
    waves: Int = 8, cycles: Int = 40, count: Int = 256, seed: UInt64 = 0
  ) throws -> FunctionFitting {
    try require(waves > 0 && cycles >= waves, "cycles must be at least the waves, which are at least 1")
    try require(count >= cycles, "\(count) points cannot tell \(cycles) cycles; take \(cycles) at least")
    var generator = RandomGenerator(seed: seed).stream("sines")
    let amplitudes = generator.normal([waves], dtype: .float64).doubles
    let phases = (0..<waves).map { _ in 2 * Double.pi * generator.uniform() }
    let scale = (amplitudes.reduce(0) { $0 + $1 * $1 } / 2).squareRoot()
    func value(_ x: Double) -> Double {
      (0..<waves).reduce(0) { sum, i in
        let frequency = Double(cycles * (i + 1) / waves)
        return sum + amplitudes[i] * Foundation.sin(2 * .pi * frequency * x + phases[i]) / scale
      }
    }
    var places: [Split: [Double]] = [:]
    for place in 0..<4 * count {
      let split: Split = place % 2 == 0 ? .training : place % 4 == 1 ? .validation : .test
      places[split, default: []].append(Double(place) / Double(4 * count))
    }
    return FunctionFitting(
      id: "sines", name: "Sum of sines",
      places.mapValues { places in
        let shape = [places.count, 1]
        return (Tensor(places, shape), Tensor(places.map(value), shape))
      })
  }

  /// A picture [rows, columns, channels] as a function of place: coordinates (x, y) of the middles of its
  /// pixels in [0, 1], x to the right and y down. Every second pixel each way is for training; of the others
  /// one in eight, drawn at random, is for validation and the rest judge.
  public static func picture(_ picture: Tensor, seed: UInt64 = 0) throws -> FunctionFitting {
    try require(
      picture.ndim == 3 && picture.dim(0) > 3 && picture.dim(1) > 3,
      "a picture should be [rows, columns, channels], is \(picture.shape)")
    let (rows, columns) = (picture.dim(0), picture.dim(1))
    var generator = RandomGenerator(seed: seed).stream("picture/splits")
    var places: [Split: [Int]] = [:]
    for place in 0..<rows * columns {
      let isKnown = place / columns % 2 == 0 && place % columns % 2 == 0
      let split: Split = isKnown ? .training : generator.uniform() < 1.0 / 8 ? .validation : .test
      places[split, default: []].append(place)
    }
    let values = picture.reshaped(rows * columns, picture.dim(2))
    return FunctionFitting(
      id: "picture", name: "A picture",
      places.mapValues { places in
        let coordinates = places.flatMap { place -> [Double] in
          let x = (Double(place % columns) + 0.5) / Double(columns)
          let y = (Double(place / columns) + 0.5) / Double(rows)
          return [x, y]
        }
        return (Tensor(coordinates, [places.count, 2]), values.take(Tensor(places.map { Int32($0) })))
      })
  }

  /// A solid's distance as a function of place: uniform points of [-1, 1]³ and, for half of them, points near
  /// the surface (within a normal deviation of 0.05).
  public static func solid(
    _ solid: Solid, training: Int = 4096, validation: Int = 512, test: Int = 2048, seed: UInt64 = 0
  ) throws -> FunctionFitting {
    var parts: [Split: (points: Tensor, values: Tensor)] = [:]
    for (split, count) in [Split.training: training, .validation: validation, .test: test] {
      try require(count > 0, "a solid needs at least 1 \(split.rawValue) point, got \(count)")
      var generator = RandomGenerator(seed: seed).stream("solid/\(split.rawValue)")
      var points: [Double] = []
      for index in 0..<count {
        var point = SIMD3(0.0, 0, 0)
        for axis in 0..<3 { point[axis] = 2 * generator.uniform() - 1 }
        if index % 2 == 1 {
          // Down the gradient to the surface, and a little off it.
          point -= solid.distance(point) * solid.normal(point)
          let jitter = generator.normal([3], standardDeviation: 0.05, dtype: .float64).doubles
          point += SIMD3(jitter[0], jitter[1], jitter[2])
        }
        points += [point.x, point.y, point.z]
      }
      let distances = stride(from: 0, to: points.count, by: 3).map {
        solid.distance(SIMD3(points[$0], points[$0 + 1], points[$0 + 2]))
      }
      parts[split] = (Tensor(points, [count, 3]), Tensor(distances, [count, 1]))
    }
    return FunctionFitting(id: "solid", name: "A solid", parts)
  }
}

/// A picture of twelve discs and polygons of random colour with hard edges, over smooth noise of deviation
/// 0.05 whose amplitudes fall with 1 / frequency; levels within 0 to 1. [size, size, 3] (float32).
public func toyPicture(size: Int = 128, using generator: inout RandomGenerator) -> Tensor {
  precondition(size > 1, "toyPicture", "needs at least 2 pixels a side, got \(size)")
  let noise = GaussianField(.fourier, shape: [size, size]) { $0 > 0 ? 1 / $0.squareRoot() : 0 }
    .sample(3, using: &generator)
  let smooth = (noise / sqrt(noise.variance()) * 0.05 + 0.5).doubles
  var pixels = (0..<size * size * 3).map { smooth[$0 % 3 * size * size + $0 / 3] }
  for _ in 0..<12 {
    let (x, y) = (generator.uniform(), generator.uniform())
    let radius = 0.05 + 0.15 * generator.uniform(), turn = 2 * Double.pi * generator.uniform()
    // A disc, or a regular polygon of three to six corners.
    let corners = [0, 0, 3, 4, 5, 6][Int.random(in: 0..<6, using: &generator)]
    let colour = (0..<3).map { _ in generator.uniform() }
    for row in 0..<size {
      for column in 0..<size {
        let dx = (Double(column) + 0.5) / Double(size) - x, dy = (Double(row) + 0.5) / Double(size) - y
        var reach = radius
        if corners > 0 {
          // How far the edge is in this direction.
          let part = 2 * Double.pi / Double(corners)
          let angle = (Foundation.atan2(dy, dx) + turn + 8 * .pi).truncatingRemainder(dividingBy: part)
          reach = radius * Foundation.cos(part / 2) / Foundation.cos(angle - part / 2)
        }
        if dx * dx + dy * dy <= reach * reach {
          for channel in 0..<3 { pixels[(row * size + column) * 3 + channel] = colour[channel] }
        }
      }
    }
  }
  return Tensor(pixels.map { Float(min(max($0, 0), 1)) }, [size, size, 3])
}
