import CallosumTensors

/// One named tensor that a part takes or gives.
public struct TensorPort: Sendable, Equatable {
  /// The size of one axis.
  public enum Extent: Sendable, Equatable {
    case fixed(Int)
    /// Any size, the same wherever the name appears, such as "batch" or "tokens".
    case free(String)
  }

  /// What values make sense, for whoever has to make some up.
  public enum Values: Sendable, Equatable {
    case real
    /// 0 to 1.
    case fractions
    /// 0 or 1.
    case spikes
    /// Whole numbers from 0, as int32.
    case indices(below: Int)
  }

  public let name: String
  public let shape: [Extent]
  public let values: Values
  /// Whether it may be left out, as a carried state may.
  public let isOptional: Bool

  public init(_ name: String, _ shape: [Extent], _ values: Values = .real, isOptional: Bool = false) {
    self.name = name
    self.shape = shape
    self.values = values
    self.isOptional = isOptional
  }

  /// Whether derivatives by it make sense.
  public var isDifferentiable: Bool {
    if case .indices = values { false } else { true }
  }

  /// Which tokens are padding (0) and which belong to which sequence; see ``TokenSegments``.
  public static let segments = TensorPort(
    "segments", [.free("batch"), .free("tokens")], .indices(below: 1 << 30), isOptional: true)

  /// The shape for people: `[batch, tokens, 64]`.
  public var shapeText: String { "[\(shapeWords.joined(separator: ", "))]" }

  /// Each axis as a word: its name or its size.
  public var shapeWords: [String] {
    shape.map { extent in
      switch extent {
      case .fixed(let size): "\(size)"
      case .free(let name): name
      }
    }
  }

  /// Checks type and shape of a tensor, and adds the sizes of the free axes to `sizes`.
  /// - Throws: ``InvalidInput`` that names both.
  func check(_ type: DType, _ given: [Int], _ sizes: inout [String: Int]) throws {
    let wanted = isDifferentiable ? "float32 or float64" : "int32"
    try require(
      isDifferentiable ? type.isFloatingPoint : type == .int32, "'\(name)' must be \(wanted), is \(type)")
    var fits = given.count == shape.count
    if fits {
      for (size, extent) in zip(given, shape) {
        switch extent {
        case .fixed(let expected): fits = fits && size == expected
        case .free(let axis):
          try require(
            sizes[axis, default: size] == size,
            "'\(name)' has \(size) along \(axis), other tensors \(sizes[axis, default: size])")
          sizes[axis] = size
        }
      }
    }
    try require(fits, "'\(name)' must have the shape \(shapeText), has \(given)")
  }

  /// Checks the values of a tensor that fits.
  /// - Throws: ``InvalidInput`` that names the bounds.
  func checkValues(_ tensor: Tensor) throws {
    guard case .indices(let count) = values, tensor.size > 0 else { return }
    let (low, high) = (tensor.min().item(Int.self), tensor.max().item(Int.self))
    try require(
      low >= 0 && high < count,
      "'\(name)' must lie in 0..<\(count), holds \(low < 0 ? low : high)")
  }

  /// A tensor that fits, free axes of the given sizes, with values made up by `generator`.
  public func example(_ sizes: [String: Int], using generator: inout RandomGenerator) -> Tensor {
    let shape = shape.map { extent in
      switch extent {
      case .fixed(let size): size
      case .free(let name): sizes[name, default: 3]
      }
    }
    return switch values {
    case .real: generator.normal(shape)
    case .fractions: generator.uniform(shape)
    case .spikes: generator.bernoulli(shape, probability: 0.3).asType(.float32)
    case .indices(let count): generator.integers(shape, low: 0, high: count)
    }
  }
}
