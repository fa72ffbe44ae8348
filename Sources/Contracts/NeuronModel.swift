import CallosumNetworks
import CallosumTensors

/// A population of neurons whose state moves through time: [batch, time, width] -> [batch, time,
/// outputWidth].
public protocol NeuronModel: UnitMechanism {
  /// One step of time: `x` [batch, width] -> [batch, outputWidth].
  func step(_ x: Tensor, _ state: State) -> (output: Tensor, state: State)
}

extension NeuronModel {
  public static var kind: Kind { .neuronModel }
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  /// A sequence step by step. A model with a fused time loop says so with a `forward` of its own, which
  /// the conformance suite holds against this.
  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    stepByStep(x, state)
  }

  /// The sequence mode as steps define it.
  public func stepByStep(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    precondition(
      x.ndim == 3 && x.dim(1) > 0, "stepByStep", "needs [batch, time, width], got the shape \(x.shape)")
    let (outputs, last) = scan(over: [x], initial: state) { x, state, _ in
      let (output, next) = self.step(x[0], state)
      return ([output], next)
    }
    return (outputs[0], last)
  }
}
