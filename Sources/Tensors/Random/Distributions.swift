import CallosumKernels

// Random numbers beyond the uniform and the normal. Element i of a draw depends on the stream, its
// place in it and i alone, whatever the number of threads. Parameters are constants: where a derivative
// by them is asked for, the draw stops, except for `multivariateNormal`, which is a function of them and
// of noise.

extension RandomGenerator {
  // MARK: Waiting times

  /// Exponential with the given rate, whose mean is 1 / rate.
  public mutating func exponential(
    _ shape: [Int], rate: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "exponential")
    precondition(rate > 0 && rate.isFinite, "exponential", "rate must be above 0 and finite, is \(rate)")
    return (exponentials(shape) / rate).asType(dtype)
  }

  /// Gumbel numbers, -log(-log u) of uniform u: logits plus such noise have their largest element where
  /// a draw from their softmax falls.
  public mutating func gumbel(_ shape: [Int], dtype: DType = .float32) -> Tensor {
    requireFloatingPoint(dtype, "gumbel")
    return (-log(exponentials(shape))).asType(dtype)
  }

  private mutating func exponentials(_ shape: [Int]) -> Tensor {
    let result = Tensor(uninitialized: shape, .float64)
    callosum_random_exponential(key, take(blocks: result.size), result.size, result.pointer(as: Double.self))
    return result
  }

  // MARK: Counts

  /// Poisson counts (int32), one for each element of `rate`, which must lie in 0...1e9.
  public mutating func poisson(_ rate: Tensor) -> Tensor {
    let rates = parameters(rate, "poisson", "rate", in: 0...1e9)
    let result = Tensor(uninitialized: rate.shape, .int32)
    callosum_random_poisson(
      key, take(blocks: result.size), result.size, rates.pointer(as: Double.self), 1,
      result.pointer(as: Int32.self))
    return result
  }

  /// Poisson counts (int32) that share one rate.
  public mutating func poisson(_ shape: [Int], rate: Double) -> Tensor {
    precondition(rate >= 0 && rate <= 1e9, "poisson", "rate must lie in 0...1e9, is \(rate)")
    let result = Tensor(uninitialized: shape, .int32)
    var rate = rate
    callosum_random_poisson(
      key, take(blocks: result.size), result.size, &rate, 0, result.pointer(as: Int32.self))
    return result
  }

  // MARK: Gamma and its family

  /// Gamma with a shape parameter above 0 for each element of `concentration`, times `scale`. In the
  /// type of `concentration`; what lies below its smallest number is 0.
  public mutating func gamma(_ concentration: Tensor, scale: Double = 1) -> Tensor {
    precondition(scale > 0 && scale.isFinite, "gamma", "scale must be above 0 and finite, is \(scale)")
    return (exp(logGammas(concentration, "gamma")) * scale).asType(concentration.dtype)
  }

  /// Gamma numbers that share one shape parameter.
  public mutating func gamma(
    _ shape: [Int], concentration: Double, scale: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "gamma")
    return gamma(Tensor(concentration, .float64).broadcast(to: shape), scale: scale).asType(dtype)
  }

  /// Beta with parameters above 0; their shapes broadcast.
  public mutating func beta(_ alpha: Tensor, _ beta: Tensor) -> Tensor {
    alpha.requireSameType(beta, "beta")
    let shape = broadcastShape(alpha.shape, beta.shape, "beta")
    let first = logGammas(alpha.broadcast(to: shape), "beta")
    let second = logGammas(beta.broadcast(to: shape), "beta")
    return sigmoid(first - second).asType(alpha.dtype)
  }

  /// Beta numbers that share their parameters.
  public mutating func beta(
    _ shape: [Int], alpha: Double, beta: Double, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "beta")
    let alpha = Tensor(alpha, .float64).broadcast(to: shape)
    return self.beta(alpha, Tensor(beta, .float64)).asType(dtype)
  }

  /// Dirichlet: `concentration` [..., classes], all above 0, gives probabilities of the same shape that
  /// add up to 1 over the last axis.
  public mutating func dirichlet(_ concentration: Tensor) -> Tensor {
    precondition(
      concentration.ndim > 0 && concentration.dim(-1) > 0, "dirichlet",
      "needs a last axis of classes, got shape \(concentration.shape)")
    return softmax(logGammas(concentration, "dirichlet")).asType(concentration.dtype)
  }

  /// Logarithms of gamma numbers, float64.
  private mutating func logGammas(_ concentration: Tensor, _ name: StaticString) -> Tensor {
    requireFloatingPoint(concentration.dtype, name)
    let shapes = parameters(
      concentration, name, "concentration", in: Double.leastNonzeroMagnitude...1e100)
    let result = Tensor(uninitialized: concentration.shape, .float64)
    callosum_random_log_gamma(
      key, take(blocks: result.size), result.size, shapes.pointer(as: Double.self), 1,
      result.pointer(as: Double.self))
    return result
  }

  /// The parameters in contiguous float64, all in `range`.
  private func parameters(
    _ tensor: Tensor, _ name: StaticString, _ what: String, in range: ClosedRange<Double>
  ) -> Tensor {
    let values = tensor.requireConstant(name, what).asType(.float64).packed
    let fits = (values .>= range.lowerBound) .&& (values .<= range.upperBound)
    precondition(
      fits.all().item() == 1, name,
      range.lowerBound == 0
        ? "every \(what) must lie in 0...\(range.upperBound)" : "every \(what) must be above 0 and finite")
    return values
  }

  // MARK: Classes

  /// A class (int32) drawn from softmax of `logits` over `axis`, which the result lacks.
  public mutating func categorical(_ logits: Tensor, axis: Int = -1) -> Tensor {
    let last = classesLast(logits, axis)
    return (last + gumbel(last.shape, dtype: last.dtype)).argMax(axis: -1)
  }

  /// `count` classes (int32) drawn from softmax of `logits` over `axis`, which moves to the back:
  /// [..., count]. Without replacement they are all different and stand in the order in which they were
  /// drawn (Kool et al. 2019). Takes memory for count x classes numbers with replacement.
  public mutating func categorical(
    _ logits: Tensor, axis: Int = -1, count: Int, replacement: Bool = true
  ) -> Tensor {
    precondition(count >= 0, "categorical", "count must not be below 0, is \(count)")
    let last = classesLast(logits, axis)
    if replacement {
      let batch = Array(last.shape.dropLast())
      let noise = gumbel(batch + [count, last.dim(-1)], dtype: last.dtype)
      return (last.expandedDimensions(axis: -2) + noise).argMax(axis: -1)
    }
    let possible = (last .> -Double.infinity).asType(.int32).sum(axis: -1)
    precondition(
      last.size == 0 || Double(count) <= possible.min().item(), "categorical",
      "cannot draw \(count) different classes of logits \(logits.shape): a row has fewer that are possible")
    return (last + gumbel(last.shape, dtype: last.dtype)).topK(count).indices
  }

  private func classesLast(_ logits: Tensor, _ axis: Int) -> Tensor {
    requireFloatingPoint(logits.dtype, "categorical")
    let axis = resolved(axis, rank: logits.ndim, "categorical")
    precondition(logits.dim(axis) > 0, "categorical", "axis \(axis) of shape \(logits.shape) is empty")
    let last = logits.requireConstant("categorical", "logits").movedAxis(source: axis, destination: -1)
    // NaN compares as false.
    let largest = last.max(axis: -1)
    let fits = (largest .> -Double.infinity) .&& (largest .< Double.infinity)
    precondition(
      fits.all().item() == 1, "categorical",
      "logits must have a largest finite one in every row of axis \(axis)")
    return last
  }

  // MARK: Several numbers that depend on each other

  /// Normal vectors of the given mean [..., n] and covariance [..., n, n] (symmetric, positive
  /// definite): a result of shape `shape` + [n], where `shape` defaults to what the leading axes of both
  /// broadcast to. Has derivatives by mean and covariance.
  public mutating func multivariateNormal(
    _ shape: [Int]? = nil, mean: Tensor, covariance: Tensor
  ) -> Tensor {
    precondition(
      mean.ndim > 0 && covariance.ndim > 1 && covariance.dim(-1) == covariance.dim(-2)
        && mean.dim(-1) == covariance.dim(-1) && mean.dtype == covariance.dtype, "multivariateNormal",
      "mean \(mean.dtype) \(mean.shape) and covariance \(covariance.dtype) \(covariance.shape) do not fit "
        + "[..., n] and [..., n, n]")
    let batch = broadcastShape(
      Array(mean.shape.dropLast()), Array(covariance.shape.dropLast(2)), "multivariateNormal")
    let shape = shape ?? batch
    precondition(
      broadcastShape(batch, shape, "multivariateNormal") == shape, "multivariateNormal",
      "shape \(shape) has no room for the leading axes \(batch)")
    let noise = normal(shape + [mean.dim(-1), 1], dtype: mean.dtype)
    return mean + matmul(cholesky(covariance), noise).squeezed(axis: -1)
  }

  /// Matrices [..., rows, columns] with orthonormal rows or columns, whichever are fewer, times `gain`:
  /// uniform among all such (Saxe et al. 2014; Mezzadri 2007 on the signs).
  public mutating func orthogonal(
    _ shape: [Int], gain: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "orthogonal")
    precondition(shape.count >= 2, "orthogonal", "needs matrices [..., rows, columns], got shape \(shape)")
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    if shape.elementCount == 0 { return .zeros(shape, dtype: dtype) }
    let tall = Array(shape.dropLast(2)) + [max(rows, columns), min(rows, columns)]
    let (q, r) = qr(normal(tall, dtype: dtype))
    // Without them the factors would depend on LAPACK's choice of signs.
    let diagonal = (r * Tensor.eye(min(rows, columns), dtype: dtype)).sum(axis: -1)
    let signs = which(diagonal .< 0, diagonal.constant(-1), diagonal.constant(1))
    let matrices = q * signs.expandedDimensions(axis: -2) * gain
    return rows < columns ? matrices.swappedAxes(-1, -2) : matrices
  }
}
