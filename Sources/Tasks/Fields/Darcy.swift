import CallosumContracts
import CallosumTensors

/// Flow through porous rock: -div(a grad u) = f on the unit square, u = 0 on its border.
///
/// n x n cells of width 1/n with a and u at their middles; the flow between two cells goes with the harmonic
/// mean of their a, that through the border, half a cell away, with twice a (finite volumes on a 5-point
/// stencil). By conjugate gradients, preconditioned by the diagonal.
public enum DarcyFlow {
  /// u for permeabilities a and sources f, all [batch, rows, columns] (float64), to a residual of `tolerance`
  /// times |f|.
  public static func solve(permeability a: Tensor, source f: Tensor, tolerance: Double = 1e-10) -> Tensor {
    precondition(
      a.ndim == 3 && a.shape == f.shape && a.size > 0, "DarcyFlow",
      "permeability \(a.shape) and source \(f.shape) should be [batch, rows, columns]")
    let (rows, columns) = (a.dim(1), a.dim(2)), cells = rows * columns
    let permeabilities = a.doubles, sources = f.doubles
    precondition(permeabilities.allSatisfy { $0 > 0 }, "DarcyFlow", "permeability must be above 0 everywhere")
    var solution: [Double] = []
    for start in stride(from: 0, to: permeabilities.count, by: cells) {
      let system = Stencil(permeability: Array(permeabilities[start..<start + cells]), rows, columns)
      solution += system.solve(Array(sources[start..<start + cells]), tolerance: tolerance)
    }
    return Tensor(solution, a.shape)
  }
}

/// A symmetric matrix of one number per cell and one per pair of neighbours.
private struct Stencil {
  private let rows, columns: Int
  private var diagonal: [Double]
  /// To the next column and to the next row; 0 at the far border.
  private var right, down: [Double]

  init(permeability a: [Double], _ rows: Int, _ columns: Int) {
    self.rows = rows
    self.columns = columns
    diagonal = [Double](repeating: 0, count: a.count)
    right = diagonal
    down = diagonal
    // Cells need not be square: flow goes with width over distance.
    let vertical = Double(rows * rows), horizontal = Double(columns * columns)
    func harmonic(_ p: Double, _ q: Double) -> Double { 2 * p * q / (p + q) }
    for row in 0..<rows {
      for column in 0..<columns {
        let i = row * columns + column
        if column + 1 < columns {
          right[i] = horizontal * harmonic(a[i], a[i + 1])
          diagonal[i] += right[i]
          diagonal[i + 1] += right[i]
        } else {
          diagonal[i] += 2 * horizontal * a[i]
        }
        if column == 0 { diagonal[i] += 2 * horizontal * a[i] }
        if row + 1 < rows {
          down[i] = vertical * harmonic(a[i], a[i + columns])
          diagonal[i] += down[i]
          diagonal[i + columns] += down[i]
        } else {
          diagonal[i] += 2 * vertical * a[i]
        }
        if row == 0 { diagonal[i] += 2 * vertical * a[i] }
      }
    }
  }

  /// y = A x
  private func product(_ x: [Double], into y: inout [Double]) {
    let columns = columns, cells = x.count
    x.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer { y in
        diagonal.withUnsafeBufferPointer { diagonal in
          right.withUnsafeBufferPointer { right in
            down.withUnsafeBufferPointer { down in
              for i in 0..<cells { y[i] = diagonal[i] * x[i] }
              for i in 0..<cells - 1 {
                y[i] -= right[i] * x[i + 1]
                y[i + 1] -= right[i] * x[i]
              }
              for i in 0..<cells - columns {
                y[i] -= down[i] * x[i + columns]
                y[i + columns] -= down[i] * x[i]
              }
            }
          }
        }
      }
    }
  }

  func solve(_ b: [Double], tolerance: Double) -> [Double] {
    func dot(_ x: [Double], _ y: [Double]) -> Double {
      var sum = 0.0
      for i in x.indices { sum += x[i] * y[i] }
      return sum
    }
    let count = b.count
    var x = [Double](repeating: 0, count: count), residual = b
    var relaxed = (0..<count).map { b[$0] / diagonal[$0] }
    var direction = relaxed, image = x
    var size = dot(residual, relaxed)
    let goal = tolerance * tolerance * dot(b, b)
    // Exact arithmetic needs no more steps than cells; rounding may need some more.
    for _ in 0..<4 * count + 100 {
      if dot(residual, residual) <= goal { break }
      product(direction, into: &image)
      let length = size / dot(direction, image)
      for i in 0..<count {
        x[i] += length * direction[i]
        residual[i] -= length * image[i]
        relaxed[i] = residual[i] / diagonal[i]
      }
      let next = dot(residual, relaxed), share = next / size
      for i in 0..<count { direction[i] = relaxed[i] + share * direction[i] }
      size = next
    }
    return x
  }
}

