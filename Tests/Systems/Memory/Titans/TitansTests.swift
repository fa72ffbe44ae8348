import CallosumContracts
import CallosumMemory
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

private func settings(
  _ step: Titans.Step = .relative, _ change: (inout Titans.Settings) -> Void
) -> Titans.Settings {
  var settings = Titans.Settings()
  settings.step = step
  change(&settings)
  return settings
}

private func memory(_ settings: Titans.Settings, width: Int, dtype: DType) throws -> Titans {
  var random = RandomGenerator(seed: 1)
  let memory = try Titans(settings, in: Slot(width: width, tokens: 8), using: &random)
  for one in memory.parameters() {
    one.value = (one.value + random.normal(one.value.shape) * 0.2).asType(dtype)
  }
  return memory
}

private func problem(_ actual: Tensor, _ expected: Tensor, _ tolerance: Double) -> String? {
  CallosumTestSupport.Comparison(
    actual.asType(.float64), expected.asType(.float64),
    within: Tolerance(relative: tolerance, ofLargest: tolerance)
  ).problem
}

/// lucidrains' titans-pytorch, commit cc016eb, neural_memory.py, with random weights in float64, made to
/// follow the paper: gradients at the weights of the chunk's start (batch_size), the loss summed over the
/// width, neither norm nor residual around the memory, and chunk_size 1, with which rates belong to tokens
/// and reading is not late. Outputs, gradients of sum(y g) and the last weights.
@Suite struct TitansReferenceTests {
  private static let kinds: [(String, Int, Titans.Settings)] = [
    ("two", 6, settings(.absolute) { ($0.chunk, $0.kernel, $0.largestRate) = (4, 1, 1) }),
    ("linear", 5, settings(.absolute) { ($0.depth, $0.chunk, $0.kernel, $0.largestRate) = (1, 3, 1, 1) }),
    (
      "three", 4,
      settings(.absolute) {
        ($0.depth, $0.expansion, $0.chunk, $0.kernel, $0.largestRate) = (3, 2, 8, 1, 0.5)
      }
    ),
    (
      "single", 4,
      settings(.absolute) {
        ($0.expansion, $0.chunk, $0.kernel, $0.momentum, $0.largestRate) = (2, 1, 1, false, 1)
      }
    ),
    (
      "heads", 6,
      settings(.absolute) {
        ($0.heads, $0.expansion, $0.chunk, $0.kernel, $0.largestRate) = (3, 2, 4, 1, 1)
      }
    ),
  ]

  @Test(arguments: kinds, [DType.float64, .float32])
  func agrees(_ kind: (name: String, width: Int, settings: Titans.Settings), _ dtype: DType) throws {
    let file = Golden.path(beside: #filePath)
    let tensors = try Safetensors.load(file).tensors
    let tolerance = dtype == .float64 ? 1e-10 : 2e-5
    func theirs(_ name: String) throws -> Tensor {
      try #require(tensors["\(kind.name).\(name)"], "\(name)").asType(dtype)
    }
    /// Their weights or gradients for one of our parameters: they keep apart what we have in one matrix.
    func place(_ what: String, _ name: String) throws -> Tensor {
      func rows(_ names: [String], _ last: String) throws -> Tensor {
        concatenated(
          try names.compactMap {
            tensors["\(kind.name).\(what).\($0).0.\(last)"] == nil
              ? nil : try theirs("\(what).\($0).0.\(last)")
          })
      }
      let parts = name.split(separator: ".").map(String.init)
      return switch parts[0] {
      case "projection": try rows(["to_queries", "to_keys", "to_values"], "weight")
      case "rates": try rows(["to_adaptive_step", "to_momentum", "to_decay_factor"], parts[1])
      case "gate": try theirs("\(what).retrieve_gate.0.weight")
      case "output": try theirs("\(what).combine_heads.weight")
      default:
        // Theirs have an axis of heads even for one.
        try kind.settings.heads > 1
          ? theirs("\(what).memory_model_parameters.\(parts[1])")
          : theirs("\(what).memory_model_parameters.\(parts[1])").squeezed(axis: 0)
      }
    }
    let own = try memory(kind.settings, width: kind.width, dtype: dtype)
    let parameters = own.parameters()
    for one in parameters { one.value = try place("weight", one.name) }
    var state = State()
    let (values, pullback) = valueAndPullback(at: [try theirs("x")] + parameters.map(\.value)) { all in
      withParameters(parameters, as: Array(all.dropFirst())) {
        let (y, after) = own(all[0], own.initialState(batch: 2))
        state = after.detached
        return [y]
      }
    }
    #expect(problem(values[0], try theirs("y"), tolerance) == nil)
    for layer in 0..<kind.settings.depth {
      let last = try theirs("last.weights.\(layer)")
      #expect(
        problem(state["weights.\(layer)"].reshaped(last.shape), last, tolerance) == nil,
        "last weights \(layer)")
    }
    let gradients = pullback([try theirs("g")])
    #expect(problem(gradients[0], try theirs("grad.x"), tolerance) == nil, "x")
    for (one, gradient) in zip(parameters, gradients.dropFirst()) {
      #expect(problem(gradient, try place("grad", one.name), tolerance) == nil, "\(one.name)")
    }
  }
}

