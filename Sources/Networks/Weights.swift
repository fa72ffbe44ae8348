import CallosumTensors

/// Weights that do not fit a module; described in one line.
public struct WeightsError: Error, Equatable, CustomStringConvertible {
  public let description: String
}

extension Module {
  /// Parameters and buffers by name.
  public func weights() -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: (parameters() + buffers()).map { ($0.name, $0.value) })
  }

  /// Takes up weights by name; all or none.
  /// - Throws: ``WeightsError`` if a tensor is missing, unknown, or of another shape or type.
  public func load(weights: [String: Tensor]) throws {
    let places = parameters() + buffers()
    try requireSameTensors(weights, as: self.weights(), "weights")
    for place in places {
      if let value = weights[place.name] { place.value = value.packed }
    }
  }

  /// Writes parameters and buffers as safetensors; all or nothing.
  public func save(to path: String, metadata: [String: String] = [:]) throws {
    try Safetensors.save(weights(), metadata: metadata, to: path)
  }

  /// Takes up parameters and buffers of a safetensors file; with `type`, numbers that are not whole are
  /// turned into it and the module's own become so too.
  public func load(from path: String, as type: DType? = nil) throws {
    do {
      let file = try SafetensorsFile(path: path), places = parameters() + buffers()
      func converted(_ given: DType) -> DType { given.isFloatingPoint ? type ?? given : given }
      // A large file of something else is refused before its tensors are read.
      var given: [String: TensorForm] = [:]
      for (name, entry) in file.entries {
        // Of a type that is not supported, reading says so.
        given[name] = TensorForm(converted(try entry.dtype ?? file.tensor(name).dtype), entry.shape)
      }
      let own = Dictionary(
        uniqueKeysWithValues: places.map {
          ($0.name, TensorForm(converted($0.value.dtype), $0.value.shape))
        })
      try requireSame(given, as: own, "weights")
      var values: [Tensor] = []
      for place in places {
        let value = try file.tensor(place.name)
        values.append(value.asType(converted(value.dtype)).packed)
      }
      for (place, value) in zip(places, values) { place.value = value }
    } catch let error as WeightsError {
      throw WeightsError(description: "\(path): \(error.description)")
    }
  }
}

/// Type and shape of a tensor.
struct TensorForm: Equatable, CustomStringConvertible {
  let type: DType
  let shape: [Int]
  init(_ type: DType, _ shape: [Int]) { (self.type, self.shape) = (type, shape) }
  var description: String { "\(type) \(shape)" }
}

/// Checks names, shapes and types; the error names the first few that do not fit.
func requireSameTensors(_ given: [String: Tensor], as expected: [String: Tensor], _ what: String) throws {
  func forms(_ tensors: [String: Tensor]) -> [String: TensorForm] {
    tensors.mapValues { TensorForm($0.dtype, $0.shape) }
  }
  try requireSame(forms(given), as: forms(expected), what)
}

private func requireSame(
  _ given: [String: TensorForm], as expected: [String: TensorForm], _ what: String
) throws {
  let missing = expected.keys.filter { given[$0] == nil }
  if !missing.isEmpty { throw WeightsError(description: "\(what) lack \(nameList(missing))") }
  let extra = given.keys.filter { expected[$0] == nil }
  if !extra.isEmpty {
    throw WeightsError(description: "\(what) hold \(nameList(extra)), which this network does not have")
  }
  for (name, form) in expected.sorted(by: { $0.key < $1.key }) {
    guard let other = given[name], other != form else { continue }
    throw WeightsError(description: "\(name) must be \(form), is \(other)")
  }
}
