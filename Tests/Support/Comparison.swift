import CallosumTensors

/// How far a value may lie from what is expected: |value - expected| <= relative |expected| +
/// ofLargest max |expected| + absolute.
public struct Tolerance: Sendable {
  public var relative, ofLargest, absolute: Double
  public init(relative: Double, ofLargest: Double = 0, absolute: Double = 0) {
    (self.relative, self.ofLargest, self.absolute) = (relative, ofLargest, absolute)
  }
}

/// A comparison of all elements, remembering the worst.
public struct Comparison {
  /// The worst error, as a multiple of what is allowed.
  public private(set) var worst = 0.0
  /// What is wrong, nil if nothing is.
  public private(set) var problem: String?

  /// NaN equals NaN; infinities must be the same. Types and shapes must agree.
  public init(_ actual: Tensor, _ expected: Tensor, within tolerance: Tolerance) {
    guard actual.shape == expected.shape, actual.dtype == expected.dtype else {
      worst = .infinity
      problem = "is \(actual.dtype) \(actual.shape) instead of \(expected.dtype) \(expected.shape)"
      return
    }
    let values = actual.doubles, wanted = expected.doubles
    let largest = wanted.reduce(0) { $1.isFinite ? Swift.max($0, $1.magnitude) : $0 }
    let floor = tolerance.ofLargest * largest + tolerance.absolute
    var position = 0
    var wrong = 0
    for (index, (value, want)) in zip(values, wanted).enumerated() {
      if value == want || (value.isNaN && want.isNaN) { continue }
      let allowed = tolerance.relative * want.magnitude + floor
      let error = (value - want).magnitude
      // A NaN or an infinity on one side only is infinitely wrong.
      let share = error.isFinite && allowed > 0 ? error / allowed : .infinity
      if share > 1 { wrong += 1 }
      if share > worst { (worst, position) = (share, index) }
    }
    guard wrong > 0 else { return }
    var place: [Int] = []
    var rest = position
    for size in expected.shape.reversed() {
      place.insert(rest % size, at: 0)
      rest /= size
    }
    problem =
      "worst at \(place): \(values[position]) instead of \(wanted[position]), "
      + "\(Float(worst)) times the allowed error; \(wrong) of \(values.count) elements are off"
  }
}
