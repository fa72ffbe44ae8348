import CallosumTensors
import CallosumTestSupport

// The operations that have a golden file, one line each; the conformance suite runs over this list.

extension Operation {
  /// Every operation, also those without a golden file: types and NaN go over all of them.
  static let everything: [Operation] = all + withoutGoldenFile

  static let all: [Operation] =
    functions + arithmetic + reductions + products + movement + indexing + normalisation
    + ordering + windows + sampling + recurrences + linearAttentions + linearAlgebra + fourier + fields
    + placement + rearrangement + sparse

  /// Golden files whose operations live in the room Networks, and are checked there.
  static let elsewhere: Set<String> = [
    "binaryCrossEntropyWithLogits", "huber", "klDivergence", "l1", "meanSquaredError", "poisson",
  ]

  private static func unary(
    _ name: String, absolute: Double = 0, _ function: @escaping @Sendable (Tensor) -> Tensor
  ) -> Operation {
    let tolerance = Tolerance(relative: 2e-6, ofLargest: 2e-6, absolute: absolute)
    return Operation(name, tolerance: tolerance) { x, _ in function(x["x"]) }
  }

  private static func binary(
    _ name: String, kinks: Set<String> = [], _ function: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> Operation {
    Operation(name, kinks: kinks) { x, _ in function(x["a"], x["b"]) }
  }

  // MARK: Elementwise

  static let functions: [Operation] = [
    unary("negate") { -$0 }, unary("abs", abs), unary("sign", sign), unary("square", square),
    unary("reciprocal", reciprocal), unary("sqrt", sqrt), unary("rsqrt", rsqrt), unary("exp", exp),
    unary("expm1", expm1), unary("log", log), unary("log1p", log1p), unary("sin", sin),
    unary("cos", cos), unary("tan", tan), unary("asin", asin), unary("acos", acos),
    unary("atan", atan), unary("sinh", sinh), unary("cosh", cosh), unary("tanh", absolute: 1e-7, tanh),
    unary("erf", erf), unary("sigmoid", absolute: 1e-7, sigmoid), unary("floor", floor), unary("ceil", ceil),
    unary("round", round), unary("relu", relu), unary("gelu", absolute: 3e-7, gelu),
    unary("silu", absolute: 3e-7, silu),
    unary("softplus", softplus), unary("logicalNot") { .!$0 }, unary("erfc", absolute: 1e-7, erfc),
    unary("erfcx", absolute: 2e-6, erfcx), unary("logErfc", logErfc),
    unary("logGamma", absolute: 1e-6, logGamma),
    unary("digamma", absolute: 1e-6, digamma), unary("besselJ0", absolute: 1e-6, besselJ0),
    unary("logSigmoid", logSigmoid), unary("sinc", absolute: 1e-7, sinc),
    unary("leakyRelu") { leakyRelu($0) }, unary("elu") { elu($0) },
    unary("hardSigmoid", hardSigmoid), unary("mish", absolute: 3e-7, mish),
    unary("geluApproximate", absolute: 3e-7, geluApproximate), unary("logCosh", absolute: 3e-7, logCosh),
    unary("bitCount", bitCount),
    Operation("clip", kinks: ["on the bounds", "one value"]) { x, a in
      clip(x["x"], min: a[number: "low"], max: a[number: "high"])
    },
  ]

  static let arithmetic: [Operation] = [
    binary("add", +), binary("subtract", -), binary("multiply", *), binary("divide", /),
    binary("remainder", %), binary("power", pow), binary("atan2", atan2),
    binary("maximum", kinks: ["ties"], maximum),
    binary("minimum", kinks: ["ties"], minimum), binary("equal", .==),
    binary("notEqual", .!=), binary("less", .<), binary("lessEqual", .<=), binary("greater", .>),
    binary("greaterEqual", .>=), binary("logicalAnd", .&&), binary("logicalOr", .||),
    binary("bitwiseAnd", bitwiseAnd), binary("bitwiseOr", bitwiseOr), binary("bitwiseXor", bitwiseXor),
    binary("leftShift", leftShift), binary("rightShift", rightShift),
    Operation("where") { x, _ in which(x["condition"], x["a"], x["b"]) },
  ]

  // MARK: Reductions

  private static func reduction(
    _ name: String, kinks: Set<String> = [], cancelling: [String: Tolerance] = [:],
    _ function: @escaping @Sendable (_ x: Tensor, _ axes: [Int]?, _ keepDims: Bool) -> Tensor
  ) -> Operation {
    Operation(name, kinks: kinks, cancelling: cancelling) { x, a in
      function(x["x"], a[list: "axes"], a.bool("keepDims"))
    }
  }

  private static let ties: Set<String> = ["ties", "ties over two axes", "expanded and reduced"]

  private static let reductions: [Operation] = [
    reduction("sum") { $0.sum(axes: $1, keepDims: $2) },
    reduction("mean") { $0.mean(axes: $1, keepDims: $2) },
    reduction("product") { $0.product(axes: $1, keepDims: $2) },
    reduction("max", kinks: ties) { $0.max(axes: $1, keepDims: $2) },
    reduction("min", kinks: ties) { $0.min(axes: $1, keepDims: $2) },
    reduction("any") { $0.any(axes: $1, keepDims: $2) },
    reduction("all") { $0.all(axes: $1, keepDims: $2) },
    // A result of 1000 has an error of 3e-5, and so has exp of the distance from it.
    reduction("logSumExp", cancelling: ["far from zero": Tolerance(relative: 6e-5)], logSumExpOver),
    Operation("variance") { x, a in
      x["x"].variance(
        axes: a[list: "axes"], keepDims: a.bool("keepDims"), correction: a.int("correction"))
    },
    Operation("argMax") { x, a in x["x"].argMax(axis: a.int("axis"), keepDims: a.bool("keepDims")) },
    Operation("argMin") { x, a in x["x"].argMin(axis: a.int("axis"), keepDims: a.bool("keepDims")) },
  ]

  /// The files reduce over any axes, `logSumExp` over one: the axes are joined to one first.
  private static func logSumExpOver(_ x: Tensor, _ axes: [Int]?, _ keepDims: Bool) -> Tensor {
    let axes = (axes ?? Array(0..<x.ndim)).map { $0 < 0 ? $0 + x.ndim : $0 }
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let sizes = kept.map { x.shape[$0] }
    let joined = x.transposed(axes: kept + axes)
      .reshaped(sizes + [axes.map { x.shape[$0] }.elementCount])
    let y = logSumExp(joined)
    return keepDims ? y.reshaped(x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }) : y
  }

