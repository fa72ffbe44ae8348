import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  @Suite struct TimeLoops {
    /// A state of two tensors under their names.
    struct Memory: Carried {
      var fast, slow: Tensor
      var carried: [Tensor] { [fast, slow] }
      func replacing(carried tensors: [Tensor]) -> Memory { Memory(fast: tensors[0], slow: tensors[1]) }
    }

    private let inputs: [Tensor]
    init() {
      var random = RandomGenerator(seed: 1)
      // A sequence, weights, and the state.
      inputs = [
        random.normal([2, 11, 3], dtype: .float64), random.normal([4, 7], dtype: .float64),
        random.normal([2, 4], dtype: .float64), random.normal([2, 4], dtype: .float64),
      ]
    }

    /// Outputs of both ranks and the last state; inputs as above.
    private func run(_ all: [Tensor], truncate: Int? = nil, checkpoint: Int? = nil) -> [Tensor] {
      let (outputs, state) = scan(
        over: [all[0]], initial: Memory(fast: all[2], slow: all[3]), weights: [all[1]],
        truncateEvery: truncate, checkpointEvery: checkpoint
      ) { x, memory, weights in
        let fast = tanh(linear(concatenated([x[0], memory.fast], axis: 1), weight: weights[0]))
        let slow = 0.9 * memory.slow + fast * memory.fast
        return ([slow, fast.sum(axis: 1)], Memory(fast: fast, slow: slow))
      }
      return outputs + state.carried
    }

    private func solve(_ function: ([Tensor]) -> [Tensor]) -> [Tensor] {
      var random = RandomGenerator(seed: 2)
      let (values, pullback) = valueAndPullback(at: inputs, of: function)
      return values + pullback(values.map { random.normal($0.shape, dtype: .float64) })
    }

    @Test func goesThroughTime() {
      let found = run(inputs)
      #expect(found.map(\.shape) == [[2, 11, 4], [2, 11], [2, 4], [2, 4]])
      var fast = inputs[2], slow = inputs[3]
      for t in 0..<11 {
        let x = inputs[0].sliced(axis: 1, from: t, to: t + 1).squeezed(axis: 1)
        let next = tanh(linear(concatenated([x, fast], axis: 1), weight: inputs[1]))
        slow = 0.9 * slow + next * fast
        fast = next
        #expect(found[0].sliced(axis: 1, from: t, to: t + 1).doubles == slow.doubles)
      }
      #expect(found[2].doubles == fast.doubles && found[3].doubles == slow.doubles)
    }

    /// A state that is the history of the last 5 steps shows the windows of the whole sequence, and
    /// gradients find their way back through every shift.
    @Test(arguments: [nil, 4]) func historiesAreWindows(checkpoint: Int?) {
      var random = RandomGenerator(seed: 3)
      let start = random.normal([2, 3, 5], dtype: .float64), weights = random.normal([3, 5], dtype: .float64)
      let shifted = { (all: [Tensor]) -> [Tensor] in
        let (outputs, history) = scan(
          over: [all[0]], initial: all[1], weights: [all[2]], checkpointEvery: checkpoint
        ) { x, history, weights in
          let next = concatenated(
            [history.sliced(axis: 2, from: 1), x[0].expandedDimensions(axis: 2)], axis: 2)
          return ([(next * weights[0]).sum(axis: 2)], next)
        }
        return outputs + [history]
      }
      let direct = { (all: [Tensor]) -> [Tensor] in
        let whole = concatenated([all[1].swappedAxes(1, 2), all[0]], axis: 1)
        let windows = whole.sliced(axis: 1, from: 1).slidingWindows(axis: 1, size: 5)
        return [(windows * all[2]).sum(axis: 3), whole.sliced(axis: 1, from: 11).swappedAxes(1, 2)]
      }
      let at = [inputs[0], start, weights]
      let one = valueAndPullback(at: at, of: shifted), two = valueAndPullback(at: at, of: direct)
      let cotangents = one.values.map { random.normal($0.shape, dtype: .float64) }
      let within = Tolerance(relative: 1e-12, ofLargest: 1e-12)
      let wanted = two.values + two.pullback(cotangents)
      for (found, expected) in zip(one.values + one.pullback(cotangents), wanted) {
        #expect(Comparison(found, expected, within: within).problem == nil)
      }
    }

    @Test(arguments: [1, 3, 4, 10, 11, 50]) func checkpointsChangeNothing(every: Int) {
      let plain = solve { run($0) }, saving = solve { run($0, checkpoint: every) }
      for (position, pair) in zip(saving, plain).enumerated() {
        if position < 4 { #expect(pair.0.doubles == pair.1.doubles) }
        expectClose(pair.0, pair.1)
      }
      let truncated = solve { run($0, truncate: 4) }
      let both = solve { run($0, truncate: 4, checkpoint: every) }
      for (a, b) in zip(both, truncated) { expectClose(a, b) }
    }

    /// The derivative of a truncated loop is that of its pieces, cut apart.
    @Test func truncationCutsTheState() {
      let truncated = solve { run($0, truncate: 4) }
      let pieces = solve { all in
        var state = [all[2], all[3]].map(stopGradient)
        var parts: [[Tensor]] = []
        for x in all[0].split(sizes: [4, 4, 3], axis: 1) {
          let results = run([x, all[1]] + state)
          parts.append(results)
          state = results.suffix(2).map(stopGradient)
        }
        return (0..<2).map { at in concatenated(parts.map { $0[at] }, axis: 1) } + parts[2].suffix(2)
      }
      for (a, b) in zip(truncated, pieces) { expectClose(a, b) }
      let whole = solve { run($0) }
      #expect(Comparison(truncated[5], whole[5], within: Tolerance(relative: 1e-3)).problem != nil)
      #expect(truncated[6].doubles.allSatisfy { $0 == 0 } && whole[6].doubles.contains { $0 != 0 })
    }

    @Test func isDifferentiatedTwice() {
      let slope = { (x: Tensor, checkpoint: Int?) in
        gradient(at: x) { x in
          square(gradient(at: x) { run([$0] + inputs.dropFirst(), checkpoint: checkpoint)[0].sum() }).sum()
        }
      }
      expectClose(slope(inputs[0], 3), slope(inputs[0], nil))
      let problem = finiteDifferenceProblem(
        at: [inputs[0]], gradients: [slope(inputs[0], 3)], cotangent: Tensor(1, .float64)
      ) { x in
        square(gradient(at: x[0]) { run([$0] + inputs.dropFirst())[0].sum() }).sum()
      }
      #expect(problem == nil)
    }

    private final class Watched {
      weak var storage: Storage?
      init(_ storage: Storage) { self.storage = storage }
    }

    /// Of what steps compute inside, nothing lives on until the derivative wants it.
    @Test func checkpointsKeepNoInnerResults() {
      for (every, alive) in [(nil, 100), (10, 0)] {
        var watched: [Watched] = []
        let x = Tensor.ones([1, 100, 3])
        let (values, pullback) = valueAndPullback(at: [x]) { all in
          let (outputs, _) = scan(over: [all[0]], initial: Tensor.zeros([1, 3]), checkpointEvery: every) {
            x, state, _ in
            let inner = sin(x[0] + state)
            watched.append(Watched(inner.storage))
            return ([], exp(inner * inner))
          }
          return outputs + [all[0].sum()]
        }
        #expect(watched.count == 100)
        // What the tape keeps is kept by the pullback.
        #expect(watched.filter { $0.storage != nil }.count == alive)
        _ = pullback(values.map { .ones(like: $0) })
      }
    }
  }
}
