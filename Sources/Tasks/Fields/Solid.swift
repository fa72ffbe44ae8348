import CallosumContracts
import CallosumTensors
import Foundation

/// A solid with its exact signed distance: how far its surface is from a point, negative inside.
public struct Solid: Sendable, Equatable {
  public enum Shape: Sendable, Equatable {
    case ball(radius: Double)
    /// Half its edges.
    case box(SIMD3<Double>)
    /// About the z axis: of the ring's middle, and of the ring itself.
    case torus(radius: Double, thickness: Double)
    /// Along the z axis.
    case cylinder(radius: Double, halfHeight: Double)
  }

  public var shape: Shape
  /// Rows of the rotation that is applied to the shape.
  public var rotation: [SIMD3<Double>]
  public var scale: Double
  public var offset: SIMD3<Double>

  public init(
    _ shape: Shape, rotation: [SIMD3<Double>] = [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)],
    scale: Double = 1, offset: SIMD3<Double> = SIMD3(0, 0, 0)
  ) {
    (self.shape, self.rotation, self.scale, self.offset) = (shape, rotation, scale, offset)
  }

  /// One of four shapes that fit into the unit ball (by turns, by `kind`), turned at random, scaled by 0.5 to
  /// 0.9 and moved by up to 0.1 along each axis.
  public static func random(kind: Int, using generator: inout RandomGenerator) -> Solid {
    let shapes: [Shape] = [
      .ball(radius: 0.8), .box(SIMD3(0.6, 0.45, 0.5)), .torus(radius: 0.6, thickness: 0.25),
      .cylinder(radius: 0.45, halfHeight: 0.7),
    ]
    // A uniform rotation is a unit quaternion of normal numbers.
    let q = generator.normal([4], dtype: .float64).doubles
    let length = q.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let (w, x, y, z) = (q[0] / length, q[1] / length, q[2] / length, q[3] / length)
    let rotation = [
      SIMD3(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
      SIMD3(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
      SIMD3(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    let scale = 0.5 + 0.4 * generator.uniform()
    let offset = SIMD3(
      0.2 * generator.uniform() - 0.1, 0.2 * generator.uniform() - 0.1, 0.2 * generator.uniform() - 0.1)
    return Solid(
      shapes[(kind % 4 + 4) % 4], rotation: rotation, scale: scale, offset: offset)
  }

  public func distance(_ point: SIMD3<Double>) -> Double {
    let moved = (point - offset) / scale
    // Back into the shape's own axes: by the rotation's transpose.
    let p = moved.x * rotation[0] + moved.y * rotation[1] + moved.z * rotation[2]
    return scale * unitDistance(p)
  }

  private func unitDistance(_ p: SIMD3<Double>) -> Double {
    func length(_ v: SIMD3<Double>) -> Double { (v * v).sum().squareRoot() }
    func length(_ x: Double, _ y: Double) -> Double { (x * x + y * y).squareRoot() }
    switch shape {
    case .ball(let radius): return length(p) - radius
    case .box(let half):
      let d = SIMD3(Swift.abs(p.x), Swift.abs(p.y), Swift.abs(p.z)) - half
      return length(d.clamped(lowerBound: .zero, upperBound: SIMD3(repeating: .infinity))) + min(d.max(), 0)
    case .torus(let radius, let thickness):
      return length(length(p.x, p.y) - radius, p.z) - thickness
    case .cylinder(let radius, let halfHeight):
      let side = length(p.x, p.y) - radius, end = Swift.abs(p.z) - halfHeight
      return length(max(side, 0), max(end, 0)) + min(max(side, end), 0)
    }
  }

  /// The distance's gradient by central differences; its length is 1 wherever the nearest surface is one place.
  public func normal(_ point: SIMD3<Double>) -> SIMD3<Double> {
    var gradient = SIMD3(0.0, 0, 0)
    for axis in 0..<3 {
      var step = SIMD3(0.0, 0, 0)
      step[axis] = 1e-6
      gradient[axis] = (distance(point + step) - distance(point - step)) / 2e-6
    }
    return gradient
  }
}
