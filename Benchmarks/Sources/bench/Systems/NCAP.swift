import Callosum

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

extension NCAP: Benchmarked {
  static let workloads: [Workload] = [
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
      })
  ]
}
