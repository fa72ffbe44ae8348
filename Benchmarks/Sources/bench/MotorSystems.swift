import Callosum

// Systems that move a body.

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

/// A circuit swims with many sets of weights at once.
private struct Swimming {
  let circuit: NCAP
  private let swimmer = LinkSwimmer(joints: 5)

  init() throws {
    var random = generator()
    circuit = try NCAP(.init(), in: Slot(width: 5, tokens: 1), using: &random)
  }

  /// The reward of an episode of 500 steps for each set.
  func returns(_ sets: [String: Tensor]) -> [Double] {
    let count = sets.values.first?.dim(0) ?? 0, joints = swimmer.joints
    let aim = swimmer.linkLength * Double(joints + 1) / 6
    return circuit.withWeightSets(sets) {
      var body = swimmer.straight(batch: count), total = Tensor.zeros([count])
      var memory = State(["step": .zeros([count, 1, 1])])
      for _ in 0..<500 {
        let (torques, next) = circuit(swimmer.senses(body).reshaped(count, 1, 1, joints), memory)
        memory = next
        let (moved, speed) = swimmer.step(body, torques: torques.reshaped(count, joints))
        body = moved
        total = total + clip(speed / aim, min: 0, max: 1)
      }
      return total.doubles
    }
  }
}

let motorSystems: [Workload] = [
  Workload(
    name: "bilateral_motor_step",
    prepare: {
      let reaching = try Reaching()
      return { reaching.step() }
    },
    compared: { try Reaching().compared() }),
  Workload(
    name: "ncap_generation",
    prepare: {
      let swimming = try Swimming()
      let strategy = try EvolutionStrategy(swimming.circuit, using: generator())
      return { strategy.generation(swimming.returns) }
    },
    compared: {
      let swimming = try Swimming()
      let sets = swimming.circuit.parameters().enumerated().map { place, one in
        (one.name, one.value + pattern([33, 1, 1], place) * 0.3)
      }
      let returns = swimming.returns(Dictionary(uniqueKeysWithValues: sets))
      return [returns.reduce(0, +), returns.max() ?? 0, returns.min() ?? 0]
    }),
]
