import CallosumTensors

/// What a layer carries from one step of time to the next: tensors by name, each with the batch as its
/// first axis, so that rows of a batch keep to themselves.
public struct State {
  public private(set) var tensors: [String: Tensor]

  public init(_ tensors: [String: Tensor] = [:]) { self.tensors = tensors }

  public subscript(name: String) -> Tensor {
    get {
      guard let tensor = tensors[name] else {
        preconditionFailure("State", "there is no '\(name)' in a state of \(tensors.keys.sorted())")
      }
      return tensor
    }
    set { tensors[name] = newValue }
  }

  public var isEmpty: Bool { tensors.isEmpty }

  /// The names in alphabetical order.
  public var names: [String] { tensors.keys.sorted() }

  /// Every tensor changed by `change`.
  public func mapped(_ change: (Tensor) -> Tensor) -> State { State(tensors.mapValues(change)) }

  /// The same values as constants: derivatives stop here (truncated backpropagation through time).
  public var detached: State { mapped(stopGradient) }
}

/// A layer that lives in time: what it computes depends on a state, which it hands on.
///
/// A sequence given in pieces, each with the state that the piece before left, yields what the whole
/// sequence does at once.
public protocol StatefulLayer: Module {
  /// The state before anything has been seen.
  func initialState(batch: Int) -> State
  /// What the layer computes for the next piece `x`, and the state after it; callers use
  /// `layer(x, state)`.
  func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State)
}

extension StatefulLayer {
  public func callAsFunction(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    called(x) { forward($0, state) }
  }

  /// A call by `forward`, whose input and output hooks see.
  func called(
    _ x: Tensor, _ forward: (Tensor) -> (output: Tensor, state: State)
  ) -> (output: Tensor, state: State) {
    running {
      let (output, next) = forward(signal("input", x))
      return (hookedOutput(output), next)
    }
  }
}

/// A layer without memory is one whose state is empty.
extension Layer {
  public func initialState(batch: Int) -> State { State() }
  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    (forward(x), state)
  }
}
