/// Several tensors, such as the parameters of a network or their gradients, as one vector.

/// The elements of all tensors one after the other, [total], each tensor in row-major order. Derivatives
/// pass.
public func flattened(_ tensors: [Tensor]) -> Tensor {
  precondition(!tensors.isEmpty, "flattened", "needs at least one tensor")
  return concatenated(tensors.map { $0.reshaped(-1) })
}

/// What `flattened` joined: pieces of `vector` [total] with the shapes of `tensors`, in their order.
/// Derivatives pass.
public func unflattened(_ vector: Tensor, like tensors: [Tensor]) -> [Tensor] {
  let total = tensors.map(\.size).reduce(0, +)
  precondition(
    vector.shape == [total], "unflattened",
    "a vector of shape \(vector.shape) does not divide into shapes \(tensors.map(\.shape))")
  var start = 0
  return tensors.map { tensor in
    defer { start += tensor.size }
    return vector.sliced(axis: 0, from: start, to: start + tensor.size).reshaped(tensor.shape)
  }
}

/// The elements of all tensors, [total], in alphabetical order of their names.
public func flattened(_ tensors: [String: Tensor]) -> Tensor {
  flattened(tensors.sorted { $0.key < $1.key }.map(\.value))
}

/// What `flattened` joined, under the same names.
public func unflattened(_ vector: Tensor, like tensors: [String: Tensor]) -> [String: Tensor] {
  let places = tensors.sorted { $0.key < $1.key }
  return Dictionary(
    uniqueKeysWithValues: zip(places.map(\.key), unflattened(vector, like: places.map(\.value))))
}

/// The product of two lists of tensors of the same shapes as vectors: one number. Derivatives pass.
public func dot(_ a: [Tensor], _ b: [Tensor]) -> Tensor {
  precondition(
    !a.isEmpty && a.map(\.shape) == b.map(\.shape), "dot",
    "tensors of shapes \(a.map(\.shape)) and \(b.map(\.shape)) have no product")
  let products = zip(a, b).map { ($0 * $1).sum() }
  return products.dropFirst().reduce(products[0], +)
}

/// The joint Euclidean norm of several tensors.
public func norm(of tensors: [Tensor]) -> Double {
  tensors.map { square($0).sum().item() }.reduce(0, +).squareRoot()
}
