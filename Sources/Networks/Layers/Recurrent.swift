import CallosumTensors

/// What recurrent layers share: maps of the input and of the state onto the gates.
///
/// Parameters, with the gates one after the other: `inputWeight` [gates hidden, inputs], `hiddenWeight`
/// [gates hidden, hidden], `inputBias`, `hiddenBias` [gates hidden], uniform between ±1 / sqrt(hidden) at the
/// start.
public class RecurrentLayer: StatefulLayer {
  @Parameter public final var inputWeight: Tensor
  @Parameter public final var hiddenWeight: Tensor
  @Parameter public final var inputBias: Tensor
  @Parameter public final var hiddenBias: Tensor
  fileprivate typealias Cell = (_ x: Tensor, _ weights: RecurrentWeights, _ state: State, _ lengths: Tensor?)
    -> (output: Tensor, state: State)
  private let hidden: Int
  /// The names of the states, each [batch, hidden].
  private let states: [String]
  private let cell: Cell

  fileprivate init(
    gates: Int, states: [String], _ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator,
    cell: @escaping Cell
  ) {
    (self.hidden, self.states, self.cell) = (hidden, states, cell)
    let bound = 1 / Double(hidden).squareRoot()
    func values(_ shape: [Int]) -> Tensor { generator.uniform(shape, low: -bound, high: bound) }
    inputWeight = values([gates * hidden, inputs])
    hiddenWeight = values([gates * hidden, hidden])
    inputBias = values([gates * hidden])
    hiddenBias = values([gates * hidden])
  }

  public final func initialState(batch: Int) -> State {
    State(Dictionary(uniqueKeysWithValues: states.map { ($0, .zeros([batch, hidden])) }))
  }

  public final func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    forward(x, state, lengths: nil)
  }

  /// The layer on rows of different lengths: of each row the first `lengths` (int32 [batch], from 0 to time)
  /// steps alone. The output is 0 behind them, and the state that of the row after its own last step.
  public final func callAsFunction(_ x: Tensor, _ state: State, lengths: Tensor) -> (
    output: Tensor, state: State
  ) {
    called(x) { forward($0, state, lengths: lengths) }
  }

  private func forward(_ x: Tensor, _ state: State, lengths: Tensor?) -> (output: Tensor, state: State) {
    let weights = RecurrentWeights(
      input: inputWeight, hidden: hiddenWeight, inputBias: inputBias, hiddenBias: hiddenBias)
    return cell(x, weights, state, lengths)
  }
}

/// An Elman network over sequences (Elman 1990): [batch, time, inputs] and the state `h` [batch, hidden] ->
/// [batch, time, hidden].
public final class RNN: RecurrentLayer {
  public init(
    _ inputs: Int, _ hidden: Int, activation: RecurrentActivation = .tanh,
    using generator: inout RandomGenerator
  ) {
    super.init(gates: 1, states: ["h"], inputs, hidden, using: &generator) { x, weights, state, lengths in
      let (states, last) = rnn(
        x, weights: weights, activation: activation, initial: state["h"], lengths: lengths)
      return (states, State(["h": last]))
    }
  }
}

/// A gated recurrent unit over sequences (Cho et al. 2014, in PyTorch's form): [batch, time, inputs] and
/// the state `h` [batch, hidden] -> [batch, time, hidden]. Its gates: reset, update, candidate.
public final class GRU: RecurrentLayer {
  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    super.init(gates: 3, states: ["h"], inputs, hidden, using: &generator) { x, weights, state, lengths in
      let (states, last) = gru(x, weights: weights, initial: state["h"], lengths: lengths)
      return (states, State(["h": last]))
    }
  }
}

/// Long short-term memory over sequences (Hochreiter and Schmidhuber 1997, with forget gates): [batch,
/// time, inputs] and the states `h` and `c` [batch, hidden] -> [batch, time, hidden]. Its gates: input,
/// forget, candidate, output.
public final class LSTM: RecurrentLayer {
  public init(_ inputs: Int, _ hidden: Int, using generator: inout RandomGenerator) {
    super.init(gates: 4, states: ["h", "c"], inputs, hidden, using: &generator) {
      x, weights, state, lengths in
      let (states, last) = lstm(
        x, weights: weights, initial: (state["h"], state["c"]), lengths: lengths)
      return (states, State(["h": last.h, "c": last.c]))
    }
  }
}
