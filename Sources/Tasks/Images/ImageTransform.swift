import CallosumContracts
import CallosumTensors
import Foundation

/// A picture of grey levels, 0 to 1, row by row.
public struct GreyImage: Sendable, Equatable {
  public var rows, columns: Int
  public var pixels: [Float]

  public init(rows: Int, columns: Int, pixels: [Float]) {
    precondition(
      rows * columns == pixels.count, "GreyImage",
      "\(rows) x \(columns) pixels were promised, \(pixels.count) were given")
    (self.rows, self.columns, self.pixels) = (rows, columns, pixels)
  }

  /// 0 outside.
  func pixel(_ row: Int, _ column: Int) -> Float {
    row >= 0 && row < rows && column >= 0 && column < columns ? pixels[row * columns + column] : 0
  }

  func mapped(_ value: (_ row: Int, _ column: Int) -> Float) -> GreyImage {
    var result = self
    for row in 0..<rows {
      for column in 0..<columns { result.pixels[row * columns + column] = value(row, column) }
    }
    return result
  }
}

/// What can be done to a picture before a network sees it.
public enum ImageTransform: Codable, Sendable, Equatable {
  /// All pixels in a random order that the seed decides, the same for every picture.
  case permuted(seed: UInt64)
  /// Turned about the middle, anticlockwise, with linear interpolation; what comes from outside is black.
  case rotated(degrees: Double)
  /// See ``Corruption``; severity 1 to 5.
  case corrupted(Corruption, severity: Int)
  /// Means of 2 x 2 pixels: 14 x 14 for 28 x 28.
  case halved
  /// Rows of tokens: squares of `side` pixels, from left to right and top to bottom, each row by row.
  case patches(side: Int)

  /// What shape pictures of this shape get.
  /// - Throws: `InvalidInput` if they do not suit.
  public func shape(_ rows: Int, _ columns: Int) throws -> (rows: Int, columns: Int) {
    switch self {
    case .permuted, .rotated: return (rows, columns)
    case .corrupted(_, let severity):
      try require((1...5).contains(severity), "severity must be from 1 to 5, is \(severity)")
      return (rows, columns)
    case .halved:
      try require(rows % 2 == 0 && columns % 2 == 0, "\(rows) x \(columns) pixels cannot be halved")
      return (rows / 2, columns / 2)
    case .patches(let side):
      try require(
        side > 0 && rows % side == 0 && columns % side == 0,
        "\(rows) x \(columns) pixels cannot be cut into squares of \(side)")
      return (rows / side * (columns / side), side * side)
    }
  }

  /// The picture after it.
  public func callAsFunction(_ image: GreyImage, using generator: inout RandomGenerator) -> GreyImage {
    prepared(image.rows, image.columns)(image, &generator)
  }

  typealias Prepared = @Sendable (GreyImage, inout RandomGenerator) -> GreyImage

  /// For many pictures of this shape: what is the same for all is worked out once.
  func prepared(_ rows: Int, _ columns: Int) -> Prepared {
    switch self {
    case .permuted(let seed):
      var order = RandomGenerator(seed: seed).stream("permuted")
      let places = order.distinct(rows * columns, of: rows * columns)
      return { image, _ in
        GreyImage(rows: rows, columns: columns, pixels: places.map { image.pixels[$0] })
      }
    case .rotated(let degrees): return { image, _ in turned(image, by: degrees * .pi / 180) }
    case .corrupted(let corruption, let severity):
      return { corruption.applied(to: $0, severity: severity, using: &$1) }
    case .halved: return { image, _ in blockMeans(image, side: 2) }
    case .patches(let side):
      let across = columns / side, tokens = rows / side * across
      return { image, _ in
        let result = GreyImage(
          rows: tokens, columns: side * side, pixels: [Float](repeating: 0, count: image.pixels.count))
        return result.mapped { token, place in
          image.pixel(token / across * side + place / side, token % across * side + place % side)
        }
      }
    }
  }
}

/// Damage in five degrees, in the manner of Hendrycks and Dietterich (2019), for small grey pictures.
public enum Corruption: String, Codable, Sendable, CaseIterable {
  /// Normal noise of deviation .08, .12, .18, .26, .38.
  case gaussianNoise
  /// A share .01, .03, .06, .1, .17 of pixels turned black or white.
  case impulseNoise
  /// A Gaussian of deviation .5, .75, 1, 1.5, 2 pixels.
  case blur
  /// Distances from the mean times .6, .45, .3, .2, .1.
  case contrast
  /// .1, .2, .3, .4, .5 added.
  case brightness
  /// Squares of 2, 3, 4, 5 or 7 pixels get their mean.
  case pixelate
  /// A black square of side 4, 7, 10, 13 or 16 somewhere.
  case occlusion

