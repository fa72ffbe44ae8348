import CallosumTensors

/// The Euclidean distance of each element of a mask (bool, one to three axes) to the nearest one outside it,
/// float64 of its shape; 0 outside, infinity where nothing lies outside. Exact and in linear time: along
/// one axis after the other, the lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012).
///
/// - Parameter spacing: the distance between neighbours along each axis; ones if nil.
public func distanceTransform(_ mask: Tensor, spacing: [Double]? = nil) -> Tensor {
  let name: StaticString = "distanceTransform", volume = MaskVolume(mask, name)
  let spacing = spacing ?? mask.shape.map { _ in 1 }
  precondition(
    spacing.count == mask.ndim && spacing.allSatisfy { $0 > 0 && $0.isFinite }, name,
    "spacing \(spacing) must give a distance above 0 for each axis of \(mask.shape)")
  var squares = volume.values.map { $0 ? Double.infinity : 0 }
  for (axis, step) in spacing.enumerated() {
    let count = mask.shape[axis], inner = mask.shape[(axis + 1)...].reduce(1, *)
    var line = [Double](repeating: 0, count: count), envelope = ParabolaEnvelope(spacing: step)
    for start in squares.indices where start / inner % count == 0 {
      for i in 0..<count { line[i] = squares[start + i * inner] }
      envelope.lower(&line)
      for i in 0..<count { squares[start + i * inner] = line[i] }
    }
  }
  return Tensor(squares.map { $0.squareRoot() }, mask.shape)
}

/// Finds, for each place p of a line, the least of value[q] + (spacing (p - q))² over all q.
private struct ParabolaEnvelope {
  let spacing: Double
  /// The places whose parabolas are lowest somewhere, and from where on each is.
  private var places: [Int] = []
  private var starts: [Double] = []

  init(spacing: Double) { self.spacing = spacing }

  mutating func lower(_ values: inout [Double]) {
    places.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    let square = spacing * spacing
    for place in values.indices where values[place] < .infinity {
      var start = -Double.infinity
      while let last = places.last {
        // Where this parabola meets the last one, in places.
        let rise = (values[place] - values[last]) / square
        start = (rise / Double(place - last) + Double(place + last)) / 2
        if start > starts[starts.count - 1] { break }
        places.removeLast()
        starts.removeLast()
        start = -.infinity
      }
      places.append(place)
      starts.append(start)
    }
    guard !places.isEmpty else { return }
    let heights = places.map { values[$0] }
    var lowest = 0
    for place in values.indices {
      while lowest + 1 < places.count && starts[lowest + 1] < Double(place) { lowest += 1 }
      let distance = Double(place - places[lowest])
      values[place] = heights[lowest] + square * distance * distance
    }
  }
}