  // MARK: Products

  private static let products: [Operation] = [
    binary("matmul", matmul),
    Operation("linear") { x, _ in linear(x["x"], weight: x["weight"], bias: x[optional: "bias"]) },
    Operation("conv1d") { x, a in
      conv1d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.int("stride"),
        padding: a.int("padding"), dilation: a.int("dilation"), groups: a.int("groups"))
    },
    Operation("conv2d") { x, a in
      conv2d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.pair("stride"),
        padding: a.pair("padding"), dilation: a.pair("dilation"), groups: a.int("groups"))
    },
    Operation(
      "scaledDotProductAttention", constants: ["mask"], readsByType: ["mask"],
      cancelling: [
        "large scores": Tolerance(relative: 2e-6, ofLargest: 1e-5),
        // One key has weight 1, whatever its score: the gradients of scores are 0.
        "one key": Tolerance(relative: 2e-6, ofLargest: 2e-6, absolute: 1e-6),
        "one token": Tolerance(relative: 2e-6, ofLargest: 2e-6, absolute: 1e-6),
      ]
    ) { x, a in
      scaledDotProductAttention(
        queries: x["q"], keys: x["k"], values: x["v"], scale: a[number: "scale"],
        mask: x[optional: "mask"], causal: a.bool("causal"))
    },
    Operation("attentionBias", readsByType: ["mask"]) { x, a in
      scaledDotProductAttention(
        queries: x["q"], keys: x["k"], values: x["v"], mask: x[optional: "mask"], bias: x["bias"],
        causal: a.bool("causal"))
    },
    Operation("softmaxWhere") { x, a in softmax(x["x"], where: x["mask"], axis: a.int("axis")) },
  ]

  // MARK: Movement

  private static let movement: [Operation] = [
    Operation("reshape") { x, a in x["x"].reshaped(a.ints("shape")) },
    Operation("transpose") { x, a in x["x"].transposed(axes: a.ints("axes")) },
    Operation("broadcast") { x, a in x["x"].broadcast(to: a.ints("shape")) },
    Operation("flip") { x, a in x["x"].flipped(axes: a.ints("axes")) },
    Operation("roll") { x, a in
      zip(a.ints("shifts"), a.ints("axes")).reduce(x["x"]) { $0.rolled($1.0, axis: $1.1) }
    },
    Operation("tril") { x, a in x["x"].tril(k: a.int("diagonal")) },
    Operation("triu") { x, a in x["x"].triu(k: a.int("diagonal")) },
    Operation("slidingWindows") { x, a in
      zip(a.ints("axes"), zip(a.ints("window"), a.ints("step"))).reduce(x["x"]) {
        $0.slidingWindows(axis: $1.0, size: $1.1.0, step: $1.1.1)
      }
    },
    Operation("pad") { x, a in
      let widths = a.rows("widths").map { (before: $0[0] ?? 0, after: $0[1] ?? 0) }
      return x["x"].padded(widths, value: a.double("value"))
    },
    Operation("concatenate") { x, a in concatenated(x.numbered, axis: a.int("axis")) },
    Operation("stack") { x, a in stacked(x.numbered, axis: a.int("axis")) },
  ]

  // MARK: Indexing

  private static let indexing: [Operation] = [
    Operation("slice") { x, a in
      a.rows("slices").enumerated().reduce(x["x"]) {
        pythonSlice($0, axis: $1.offset, $1.element[0], $1.element[1], $1.element[2] ?? 1)
      }
    },
    Operation("take") { x, a in x["x"].take(x["indices"], axis: a.int("axis")) },
    Operation("takeAlong") { x, a in x["x"].takeAlong(x["indices"], axis: a.int("axis")) },
    Operation("scatterAdd") { x, a in
      let (base, axis) = (x["x"], a.int("axis"))
      return base + x["source"].scatterAdded(at: x["indices"], axis: axis, count: base.dim(axis))
    },
    Operation("embedding") { x, _ in x["weight"].take(x["indices"]) },
  ]

  /// Python's start:stop:step, with `sliced` and `flipped`.
  private static func pythonSlice(
    _ x: Tensor, axis: Int, _ start: Int?, _ stop: Int?, _ step: Int
  ) -> Tensor {
    let count = x.dim(axis)
    func fromFront(_ place: Int) -> Int { place < 0 ? place + count : place }
    if step > 0 {
      let from = min(fromFront(start ?? 0), count)
      let to = max(from, min(fromFront(stop ?? count), count))
      return x.sliced(axis: axis, from: from, to: to, by: step)
    }
    // Backwards from `start` down to above `stop` is forwards in the flipped tensor.
    let from = count - 1 - min(fromFront(start ?? count - 1), count - 1)
    let to = max(from, count - 1 - (stop.map(fromFront) ?? -1))
    return x.flipped(axes: [axis]).sliced(axis: axis, from: from, to: to, by: -step)
  }

  // MARK: Softmax, normalisation, losses

  /// A mean far from 0 is subtracted; a row that is constant or has two numbers leaves nothing over.
  private static let cancellingNorms = [
    "far from zero": Tolerance(relative: 1e-5, ofLargest: 2e-5),
    "constant row": Tolerance(relative: 2e-6, absolute: 2e-4),
    "width two": Tolerance(relative: 2e-6, ofLargest: 2e-6, absolute: 2e-6),
  ]

  private static let normalisation: [Operation] = [
    Operation("softmax") { x, a in softmax(x["x"], axis: a.int("axis")) },
    Operation("logSoftmax") { x, a in logSoftmax(x["x"], axis: a.int("axis")) },
    Operation("layerNorm", cancelling: cancellingNorms) { x, a in
      layerNorm(
        x["x"], weight: x[optional: "weight"], bias: x[optional: "bias"], epsilon: a.double("epsilon"))
    },
    Operation("rmsNorm", cancelling: cancellingNorms) { x, a in
      rmsNorm(x["x"], weight: x[optional: "weight"], epsilon: a.double("epsilon"))
    },
    Operation("groupNorm", cancelling: cancellingNorms) { x, a in
      groupNorm(
        x["x"], groups: a.int("groups"), weight: x[optional: "weight"], bias: x[optional: "bias"],
        epsilon: a.double("epsilon"))
    },
    Operation("batchNorm", cancelling: cancellingNorms) { x, a in
      let axes = Array(0..<x["x"].ndim - 1)
      let ofBatch = a.bool("training")
      return batchNorm(
        x["x"], mean: ofBatch ? x["x"].mean(axes: axes) : x["runningMean"],
        variance: ofBatch ? x["x"].variance(axes: axes) : x["runningVariance"],
        weight: x[optional: "weight"], bias: x[optional: "bias"], epsilon: a.double("epsilon"))
    },
    Operation("crossEntropy") { x, a in
      let ignored = Int32(a[number: "ignoredLabel"] ?? -100)
      let losses = crossEntropyPerItem(
        logits: x["logits"], targets: x["labels"], labelSmoothing: a.double("labelSmoothing"),
        ignoring: ignored)
      switch a.string("reduction") {
      case "none": return losses
      case "sum": return losses.sum()
      default: return losses.sum() / (x["labels"] .!= Double(ignored)).sum().asType(losses.dtype)
      }
    },
  ]
}