  /// Levels stay within 0 to 1.
  func applied(to image: GreyImage, severity: Int, using generator: inout RandomGenerator) -> GreyImage {
    let degree = severity - 1
    var result = image
    switch self {
    case .gaussianNoise:
      let deviation: Float = [0.08, 0.12, 0.18, 0.26, 0.38][degree]
      for (place, noise) in generator.normal([image.pixels.count]).floats.enumerated() {
        result.pixels[place] += deviation * noise
      }
    case .impulseNoise:
      let share = [0.01, 0.03, 0.06, 0.1, 0.17][degree]
      for place in result.pixels.indices {
        let draw = generator.uniform()
        if draw < share { result.pixels[place] = draw < share / 2 ? 0 : 1 }
      }
    case .blur: result = blurred(image, deviation: [0.5, 0.75, 1, 1.5, 2][degree])
    case .contrast:
      let factor: Float = [0.6, 0.45, 0.3, 0.2, 0.1][degree]
      let mean = image.pixels.reduce(0, +) / Float(max(image.pixels.count, 1))
      result.pixels = image.pixels.map { mean + ($0 - mean) * factor }
    case .brightness: result.pixels = image.pixels.map { $0 + [0.1, 0.2, 0.3, 0.4, 0.5][degree] }
    case .pixelate:
      let side = [2, 3, 4, 5, 7][degree]
      let means = blockMeans(image, side: side)
      result = image.mapped { means.pixel($0 / side, $1 / side) }
    case .occlusion:
      let side = [4, 7, 10, 13, 16][degree]
      let top = Int.random(in: 0...max(image.rows - side, 0), using: &generator)
      let left = Int.random(in: 0...max(image.columns - side, 0), using: &generator)
      result = image.mapped { row, column in
        let isHidden = (top..<top + side).contains(row) && (left..<left + side).contains(column)
        return isHidden ? 0 : image.pixel(row, column)
      }
    }
    result.pixels = result.pixels.map { min(max($0, 0), 1) }
    return result
  }
}

func turned(_ image: GreyImage, by angle: Double) -> GreyImage {
  let (cosine, sine) = (Foundation.cos(angle), Foundation.sin(angle))
  let (middleRow, middleColumn) = (Double(image.rows - 1) / 2, Double(image.columns - 1) / 2)
  return image.mapped { row, column in
    // Where this pixel comes from.
    let (y, x) = (Double(row) - middleRow, Double(column) - middleColumn)
    let fromRow = middleRow + sine * x + cosine * y, fromColumn = middleColumn + cosine * x - sine * y
    let (r, c) = (fromRow.rounded(.down), fromColumn.rounded(.down))
    let (down, right) = (Float(fromRow - r), Float(fromColumn - c))
    let (i, j) = (Int(r), Int(c))
    let upper = image.pixel(i, j) * (1 - right) + image.pixel(i, j + 1) * right
    let lower = image.pixel(i + 1, j) * (1 - right) + image.pixel(i + 1, j + 1) * right
    return upper * (1 - down) + lower * down
  }
}

/// A Gaussian, cut off at four deviations; black outside.
func blurred(_ image: GreyImage, deviation: Double) -> GreyImage {
  let radius = Int(4 * deviation + 0.5)
  let bell = (-radius...radius).map { Foundation.exp(-Double($0 * $0) / (2 * deviation * deviation)) }
  let weights = bell.map { Float($0 / bell.reduce(0, +)) }
  func mean(_ value: (Int) -> Float) -> Float {
    (-radius...radius).reduce(0) { $0 + weights[$1 + radius] * value($1) }
  }
  let across = image.mapped { row, column in mean { image.pixel(row, column + $0) } }
  return across.mapped { row, column in mean { across.pixel(row + $0, column) } }
}

/// Means of squares; those at the far border may be cut.
func blockMeans(_ image: GreyImage, side: Int) -> GreyImage {
  let (rows, columns) = ((image.rows + side - 1) / side, (image.columns + side - 1) / side)
  let blocks = GreyImage(rows: rows, columns: columns, pixels: [Float](repeating: 0, count: rows * columns))
  return blocks.mapped { row, column in
    let height = min(side, image.rows - row * side), width = min(side, image.columns - column * side)
    var sum: Float = 0
    for i in 0..<height {
      for j in 0..<width { sum += image.pixel(row * side + i, column * side + j) }
    }
    return sum / Float(height * width)
  }
}
