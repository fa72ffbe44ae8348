import CallosumTensors

/// What gated recurrent layers share: maps of the input and of the state onto the gates.
///
/// Parameters, with the gates one after the other: `inputWeight` [gates hidden, inputs], `hiddenWeight`
/// [gates hidden, hidden], `inputBias`, `hiddenBias` [gates hidden], uniform between ±1 / sqrt(hidden) at the
/// start.
public class RecurrentLayer: Module {
  @Parameter public final var inputWeight: Tensor
  @Parameter public final var hiddenWeight: Tensor
  @Parameter public final var inputBias: Tensor
  @Parameter public final var hiddenBias: Tensor
  fileprivate final let hidden: Int

  fileprivate init(gates: Int, _ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    self.hidden = hidden
    let bound = 1 / Double(hidden).squareRoot()
    func values(_ shape: [Int]) -> Tensor { generator.uniform(shape, low: -bound, high: bound) }
    inputWeight = values([gates * hidden, inputs])
    hiddenWeight = values([gates * hidden, hidden])
    inputBias = values([gates * hidden])
    hiddenBias = values([gates * hidden])
  }

  fileprivate final var weights: RecurrentWeights {
    RecurrentWeights(
      input: inputWeight, hidden: hiddenWeight, inputBias: inputBias, hiddenBias: hiddenBias)
  }
}

/// A gated recurrent unit over sequences (Cho et al. 2014, in PyTorch's form): [batch, time, inputs] and
/// the state `h` [batch, hidden] -> [batch, time, hidden]. Its gates: reset, update, candidate.
public final class GRU: RecurrentLayer, StatefulLayer {
  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    super.init(gates: 3, inputs, hidden, using: &generator)
  }

  public func initialState(batch: Int) -> State { State(["h": .zeros([batch, hidden])]) }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (states, last) = gru(x, weights: weights, initial: state["h"])
    return (states, State(["h": last]))
  }
}

/// Long short-term memory over sequences (Hochreiter and Schmidhuber 1997, with forget gates): [batch,
/// time, inputs] and the states `h` and `c` [batch, hidden] -> [batch, time, hidden]. Its gates: input,
/// forget, candidate, output.
public final class LSTM: RecurrentLayer, StatefulLayer {
  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    super.init(gates: 4, inputs, hidden, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    State(["h": .zeros([batch, hidden]), "c": .zeros([batch, hidden])])
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (states, last) = lstm(x, weights: weights, initial: (state["h"], state["c"]))
    return (states, State(["h": last.h, "c": last.c]))
  }
}