@Suite struct TitansTests {
  /// A linear memory without momentum and forgetting is the delta rule with beta = 2 theta.
  @Test(arguments: [DType.float64, .float32]) func theLinearCaseIsTheDeltaRule(_ dtype: DType) throws {
    let own = try memory(
      settings(.absolute) {
        ($0.depth, $0.chunk, $0.kernel, $0.momentum, $0.forgetting) = (1, 1, 1, false, false)
        $0.largestRate = 0.5
      }, width: 6, dtype: dtype)
    var random = RandomGenerator(seed: 3)
    let x = random.normal([2, 9, 6]).asType(dtype)
    let (y, after) = own(x, own.initialState(batch: 2))
    func unit(_ x: Tensor) -> Tensor { x / sqrt(square(x).sum(axis: -1, keepDims: true) + 1e-12) }
    func heads(_ x: Tensor) -> Tensor { x.expandedDimensions(axis: 1) }
    let parts = silu(own.projection(x)).split(parts: 3, axis: 2)
    let start = own.start[0].value.expandedDimensions(axis: 0).expandedDimensions(axis: 0)
    let (expected, state) = deltaRule(
      queries: heads(unit(parts[0])), keys: heads(unit(parts[1])), values: heads(parts[2]),
      beta: heads(sigmoid(own.rates(x)).squeezed(axis: 2)), scale: 1,
      initial: start.broadcast(to: [2, 1, 6, 6]))
    let tolerance = dtype == .float64 ? 1e-12 : 1e-5
    #expect(problem(y, expected.squeezed(axis: 1), tolerance) == nil)
    #expect(problem(after["weights.0"], state.squeezed(axis: 1), tolerance) == nil)
  }

