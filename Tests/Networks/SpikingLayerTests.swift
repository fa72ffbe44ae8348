import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct SpikingLayerTests {
  /// Step by step in ordinary numbers, with currents under which neurons fire.
  @Test(arguments: SpikeReset.allCases) func theFormulaWrittenOut(_ reset: SpikeReset) {
    var random = RandomGenerator(seed: 1)
    let layer = SpikingLayer(3, 4, leak: 0.8, threshold: 0.7, reset: reset, using: &random)
    for one in layer.parameters() { one.value = one.value.asType(.float64) }
    let x = random.uniform([2, 9, 3], low: 0, high: 3).asType(.float64)
    let (spikes, last) = layer(x, layer.initialState(batch: 2))
    var fired = 0.0
    for row in 0..<2 {
      for neuron in 0..<4 {
        var v = 0.0
        for t in 0..<9 {
          let current = (layer.weight[neuron] * x[row, t]).sum().item() + (layer.bias?[neuron].item() ?? 0)
          let u = 0.8 * v + current / 0.7, s = u >= 1 ? 1.0 : 0
          #expect(spikes[row, t, neuron].item() == s)
          fired += s
          switch reset {
          case .subtract: v = u - s
          case .zero: v = u * (1 - s)
          case .none: v = u
          }
        }
        #expect(abs(last["potential"][row, neuron].item() - v) < 1e-12)
      }
    }
    #expect(fired > 5 && fired < 67)
  }

  @Test func wholeIsPieces() {
    var random = RandomGenerator(seed: 2)
    let layer = SpikingLayer(3, 5, using: &random), x = random.uniform([2, 12, 3], low: 0, high: 4)
    let (whole, last) = layer(x, layer.initialState(batch: 2))
    var state = layer.initialState(batch: 2), outputs: [Tensor] = []
    for piece in x.split(sizes: [1, 4, 7], axis: 1) {
      let (y, next) = layer(piece, state)
      outputs.append(y)
      state = next
    }
    #expect(concatenated(outputs, axis: 1).floats == whole.floats && whole.sum().item() > 0)
    #expect(abs(state["potential"] - last["potential"]).max().item() < 1e-6)
  }

  /// Against the same in ordinary steps with the surrogate of a spike, by weights, bias and threshold.
  @Test func gradientsGoBackThroughTime() {
    var random = RandomGenerator(seed: 3)
    let layer = SpikingLayer(
      3, 4, leak: 0.9, threshold: 0.6, learnsThreshold: true, surrogate: .sigmoid(slope: 4), using: &random)
    for one in layer.parameters() { one.value = one.value.asType(.float64) }
    let x = random.uniform([2, 7, 3], low: 0, high: 2).asType(.float64)
    let g = random.normal([2, 7, 4], dtype: .float64)
    let found = valueAndGradient(by: layer.parameters()) {
      (layer(x, layer.initialState(batch: 2)).output * g).sum()
    }
    let plain = valueAndGradient(by: layer.parameters()) {
      var v = Tensor.zeros([2, 4], dtype: .float64), loss = Tensor(0, .float64)
      for t in 0..<7 {
        let u = v * 0.9 + linear(x[.all, t], weight: layer.weight, bias: layer.bias) / layer.threshold
        let s = spike(u - 1, surrogate: .sigmoid(slope: 4))
        v = u - stopGradient(s)
        loss = loss + (s * g[.all, t]).sum()
      }
      return loss
    }
    #expect(layer.trainableParameters().map(\.name) == ["weight", "bias", "threshold"])
    for (name, (a, b)) in zip(["weight", "bias", "threshold"], zip(found.gradients, plain.gradients)) {
      #expect(b.doubles.contains { $0 != 0 })
      #expect(Comparison(a, b, within: Tolerance(relative: 0, ofLargest: 1e-12)).problem == nil, "\(name)")
    }
  }

  /// A threshold is learned only where that is asked for, and counts as no less than the lowest.
  @Test func thresholds() {
    var random = RandomGenerator(seed: 4)
    let layer = SpikingLayer(3, 4, lowestThreshold: 0.01, using: &random), x = random.normal([2, 6, 3])
    #expect(layer.trainableParameters().map(\.name) == ["weight", "bias"])
    layer.threshold = Tensor(-1.0)
    let low = layer(x, layer.initialState(batch: 2)).output
    layer.threshold = Tensor(0.01)
    #expect(low.floats == layer(x, layer.initialState(batch: 2)).output.floats)
  }
}
