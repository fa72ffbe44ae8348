import CallosumNetworks
import CallosumTensors

/// A network with the way in which it learns: what a training loop needs to know of both. Its state and
/// the module's weights together let another process go on.
public protocol Learner: AnyObject {
  /// Parameters and buffers.
  var module: any Module { get }
  /// All learning rates are multiplied by this; what schedules change.
  var rateFactor: Double { get set }
  /// One step on a batch; the loss before it. Dropout and the like draw from `generator`.
  func learn(
    _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
  ) throws -> Double
  /// The outputs for `inputs`, without learning.
  func predict(_ inputs: Tensor) throws -> Tensor
  /// What optimisers and rules remember between steps, by name.
  var state: [String: Tensor] { get }
  /// Takes up what another process remembered.
  /// - Throws: `WeightsError` if something is missing, unknown or of another shape.
  func restore(_ state: [String: Tensor]) throws
}
