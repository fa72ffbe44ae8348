import CallosumContracts
import CallosumNetworks
import CallosumTensors

extension Brain {
  /// How a region learns; backpropagation where the plan says nothing.
  func needs(_ region: Region) -> LearningNeeds { rules[region.name]?.needs ?? .gradients }

  /// Whether what the region at `index` does changes the answer in a way that derivatives can follow.
  private var reached: [Bool] {
    var reached = plan.regions.indices.map { $0 == wiring.output }
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for ends in wiring.ends where !reached[ends.from] {
        let leads = ends.to.contains { reached[$0] && passing.contains(plan.regions[$0].name) }
        if leads {
          reached[ends.from] = true
          isGrowing = true
        }
      }
    }
    return reached
  }

  /// Whatever needs gradients must be in their reach.
  func checkTeaching() throws {
    let reached = reached
    for (index, region) in plan.regions.enumerated() {
      guard let module = regions[region.name], module.parameterCount > 0 else { continue }
      if needs(region) != .nothing, !reached[index] {
        throw BrainError(
          place: .region(index),
          description: "region '\(region.name)' cannot learn: no derivative of the answer of"
            + " '\(plan.output)' reaches it; a tract that leads there, or a rule that needs none, would do")
      }
    }
    for (index, tract) in plan.tracts.enumerated() where tract.learnable {
      guard let module = tracts[tract.name], module.parameterCount > 0 else { continue }
      let isTaught = wiring.ends[index].to.contains {
        reached[$0] && passing.contains(plan.regions[$0].name)
      }
      if !isTaught {
        throw BrainError(
          place: .tract(index),
          description: "tract '\(tract.name)' cannot learn: region '\(tract.to[0])' lets no derivative"
            + " through to it; learnable: false, through: direct, or passesGradient: true there would do")
      }
    }
  }
}

/// Notes, in one forward pass, what regions take and put out, and in the pass back, how the loss changes
/// with what they put out.
final class SignalRecorder {
  /// Regions that are listened to, and those among them whose errors are.
  let regions, errors: Set<String>
  /// What regions tell those that feed them, from the error at their output, if not the derivative.
  private let feedback: [String: (Tensor) -> Tensor?]
  private(set) var inputs: [String: [Tensor]] = [:]
  private(set) var outputs: [String: [Tensor]] = [:]
  private var errorsByStep: [String: [Int: Tensor]] = [:]

  init(regions: Set<String>, errors: Set<String>, feedback: [String: (Tensor) -> Tensor?]) {
    self.feedback = feedback
    self.regions = regions
    self.errors = errors
  }

  /// The output, as it should go on.
  func note(_ region: String, input: Tensor, output: Tensor) -> Tensor {
    guard regions.contains(region) else { return output }
    inputs[region, default: []].append(stopGradient(input))
    outputs[region, default: []].append(stopGradient(output))
    guard errors.contains(region) else { return output }
    let step = outputs[region, default: []].count - 1
    let feedback = feedback[region]
    return withDerivative("output error", at: [output, input], of: { $0[0] }) { error, _, _ in
      self.errorsByStep[region, default: [:]][step] = stopGradient(error)
      if let told = feedback?(error) { return [nil, told] }
      return [error, nil]
    }
  }

  /// All steps one after the other along the batch.
  func signals(_ region: String, gradients: [Tensor]?) -> LearningSignals? {
    guard let inputs = inputs[region], let outputs = outputs[region] else { return nil }
    let errors = outputs.enumerated().map { step, output in
      errorsByStep[region]?[step] ?? .zeros(like: output)
    }
    func joined(_ steps: [Tensor]) -> Tensor { steps.count == 1 ? steps[0] : concatenated(steps) }
    return LearningSignals(
      input: joined(inputs), output: joined(outputs),
      outputError: self.errors.contains(region) ? joined(errors) : nil, gradients: gradients)
  }
}
