import CallosumTensors

/// A gated recurrent unit over sequences (Cho et al. 2014, in PyTorch's form): [batch, time, inputs] and
/// the state `h` [batch, hidden] -> [batch, time, hidden].
///
/// Parameters: `inputWeight` [3 hidden, inputs], `hiddenWeight` [3 hidden, hidden], `inputBias`,
/// `hiddenBias` [3 hidden] (rows: reset, update, candidate), uniform between ±1 / sqrt(hidden) at the start.
public final class GRU: StatefulLayer {
  @Parameter public var inputWeight: Tensor
  @Parameter public var hiddenWeight: Tensor
  @Parameter public var inputBias: Tensor
  @Parameter public var hiddenBias: Tensor
  private let hidden: Int

  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    self.hidden = hidden
    let start = recurrentStart(gates: 3, inputs, hidden, using: &generator)
    (inputWeight, hiddenWeight) = (start.input, start.hidden)
    (inputBias, hiddenBias) = (start.inputBias, start.hiddenBias)
  }

  public func initialState(batch: Int) -> State { State(["h": .zeros([batch, hidden])]) }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let weights = RecurrentWeights(
      input: inputWeight, hidden: hiddenWeight, inputBias: inputBias, hiddenBias: hiddenBias)
    let (states, last) = gru(x, weights: weights, initial: state["h"])
    return (states, State(["h": last]))
  }
}

/// Long short-term memory over sequences (Hochreiter and Schmidhuber 1997, with forget gates): [batch,
/// time, inputs] and the states `h` and `c` [batch, hidden] -> [batch, time, hidden].
///
/// Parameters as those of ``GRU`` with four gates (rows: input, forget, candidate, output).
public final class LSTM: StatefulLayer {
  @Parameter public var inputWeight: Tensor
  @Parameter public var hiddenWeight: Tensor
  @Parameter public var inputBias: Tensor
  @Parameter public var hiddenBias: Tensor
  private let hidden: Int

  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    self.hidden = hidden
    let start = recurrentStart(gates: 4, inputs, hidden, using: &generator)
    (inputWeight, hiddenWeight) = (start.input, start.hidden)
    (inputBias, hiddenBias) = (start.inputBias, start.hiddenBias)
  }

  public func initialState(batch: Int) -> State {
    State(["h": .zeros([batch, hidden]), "c": .zeros([batch, hidden])])
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let weights = RecurrentWeights(
      input: inputWeight, hidden: hiddenWeight, inputBias: inputBias, hiddenBias: hiddenBias)
    let (states, last) = lstm(x, weights: weights, initial: (state["h"], state["c"]))
    return (states, State(["h": last.h, "c": last.c]))
  }
}

private func recurrentStart(
  gates: Int, _ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator
) -> RecurrentWeights {
  let bound = 1 / Double(hidden).squareRoot()
  func values(_ shape: [Int]) -> Tensor { generator.uniform(shape, low: -bound, high: bound) }
  return RecurrentWeights(
    input: values([gates * hidden, inputs]), hidden: values([gates * hidden, hidden]),
    inputBias: values([gates * hidden]), hiddenBias: values([gates * hidden]))
}
