/// The rotation matrices of quaternions (w, x, y, z) [..., 4]: [..., 3, 3], which turn columns. Quaternions
/// need not have length 1, but none may be 0.
public func rotationMatrices(ofQuaternions q: Tensor) -> Tensor {
  q.requireReal("rotationMatrices")
  precondition(q.ndim > 0 && q.dim(-1) == 4, "rotationMatrices", "needs quaternions [..., 4], got \(q.shape)")
  let unit = q * rsqrt(square(q).sum(axis: -1, keepDims: true))
  let parts = (0..<4).map { unit.sliced(axis: -1, from: $0, to: $0 + 1) }
  let (w, x, y, z) = (parts[0], parts[1], parts[2], parts[3])
  let rows: [Tensor] = [
    1 - (y * y + z * z) * 2, (x * y - w * z) * 2, (x * z + w * y) * 2,
    (x * y + w * z) * 2, 1 - (x * x + z * z) * 2, (y * z - w * x) * 2,
    (x * z - w * y) * 2, (y * z + w * x) * 2, 1 - (x * x + y * y) * 2,
  ]
  return concatenated(rows, axis: -1).reshaped(q.shape.dropLast() + [3, 3])
}
