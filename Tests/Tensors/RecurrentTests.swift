import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of scans and recurrences: a sequence equals its pieces with carried state, values and
  /// gradients.
  @Suite struct Recurrences {
    /// Whether the sum of both halves with the state carried over has the value and the gradients of
    /// the whole. `run` maps a sequence (time on `axis`) and a state to results and the next state.
    func expectPieces(
      _ name: String, _ x: Tensor, axis: Int, state: [Tensor], weights: [Tensor], reverse: Bool = false,
      _ run: @escaping (_ x: Tensor, _ state: [Tensor], _ weights: [Tensor]) -> (Tensor, [Tensor])
    ) {
      let at = x.dim(axis) / 2 + 1, states = state.count
      let whole = { (all: [Tensor]) -> [Tensor] in
        let (y, last) = run(all[0], Array(all[1...states]), Array(all[(states + 1)...]))
        return [y] + last
      }
      let pieces = { (all: [Tensor]) -> [Tensor] in
        let weights = Array(all[(states + 1)...])
        let early = all[0].sliced(axis: axis, to: at), late = all[0].sliced(axis: axis, from: at)
        let (y1, between) = run(reverse ? late : early, Array(all[1...states]), weights)
        let (y2, last) = run(reverse ? early : late, between, weights)
        return [concatenated(reverse ? [y2, y1] : [y1, y2], axis: axis)] + last
      }
      let inputs = [x] + state + weights
      let one = valueAndPullback(at: inputs, of: whole)
      let two = valueAndPullback(at: inputs, of: pieces)
      var random = RandomGenerator(seed: 3)
      let cotangents = one.values.map { random.normal($0.shape) }
      let within = Tolerance(relative: 1e-5, ofLargest: 1e-5)
      let found = two.values + two.pullback(cotangents)
      for (position, pair) in zip(found, one.values + one.pullback(cotangents)).enumerated() {
        let problem = Comparison(pair.0, pair.1, within: within).problem
        #expect(problem == nil, "\(name), result \(position)")
      }
    }

    @Test(arguments: [false, true]) func recurrenceEqualsItsPieces(reverse: Bool) {
      var random = RandomGenerator(seed: 1)
      let decay = random.uniform([3, 19, 7])
      expectPieces(
        "linearRecurrence", stacked([decay, random.normal([3, 19, 7])], axis: 3), axis: 1,
        state: [random.normal([3, 7])], weights: [], reverse: reverse
      ) { x, state, _ in
        let parts = x.split(parts: 2, axis: 3).map { $0.squeezed(axis: 3) }
        let h = linearRecurrence(parts[0], parts[1], initial: state[0], reverse: reverse)
        let at = reverse ? 0 : h.dim(1) - 1
        return (h, [h.sliced(axis: 1, from: at, to: at + 1).squeezed(axis: 1)])
      }
    }

    /// Any of the cells: states, and what each row ends with.
    typealias Cell = (
      _ x: Tensor, _ state: [Tensor], _ weights: [Tensor], _ reverse: Bool, _ lengths: Tensor?
    ) -> (Tensor, [Tensor])

    static func cell(gates: Int) -> Cell {
      { x, state, w, reverse, lengths in
        let w = RecurrentWeights(input: w[0], hidden: w[1], inputBias: w[2], hiddenBias: w[3])
        switch gates {
        case 1:
          let (y, last) = rnn(x, weights: w, initial: state[0], reverse: reverse, lengths: lengths)
          return (y, [last])
        case 3:
          let (y, last) = gru(x, weights: w, initial: state[0], reverse: reverse, lengths: lengths)
          return (y, [last])
        default:
          let (y, last) = lstm(
            x, weights: w, initial: (state[0], state[1]), reverse: reverse, lengths: lengths)
          return (y, [last.h, last.c])
        }
      }
    }

    /// A sequence, states and weights for a cell of 9 units on 5 inputs.
    static func numbers(gates: Int, batch: Int, time: Int) -> (x: Tensor, state: [Tensor], weights: [Tensor])
    {
      var random = RandomGenerator(seed: 2)
      let state = (0..<(gates == 4 ? 2 : 1)).map { _ in random.normal([batch, 9]) }
      let weights = [[gates * 9, 5], [gates * 9, 9], [gates * 9], [gates * 9]].map {
        random.normal($0, standardDeviation: 0.3)
      }
      return (random.normal([batch, time, 5]), state, weights)
    }

    @Test(arguments: [1, 3, 4], [false, true]) func cellsEqualTheirPieces(gates: Int, reverse: Bool) {
      let (x, state, weights) = Self.numbers(gates: gates, batch: 3, time: 11)
      expectPieces("\(gates) gates", x, axis: 1, state: state, weights: weights, reverse: reverse) {
        Self.cell(gates: gates)($0, $1, $2, reverse, nil)
      }
    }

    /// In a batch of different lengths each row gives, in values and gradients, what it gives alone, and
    /// what lies behind its end is never looked at: NaN there changes no bit.
    @Test(arguments: [1, 3, 4], [Setting(), Setting(prefersReference: true)])
    func rowsKeepToTheirLengths(gates: Int, setting: Setting) {
      for reverse in [false, true] { expectOwnLengths(gates: gates, reverse: reverse, setting) }
    }

    private func expectOwnLengths(gates: Int, reverse: Bool, _ setting: Setting) {
      let lengths = [3, 7, 0, 1, 7, 5], cell = Self.cell(gates: gates)
      let (x, state, weights) = Self.numbers(gates: gates, batch: 6, time: 7)
      let states = state.count
      let steps = Tensor.arange(7).reshaped(1, 7, 1)
      let counts = Tensor(lengths.map { Int32($0) }), valid = counts.reshaped(6, 1, 1) .> steps
      func run(_ x: Tensor) -> (values: [Tensor], gradients: [Tensor]) {
        let (values, pullback) = valueAndPullback(at: [x] + state + weights) { all in
          let (y, last) = cell(
            all[0], Array(all[1...states]), Array(all[(states + 1)...]), reverse, counts)
          return [y] + last
        }
        return (values, pullback(values.map { cos($0 * 3) }))
      }
      let clean = setting.run { run(x) }
      let nan = Tensor(Float.nan)
      let dirty = setting.run { run(which(valid, x, nan)) }
      for (one, other) in zip(clean.values + clean.gradients, dirty.values + dirty.gradients) {
        #expect(one.floats == other.floats)
      }
      let padding = which(valid, Tensor(Float(0)), Tensor(Float(1)))
      #expect((abs(clean.values[0]) * padding).sum().item() == 0)
      #expect((abs(clean.gradients[0]) * padding).sum().item() == 0)

      let within = Tolerance(relative: 1e-5, ofLargest: 1e-5)
      var sums = weights.map { Tensor.zeros(like: $0) }
      for (row, length) in lengths.enumerated() {
        func own(_ x: Tensor) -> Tensor { x.sliced(axis: 0, from: row, to: row + 1) }
        guard length > 0 else {
          for (last, start) in zip(clean.values.dropFirst(), state) {
            #expect(own(last).floats == own(start).floats)
          }
          continue
        }
        let part = own(x).sliced(axis: 1, to: length)
        let (values, pullback) = valueAndPullback(at: [part] + state.map(own) + weights) { all in
          let (y, last) = cell(all[0], Array(all[1...states]), Array(all[(states + 1)...]), reverse, nil)
          return [y] + last
        }
        let gradients = pullback(values.map { cos($0 * 3) })
        for (found, wanted) in zip(clean.values.map(own), values) {
          let shown = found.ndim == 3 ? found.sliced(axis: 1, to: length) : found
          #expect(Comparison(shown, wanted, within: within).problem == nil, "row \(row)")
        }
        for (found, wanted) in zip(clean.gradients[0...states].map(own), gradients) {
          let shown = found.ndim == 3 ? found.sliced(axis: 1, to: length) : found
          #expect(Comparison(shown, wanted, within: within).problem == nil, "row \(row)")
        }
        sums = zip(sums, gradients[(states + 1)...]).map { $0 + $1 }
      }
      for (found, wanted) in zip(clean.gradients[(states + 1)...], sums) {
        #expect(Comparison(found, wanted, within: within).problem == nil)
      }
    }

    /// Where no row has a step, results are 0, states stay, and no weight matters.
    @Test(arguments: [1, 3, 4], [Setting(), Setting(prefersReference: true)])
    func batchWithoutSteps(gates: Int, setting: Setting) {
      let (x, state, weights) = Self.numbers(gates: gates, batch: 2, time: 3)
      let (values, pullback) = setting.run {
        valueAndPullback(at: [x] + state + weights) { all in
          let (y, last) = Self.cell(gates: gates)(
            all[0], Array(all[1...state.count]), Array(all[(state.count + 1)...]), false,
            Tensor([0, 0] as [Int32]))
          return [y] + last
        }
      }
      #expect(values[0].floats.allSatisfy { $0 == 0 })
      #expect(zip(values.dropFirst(), state).allSatisfy { $0.floats == $1.floats })
      let gradients = setting.run { pullback(values.map { .ones(like: $0) }) }
      for (place, gradient) in gradients.enumerated() {
        let wanted: Float = (1...state.count).contains(place) ? 1 : 0
        #expect(gradient.floats.allSatisfy { $0 == wanted }, "gradient \(place)")
      }
    }

    /// The selective scan: B, C and the gate beside x and delta.
    @Test(arguments: [1, 16, 40, 150]) func selectiveScanEqualsItsPieces(time: Int) {
      var random = RandomGenerator(seed: 6)
      expectPieces(
        "selectiveScan", random.normal([2, time + 1, 7 + 7 + 3 + 3 + 7]), axis: 1,
        state: [random.normal([2, 7, 3])],
        weights: [random.uniform([7, 3], low: -2, high: -0.1), random.normal([7]), random.normal([7])]
      ) { x, state, w in
        let parts = x.split(sizes: [7, 7, 3, 3, 7], axis: 2)
        let (y, last) = selectiveScan(
          parts[0], delta: parts[1], b: parts[2], c: parts[3],
          weights: SelectiveScanWeights(a: w[0], skip: w[1], deltaBias: w[2]), softplus: true,
          gate: parts[4], initial: state[0])
        return (y, [last])
      }
    }

    /// With delta, B and C that stay the same the scan is a convolution with sum of c a^k b, and with
    /// groups it is a scan for each.
    @Test func selectiveScanIdentities() {
      var random = RandomGenerator(seed: 7)
      let x = random.normal([2, 33, 6]), a = random.uniform([6, 3], low: -2, high: -0.1)
      let b = random.normal([3]), c = random.normal([3])
      let delta = Tensor.full([2, 33, 6], 0.3), shape = [2, 33, 3]
      let found = selectiveScan(
        x, delta: delta, b: b.broadcast(to: shape), c: c.broadcast(to: shape),
        weights: SelectiveScanWeights(a: a)
      ).output
      let places = Tensor.arange(33, dtype: .float32).reshaped(33, 1, 1)
      let kernel = (exp(places * 0.3 * a) * b * c).sum(axis: 2) * 0.3
      let wanted = stacked(
        (0..<33).map { t in
          (x.sliced(axis: 1, to: t + 1) * kernel.sliced(axis: 0, to: t + 1).flipped(axes: [0])).sum(axis: 1)
        }, axis: 1)
      let within = Tolerance(relative: 1e-5, ofLargest: 1e-5)
      #expect(Comparison(found, wanted, within: within).problem == nil)

      let shared = random.normal([2, 33, 2, 3]), read = random.normal([2, 33, 2, 3])
      let together = selectiveScan(
        x, delta: delta, b: shared, c: read, weights: SelectiveScanWeights(a: a)
      ).output
      for group in 0..<2 {
        let own = { (x: Tensor, axis: Int) in x.sliced(axis: axis, from: group * 3, to: group * 3 + 3) }
        let part = { (x: Tensor) in x.sliced(axis: 2, from: group, to: group + 1).squeezed(axis: 2) }
        let alone = selectiveScan(
          own(x, 2), delta: own(delta, 2), b: part(shared), c: part(read),
          weights: SelectiveScanWeights(a: own(a, 0))
        ).output
        #expect(Comparison(own(together, 2), alone, within: within).problem == nil)
      }
    }

    /// What is not a number shows, whichever input holds it.
    @Test(arguments: 0..<4) func selectiveScanKeepsNaN(place: Int) {
      var inputs = [[1, 3, 2], [1, 3, 2], [2, 2], [1, 3, 2]].map { Tensor.ones($0) * -0.5 }
      inputs[place] = inputs[place] * Double.nan
      let y = selectiveScan(
        inputs[0], delta: -inputs[1], b: inputs[3], c: inputs[3],
        weights: SelectiveScanWeights(a: inputs[2])
      ).output
      #expect(y.floats.dropFirst(2).allSatisfy { $0.isNaN })
    }

    /// Rules that differ in one thing each from the next.
    private static let rules = [
      SpikingRule(surrogate: .arctangent()),
      SpikingRule(surrogate: .arctangent(), detachesReset: false),
      SpikingRule(surrogate: .sigmoid(slope: 3), dampening: 0.3, reset: .zero, detachesReset: false),
      SpikingRule(surrogate: .triangle(), timing: .nextStep, detachesReset: false, isStrict: true),
      SpikingRule(reset: .zero, timing: .nextStep, detachesReset: false),
      SpikingRule(reset: .zero, timing: .nextStep, refractory: 1),
      SpikingRule(surrogate: .gaussian(), reset: .none, refractory: 3),
      SpikingRule(surrogate: .gaussian(), timing: .nextStep, detachesReset: false, refractory: 2),
    ]

    @Test(arguments: rules, [false, true]) func neuronsEqualTheirPieces(rule: SpikingRule, adapts: Bool) {
      var random = RandomGenerator(seed: 4)
      let zeros = Tensor.zeros([3, 7])
      expectPieces(
        "leakyIntegrateAndFire", random.normal([3, 13, 7]) + 0.3, axis: 1,
        state: [random.normal([3, 7]), zeros, zeros, zeros],
        weights: [
          random.uniform([7]), random.uniform([7], low: 0.2, high: 1), random.uniform([7]),
          Tensor(Float(0.4)),
        ]
      ) { x, state, w in
        let all = leakyIntegrateAndFire(
          x, axis: 1, leak: w[0], threshold: w[1],
          adaptation: adapts ? SpikeAdaptation(keep: w[2], jump: w[3]) : nil,
          initial: SpikingState(
            potential: state[0], fired: state[1], adaptation: state[2], recovery: stopGradient(state[3])),
          rule: rule)
        let after = all.state
        return (
          all.spikes + all.potentials,
          [after.potential, after.fired ?? zeros, after.adaptation ?? zeros, after.recovery ?? zeros]
        )
      }
    }

    /// The kernel against the formula in ordinary operations, whichever axis is time: values, and derivatives by all
    /// that has one, over tiles that are not full.
    @Test(arguments: rules, [false, true]) func neuronsFollowTheFormula(rule: SpikingRule, adapts: Bool) {
      var random = RandomGenerator(seed: 8)
      for (shape, axis) in [([9, 2, 19], 0), ([3, 9, 5], 1), ([2, 2, 9, 600], 2)] {
        let state = shape[..<axis] + shape[(axis + 1)...], neurons = shape[shape.count - 1]
        let inputs = [
          random.normal(shape) + 0.2, random.uniform([neurons]), random.uniform([neurons], low: 0.2, high: 1),
          random.normal(Array(state)), random.uniform([]), random.uniform([neurons], high: 0.5),
          random.uniform(Array(state)), floor(random.uniform(Array(state), high: 2)),
        ]
        let recovery = floor(random.uniform(Array(state), high: 3))
        let cotangents = [random.normal(shape), random.normal(shape), random.normal(Array(state))]
        func solve(_ dtype: DType) -> [Tensor] {
          let (values, pullback) = valueAndPullback(at: inputs.map { $0.asType(dtype) }) { x in
            let all = leakyIntegrateAndFire(
              x[0], axis: axis, leak: x[1], threshold: x[2],
              adaptation: adapts ? SpikeAdaptation(keep: x[4], jump: x[5]) : nil,
              initial: SpikingState(
                potential: x[3], fired: x[7], adaptation: x[6], recovery: recovery.asType(dtype)),
              rule: rule)
            return [all.spikes, all.potentials, all.state.adaptation ?? all.state.potential]
          }
          return values + pullback(cotangents.map { $0.asType(dtype) })
        }
        let (fast, plain) = (solve(.float32), solve(.float64))
        #expect((0.05...0.95).contains(plain[0].mean().item()))
        for (place, (a, b)) in zip(fast, plain).enumerated() {
          let within = Tolerance(relative: 1e-4, ofLargest: 2e-5)
          #expect(Comparison(a.asType(.float64), b, within: within).problem == nil, "\(shape), \(place)")
        }
      }
    }

    /// A loop over single steps gives the same bits as the sequence.
    @Test(arguments: SpikeReset.allCases) func stepsGiveTheNumbersOfTheSequence(reset: SpikeReset) {
      var random = RandomGenerator(seed: 5)
      let current = random.normal([9, 4, 21]) + 0.3, leak = Tensor(Float(0.9))
      let rule = SpikingRule(reset: reset)
      let whole = leakyIntegrateAndFire(current, leak: leak, rule: rule)
      #expect(whole.spikes.sum().item() > 50)
      var state: SpikingState?
      for t in 0..<9 {
        let step = leakyIntegrateAndFireStep(
          current.sliced(axis: 0, from: t, to: t + 1).squeezed(axis: 0), leak: leak, state: state,
          rule: rule)
        state = step.state
        #expect(step.spikes.floats == whole.spikes.floats.dropFirst(t * 84).prefix(84).map { $0 })
        #expect(step.potentials.floats == whole.potentials.floats.dropFirst(t * 84).prefix(84).map { $0 })
      }
      #expect(state?.potential.floats == whole.state.potential.floats)
    }

    /// Second derivatives through the surrogates, in float32 and in float64.
    @Test func surrogatesAreDifferentiatedTwice() {
      let x = Tensor([-0.7, -0.1, 0.2, 0.9] as [Double])
      for surrogate in [Surrogate.fastSigmoid(slope: 3), .arctangent(), .sigmoid(slope: 2)] {
        let slope = { (x: Tensor) in gradient(at: x) { spike($0, surrogate: surrogate).sum() } }
        let second = gradient(at: x) { slope($0).sum() }
        let numeric = (slope(x + 1e-5) - slope(x - 1e-5)) / 2e-5
        #expect(Comparison(second, numeric, within: Tolerance(relative: 1e-5)).problem == nil)
      }
      let current = Tensor([0.8, 0.9, 0.1, 1.3, 0.4, 0.3] as [Double], [3, 2])
      let rule = SpikingRule(surrogate: .arctangent(), detachesReset: false)
      let twice = { (x: Tensor) -> Tensor in
        gradient(at: x) { x in
          let slope = gradient(at: x) { x in
            square(
              leakyIntegrateAndFire(
                x, leak: x.dtype == .float32 ? Tensor(Float(0.9)) : Tensor(0.9, .float64), rule: rule
              ).potentials
            ).sum()
          }
          return square(slope).sum()
        }
      }
      let exact = twice(current), fast = twice(current.asType(.float32))
      let within = Tolerance(relative: 1e-4, ofLargest: 1e-5)
      #expect(Comparison(fast.asType(.float64), exact, within: within).problem == nil)
    }

    @Test func reverseSumAndPlacesOfTheMaximum() {
      let x = Tensor([3, 1, 4, 1, 5, 5] as [Int32], [2, 3])
      #expect(x.cumsum(axis: 1, reverse: true).doubles == [8, 5, 4, 11, 10, 5])
      #expect(x.cummaxWithIndices(axis: 1).indices.doubles == [0, 0, 2, 0, 1, 2])
      #expect(Tensor([true, false, true]).cumsum(axis: 0).doubles == [1, 1, 2])
    }
  }
}
