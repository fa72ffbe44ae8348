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

private func requireFit(_ a: Tensor, _ b: Tensor, _ name: StaticString) {
  realType(of: [a, b], name)
  // A loss must not broadcast silently.
  precondition(a.shape == b.shape, name, "predictions \(a.shape) and targets \(b.shape) differ in shape")
}

// Named as MLX Swift names them. All take `targets:` and a `reduction:`, the mean of all elements unless said
// otherwise, and refuse targets of another shape.

/// Cross-entropy of logits [..., classes] with the labels `targets` [...] (int32), of which those equal to
/// `ignoring` do not count.
public func crossEntropy(
  logits: Tensor, targets: Tensor, labelSmoothing: Double = 0, ignoring: Int32 = -100,
  reduction: LossReduction = .mean
) -> Tensor {
  let losses = crossEntropyPerItem(
    logits: logits, targets: targets, labelSmoothing: labelSmoothing, ignoring: ignoring)
  guard reduction == .mean else { return reduction(losses) }
  let kept = (targets .!= Int(ignoring)).sum().item()
  return losses.sum() * (1 / kept)
}

/// (prediction - target)²
public func mseLoss(
  predictions: Tensor, targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(predictions, targets, "mseLoss")
  return reduction(square(predictions - targets))
}

/// |prediction - target|
public func l1Loss(
  predictions: Tensor, targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(predictions, targets, "l1Loss")
  return reduction(abs(predictions - targets))
}

/// Quadratic up to a distance of `delta`, linear beyond (Huber 1964).
public func huberLoss(
  predictions: Tensor, targets: Tensor, delta: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(predictions, targets, "huberLoss")
  let difference = predictions - targets
  let distance = abs(difference)
  return reduction(
    which(distance .<= delta, square(difference) * 0.5, distance * delta - 0.5 * delta * delta))
}

/// Cross-entropy of logits with targets between 0 and 1, element by element.
public func binaryCrossEntropy(
  logits: Tensor, targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(logits, targets, "binaryCrossEntropy")
  // softplus(x) - x t, without the cancellation of large x.
  return reduction(targets * softplus(-logits) + (1 - targets) * softplus(logits))
}

/// Kullback-Leibler divergence target (log target - log prediction), element by element, given
/// logarithms of predictions and plain targets; 0 where the target is 0.
public func klDivLoss(
  logPredictions: Tensor, targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(logPredictions, targets, "klDivLoss")
  let isPositive = targets .> 0
  let safe = which(isPositive, targets, targets.constant(1))
  // 0 whatever the prediction, even a logarithm of -infinity; but what is not a number stays visible.
  let nothing = which(isNaN(logPredictions), stopGradient(logPredictions), targets * 0)
  return reduction(which(isPositive, targets * (log(safe) - logPredictions), nothing))
}

/// prediction - target log(prediction + epsilon): how unlikely the counts `targets` are at the rates
/// `predictions`, which are not negative, but for log(count!), which no rate changes.
public func poissonLoss(
  predictions: Tensor, targets: Tensor, epsilon: Double = 1e-8, reduction: LossReduction = .mean
) -> Tensor {
  requireFit(predictions, targets, "poissonLoss")
  return reduction(predictions - targets * log(predictions + epsilon))
}
