import CallosumNetworks
import CallosumTensors

/// The weights of a neural memory on their way through a sequence; see ``Titans`` for the formula.
///
/// Within a chunk all gradients g_s are known before anything is updated, and both recurrences are linear, so
/// every M_t is a sum with numbers that do not depend on the weights:
///
///     M_t = sum over s <= t of R[t, s] g_s  +  R[t, S] S_0  +  R[t, M] M_0
///
/// R comes out of two linear scans over the tokens (``coefficients(_:)``). The gradient of a matrix is an
/// outer product of what went in and the error that came back, g_s = a_s d_sᵀ, so that
/// z M_t = sum of R[t, s] (z a_s) d_s + ...: attention without softmax. No M_t but the last is ever made.
struct TitansStep {
  /// Of each layer [batch, inputs, outputs]: M, S, and the weights that gradients are taken at.
  var weights: [Tensor]
  var momentum: [Tensor]?
  var origin: [Tensor]
  /// Tokens of the present chunk that are done, 0..<chunk.
  var place: Int
  let chunk: Int
  /// Whether gradients are divided by the curvature.
  let isRelative: Bool
  /// See ``Titans/Settings``; 0 for no bound.
  let largestSurprise: Double

  /// Learns tokens [batch, tokens, size] and answers `queries` of that shape, each after its token was
  /// learned; what comes back means nothing without queries.
  mutating func run(
    keys: Tensor, values: Tensor, _ gates: TitansGates, queries: Tensor?
  ) -> Tensor {
    var answers: [Tensor] = []
    let count = keys.dim(1)
    var done = 0
    while done < count {
      // Whole chunks share the making of their coefficients; what is left of one begun before, or is begun
      // and not finished, stands alone.
      let isWhole = place == 0 && count - done >= chunk
      let chunks = isWhole ? (count - done) / chunk : 1
      let length = isWhole ? chunk : min(chunk - place, count - done)
      let coefficients = Self.coefficients(gates.tokens(done..<done + chunks * length), chunks: chunks)
      for index in 0..<chunks {
        func part(_ x: Tensor) -> Tensor { x.sliced(axis: 1, from: done, to: done + length) }
        let own = Coefficients(
          memory: coefficients.memory[.all, index],
          momentum: coefficients.momentum.map { $0[.all, index] })
        if let answer = learn(part(keys), part(values), own, queries: queries.map(part)) {
          answers.append(answer)
        }
        place = (place + length) % chunk
        if place == 0 { origin = weights }
        done += length
      }
    }
    return answers.isEmpty ? values : answers.count == 1 ? answers[0] : concatenated(answers, axis: 1)
  }

  /// `memory`: R [..., tokens, tokens + 2], the last columns for S_0 and M_0. `momentum`: what S after the
  /// last token is made of, the last row of the scan before, [..., 1, tokens + 2].
  struct Coefficients {
    let memory: Tensor
    let momentum: Tensor?
  }

  /// R for `chunks` chunks, [batch, chunks, tokens, tokens + 2].
  static func coefficients(_ gates: TitansGates, chunks: Int) -> Coefficients {
    let batch = gates.rate.dim(0), length = gates.rate.dim(1) / chunks, type = gates.rate.dtype
    let shape = [batch * chunks, length, length + 2]
    func column(_ x: Tensor) -> Tensor { x.reshaped(batch * chunks, length, 1) }
    func whole(_ x: Tensor) -> Tensor { x.reshaped([batch, chunks] + x.shape.dropFirst()) }
    /// The state before the first token: what stands for S_0 or M_0 alone.
    func alone(_ place: Int) -> Tensor {
      Tensor((0..<length + 2).map { $0 == place ? Float(1) : 0 }).asType(type).broadcast(
        to: [shape[0], shape[2]])
    }
    // Gradients come in downhill, each at its own token.
    let own = Tensor.eye(length, dtype: type).padded([(0, 0), (0, 2)])
    let arriving = column(gates.rate) * -own
    let surprise = gates.momentum.map {
      linearRecurrence(column($0).broadcast(to: shape), arriving, initial: alone(length))
    }
    let kept = gates.kept.map(column) ?? .ones([1, 1, 1], dtype: type)
    let memory = linearRecurrence(
      kept.broadcast(to: shape), surprise ?? arriving.broadcast(to: shape), initial: alone(length + 1))
    return Coefficients(
      memory: whole(memory), momentum: surprise.map { whole($0.sliced(axis: 1, from: length - 1)) })
  }

