import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A controller of muscles made of two halves, as brains are: each sees everything that is sensed, computes
/// for itself, and both have a say in what the muscles get,
///
///     x_L,0 = x_R,0 = x
///     x_L,k = f(W_L,k (x_L,k-1 + C(x_R,k-1)) + b_L,k),   x_R,k likewise; C only from the second layer on
///     u = sigmoid(W (w_L x_L + w_R x_R) + b)
///
/// with f = tanh and C the ``CorpusCallosum``. Lesions switch off what one half sees, what it says, or C.
/// [..., senses] -> excitations [..., muscles], 0 to 1.
///
/// Parameters: `left.K.weight`, `left.K.bias`, `right.K...` [units, inputs] and [units]; `join` [2], w_L and
/// w_R; `output.weight` [muscles, units], `output.bias`. With sets of weights, x begins with the axis of sets.
///
/// Source: "Left/Right Brain, human motor control and the implications for robotics" (2024) and the authors'
/// code. There the lesion "highright" shows the right half what the left one sees times 0 even where the left
/// one sees all; here it switches off the right half's senses.
public final class BilateralMotor: UnitMechanism, Layer, WeightSetLayer {
  public struct Settings: Configuration {
    /// Units of each layer of one half.
    public var units = 5
    /// Layers of each half.
    public var layers = 2
    /// Whether the halves exchange activity from the second layer on.
    public var callosum = true
    /// What hidden units do.
    public var activation = MotorActivation.tanh
    /// What is switched off from the start: what a half sees (leftInput, rightInput), what it says (leftOutput,
    /// rightOutput), or what the halves exchange (callosum).
    public var lesions: [Lesion] = []
    public init() {}

    public func validate() throws {
      try require((1...100_000).contains(units), "units must be from 1 to 100000, is \(units)")
      try require((1...100).contains(layers), "layers must be from 1 to 100, is \(layers)")
      try require(!callosum || units > 1, "a callosum pools pairs of units, but there is only one")
    }
  }

  /// What can be switched off.
  public enum Lesion: String, Codable, Sendable, CaseIterable {
    /// A half sees nothing: zeros in place of the senses.
    case leftInput, rightInput
    /// A half has no say: zeros in place of its last layer.
    case leftOutput, rightOutput
    case callosum
  }

  public static let kind = Kind.network
  public static let card = Card(
    id: "bilateral-motor", name: "Left/right brain controller", family: .modularity,
    paper: Paper(
      "Left/Right Brain, human motor control and the implications for robotics",
      by: ["Jarrad Rinaldo", "Levin Kuhlmann", "Jason Friedman", "Gideon Kowadlo"],
      year: 2024, link: "https://arxiv.org/abs/2401.14057"),
    summary: "Two halves control one arm. Each is trained by a loss of its own, one for efficient movement "
      + "and one for a stable posture; together they are to be as good as the better one at either.",
    verification: "the authors' code (Cerenaut/bilateral-motor-control, 5167c5f): excitations with lesions "
      + "and gradients of every parameter; which loss reaches which half, by definition")

  public static var trials: [Trial<Settings>] {
    var deep = Settings(), plain = Settings()
    (deep.units, deep.layers) = (7, 3)
    (plain.units, plain.layers, plain.callosum) = (1, 2, false)
    return [
      Trial(deep, in: Slot(width: 16, outputWidth: 6, tokens: 3)),
      Trial(plain, in: Slot(width: 3, outputWidth: 2, tokens: 1)),
    ]
  }

  public let left, right: [Linear]
  @Parameter public var join: Tensor
  public let output: Linear
  public let callosum: CorpusCallosum?
  /// What is switched off.
  public var lesions: Set<Lesion> = []
  private let activation: MotorActivation
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  /// Starts as the authors' code does: Glorot's uniform weights, biases 0, both halves with a say of 0.5.
  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    func half() -> [Linear] {
      (0..<settings.layers).map {
        .glorot($0 == 0 ? slot.width : settings.units, settings.units, using: &generator)
      }
    }
    left = half()
    right = half()
    join = .full([2], 0.5)
    output = .glorot(settings.units, slot.outputWidth, using: &generator)
    callosum =
      settings.callosum
      ? try CorpusCallosum(.init(), in: Slot(width: settings.units, tokens: 1), using: &generator) : nil
    activation = settings.activation
    lesions = Set(settings.lesions)
  }

  public func forward(_ x: Tensor) -> Tensor { excitations(x).excitations }

  /// Excitations, and what all hidden units do: [..., halves · layers · units].
  public func excitations(_ x: Tensor) -> (excitations: Tensor, hidden: [Tensor]) {
    func or0(_ x: Tensor, unless lesion: Lesion) -> Tensor {
      lesions.contains(lesion) ? .zeros(like: x) : x
    }
    var l = or0(x, unless: .leftInput), r = or0(x, unless: .rightInput)
    var hidden: [Tensor] = []
    for (layer, (left, right)) in zip(left, right).enumerated() {
      if layer > 0, let callosum, !lesions.contains(.callosum) {
        (l, r) = (l + callosum(r), r + callosum(l))
      }
      l = activation(left(l))
      r = activation(right(r))
      hidden += [l, r]
    }
    l = or0(signal("left", l), unless: .leftOutput)
    r = or0(signal("right", r), unless: .rightOutput)
    // [2], or [sets, 2] beside x [sets, ..., senses].
    func say(_ half: Int) -> Tensor {
      let weight = join.sliced(axis: -1, from: half, to: half + 1)
      let ones = [Int](repeating: 1, count: join.ndim == 1 ? 0 : x.ndim - 2)
      return join.ndim == 1 ? weight : weight.reshaped([join.dim(0)] + ones + [1])
    }
    return (sigmoid(output(l * say(0) + r * say(1))), hidden)
  }

  /// Which half a parameter belongs to; nil for what both share.
  public static func half(of parameter: String) -> Half? {
    parameter.hasPrefix("left.") ? .left : parameter.hasPrefix("right.") ? .right : nil
  }

  public enum Half: String, Codable, Sendable { case left, right }
}

/// What hidden units of a motor controller do.
public enum MotorActivation: String, Codable, Sendable, CaseIterable {
  case tanh
  /// tanh where it is above 0.
  case rectifiedTanh

  func callAsFunction(_ x: Tensor) -> Tensor {
    self == .tanh ? CallosumTensors.tanh(x) : relu(CallosumTensors.tanh(x))
  }
}

extension Linear {
  /// Glorot's uniform weights and biases of 0: what Keras starts with.
  static func glorot(_ inputs: Int, _ outputs: Int, using generator: inout RandomGenerator) -> Linear {
    let linear = Linear(inputs, outputs, initialiser: .xavierUniform(), using: &generator)
    linear.bias = .zeros([outputs])
    return linear
  }
}

/// The same without halves: layers of tanh units and a sigmoid, for comparison.
public final class UnilateralController: Layer, WeightSetLayer {
  public let hidden: [Linear]
  public let output: Linear
  private let activation: MotorActivation

  public init(
    _ settings: BilateralMotor.Settings, in slot: Slot, using generator: inout RandomGenerator
  ) {
    hidden = (0..<settings.layers).map {
      .glorot($0 == 0 ? slot.width : settings.units, settings.units, using: &generator)
    }
    output = .glorot(settings.units, slot.outputWidth, using: &generator)
    activation = settings.activation
  }

  public func forward(_ x: Tensor) -> Tensor {
    sigmoid(output(hidden.reduce(x) { activation($1($0)) }))
  }
}
