import CallosumNetworks
import CallosumTensors

/// What became of a batch of movements.
public struct Movement {
  /// Where the hands were [batch, steps, 2] and should have been [batch, 2] (m).
  public let hands, targets: Tensor
  /// What the muscles were told [batch, steps, muscles].
  public let excitations: Tensor
  /// What the hidden units did [batch, steps, units], if a loss asks for it, and the time between steps (s).
  public let hidden: Tensor?
  public let timestep: Double

  public init(
    hands: Tensor, targets: Tensor, excitations: Tensor, hidden: Tensor? = nil, timestep: Double = 0.01
  ) {
    (self.hands, self.targets, self.excitations) = (hands, targets, excitations)
    (self.hidden, self.timestep) = (hidden, timestep)
  }

  /// Row `index` of `count` equal pieces of the batch.
  func piece(_ index: Int, of count: Int) -> Movement {
    func cut(_ x: Tensor) -> Tensor {
      let rows = x.dim(0) / count
      return x.sliced(axis: 0, from: index * rows, to: (index + 1) * rows)
    }
    return Movement(
      hands: cut(hands), targets: cut(targets), excitations: cut(excitations), hidden: hidden.map(cut),
      timestep: timestep)
  }
}

/// A loss of movements: with e the hand's distance from its target along an axis (m), u the excitations and h
/// the hidden units' activity,
///
///     absolute mean|e| + squared mean((10 e)²) / 10 + effort mean(u²) + activity (mean(h²) + 0.05 mean(h'²)).
///
/// The authors give loss A the activity term with the weight 0.02, but their networks report no activity, so
/// that it is without effect; it is 0 here unless asked for.
public struct MotorLoss: Sendable, Equatable {
  public var absolute = 0.0, squared = 0.0, effort = 0.0, activity = 0.0

  public init(absolute: Double = 0, squared: Double = 0, effort: Double = 0, activity: Double = 0) {
    (self.absolute, self.squared, self.effort, self.activity) = (absolute, squared, effort, activity)
  }

  /// Loss A, for the left half.
  public static let a = MotorLoss(absolute: 5)
  /// Loss B, for the right half.
  public static let b = MotorLoss(squared: 5, effort: 2)
  /// What halves without a speciality take: the mean of the weights.
  public static let mean = MotorLoss(absolute: 2.5, squared: 2.5, effort: 1)

  public func callAsFunction(_ movement: Movement) -> Tensor {
    let error = movement.hands - movement.targets.expandedDimensions(axis: 1)
    var terms: [Tensor] = []
    if absolute != 0 { terms.append(abs(error).mean() * absolute) }
    if squared != 0 { terms.append(square(error).mean() * (10 * squared)) }
    if effort != 0 { terms.append(square(movement.excitations).mean() * effort) }
    if activity != 0, let h = movement.hidden {
      let change = (h.sliced(axis: 1, from: 1) - h.sliced(axis: 1, to: h.dim(1) - 1)) / movement.timestep
      terms.append((square(h).mean() + 0.05 * square(change).mean()) * activity)
    }
    return terms.dropFirst().reduce(terms.first ?? error.sum() * 0, +)
  }
}

/// Trains a ``BilateralMotor`` by two losses at once: the left half by A, the right half by B, and what
/// both share by half of each (Adam, 1e-3; the gradient of each parameter is scaled to a norm of 1 at most).
public final class DualLossTrainer {
  /// Moves: gets rows of the task's inputs and what controls them, from senses [rows, n] to excitations.
  public typealias Move = (_ inputs: Tensor, _ controller: (Tensor) -> Tensor) throws -> Movement

  public let controller: BilateralMotor
  public let a, b: MotorLoss
  public let clipNorm: Double
  private let optimiser: Adam
  private let parameters: [NamedParameter]

  public init(
    _ controller: BilateralMotor, a: MotorLoss = .a, b: MotorLoss = .b, learningRate: Double = 1e-3,
    clipNorm: Double = 1
  ) {
    (self.controller, self.a, self.b, self.clipNorm) = (controller, a, b, clipNorm)
    parameters = controller.parameters()
    // The constant that Keras adds under Adam.
    optimiser = Adam(parameters, learningRate: learningRate, epsilon: 1e-7)
  }

