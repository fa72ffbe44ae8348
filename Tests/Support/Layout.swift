import CallosumTensors

extension Tensor {
  /// The same values, lying in memory as `layout` says: `contiguous`, `transposed` (the last two
  /// axes stored the other way round), `sliced` (every second element of something larger, which
  /// holds nonsense in between), or `expanded:AXIS` (one slice, repeated with stride 0).
  public func laidOut(_ layout: String) -> Tensor {
    switch layout.prefix(while: { $0 != ":" }) {
    case "contiguous": return self
    case "transposed": return swappedAxes(-1, -2).contiguous().swappedAxes(-1, -2)
    case "sliced":
      var larger = self
      for axis in shape.indices {
        var doubled = larger.shape
        doubled[axis] *= 2
        larger = stacked([.nonsense(larger.shape, dtype), larger], axis: axis + 1).reshaped(doubled)
      }
      return larger.sliced(shape.map { Swift.min(1, $0)..<2 * $0 }, by: shape.map { _ in 2 })
    case "expanded":
      guard let axis = Int(layout.dropFirst("expanded:".count)) else { break }
      return sliced(axis: axis, to: 1).contiguous().broadcast(to: shape)
    default: break
    }
    fatalError("no such layout: \(layout)")
  }

  private static func nonsense(_ shape: [Int], _ dtype: DType) -> Tensor {
    full(shape, dtype == .int32 ? -123_456_789 : .nan, dtype: dtype)
  }
}