  /// One chunk, or a part of one.
  private mutating func learn(
    _ keys: Tensor, _ values: Tensor, _ own: Coefficients, queries: Tensor?
  ) -> Tensor? {
    let length = keys.dim(1), depth = weights.count
    // What went into each layer, and the errors that come back to its output.
    var entering = [keys]
    var before: [Tensor] = []
    for layer in 0..<depth {
      before.append(matmul(entering[layer], origin[layer]))
      if layer < depth - 1 { entering.append(gelu(before[layer])) }
    }
    var errors = [(before[depth - 1] - values) * 2]
    let slopes = before.dropLast().map(geluSlope)
    for layer in stride(from: depth - 1, to: 0, by: -1) {
      let back = matmul(errors[0], origin[layer].swappedAxes(1, 2))
      errors.insert(back * slopes[layer - 1], at: 0)
    }
    if largestSurprise > 0 {
      for layer in 0..<depth {
        // The norm of an outer product is the product of norms.
        let norm = squaredLength(entering[layer]) * squaredLength(errors[layer])
        errors[layer] = errors[layer] * rsqrt(norm * (1 / (largestSurprise * largestSurprise)) + 1)
      }
    }
    if isRelative {
      let safe = 1 / (curvature(entering, slopes) + 1e-12)
      errors = errors.map { $0 * safe }
    }

    let tokens = own.memory.sliced(axis: 2, to: length)
    let fromMomentum = own.memory.sliced(axis: 2, from: length, to: length + 1)
    let fromMemory = own.memory.sliced(axis: 2, from: length + 1)
    let isPast = Tensor.ones([length, length], dtype: .int32).tril() .> 0
    let answer = queries.map { queries in
      var z = queries
      for layer in 0..<depth {
        let scores = matmul(z, entering[layer].swappedAxes(1, 2)) * tokens
        var sum = mixSeen(scores, errors[layer], where: isPast) + matmul(z * fromMemory, weights[layer])
        if let momentum { sum = sum + matmul(z * fromMomentum, momentum[layer]) }
        z = layer < depth - 1 ? gelu(sum) : sum
      }
      return z
    }

    func made(_ row: Tensor, _ layer: Int, weights: Tensor?, momentum: Tensor?) -> Tensor {
      let shares = row.sliced(axis: 2, to: length).swappedAxes(1, 2)
      var sum = matmul(entering[layer].swappedAxes(1, 2), errors[layer] * shares)
      if let weights { sum = sum + weights * row.sliced(axis: 2, from: length + 1) }
      if let momentum { sum = sum + momentum * row.sliced(axis: 2, from: length, to: length + 1) }
      return sum
    }
    let last = own.memory.sliced(axis: 1, from: length - 1)
    let old = momentum
    weights = weights.indices.map { made(last, $0, weights: weights[$0], momentum: old?[$0]) }
    if let old, let row = own.momentum {
      momentum = old.indices.map { made(row, $0, weights: nil, momentum: old[$0]) }
    }
    return answer
  }

  /// c of each token, [batch, tokens, 1]: at least the largest eigenvalue of J Jᵀ. A layer's part of J Jᵀ is
  /// |a_l|² B Bᵀ, B what carries the layer's outputs to M's: a product of matrices, which is no larger than
  /// the product of their norms. `slopes` of the activations after each layer but the last.
  private func curvature(_ entering: [Tensor], _ slopes: [Tensor]) -> Tensor {
    var sum = squaredLength(entering[slopes.count])
    var carried: Tensor?
    for layer in slopes.indices.reversed() {
      // |f' W|², the rows of W weighted by the slopes before it.
      let norm = matmul(square(slopes[layer]), squaredLength(origin[layer + 1]))
      let product = carried.map { $0 * norm } ?? norm
      sum = sum + squaredLength(entering[layer]) * product
      carried = product
    }
    return sum
  }
}

/// [..., count, width] -> [..., count, 1]
private func squaredLength(_ x: Tensor) -> Tensor { square(x).sum(axis: -1, keepDims: true) }

/// The derivative of GELU, in operations that have derivatives themselves.
private func geluSlope(_ x: Tensor) -> Tensor {
  0.5 * (1 + erf(x * 0.7071067811865476)) + x * exp(x * x * -0.5) * 0.3989422804014327
}
