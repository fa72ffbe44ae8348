import CallosumTensors

// What may happen to gradients between the backward pass and a step. They are plain tensors: whatever
// turns them into others of the same shapes fits here.

/// The gradients scaled down together so that their joint Euclidean norm is at most `largest`, and
/// the norm before.
public func clipped(_ gradients: [Tensor], toNorm largest: Double) -> (gradients: [Tensor], norm: Double) {
  let norm = norm(of: gradients)
  guard norm > largest else { return (gradients, norm) }
  let scale = largest / norm
  return (gradients.map { $0 * scale }, norm)
}

/// Each element brought into ±`largest`.
public func clipped(_ gradients: [Tensor], toValue largest: Double) -> [Tensor] {
  gradients.map { clip($0, min: -largest, max: largest) }
}

/// With normal noise of the given standard deviation (Neelakantan et al. 2015).
public func noised(
  _ gradients: [Tensor], standardDeviation: Double, using generator: inout RandomGenerator
) -> [Tensor] {
  gradients.map { $0 + generator.normal($0.shape, standardDeviation: standardDeviation).asType($0.dtype) }
}

/// The gradients without what goes against `reference`, where their joint product is negative: the
/// nearest ones that do not (A-GEM, Chaudhry et al. 2019).
public func projected(_ gradients: [Tensor], besides reference: [Tensor]) -> [Tensor] {
  precondition(
    gradients.map(\.shape) == reference.map(\.shape), "projected",
    "gradients of shapes \(gradients.map(\.shape)) and \(reference.map(\.shape)) do not fit")
  let along = zip(gradients, reference).reduce(0) { $0 + ($1.0 * $1.1).sum().item() }
  guard along < 0 else { return gradients }
  let share = along / reference.reduce(0) { $0 + square($1).sum().item() }
  return zip(gradients, reference).map { $0 - $1 * share }
}

/// The value of `loss` and its gradient at the worst place near the present weights (sharpness-aware
/// minimisation, Foret et al. 2021): a first pass finds the direction e of steepest ascent, a second the
/// gradient at w + e, |e| = `radius`; an optimiser then steps with it from w. `loss` runs twice, inside one
/// `training(using:)` with the same random numbers; batch normalisation takes the first time's statistics
/// alone into its averages.
///
/// - Parameter offset: the adaptive form (ASAM, Kwon et al. 2021) with T = |w| + offset, whose e is
///   radius T² g / |T g|; the paper uses an offset of 0.01 and ten times the radius. nil for T = 1.
public func valueAndSharpnessAwareGradient(
  by parameters: [NamedParameter], radius: Double = 0.05, adaptiveOffset offset: Double? = nil,
  of loss: () throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let state = ThreadState.current, start = state.surroundings
  let (value, gradients) = try valueAndGradient(by: parameters, of: loss)
  let scales = offset.map { offset in parameters.map { abs($0.value) + offset } }
  let scaled = scales.map { zip($0, gradients).map(*) } ?? gradients
  let norm = norm(of: scaled)
  guard norm > 0 else { return (value, gradients) }
  let ascent = scales.map { zip($0, scaled).map(*) } ?? scaled
  let found = try withParameters(parameters, movedBy: ascent, times: radius / norm) {
    try state.again(in: start) { try valueAndGradient(by: parameters, of: loss).gradients }
  }
  return (value, found)
}