/// From the permeability of rock to the pressure in it: -div(a grad u) = 1, u = 0 on the border, a = 12 where
/// a Gaussian field is positive and 3 elsewhere; the field has cosine waves of deviation 1 / (w² + 9), w²
/// their squared wave number (Li et al. 2021).
public struct DarcyTask: LearningTask {
  public let id = "darcy"
  public let name = "Darcy flow"
  public let size: Int
  private let fields: FieldPairs

  public init(
    size: Int = 32, training: Int = 128, validation: Int = 32, test: Int = 64, seed: UInt64 = 0
  ) throws {
    try require((4...1024).contains(size), "size must be from 4 to 1024, is \(size)")
    self.size = size
    let field = GaussianField(.cosine, shape: [size, size]) { 1 / ($0 + 9) }
    fields = try FieldPairs("darcy", [training, validation, test], seed) { count, generator in
      // Fields of one sign are all alike, and would stand in several splits: they are drawn again.
      var kept: [Tensor] = []
      while kept.count < count {
        for one in (field.sample(count - kept.count, using: &generator) .> 0).split(parts: count - kept.count)
        where one.any().item() != one.all().item() { kept.append(one) }
      }
      let permeability = which(concatenated(kept), Tensor(12, .float64), Tensor(3, .float64))
      let pressure = DarcyFlow.solve(permeability: permeability, source: .ones(like: permeability))
      return (permeability.expandedDimensions(axis: -1), pressure.expandedDimensions(axis: -1))
    }
  }

  public var input: TaskInput { .values([size, size, 1]) }
  public var positions: [Int] { [size, size] }
  public let objective = Objective.field(1)
  public func count(_ split: Split) -> Int? { fields.count(split) }
  public func batch(_ split: Split, _ indices: [Int]) -> Batch { fields.batch(split, indices) }
}

/// Stored pairs of fields, drawn from a stream of its own for each split.
struct FieldPairs: Sendable {
  private let pairs: [Split: Batch]

  init(
    _ name: String, _ counts: [Int], _ seed: UInt64,
    _ draw: (_ count: Int, inout RandomGenerator) -> (inputs: Tensor, targets: Tensor)
  ) throws {
    var pairs: [Split: Batch] = [:]
    for (split, count) in zip(Split.allCases, counts) {
      try require(count > 0, "\(name) needs at least 1 \(split.rawValue) field, got \(count)")
      var generator = RandomGenerator(seed: seed).stream("\(name)/\(split.rawValue)")
      let (inputs, targets) = withoutRecording { draw(count, &generator) }
      pairs[split] = Batch(inputs: inputs.asType(.float32), targets: targets.asType(.float32))
    }
    self.pairs = pairs
  }

  func count(_ split: Split) -> Int { pairs[split]?.inputs.dim(0) ?? 0 }

  func batch(_ split: Split, _ indices: [Int]) -> Batch {
    guard let all = pairs[split] else {
      preconditionFailure("batch", "there are no \(split.rawValue) fields")
    }
    let rows = Tensor(indices.map { Int32($0) })
    return Batch(inputs: all.inputs.take(rows), targets: all.targets.take(rows))
  }
}
