import CallosumTensors

/// Mean and variance of channels that drift, each new sample counting `weight` and all before it 1 - `weight`
/// (Finch 2009):
///
///     d = x - m,  m <- m + weight d,  v <- (1 - weight)(v + weight d²)
///
/// in float64, since the recursion runs for ever. The first sample is the first mean; its variance is 0.
public struct ExponentialMoments: Sendable {
  public let weight: Double
  /// One for each channel; empty before the first sample.
  public private(set) var means: [Double] = []
  public private(set) var variances: [Double] = []

  /// - Throws: `InvalidInput` unless the weight is above 0 and at most 1.
  public init(weight: Double) throws {
    try require(
      weight > 0 && weight <= 1, "the weight of a new sample must be above 0 and at most 1, is \(weight)")
    self.weight = weight
  }

  /// Takes in one sample of each channel.
  public mutating func update(_ sample: [Double]) {
    if means.isEmpty {
      (means, variances) = (sample, [Double](repeating: 0, count: sample.count))
      return
    }
    precondition(
      sample.count == means.count, "ExponentialMoments",
      "a sample of \(sample.count) channels does not fit \(means.count)")
    for channel in sample.indices {
      let distance = sample[channel] - means[channel]
      means[channel] += weight * distance
      variances[channel] = (1 - weight) * (variances[channel] + weight * distance * distance)
    }
  }

  /// A sample in deviations from the mean, as they are now; 0 where nothing has varied yet.
  public func standardised(_ sample: [Double]) -> [Double] {
    precondition(
      sample.count == means.count, "ExponentialMoments",
      "a sample of \(sample.count) channels does not fit \(means.count)")
    return sample.indices.map {
      variances[$0] == 0 ? sample[$0] * 0 : (sample[$0] - means[$0]) / variances[$0].squareRoot()
    }
  }
}

/// Signals [..., time] less their median, divided by the distance of their quartiles, which outliers do not
/// move (scikit-learn's RobustScaler); without such a distance they are only shifted. With `limit` what lies
/// beyond ± limit is cut off.
/// - Throws: `InvalidInput` for numbers that are not finite or signals without samples.
public func robustlyScaled(_ signals: Tensor, limit: Double? = nil) throws -> Tensor {
  let x = try signals.observedSignal("robustlyScaled")
  try require(x.dim(-1) > 0, "robust scaling needs a sample at least")
  func level(_ share: Double) -> Tensor { x.quantile(share, axis: -1).expandedDimensions(axis: -1) }
  let spread = level(0.75) - level(0.25)
  let scaled = (x - level(0.5)) / which(spread .> 0, spread, Tensor(1, .float64))
  return limit.map { clip(scaled, min: -$0, max: $0) } ?? scaled
}
