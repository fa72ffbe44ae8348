import CallosumTensors
import Foundation

/// Values whose density falls as x^-exponent from a least value on, by maximum likelihood (Clauset, Shalizi
/// and Newman 2009):
///
///     exponent = 1 + n / Σ log(x_i / least)
///
/// A straight line through a histogram is biased; this is not. Without a given least value it is the one of
/// the data from which on they lie closest to the law, by the largest distance between both distribution
/// functions.
public struct PowerLaw: Sendable, Equatable {
  public let exponent: Double
  /// From where on the law holds.
  public let least: Double
  /// Values from `least` on.
  public let count: Int
  /// The largest distance between the distribution functions of these values and of the law
  /// (Kolmogorov-Smirnov).
  public let distance: Double
  /// Of the exponent: (exponent - 1) / √n.
  public var standardError: Double { (exponent - 1) / Double(count).squareRoot() }

  /// - Parameters:
  ///   - values: above 0.
  ///   - least: chosen among the values if nil.
  ///   - tail: how many values the law must be left with at least, where it is chosen.
  /// - Throws: `InvalidInput` if values are not above 0, or fewer than 2 different ones lie from `least` on.
  public init(_ values: [Double], least: Double? = nil, tail: Int = 10) throws {
    try require(
      values.allSatisfy { $0 > 0 && $0.isFinite } && least.map { $0 > 0 } ?? true,
      "a power law needs values and a least value above 0")
    let sorted = values.sorted()
    if let least {
      let found = sorted.firstIndex { $0 >= least }.flatMap { Self.fitted(sorted[$0...], least) }
      guard let found else { throw InvalidInput("a power law needs 2 different values from \(least) on") }
      self = found
      return
    }
    var best: PowerLaw?
    for start in sorted.indices where start == 0 || sorted[start] > sorted[start - 1] {
      if sorted.count - start < max(tail, 2) { break }
      if let other = Self.fitted(sorted[start...], sorted[start]),
        best.map({ other.distance < $0.distance }) ?? true
      {
        best = other
      }
    }
    guard let best else {
      throw InvalidInput(
        "a power law needs at least \(max(tail, 2)) values, not all alike; got \(values.count)")
    }
    self = best
  }

  private init(exponent: Double, least: Double, count: Int, distance: Double) {
    (self.exponent, self.least, self.count, self.distance) = (exponent, least, count, distance)
  }

  private static func fitted(_ tail: ArraySlice<Double>, _ least: Double) -> PowerLaw? {
    let count = Double(tail.count)
    let logs = tail.reduce(0) { $0 + log($1 / least) }
    guard logs > 0, tail.count > 1 else { return nil }
    let exponent = 1 + count / logs
    var distance = 0.0
    for (place, value) in tail.enumerated() {
      let share = 1 - pow(value / least, 1 - exponent)
      distance = max(distance, abs(share - Double(place) / count), abs(Double(place + 1) / count - share))
    }
    return PowerLaw(exponent: exponent, least: least, count: tail.count, distance: distance)
  }
}

/// A quantity that falls as a power of another towards a floor: y = factor · x^-exponent + floor, as errors
/// fall with data or compute. Least squares of log(y - floor) on a line in log x; with `findsFloor` the floor
/// is the one, from 0 to below the least y, whose line leaves least in log y.
public struct PowerLawCurve: Sendable, Equatable {
  public let factor, exponent, floor: Double
  /// The share of the variance of log y that is explained.
  public let rSquared: Double

  /// y at x.
  public func callAsFunction(_ x: Double) -> Double { factor * pow(x, -exponent) + floor }

  /// - Throws: `InvalidInput` if x or y are not above 0, or x has fewer different values than the curve has
  ///   parameters.
  public init(x: [Double], y: [Double], findsFloor: Bool = false) throws {
    precondition(x.count == y.count, "PowerLawCurve", "\(x.count) and \(y.count) values are not pairs")
    let needed = findsFloor ? 3 : 2
    try require(
      (x + y).allSatisfy { $0 > 0 && $0.isFinite } && Set(x).count >= needed,
      "a power law needs x and y above 0, and \(needed) different x")
    let logX = x.map { log($0) }, logY = y.map { log($0) }
    let meanX = Statistics.mean(logX)
    let squaresX = logX.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    func line(_ floor: Double) -> (factor: Double, slope: Double, rest: Double) {
      let logs = y.map { log($0 - floor) }, mean = Statistics.mean(logs)
      let slope = zip(logX, logs).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - mean) } / squaresX
      let factor = exp(mean - slope * meanX)
      let rest = zip(logX, logY).reduce(0) { sum, at in
        let distance = at.1 - log(factor * exp(slope * at.0) + floor)
        return sum + distance * distance
      }
      return (factor, slope, rest)
    }
    let floor = findsFloor ? Self.least(below: y.min() ?? 0) { line($0).rest } : 0
    let best = line(floor), mean = Statistics.mean(logY)
    let squaresY = logY.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    (factor, exponent, self.floor) = (best.factor, -best.slope, floor)
    rSquared = squaresY > 0 ? 1 - best.rest / squaresY : 0
  }

  /// Where from 0 to below `bound` the function is least: the best of a grid, then golden section beside it.
  private static func least(below bound: Double, _ value: (Double) -> Double) -> Double {
    let steps = 200
    let grid = (0..<steps).map { bound * Double($0) / Double(steps) }
    let values = grid.map(value)
    let at = values.indices.min { values[$0] < values[$1] } ?? 0
    var (low, high) = (grid[max(at - 1, 0)], grid[min(at + 1, steps - 1)])
    let ratio = (5.0.squareRoot() - 1) / 2
    for _ in 0..<100 {
      let (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
      if value(left) <= value(right) { high = right } else { low = left }
    }
    let middle = (low + high) / 2
    return value(middle) < values[at] ? middle : grid[at]
  }
}
