import CallosumKernels

/// The multiresolution hash encoding of points (Müller et al., "Instant neural graphics primitives",
/// 2022): every level divides 0...1 on each axis into `resolutions[level]` cells, looks up the corners of
/// the cell around the point in its table and mixes their features by the point's place in the cell.
/// A level whose corners fit the table numbers them row by row; the others share rows by a hash.
///
/// - Parameters:
///   - x: points [..., axes], 1 to 4 axes; 0...1 is covered, beyond it rows repeat.
///   - table: [levels, entries, features].
///   - resolutions: cells on each axis, one number for each level.
/// - Returns: [..., levels * features], the coarsest level first if `resolutions` ascends.
public func hashGridEncoding(_ x: Tensor, table: Tensor, resolutions: [Int]) -> Tensor {
  let name: StaticString = "hashGridEncoding"
  precondition(
    x.ndim > 0 && (1...4).contains(x.dim(-1)) && x.dtype.isFloatingPoint, name,
    "points must be real, [..., 1 to 4 axes], are \(x.dtype) \(x.shape)")
  precondition(
    table.ndim == 3 && table.dim(0) == resolutions.count && table.dim(1) > 0
      && table.dim(1) <= Int(Int32.max) && table.dtype == x.dtype, name,
    "the table must be \(x.dtype) [\(resolutions.count) levels, entries, features], is \(table.dtype) \(table.shape)"
  )
  precondition(
    resolutions.allSatisfy { (1...(1 << 24)).contains($0) }, name,
    "resolutions must lie in 1...\(1 << 24), are \(resolutions)")
  let points = Array(x.shape.dropLast()).elementCount
  let target = Array(x.shape.dropLast()) + [table.dim(0) * table.dim(2)]
  let grid = HashGrid(points: points, axes: x.dim(-1), table: table, resolutions: resolutions.map(Int32.init))
  return fused(
    name, [x, table],
    reference: { inputs in
      grid.reference(inputs[0].reshaped([points, grid.axes]), inputs[1]).reshaped(target)
    },
    fast: { inputs in
      let x = inputs[0].packed, table = inputs[1].packed
      let y = Tensor(uninitialized: target, .float32)
      grid.withKernel { callosum_hash_grid($0, x.floats32, table.floats32, y.floats32) }
      return (
        y,
        { gradient, needsGradient in
          let g = gradient.packed
          var gx: Tensor?
          var gtable: Tensor?
          if needsGradient[0] {
            let result = Tensor(uninitialized: x.shape, .float32)
            grid.withKernel {
              callosum_hash_grid_backward_points($0, x.floats32, table.floats32, g.floats32, result.floats32)
            }
            gx = result
          }
          if needsGradient[1] {
            let result = Tensor(uninitialized: table.shape, .float32)
            grid.withKernel {
              callosum_hash_grid_backward_table($0, x.floats32, g.floats32, result.floats32)
            }
            gtable = result
          }
          return [gx, gtable]
        }
      )
    })
}

private struct HashGrid {
  let points, axes, levels, entries, features: Int
  let resolutions: [Int32]

  init(points: Int, axes: Int, table: Tensor, resolutions: [Int32]) {
    (self.points, self.axes, self.resolutions) = (points, axes, resolutions)
    (levels, entries, features) = (table.dim(0), table.dim(1), table.dim(2))
  }

  func withKernel<Result>(_ body: (UnsafePointer<callosum_grid_levels>) -> Result) -> Result {
    resolutions.withUnsafeBufferPointer { resolutions in
      var grid = callosum_grid_levels(
        points: points, axes: axes, levels: levels, entries: entries, features: features,
        resolutions: resolutions.baseAddress)
      return body(&grid)
    }
  }

  /// The rows [points] of one level's table for corners [points, axes] (int32).
  private func rows(_ corners: Tensor, level: Int) -> Tensor {
    let (corners, rows) = (corners.packed, Tensor(uninitialized: [points], .int32))
    withKernel {
      callosum_hash_grid_rows($0, level, corners.pointer(as: Int32.self), rows.pointer(as: Int32.self))
    }
    return rows
  }

  func reference(_ x: Tensor, _ table: Tensor) -> Tensor {
    let encoded = (0..<levels).map { level -> Tensor in
      let place = x * Double(resolutions[level])
      let base = floor(stopGradient(place))
      let share = place - base
      let entries = table.sliced(axis: 0, from: level, to: level + 1).squeezed(axis: 0)
      var sum = Tensor.zeros([points, features], dtype: x.dtype)
      // Bit a of `corner` chooses the later corner on axis a.
      for corner in 0..<(1 << axes) {
        let later = Tensor((0..<axes).map { Double(corner >> $0 & 1) }).asType(x.dtype)
        let weight = (later * share + (1 - later) * (1 - share)).product(axis: 1, keepDims: true)
        sum = sum + weight * entries.take(rows((base + later).asType(.int32), level: level))
      }
      return sum
    }
    return concatenated(encoded, axis: 1)
  }
}
