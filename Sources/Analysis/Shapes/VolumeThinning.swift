import CallosumTensors

/// The skeleton of a mask in space (bool, [depth, height, width]) or in a plane ([height, width]), lines one
/// element wide, by the thinning of Lee, Kashyap and Chu (1994): from one side after the other, border
/// elements are taken away that are no ends of lines and whose loss changes the number of neither parts nor
/// holes nor tunnels; elements that touch are connected. As scikit-image's `skeletonize`, but for regions of
/// which that may leave nothing.
public func thinnedVolume(_ mask: Tensor) -> Tensor {
  let volume = MaskVolume(mask, "thinnedVolume", axes: 2...3), size = volume.size
  // A frame of elements outside spares the tests at the border.
  let (rowStep, planeStep) = (size.x + 2, (size.x + 2) * (size.y + 2))
  var isOn = [Bool](repeating: false, count: (size.z + 2) * planeStep)
  func framed(_ place: Int) -> Int {
    let (z, y, x) = volume.coordinates(of: place)
    return (z + 1) * planeStep + (y + 1) * rowStep + x + 1
  }
  for place in volume.values.indices { isOn[framed(place)] = volume.values[place] }
  let steps = (0..<27).map { ($0 / 9 - 1) * planeStep + ($0 / 3 % 3 - 1) * rowStep + $0 % 3 - 1 }
  func neighbours(of place: Int) -> UInt32 {
    var bits: UInt32 = 0
    for cell in 0..<27 where cell != 13 && isOn[place + steps[cell]] { bits |= 1 << cell }
    return bits
  }
  // The order in which the sides are taken, which is scikit-image's: north, south, east, west, down, up.
  let sides = [-rowStep, rowStep, 1, -1] + (mask.ndim == 3 ? [planeStep, -planeStep] : [])
  var left = isOn.indices.filter { isOn[$0] }, unchanged = 0
  while unchanged < sides.count {
    unchanged = 0
    for side in sides {
      let candidates = left.filter { place in
        guard !isOn[place + side] else { return false }
        let around = neighbours(of: place)
        return around.nonzeroBitCount != 1 && Surroundings.keepsEuler(around) && Surroundings.isSimple(around)
      }
      // One after the other, as the loss of a neighbour may have made an element indispensable.
      var isChanged = false
      for place in candidates where Surroundings.isSimple(neighbours(of: place)) {
        isOn[place] = false
        isChanged = true
      }
      if isChanged { left = left.filter { isOn[$0] } } else { unchanged += 1 }
    }
  }
  return Tensor(volume.values.indices.map { isOn[framed($0)] }, mask.shape)
}

/// What the 26 neighbours of an element say of its loss. They are bits: cell 9 (z + 1) + 3 (y + 1) + x + 1,
/// without the 13th, which is the element itself.
private enum Surroundings {
  /// The neighbours that touch each neighbour.
  private static let touching: [UInt32] = (0..<27).map { cell in
    bits { other in other != cell && zip(place(cell), place(other)).allSatisfy { abs($0 - $1) <= 1 } }
  }

  /// The neighbours that share each corner, edge and face of the element, by the sign that it has in
  /// Euler's formula.
  private static let parts: [(sign: Int, sharers: UInt32)] = (0..<27).filter { $0 != 13 }.map { cell in
    let part = place(cell), fixed = part.count { $0 != 0 }
    let sharers = bits { other in
      zip(part, place(other)).allSatisfy { $0 == 0 ? $1 == 0 : $1 == 0 || $1 == $0 }
    }
    return (fixed == 2 ? -1 : 1, sharers)
  }

  private static func place(_ cell: Int) -> [Int] { [cell / 9 - 1, cell / 3 % 3 - 1, cell % 3 - 1] }

  private static func bits(_ holds: (Int) -> Bool) -> UInt32 {
    (0..<27).reduce(0) { $1 != 13 && holds($1) ? $0 | 1 << $1 : $0 }
  }

  /// Whether the number of corners - edges + faces - elements stays the same: those go that no neighbour
  /// shares, and the element.
  static func keepsEuler(_ around: UInt32) -> Bool {
    parts.reduce(-1) { $1.sharers & around == 0 ? $0 + $1.sign : $0 } == 0
  }

  /// Whether the neighbours hold together without the element.
  static func isSimple(_ around: UInt32) -> Bool {
    guard around != 0 else { return false }
    var reached = around & (~around + 1), fresh = reached
    while fresh != 0 {
      var touched: UInt32 = 0
      while fresh != 0 {
        touched |= touching[fresh.trailingZeroBitCount]
        fresh &= fresh - 1
      }
      fresh = touched & around & ~reached
      reached |= fresh
    }
    return reached == around
  }
}
