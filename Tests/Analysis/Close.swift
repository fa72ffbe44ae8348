import CallosumTensors
import Testing

/// That numbers are those of a golden file, to `tolerance` times the largest of them.
func expectClose(
  _ found: [Double], _ expected: [Double], _ tolerance: Double = 1e-10,
  _ location: SourceLocation = #_sourceLocation
) {
  #expect(found.count == expected.count, sourceLocation: location)
  let scale = max(expected.reduce(0) { max($0, abs($1)) }, 1e-300)
  let worst = zip(found, expected).reduce(0) {
    max($0, abs($1.0 - $1.1).isNaN ? .infinity : abs($1.0 - $1.1))
  }
  #expect(worst <= tolerance * scale, "off by \(worst) of \(scale)", sourceLocation: location)
}

func expectClose(
  _ found: Tensor, _ expected: Tensor, _ tolerance: Double = 1e-10,
  _ location: SourceLocation = #_sourceLocation
) {
  #expect(found.shape == expected.shape, sourceLocation: location)
  expectClose(found.doubles, expected.doubles, tolerance, location)
}

extension Tensor {
  /// Whole numbers.
  var integers: [Int] { doubles.map { Int($0) } }
}

/// A tensor of a golden file by its name.
func tensor(_ group: [String: Tensor], _ name: String) throws -> Tensor {
  try #require(group[name], "\(name)")
}
