import CallosumTensors

/// Many sets of weights at once: each parameter gets a leading axis of sets, and so does everything that
/// the layers compute. Linear maps become batched matrix products, convolutions one convolution with the
/// sets as groups. The same mechanism gives the gradient of each sample of a batch by itself.

/// A layer whose parameters may have a leading axis of sets. It then takes x [sets, ...] and returns
/// [sets, ...], slice i computed with set i. Those that do: `Linear`, `Conv1d`, `Conv2d`, `LayerNorm`,
/// `RMSNorm`, `Embedding`, and what is made of them without parameters of its own, such as `MLP`.
public protocol WeightSetLayer: Module {}

extension Module {
  /// The result of `body` with a batch of weight sets in place of the parameters of those names, each
  /// [sets] + the parameter's shape. The inputs of the layers concerned then begin with the axis of sets
  /// too: `x.broadcast(to: [sets] + x.shape)` shows the same x to all of them without a copy. What
  /// forms the rest of the network must treat its leading axes alike.
  ///
  /// Stops where the parameters belong to a module that is no ``WeightSetLayer``; `mapWeightSets` then
  /// does the same for any module, one set after the other.
  public func withWeightSets<Result>(
    _ weights: [String: Tensor], _ body: () throws -> Result
  ) rethrows -> Result {
    let sets = setCount(weights, "withWeightSets")
    let modules = modulesByPath()
    /// The path of the module that holds this.
    func owner(_ name: String) -> String {
      var path = name[...]
      repeat {
        path = path.lastIndex(of: ".").map { path[..<$0] } ?? ""
      } while modules[String(path)] == nil
      return String(path)
    }
    let owners = Set(weights.keys.map(owner))
    for path in owners.sorted() {
      guard let module = modules[path], !(module is any WeightSetLayer) else { continue }
      let name = weights.keys.filter { owner($0) == path }.min() ?? ""
      preconditionFailure(
        "withWeightSets",
        "\(name) belongs to \(type(of: module)), which takes one set of weights at a time; use mapWeightSets")
    }
    // Layers see sets in all of their parameters or in none.
    let places = parameters().filter { owners.contains(owner($0.name)) }
    let values = places.map { weights[$0.name] ?? $0.value.broadcast(to: [sets] + $0.value.shape) }
    return try exchanging(places, for: values, body)
  }

  /// The results of `body` for each of a batch of weight sets, stacked: `withWeights` once for each
  /// set, for any module. `body` gets the number of the set.
  public func mapWeightSets(
    _ weights: [String: Tensor], _ body: (_ set: Int) throws -> Tensor
  ) rethrows -> Tensor {
    let sets = setCount(weights, "mapWeightSets")
    precondition(sets > 0, "mapWeightSets", "needs one set of weights at least")
    let pieces = weights.mapValues { $0.split(parts: sets) }
    return stacked(
      try (0..<sets).map { set in
        let weights = pieces.mapValues { $0[set].squeezed(axis: 0) }
        return try withWeights(weights) { try body(set) }
      })
  }

  private func setCount(_ weights: [String: Tensor], _ operation: StaticString) -> Int {
    let places = places(weights.keys, operation)
    precondition(!places.isEmpty, operation, "needs weights by name, got none")
    let sets = weights[places[0].name]?.shape.first ?? 0
    for place in places {
      let shape = weights[place.name]?.shape ?? []
      precondition(
        shape == [sets] + place.value.shape, operation,
        "\(place.name) has shape \(shape), but \(sets) sets ask for \([sets] + place.value.shape)")
    }
    return sets
  }
}

// MARK: Gradients of samples

/// The gradient of each sample's loss by each of `parameters`, for any module: one derivative after the
/// other. Each result is [samples] + the parameter's shape.
public func perSampleGradients(
  by parameters: [NamedParameter], samples: Int, of loss: (_ sample: Int) throws -> Tensor
) rethrows -> [Tensor] {
  precondition(samples > 0, "perSampleGradients", "needs one sample at least")
  let found = try (0..<samples).map { sample in
    try valueAndGradient(by: parameters) { try loss(sample) }.gradients
  }
  return parameters.indices.map { i in stacked(found.map { $0[i] }) }
}

