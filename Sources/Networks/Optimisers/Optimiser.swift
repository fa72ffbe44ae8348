import CallosumTensors

/// Turns gradients into changes of parameters. Its state can be stored and taken up again.
public protocol Optimiser: AnyObject {
  /// The parameters it changes, in the order of the gradients it is given.
  var parameters: [NamedParameter] { get }
  var learningRate: Double { get set }
  /// One step down the gradients.
  func update(_ gradients: [Tensor])
  /// What it remembers between steps, by name; fit for a safetensors file.
  var state: [String: Tensor] { get }
  /// Takes up what another session remembered.
  /// - Throws: ``WeightsError`` if something is missing, unknown or of another shape.
  func restore(_ state: [String: Tensor]) throws
}

/// Options for the parameters whose names satisfy a condition. A parameter follows the first of an
/// optimiser's groups that holds it, or none.
public struct ParameterGroup {
  public let contains: (_ name: String) -> Bool
  /// A factor of the optimiser's learning rate, so that schedules reach every group.
  public var rate: Double
  /// In place of the optimiser's weight decay.
  public var weightDecay: Double?
  /// Neither parameters nor state change; the gradients are ignored.
  public var isFrozen: Bool

  public init(
    rate: Double = 1, weightDecay: Double? = nil, isFrozen: Bool = false,
    where contains: @escaping (_ name: String) -> Bool
  ) {
    (self.rate, self.weightDecay, self.isFrozen) = (rate, weightDecay, isFrozen)
    self.contains = contains
  }
}