  /// One step of learning.
  /// - Returns: both losses before it.
  @discardableResult
  public func step(_ inputs: Tensor, _ move: Move) rethrows -> (a: Double, b: Double) {
    let (losses, gradients) = try routed(inputs, move)
    optimiser.update(gradients.map { clipped([$0], toNorm: clipNorm).gradients[0] })
    controller.join = relu(controller.join)
    return (losses.a.item(), losses.b.item())
  }

  /// Both losses, and for every parameter the gradient that it learns by.
  ///
  /// One derivative of all: the rows are moved twice, side by side, the first time with the weights of the
  /// right half as constants, the second time with those of the left. The plant's many small operations cost
  /// the same for twice the rows, but a second walk back through them would cost as much as the first.
  public func routed(
    _ inputs: Tensor, _ move: Move
  ) rethrows -> (losses: (a: Tensor, b: Tensor), gradients: [Tensor]) {
    var losses: [Tensor] = []
    let (_, gradients) = try valueAndGradient(at: parameters.map(\.value)) { values in
      let sets = zip(parameters, values).map { parameter, value in
        let fixed = stopGradient(value)
        let half = BilateralMotor.half(of: parameter.name)
        return (parameter.name, stacked([half == .right ? fixed : value, half == .left ? fixed : value]))
      }
      let movement = try controller.withWeightSets(Dictionary(uniqueKeysWithValues: sets)) {
        try move(concatenated([inputs, inputs])) { senses in
          let rows = senses.dim(0) / 2
          return self.controller(senses.reshaped([2, rows] + senses.shape.dropFirst()))
            .reshaped([2 * rows, -1])
        }
      }
      losses = [a(movement.piece(0, of: 2)), b(movement.piece(1, of: 2))]
      return losses[0] + losses[1]
    }
    return (
      (stopGradient(losses[0]), stopGradient(losses[1])),
      zip(parameters, gradients).map { parameter, gradient in
        BilateralMotor.half(of: parameter.name) == nil ? gradient * 0.5 : gradient
      }
    )
  }

  /// The same as the definition has it: one movement, two walks back, and of each what it is for.
  public func routedByDefinition(
    _ inputs: Tensor, _ move: Move
  ) rethrows -> (losses: (a: Tensor, b: Tensor), gradients: [Tensor]) {
    let (losses, pullback) = try valueAndPullback(at: parameters.map(\.value)) { values in
      try withParameters(parameters, as: values) {
        let movement = try move(inputs) { self.controller($0) }
        return [a(movement), b(movement)]
      }
    }
    let one = Tensor.ones(like: losses[0])
    let (byA, byB) = (pullback([one, nil]), pullback([nil, one]))
    return (
      (losses[0], losses[1]),
      parameters.enumerated().map { i, parameter in
        switch BilateralMotor.half(of: parameter.name) {
        case .left: byA[i]
        case .right: byB[i]
        case nil: (byA[i] + byB[i]) * 0.5
        }
      }
    )
  }
}

/// Trains any controller by one loss in the same way: a ``UnilateralController``, or a
/// ``BilateralMotor`` whose halves have no speciality (``MotorLoss/mean``).
public final class SingleLossTrainer {
  public let controller: any Layer
  public let loss: MotorLoss
  public let clipNorm: Double
  private let optimiser: Adam
  private let parameters: [NamedParameter]

  public init(
    _ controller: any Layer, loss: MotorLoss, learningRate: Double = 1e-3, clipNorm: Double = 1
  ) {
    (self.controller, self.loss, self.clipNorm) = (controller, loss, clipNorm)
    parameters = controller.parameters()
    optimiser = Adam(parameters, learningRate: learningRate, epsilon: 1e-7)
  }

  /// One step of learning.
  /// - Returns: the loss before it.
  @discardableResult
  public func step(_ inputs: Tensor, _ move: DualLossTrainer.Move) rethrows -> Double {
    let (value, gradients) = try valueAndGradient(by: parameters) {
      loss(try move(inputs) { self.controller($0) })
    }
    optimiser.update(gradients.map { clipped([$0], toNorm: clipNorm).gradients[0] })
    if let bilateral = controller as? BilateralMotor { bilateral.join = relu(bilateral.join) }
    return value.item()
  }
}