extension Module {
  /// The gradient of each sample's loss by each parameter (in the order of `parameters()`), in one
  /// pass: each sample gets a weight set of its own. For modules whose parameters belong to layers that
  /// take weight sets (see `withWeightSets`); `perSampleGradients(by:samples:of:)` serves the others.
  ///
  /// - Parameter losses: computes the losses [samples] of a batch as ever, its first axis the samples,
  ///   none of which may depend on another.
  /// - Returns: [samples] + the parameter's shape, for each parameter.
  public func perSampleGradients(samples: Int, of losses: () throws -> Tensor) rethrows -> [Tensor] {
    let parameters = parameters()
    let sets = parameters.map { $0.value.broadcast(to: [samples] + $0.value.shape) }
    return try valueAndGradient(at: sets) { leaves in
      let weights = Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), leaves))
      let losses = try withWeightSets(weights, losses)
      precondition(
        losses.shape == [samples], "perSampleGradients",
        "the function must return losses [\(samples)], but returned shape \(losses.shape)")
      return losses.sum()
    }.gradients
  }
}

// MARK: How layers take sets

/// y [sets, ..., width] times weight plus bias, [sets, width] each.
func scaled(_ y: Tensor, bySets weight: Tensor?, _ bias: Tensor?) -> Tensor {
  func spread(_ values: Tensor) -> Tensor {
    precondition(
      y.ndim > 1 && y.dim(0) == values.dim(0), "withWeightSets",
      "input \(y.shape) must have \(values.dim(0)) slices, one for each set of weights")
    return values.reshaped([values.dim(0)] + [Int](repeating: 1, count: y.ndim - 2) + [values.dim(1)])
  }
  let product = weight.map { y * spread($0) } ?? y
  return bias.map { product + spread($0) } ?? product
}

/// Rows of tables [sets, count, width] at indices [sets, ...].
func taken(_ indices: Tensor, fromSets tables: Tensor) -> Tensor {
  let (sets, count) = (tables.dim(0), tables.dim(1))
  precondition(
    indices.ndim > 0 && indices.dim(0) == sets, "withWeightSets",
    "indices \(indices.shape) must have \(sets) slices, one for each set of weights")
  precondition(
    ((indices .>= 0) .&& (indices .< count)).all().item() != 0, "take",
    "indices do not lie in 0..<\(count)")
  let firsts = (Tensor.arange(sets) * count)
    .reshaped([sets] + [Int](repeating: 1, count: indices.ndim - 1))
  return tables.reshaped(sets * count, tables.dim(2)).take(indices + firsts)
}

/// `convolve`, or with a set axis in front of the weights and of x [sets, batch, spatial..., channels] (or
/// [sets, spatial..., channels], one item a set) one convolution in which sets are groups.
func convolved(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ groups: Int, spatialAxes: Int,
  _ convolve: (_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ groups: Int) -> Tensor
) -> Tensor {
  guard weight.ndim == spatialAxes + 3 else { return convolve(x, weight, bias, groups) }
  let sets = weight.dim(0), outputs = weight.dim(1)
  guard x.ndim == spatialAxes + 3 else {
    precondition(
      x.ndim == spatialAxes + 2, "withWeightSets",
      "input \(x.shape) must be [sets, batch, spatial..., channels] for weights \(weight.shape)")
    return convolved(
      x.expandedDimensions(axis: 1), weight, bias, groups, spatialAxes: spatialAxes, convolve
    ).squeezed(axis: 1)
  }
  precondition(
    x.dim(0) == sets, "withWeightSets",
    "input \(x.shape) must have \(sets) slices, one for each set of weights \(weight.shape)")
  // Channels of all sets side by side.
  let merged = x.movedAxis(source: 0, destination: -2)
  let y = convolve(
    merged.reshaped(Array(merged.shape.dropLast(2)) + [sets * x.dim(-1)]),
    weight.reshaped([sets * outputs] + Array(weight.shape.dropFirst(2))),
    bias?.reshaped(sets * outputs), sets * groups)
  return y.reshaped(Array(y.shape.dropLast()) + [sets, outputs]).movedAxis(source: -2, destination: 0)
}
