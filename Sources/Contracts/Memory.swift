import CallosumNetworks
import CallosumTensors

/// A part that keeps what it is told and gives it back when asked. What is kept is a `State`: reset
/// means to begin with `initialState` again, and one memory serves many readers.
///
/// As a layer on tokens [batch, tokens, width] it reads and writes as its paper says.
public protocol Memory: UnitMechanism {
  /// What the memory answers to `queries` [batch, count, width].
  func read(_ queries: Tensor, from state: State) -> Tensor
  /// The state after `values` [batch, count, width] have been stored under `keys` of the same shape, in
  /// order.
  func write(keys: Tensor, values: Tensor, to state: State) -> State
}

extension Memory {
  public static var kind: Kind { .memory }
}
