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

  /// What `body` makes of the rows of a batch where it depends on a count that the state holds under `name`
  /// [batch], such as the place of the next token in its chunk: rows that agree in it are taken at once, all of
  /// them if all do, others apart.
  ///
  /// - Parameters:
  ///   - inputs: tensors with the batch as first axis.
  ///   - range: what the count may be; anything else, NaN and fractions too, stops with `operation`.
  ///   - body: the outputs, batch first, and the state afterwards.
  package func byCount(
    _ name: String, in range: ClosedRange<Int>, _ operation: StaticString, _ inputs: [Tensor],
    _ body: ([Tensor], State, _ count: Int) -> (outputs: [Tensor], state: State)
  ) -> (outputs: [Tensor], state: State) {
    let counts = stopGradient(self[name]).asType(.float64).doubles.map {
      Int(exactly: $0) ?? range.lowerBound - 1
    }
    precondition(
      inputs.allSatisfy { $0.dim(0) == counts.count } && counts.allSatisfy(range.contains), operation,
      "the state's \(name) must hold a whole number from \(range.lowerBound) to \(range.upperBound) for each "
        + "of \(inputs.first?.dim(0) ?? 0) rows, is \(self[name].shape) from \(self[name].min().item()) "
        + "to \(self[name].max().item())")
    let first = counts.first ?? range.lowerBound
    if counts.allSatisfy({ $0 == first }) { return body(inputs, self, first) }
    let groups = Dictionary(grouping: counts.indices) { counts[$0] }.sorted { $0.key < $1.key }
    let results = groups.map { count, rows in
      let index = Tensor(rows.map(Int32.init))
      return body(inputs.map { $0.take(index) }, mapped { $0.take(index) }, count)
    }
    // Back to where they stood.
    let order = groups.flatMap(\.value)
    var places = [Int32](repeating: 0, count: order.count)
    for (place, row) in order.enumerated() { places[row] = Int32(place) }
    let index = Tensor(places)
    func joined(_ parts: [Tensor]) -> Tensor { concatenated(parts, axis: 0).take(index) }
    let outputs = results[0].outputs.indices.map { i in joined(results.map { $0.outputs[i] }) }
    let state = Dictionary(
      uniqueKeysWithValues: results[0].state.names.map { name in
        (name, joined(results.map { $0.state[name] }))
      })
    return (outputs, State(state))
  }

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
  package func called(
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
