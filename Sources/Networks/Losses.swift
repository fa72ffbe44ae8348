import CallosumTensors

/// How the losses of items become one loss.
public enum LossReduction: String, Codable, Sendable {
  case none, mean, sum

  func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .none: losses
    case .mean: losses.mean()
    case .sum: losses.sum()
    }
  }
}

private func requireSameShape(_ a: Tensor, _ b: Tensor, _ name: StaticString) {
  // A loss must not broadcast silently.
  precondition(a.shape == b.shape, name, "predictions \(a.shape) and targets \(b.shape) differ in shape")
}

/// Cross-entropy of logits [..., classes] with labels [...] (int32), of which those equal to
/// `ignoring` do not count.
public func crossEntropy(
  logits: Tensor, labels: Tensor, labelSmoothing: Double = 0, ignoring: Int32 = -100,
  reduction: LossReduction = .mean
) -> Tensor {
  let losses = crossEntropyPerItem(
    logits: logits, labels: labels, labelSmoothing: labelSmoothing, ignoring: ignoring)
  guard reduction == .mean else { return reduction(losses) }
  let kept = (labels .!= Double(ignoring)).sum().item
  return losses.sum() * (1 / kept)
}

/// (prediction - target)²
public func meanSquaredError(
  _ predictions: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(predictions, targets, "meanSquaredError")
  return reduction(square(predictions - targets))
}

/// |prediction - target|
public func meanAbsoluteError(
  _ predictions: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(predictions, targets, "meanAbsoluteError")
  return reduction(abs(predictions - targets))
}

/// Quadratic up to a distance of `delta`, linear beyond (Huber 1964).
public func huberLoss(
  _ predictions: Tensor, _ targets: Tensor, delta: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(predictions, targets, "huberLoss")
  let difference = predictions - targets
  let distance = abs(difference)
  return reduction(
    which(distance .<= delta, square(difference) * 0.5, distance * delta - 0.5 * delta * delta))
}

/// Cross-entropy of logits with targets between 0 and 1, element by element.
public func binaryCrossEntropy(
  logits: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(logits, targets, "binaryCrossEntropy")
  return reduction(softplus(logits) - logits * targets)
}

/// Kullback-Leibler divergence target (log target - log prediction), element by element, given
/// logarithms of predictions; 0 where the target is 0.
public func klDivergence(
  logPredictions: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(logPredictions, targets, "klDivergence")
  let isPositive = targets .> 0
  let safe = which(isPositive, targets, targets.constant(1))
  return reduction(which(isPositive, targets * (log(safe) - logPredictions), targets * 0))
}

/// rate - count log(rate + epsilon): how unlikely counts are at rates that are not negative, but for
/// log(count!), which no rate changes.
public func poissonLoss(
  rates: Tensor, counts: Tensor, epsilon: Double = 1e-8, reduction: LossReduction = .mean
) -> Tensor {
  requireSameShape(rates, counts, "poissonLoss")
  return reduction(rates - counts * log(rates + epsilon))
}