  /// The formula as it is written, token by token, the gradient taken by the engine.
  @Test(
    arguments: [1, 3, 8],
    [(0, Titans.Step.absolute), (0.5, .absolute), (0, .relative), (0.5, .relative)])
  func theFormulaWrittenOut(_ chunk: Int, _ kind: (bound: Double, step: Titans.Step)) throws {
    let bound = kind.bound, isRelative = kind.step == .relative
    let own = try memory(
      settings {
        ($0.expansion, $0.chunk, $0.kernel, $0.largestRate, $0.largestSurprise) = (2, chunk, 3, 1, bound)
        $0.step = kind.step
      }, width: 4,
      dtype: .float64)
    var random = RandomGenerator(seed: 4)
    let x = random.normal([1, 10, 4], dtype: .float64)
    let y = own(x, own.initialState(batch: 1)).output

    let convolution = try #require(own.convolution)
    let mixed = own.projection(x).padded([(0, 0), (2, 0), (0, 0)])
    let parts = silu(convolution(mixed)).split(parts: 3, axis: 2)
    func unit(_ x: Tensor) -> Tensor { x / sqrt(square(x).sum(axis: -1, keepDims: true)) }
    func recall(_ x: Tensor, _ layers: [Tensor]) -> Tensor {
      matmul(gelu(matmul(x, layers[0])), layers[1])
    }
    var weights = own.start.map(\.value), origin = weights
    var momentum = weights.map { Tensor.zeros(like: $0) }
    for t in 0..<10 {
      func token(_ x: Tensor) -> Tensor { x[0].sliced(axis: 0, from: t, to: t + 1) }
      if t % chunk == 0 { origin = weights }
      let (k, v, q) = (token(unit(parts[1])), token(parts[2]), token(unit(parts[0])))
      var rates = sigmoid(token(own.rates(x))).doubles
      if isRelative {
        let slope = gradient(at: matmul(k, origin[0])) { gelu($0).sum() }
        let a = gelu(matmul(k, origin[0]))
        rates[0] *= 1 - rates[1]
        rates[0] /=
          square(a).sum().item() + square(k).sum().item()
          * square(slope.transposed() * origin[1]).sum().item()
      }
      let (_, slopes) = valueAndGradient(at: origin) { square(recall(k, $0) - v).sum() }
      for layer in 0..<2 {
        let excess = bound > 0 ? square(slopes[layer]).sum().item() / (bound * bound) : 0
        let slope = slopes[layer] / (1 + excess).squareRoot()
        momentum[layer] = momentum[layer] * rates[1] - slope * rates[0]
        weights[layer] = weights[layer] * (1 - rates[2]) + momentum[layer]
      }
      #expect(problem(token(y), recall(q, weights), 1e-9) == nil, "token \(t)")
    }
  }

  /// By its own bound of theta no memory diverges where one pair fills the gaps between others and eta is
  /// high; with 1 / (2 chunk), which leaves momentum and depth out, all do.
  @Test(arguments: [1, 2], [1, 8]) func memoriesStaySteady(_ depth: Int, _ chunk: Int) throws {
    func run(_ rate: Double) throws -> (largest: Double, recall: Double) {
      let settings = settings(.absolute) {
        ($0.depth, $0.expansion, $0.chunk, $0.kernel, $0.largestRate) = (depth, 1, chunk, 1, rate)
        ($0.rateStart, $0.momentumStart) = (0.8, 0.9)
      }
      var random = RandomGenerator(seed: 6)
      let own = try Titans(settings, in: Slot(width: 32, tokens: 1), using: &random)
      func unit(_ x: Tensor) -> Tensor { x / sqrt(square(x).sum(axis: -1, keepDims: true)) }
      let keys = unit(random.normal([4, 128, 32])), values = 5 * unit(random.normal([4, 128, 32]))
      let isFiller = Tensor((0..<128).map { $0 % 16 < 10 }).expandedDimensions(axis: 1)
      let key = keys.sliced(axis: 1, to: 1), value = values.sliced(axis: 1, to: 1)
      let state = own.write(
        keys: which(isFiller, key, keys), values: which(isFiller, value, values),
        to: own.initialState(batch: 4))
      let norms = sqrt(square(state["weights.0"]).sum(axes: [1, 2])).doubles
      let found = (own.read(key, from: state) * value).sum(axis: -1).doubles
      return (norms.map { $0.isFinite ? $0 : .infinity }.max() ?? 0, (found.min() ?? 0) / 25)
    }
    let (largest, recall) = try run(0)
    #expect(largest < 20 && recall > 0.3)
    #expect(try run(0.5 / Double(chunk)).largest > 1000)
  }

