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
      var tensors = try Safetensors.load(path).tensors
      if let type {
        for place in parameters() + buffers() where place.value.dtype.isFloatingPoint {
          place.value = place.value.asType(type)
        }
        tensors = tensors.mapValues { $0.dtype.isFloatingPoint ? $0.asType(type) : $0 }
      }
      try load(weights: tensors)
    } catch let error as WeightsError {
      throw WeightsError(description: "\(path): \(error.description)")
    }
  }
}

/// Checks names, shapes and types; the error names the first few that do not fit.
func requireSameTensors(_ given: [String: Tensor], as expected: [String: Tensor], _ what: String) throws {
  let missing = expected.keys.filter { given[$0] == nil }
  if !missing.isEmpty { throw WeightsError(description: "\(what) lack \(nameList(missing))") }
  let extra = given.keys.filter { expected[$0] == nil }
  if !extra.isEmpty {
    throw WeightsError(description: "\(what) hold \(nameList(extra)), which this network does not have")
  }
  for (name, tensor) in expected.sorted(by: { $0.key < $1.key }) {
    guard let other = given[name], other.shape != tensor.shape || other.dtype != tensor.dtype else {
      continue
    }
    throw WeightsError(
      description: "\(name) must be \(tensor.dtype) \(tensor.shape), is \(other.dtype) \(other.shape)")
  }
}
