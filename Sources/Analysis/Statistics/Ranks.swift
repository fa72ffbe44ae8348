import CallosumTensors

/// The rank of each value, 1 for the smallest; equal values share the average of their ranks. All are NaN where a
/// value is, for then it is unknown how many lie below.
public func averageRanks(_ values: [Double]) -> [Double] { orderAndRanks(values).ranks }

/// Where the values stand from the smallest to the largest, and their average ranks.
package func orderAndRanks(_ values: [Double]) -> (order: [Int], ranks: [Double]) {
  let order = Tensor(values).argSort().doubles.map { Int($0) }
  if values.contains(where: \.isNaN) { return (order, values.map { _ in .nan }) }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    let value = values[order[start]]
    var end = start + 1
    while end < order.count && values[order[end]] == value { end += 1 }
    for place in start..<end { ranks[order[place]] = Double(start + end + 1) / 2 }
    start = end
  }
  return (order, ranks)
}

/// Stretched so that the smallest is 0 and the largest 1; zeros where all are equal, NaN where one is.
public func minMaxScaled(_ values: [Double]) -> [Double] {
  if values.contains(where: \.isNaN) { return values.map { _ in .nan } }
  guard let low = values.min(), let high = values.max(), high > low else { return values.map { _ in 0 } }
  return values.map { ($0 - low) / (high - low) }
}

/// The value below which a share of the values lies, interpolated as NumPy does it to the last bit:
/// thresholds are compared with the values that they come from. NaN for no values, or where one is NaN.
public func quantile(_ share: Double, of values: [Double]) -> Double {
  values.contains(where: \.isNaN) ? .nan : quantile(share, ofSorted: values.sorted())
}

/// The same of values in order, NaN last.
package func quantile(_ share: Double, ofSorted sorted: [Double]) -> Double {
  guard let last = sorted.last, !last.isNaN else { return .nan }
  let place = share * Double(sorted.count - 1)
  let below = Int(place)
  guard below + 1 < sorted.count else { return last }
  let part = place - Double(below), step = sorted[below + 1] - sorted[below]
  return part < 0.5 ? sorted[below] + step * part : sorted[below + 1] - step * (1 - part)
}