  /// c is no less than the largest eigenvalue of J Jᵀ, J row by row from the engine: a token alone, whose
  /// gradient is the first step of a memory without momentum, tells c.
  @Test(arguments: [1, 2, 3]) func theCurvatureIsABound(_ depth: Int) throws {
    let own = try memory(
      settings {
        ($0.depth, $0.expansion, $0.chunk, $0.kernel) = (depth, 2, 1, 1)
        ($0.momentum, $0.forgetting, $0.step) = (false, false, .relative)
      }, width: 4, dtype: .float64)
    own.rates.bias = .zeros([1], dtype: .float64)
    var random = RandomGenerator(seed: 8)
    for _ in 0..<5 {
      let key = random.normal([1, 1, 4], dtype: .float64), value = random.normal([1, 1, 4], dtype: .float64)
      let origin = own.start.map(\.value)
      func recalled(_ layers: [Tensor]) -> Tensor {
        layers.dropFirst().reduce(matmul(key[0], layers[0])) { matmul(gelu($0), $1) }
      }
      let rows = (0..<4).map { output in
        concatenated(
          valueAndGradient(at: origin) { recalled($0).sliced(axis: 1, from: output, to: output + 1).sum() }
            .gradients.map { $0.reshaped($0.size) })
      }
      let jacobian = stacked(rows, axis: 0)
      var direction = Tensor.ones([4, 1], dtype: .float64), largest = 0.0
      for _ in 0..<200 {
        let next = matmul(jacobian, matmul(jacobian.transposed(), direction))
        largest = sqrt(square(next).sum()).item()
        direction = next / largest
      }
      // theta is 1/4 / c here: half of 1 / (2 chunk).
      let slope = valueAndGradient(at: origin) { square(recalled($0) - value[0]).sum() }.gradients[0]
      let after = own.write(keys: key, values: value, to: own.initialState(batch: 1))
      let moved = sqrt(square(after["weights.0"][0] - origin[0]).sum()).item()
      let c = 0.25 * sqrt(square(slope).sum()).item() / moved
      #expect(c >= largest * (1 - 1e-9) && c < 20 * largest, "\(c) for \(largest)")
      if depth == 1 { #expect(abs(c / largest - 1) < 1e-9) }
    }
  }

  /// Relative steps hold memories of one and two layers steady over 10,000 tokens, whatever chunk, values and
  /// start, whichever way theta, eta (at times within 1e-4 of 1) and alpha go with the token, where one token fills
  /// most places. Absolute ones with the same bound of theta are lost in two layers where values are large.
  @Test(arguments: [1, 2], [(1, 5, 1), (8, 0.2, 1), (8, 5, 0.1), (8, 30, 1), (8, 5, 2)])
  func relativeStepsStaySteady(
    _ depth: Int, _ kind: (chunk: Int, length: Double, start: Double)
  ) throws {
    let width = 16, batch = 2, count = 1000
    /// The largest of what is recalled in the second half, in lengths of a value.
    func run(_ step: Titans.Step) throws -> Double {
      var random = RandomGenerator(seed: 7)
      let own = try Titans(
        settings {
          ($0.depth, $0.expansion, $0.chunk, $0.kernel, $0.step) = (depth, 2, kind.chunk, 1, step)
          $0.largestRate = 0.5 / Double(kind.chunk)
        }, in: Slot(width: width, tokens: 1), using: &random)
      for matrix in own.start { matrix.value = matrix.value * kind.start }
      let scales = Tensor([1, 1, Float(kind.length)]).reshaped(3, 1, 1).broadcast(to: [3, width, width])
      own.projection.weight = own.projection.weight * scales.reshaped(3 * width, width)
      own.rates.weight = random.normal([3, width]) * (0.8 / Double(width).squareRoot())
      own.rates.weight = own.rates.weight * Tensor([1, 3, 3] as [Float]).reshaped(3, 1)
      own.rates.bias = Tensor([0, 3, -9] as [Float])
      let filler = random.normal([1, 1, width])
      var state = own.initialState(batch: batch), largest = 0.0, values = 0.0
      for piece in 0..<10 {
        let isFiller = random.uniform([batch, count, 1]) .< 0.6
        let x = which(isFiller, filler, random.normal([batch, count, width]))
        let (y, after) = own(x, state)
        state = after
        func length(_ x: Tensor) -> Double { sqrt(square(x).sum(axis: -1)).max().item() }
        values = max(values, length(silu(own.projection(x)).split(parts: 3, axis: 2)[2]))
        if piece > 4 { largest = length(y).isFinite ? max(largest, length(y)) : .infinity }
      }
      return largest / values
    }
    let relative = try run(.relative), absolute = try run(.absolute)
    #expect(relative < 5)
    if depth == 2 && kind.length > 1 { #expect(!(absolute < 1000)) }
  }

  /// By default a memory still answers after thousands of tokens, as large as in the beginning; with the paper's
  /// steps it has died by then.
  @Test(arguments: [1, 2]) func theDefaultLives(_ depth: Int) throws {
    func run(_ step: Titans.Step) throws -> Double {
      var random = RandomGenerator(seed: 1), own = Titans.Settings()
      (own.depth, own.step) = (depth, step)
      let memory = try Titans(own, in: Slot(width: 16, tokens: 1), using: &random)
      let x = random.normal([2, 4000, 16])
      let y = memory(x, memory.initialState(batch: 2)).output
      func size(_ x: Tensor) -> Double { sqrt(square(x).mean()).item() }
      return size(y.sliced(axis: 1, from: 3500)) / size(y.sliced(axis: 1, to: 500))
    }
    #expect(Titans.Settings().step == .relative)
    let living = try run(.relative)
    #expect(living > 0.2 && living < 5)
    if depth == 2 { #expect(try run(.absolute) < 1e-6) }
  }

  /// Where the place of a token in its chunk cannot be one.
  @Test(arguments: ["nan", "0", "9", "2.5", "1e30"]) func aPlaceThatCannotBeStops(_ place: String) async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      [place] in
      var random = RandomGenerator(seed: 1)
      let own = try Titans(Titans.Settings(), in: Slot(width: 4, tokens: 1), using: &random)
      var state = own.initialState(batch: 2)
      state["place"] = Tensor([1, Double(place) ?? 0]).asType(.float32)
      _ = own(.ones([2, 3, 4]), state)
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains("the state's place must hold a whole number from 1 to 8 for each of 2 rows"),
      "\(text.prefix(300))")
  }

  /// With orthonormal keys and theta 1/2 a linear memory holds its values exactly, and new ones replace
  /// them.
  @Test func whatIsWrittenIsRead() throws {
    let own = try memory(
      settings(.absolute) {
        ($0.depth, $0.chunk, $0.momentum, $0.forgetting, $0.largestRate) = (1, 1, false, false, 1)
      }, width: 5, dtype: .float64)
    own.rates.bias = .zeros([1], dtype: .float64)
    var random = RandomGenerator(seed: 5)
    let keys = Tensor.eye(5, dtype: .float64).expandedDimensions(axis: 0)
    let old = random.normal([1, 5, 5], dtype: .float64), new = random.normal([1, 5, 5], dtype: .float64)
    let state = own.write(keys: keys, values: old, to: own.initialState(batch: 1))
    #expect(problem(own.read(keys, from: state), old, 1e-12) == nil)
    #expect(problem(own.read(keys, from: own.write(keys: keys, values: new, to: state)), new, 1e-12) == nil)
  }
}

@Suite struct SlidingAttentionTests {
  /// One head after the other, one token after the other, over the tokens of its window alone.
  @Test(arguments: [2, 3, 20]) func theFormulaWrittenOut(_ window: Int) throws {
    var random = RandomGenerator(seed: 1)
    let own = SlidingAttention(6, heads: 2, window: window, kernel: 2, using: &random)
    for one in own.parameters() { one.value = one.value.asType(.float64) }
    let x = random.normal([1, 9, 6], dtype: .float64)
    let y = own(x, own.initialState(batch: 1)).output

    let convolution = try #require(own.convolution)
    let parts = convolution(own.projection(x).padded([(0, 0), (1, 0), (0, 0)])).split(parts: 3, axis: 2)
      .map { $0[0] }
    for t in 0..<9 {
      let heads = (0..<2).map { head in
        func part(_ x: Tensor, from: Int) -> Tensor {
          x.sliced(axis: 0, from: from, to: t + 1).sliced(axis: 1, from: 3 * head, to: 3 * head + 3)
        }
        let from = max(0, t - window + 1)
        let scores = matmul(part(parts[0], from: t), part(parts[1], from: from).transposed())
        return matmul(softmax(scores / 3.0.squareRoot()), part(parts[2], from: from))
      }
      let expected = own.output(concatenated(heads, axis: 1))
      #expect(problem(y[0].sliced(axis: 0, from: t, to: t + 1), expected, 1e-11) == nil, "token \(t)")
    }
  }
}
