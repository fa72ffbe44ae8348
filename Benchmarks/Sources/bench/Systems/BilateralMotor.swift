import Callosum

/// Two halves reach with an arm, each taught by a loss of its own.
private struct Reaching {
  let trainer: DualLossTrainer
  private let task: ReachAndHold
  private let inputs: Tensor

  init() throws {
    var random = generator()
    let slot = Slot(width: 16, outputWidth: 6, tokens: 1)
    trainer = DualLossTrainer(try BilateralMotor(.init(), in: slot, using: &random))
    task = try ReachAndHold(.reach)
    func posture(_ stream: Int) -> Tensor {
      (pattern([64, 2], stream) * 0.5 + 0.5) * Tensor(MuscleArm.largestAngles).asType(.float32)
    }
    inputs = concatenated([posture(1), task.arm.hand(posture(2)), .zeros([64, 2])], axis: 1)
  }

  func step() { trainer.step(inputs, move) }

  func compared() -> [Double] {
    fill(trainer.controller.parameters())
    let (losses, gradients) = trainer.routed(inputs, move)
    return [losses.a.item(), losses.b.item(), length(gradients)]
  }

  private func move(_ inputs: Tensor, _ controller: (Tensor) -> Tensor) -> Movement {
    let moved = task.run(inputs) { state, target, _ in
      let senses = task.arm.senses(state)
      return controller(
        concatenated([senses.lengths, senses.velocities, task.arm.hand(state.angles), target], axis: 1))
    }
    return Movement(
      hands: moved.hands, targets: inputs.sliced(axis: 1, from: 2, to: 4), excitations: moved.excitations)
  }
}

extension BilateralMotor: Benchmarked {
  static let workloads: [Workload] = [
    Workload(
      name: "bilateral_motor_step",
      prepare: {
        let reaching = try Reaching()
        return { reaching.step() }
      },
      compared: { try Reaching().compared() })
  ]
}
