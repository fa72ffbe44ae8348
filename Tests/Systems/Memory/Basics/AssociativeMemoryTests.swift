import CallosumContracts
import CallosumMemory
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct AssociativeMemoryTests {
  private func memory(
    _ writing: AssociativeMemory.Writing, size: Int = 4, decay: Double = 1
  ) throws -> AssociativeMemory {
    var random = RandomGenerator(seed: 1)
    var settings = AssociativeMemory.Settings()
    settings.writing = writing
    settings.size = size
    settings.decay = decay
    return try AssociativeMemory(settings, in: Slot(width: 5, outputWidth: 3, tokens: 6), using: &random)
  }

  /// Values under orthonormal keys come back exactly, whichever way they were written.
  @Test(arguments: [AssociativeMemory.Writing.delta, .hebb])
  func recallsUnderOrthonormalKeys(writing: AssociativeMemory.Writing) throws {
    let memory = try memory(writing)
    var random = RandomGenerator(seed: 2)
    let keys = stacked([Tensor.eye(4), qr(random.normal([4, 4])).q]), values = random.normal([2, 4, 4])
    let state = memory.write(keys: keys, values: values, to: memory.initialState(batch: 2))
    let wrong = Comparison(
      memory.read(keys, from: state), values, within: Tolerance(relative: 1e-5, ofLargest: 1e-6)
    ).problem
    #expect(wrong == nil)
  }

  /// What is stored last under a key replaces what was there; Hebbian writing adds to it.
  @Test func deltaReplaces() throws {
    let key = Tensor([0.6, 0.8, 0, 0] as [Float], [1, 1, 4])
    var random = RandomGenerator(seed: 2)
    let first = random.normal([1, 1, 4]), second = random.normal([1, 1, 4])
    func recalled(_ writing: AssociativeMemory.Writing) throws -> Tensor {
      let memory = try memory(writing)
      let state = memory.write(
        keys: concatenated([key, key], axis: 1), values: concatenated([first, second], axis: 1),
        to: memory.initialState(batch: 1))
      return memory.read(key, from: state)
    }
    let tolerance = Tolerance(relative: 1e-5, ofLargest: 1e-6)
    #expect(Comparison(try recalled(.delta), second, within: tolerance).problem == nil)
    #expect(Comparison(try recalled(.hebb), first + second, within: tolerance).problem == nil)
  }

  /// The recurrence written out, number by number, in float64.
  @Test(arguments: [AssociativeMemory.Writing.delta, .hebb])
  func isTheFormula(writing: AssociativeMemory.Writing) throws {
    let (width, size, tokens, decay) = (5, 4, 6, 0.9)
    let memory = try memory(writing, size: size, decay: decay)
    for place in memory.parameters() { place.value = place.value.asType(.float64) }
    var random = RandomGenerator(seed: 7)
    let x = random.normal([1, tokens, width]).asType(.float64)
    let y = memory(x, memory.initialState(batch: 1).mapped { $0.asType(.float64) }).output.doubles
    let xs = x.doubles
    func times(_ layer: Linear, _ x: [Double]) -> [Double] {
      let w = layer.weight.doubles, b = layer.bias?.doubles
      return (0..<layer.weight.dim(0)).map { row in
        let products = x.indices.map { w[row * x.count + $0] * x[$0] }
        return products.reduce(b?[row] ?? 0, +)
      }
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    func unit(_ x: [Double]) -> [Double] {
      let norm = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return x.map { $0 / norm }
    }
    var s = [Double](repeating: 0, count: size * size)
    for token in 0..<tokens {
      let now = Array(xs[token * width..<(token + 1) * width])
      let (k, q) = (unit(times(memory.key, now)), unit(times(memory.query, now)))
      let v = times(memory.value, now)
      let b = 1 / (1 + exp(Tensor(-times(memory.strength, now)[0], .float64)).item())
      for i in 0..<size {
        let row = Array(s[i * size..<(i + 1) * size])
        let held = writing == .delta ? decay * dot(row, k) : 0
        for j in 0..<size { s[i * size + j] = decay * s[i * size + j] + b * (v[i] - held) * k[j] }
      }
      let read = (0..<size).map { i in dot(Array(s[i * size..<(i + 1) * size]), q) }
      for (found, expected) in zip(y[token * 3..<token * 3 + 3], times(memory.output, read)) {
        #expect((found - expected).magnitude < 1e-10)
      }
    }
  }

  /// In chunks as token by token: outputs, the state and gradients by everything, lengths that fill chunks or
  /// do not, and memories that keep nothing, something or all.
  @Test(arguments: [AssociativeMemory.Writing.delta, .hebb], [0, 0.9, 1])
  func chunksAgreeWithTheReference(_ writing: AssociativeMemory.Writing, _ decay: Double) throws {
    for (tokens, dtype, allowed) in [
      (1, DType.float32, 1e-5), (16, .float32, 1e-5), (37, .float32, 1e-5), (37, .float64, 1e-12),
    ] {
      let memory = try memory(writing, size: 7, decay: decay)
      for place in memory.parameters() { place.value = place.value.asType(dtype) }
      let parameters = memory.parameters()
      var random = RandomGenerator(seed: 3)
      let x = random.normal([2, tokens, 5]).asType(dtype), s = random.normal([2, 7, 7]).asType(dtype)
      let g = random.normal([2, tokens, 3]).asType(dtype), gs = random.normal([2, 7, 7]).asType(dtype)
      func solve(_ body: (Tensor, State) -> (output: Tensor, state: State)) -> [Tensor] {
        let (values, pullback) = valueAndPullback(at: [x, s] + parameters.map(\.value)) { all in
          withParameters(parameters, as: Array(all.dropFirst(2))) {
            let (y, after) = body(all[0], State(["S": all[1]]))
            return [y, after["S"]]
          }
        }
        return values + pullback([g, gs])
      }
      let fast = solve { memory($0, $1) }, plain = solve { memory.reference($0, $1) }
      for (place, (a, b)) in zip(fast, plain).enumerated() {
        let wrong = Comparison(a, b, within: Tolerance(relative: 0, ofLargest: allowed)).problem
        #expect(wrong == nil, "\(tokens) tokens, \(dtype), \(place)")
      }
    }
  }
}
