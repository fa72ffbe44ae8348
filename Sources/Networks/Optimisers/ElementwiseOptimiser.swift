import CallosumTensors

/// What the optimisers of this folder share: groups, state with its names, masks and resets. Each says
/// what it keeps for a parameter and how one step changes one parameter (float32, by one kernel).
public class ElementwiseOptimiser: Optimiser {
  public final let parameters: [NamedParameter]
  public final var learningRate: Double
  final let weightDecay: Double
  private let name: StaticString
  private let groups: [ParameterGroup?]
  /// What is kept, by name, with its value at the start.
  private let kept: [(name: String, start: Double)]
  /// For each parameter: what is kept, the number of steps, and which elements learn (nil: all).
  private var slots: [[Tensor]]
  private var steps: [Int]
  private var masks: [Tensor?]

  init(
    _ name: StaticString, _ parameters: [NamedParameter], learningRate: Double, weightDecay: Double,
    groups: [ParameterGroup], keeping kept: [(name: String, start: Double)]
  ) {
    self.name = name
    self.parameters = parameters
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.kept = kept
    for (position, group) in groups.enumerated() {
      precondition(
        parameters.contains { group.contains($0.name) }, name,
        "group \(position) holds none of the \(parameters.count) parameters")
    }
    let groups = parameters.map { parameter in groups.first { $0.contains(parameter.name) } }
    self.groups = groups
    slots = parameters.map { parameter in kept.map { .full(parameter.value.shape, $0.start) } }
    steps = parameters.map { _ in 0 }
    masks = parameters.map { _ in nil }
  }

  /// One parameter in one step: its elements, their gradients and what is kept for them, in the order
  /// in which it was named.
  struct Step {
    let x: UnsafeMutablePointer<Float>
    let gradient: UnsafePointer<Float>
    let kept: [UnsafeMutablePointer<Float>]
    let count: Int
    /// The learning rate of this parameter; of it, what the parameter's group contributes.
    let rate, factor: Double
    let weightDecay: Double
    /// From 1.
    let number: Int
  }

  /// Changes one parameter and what is kept for it.
  func apply(_ step: Step) {
    preconditionFailure(name, "this optimiser does not say what a step is")
  }

  public final func update(_ gradients: [Tensor]) {
    precondition(
      gradients.count == parameters.count, name,
      "got \(gradients.count) gradients for \(parameters.count) parameters")
    for (i, parameter) in parameters.enumerated() {
      let gradient = gradients[i].packed, value = parameter.value
      precondition(
        gradient.shape == value.shape, name,
        "\(parameter.name) has shape \(value.shape), its gradient \(gradient.shape)")
      precondition(
        gradient.dtype == .float32 && value.dtype == .float32, name,
        "\(parameter.name) is \(value.dtype), its gradient \(gradient.dtype), not both float32")
    }
    for i in parameters.indices where groups[i]?.isFrozen != true && !parameters[i].isFrozen {
      let gradient = gradients[i].packed
      let before = masks[i] == nil ? nil : parameters[i].value
      steps[i] += 1
      for k in kept.indices { slots[i][k].withOwnMemory { _ in } }
      let pointers = slots[i].map { $0.pointer(as: Float.self) }
      parameters[i].withOwnMemory { x in
        apply(
          Step(
            x: x, gradient: UnsafePointer(gradient.pointer(as: Float.self)), kept: pointers,
            count: gradient.size, rate: learningRate * (groups[i]?.rate ?? 1),
            factor: groups[i]?.rate ?? 1, weightDecay: groups[i]?.weightDecay ?? weightDecay, number: steps[i]
          ))
      }
      if let mask = masks[i], let before {
        parameters[i].value = which(mask, parameters[i].value, before)
        clear(i, where: .!mask)
      }
    }
  }

  // MARK: State

  public final var state: [String: Tensor] {
    var state: [String: Tensor] = [:]
    for (i, parameter) in parameters.enumerated() {
      state["steps.\(parameter.name)"] = Tensor(Int32(steps[i]))
      for (k, kind) in kept.enumerated() { state["\(kind.name).\(parameter.name)"] = slots[i][k] }
      if let mask = masks[i] { state["mask.\(parameter.name)"] = mask }
    }
    return state
  }

  public final func restore(_ stored: [String: Tensor]) throws {
    var expected = state
    for parameter in parameters {
      // Masks are the only part that may or may not be there.
      let mask = "mask.\(parameter.name)"
      expected[mask] = stored[mask] == nil ? nil : .full(parameter.value.shape, 1, dtype: .bool)
    }
    try requireSameTensors(stored, as: expected, "optimiser state")
    let counts = try parameters.map { parameter in
      let count = stored["steps.\(parameter.name)"]?.item() ?? 0
      guard let whole = Int(exactly: count), whole >= 0 else {
        throw WeightsError(description: "steps.\(parameter.name) must be a count, is \(count)")
      }
      return whole
    }
    for (i, parameter) in parameters.enumerated() {
      steps[i] = counts[i]
      for (k, kind) in kept.enumerated() {
        slots[i][k] = stored["\(kind.name).\(parameter.name)"] ?? slots[i][k]
      }
      masks[i] = stored["mask.\(parameter.name)"]
    }
  }

  // MARK: Masks and resets

  /// From now on only the elements of `parameter` where `mask` (bool, its shape) is true learn; the
  /// others keep their values and have no state, so that one that is allowed again starts afresh. nil
  /// lets all learn.
  public final func mask(_ parameter: String, _ mask: Tensor?) {
    let i = position(of: parameter, "mask")
    if let mask { requireMask(mask, i, "mask") }
    masks[i] = mask
    if let mask { clear(i, where: .!mask) }
  }

  /// Forgets the state of a parameter: all of it and the count of its steps, or that of the elements
  /// where `elements` (bool, the parameter's shape) is true.
  public final func reset(_ parameter: String, where elements: Tensor? = nil) {
    let i = position(of: parameter, "reset")
    if let elements {
      requireMask(elements, i, "reset")
      clear(i, where: elements)
    } else {
      steps[i] = 0
      slots[i] = kept.map { .full(parameters[i].value.shape, $0.start) }
    }
  }

  private func clear(_ i: Int, where elements: Tensor) {
    for (k, kind) in kept.enumerated() {
      slots[i][k] = which(elements, slots[i][k].constant(kind.start), slots[i][k])
    }
  }

  private func position(of parameter: String, _ operation: StaticString) -> Int {
    guard let i = parameters.firstIndex(where: { $0.name == parameter }) else {
      preconditionFailure(
        operation, "\(name) has no parameter \(parameter); it has \(nameList(parameters.map(\.name)))")
    }
    return i
  }

  private func requireMask(_ mask: Tensor, _ i: Int, _ operation: StaticString) {
    let shape = parameters[i].value.shape
    precondition(
      mask.shape == shape && mask.dtype == .bool, operation,
      "\(parameters[i].name) needs bool \(shape), got \(mask.dtype) \(mask.shape)")
  }
}
