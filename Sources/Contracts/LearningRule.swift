import CallosumNetworks
import CallosumTensors

/// What the neighbourhood of some weights knows during one step of learning. A rule uses what it can
/// have where it stands: a local rule reads `input` and `output`, backpropagation `gradients`.
public struct LearningSignals {
  /// What went into the region, [..., width].
  public let input: Tensor
  /// What came out, [..., outputWidth].
  public let output: Tensor
  /// The derivative of the loss by `output`, if the rule asks for errors.
  public let outputError: Tensor?
  /// The derivative of the loss by each parameter, if the rule asks for gradients.
  public let gradients: [Tensor]?

  public init(input: Tensor, output: Tensor, outputError: Tensor? = nil, gradients: [Tensor]? = nil) {
    self.input = input
    self.output = output
    self.outputError = outputError
    self.gradients = gradients
  }
}

/// How weights follow from experience: signals in, a direction for each parameter out, which an
/// optimiser walks along (it subtracts, as from a gradient).
public protocol LearningRule: AnyObject {
  /// What the rule must be told besides input and output.
  var needs: LearningNeeds { get }
  /// A direction for each parameter, in their order; downhill is against it.
  func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor]
  /// Whether a region under this rule tells what feeds it how the loss changes.
  var passesErrors: Bool { get }
  /// What it tells, [..., width], from the error at its output [..., outputWidth]; nil for the derivative.
  func inputError(_ outputError: Tensor, for parameters: [NamedParameter]) -> Tensor?
}

extension LearningRule {
  public var passesErrors: Bool { needs == .gradients }
  public func inputError(_ outputError: Tensor, for parameters: [NamedParameter]) -> Tensor? { nil }
}

/// What a rule must be told besides input and output.
public enum LearningNeeds: String, Codable, Sendable {
  case nothing
  /// The derivative of the loss by the output.
  case outputError = "output error"
  /// The derivative of the loss by every parameter.
  case gradients
}

/// A learning rule of the catalogue.
public protocol LearningRuleMechanism: Mechanism, LearningRule {
  init(_ settings: Settings, using generator: inout RandomGenerator) throws
}

extension LearningRuleMechanism {
  public static var kind: Kind { .learningRule }
}
