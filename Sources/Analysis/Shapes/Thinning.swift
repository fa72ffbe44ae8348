import CallosumTensors

/// The skeleton of a mask in a plane (bool, [height, width]), lines one element wide, by the parallel
/// thinning of Zhang and Suen (1984): elements at the south-east and north-west sides of what is left are
/// taken away by turns, where that parts nothing and shortens no end.
public func thinned(_ mask: Tensor) -> Tensor {
  let volume = MaskVolume(mask, "thinned", axes: 2...2), (height, width) = (volume.size.y, volume.size.x)
  // A frame of elements outside spares the tests at the border.
  let stride = width + 2
  var isOn = [Bool](repeating: false, count: (height + 2) * stride)
  for row in 0..<height {
    for column in 0..<width { isOn[(row + 1) * stride + column + 1] = volume.values[row * width + column] }
  }
  // From north on, clockwise: P2 to P9 of the paper.
  let around = [-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1]
  var left = isOn.indices.filter { isOn[$0] }, wasChanged = true
  while wasChanged {
    wasChanged = false
    for isSecond in [false, true] {
      let going = left.filter { place in
        let ring = around.map { isOn[place + $0] }
        let count = ring.count { $0 }
        let rises = (0..<8).count { !ring[$0] && ring[($0 + 1) % 8] }
        guard (2...6).contains(count), rises == 1 else { return false }
        let (north, east, south, west) = (ring[0], ring[2], ring[4], ring[6])
        return isSecond
          ? !(north && east && west) && !(north && south && west)
          : !(north && east && south) && !(east && south && west)
      }
      if going.isEmpty { continue }
      wasChanged = true
      for place in going { isOn[place] = false }
      left = left.filter { isOn[$0] }
    }
  }
  return Tensor(
    (0..<height).flatMap { row in (0..<width).map { isOn[(row + 1) * stride + $0 + 1] } }, mask.shape)
}
