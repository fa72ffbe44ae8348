import CallosumTensors

/// The operations of a network, with its parameters and buffers by name.
extension Module {
  /// The operations of `function` from `inputs`, named `input 0`, `input 1`, ..., and from the parameters and
  /// buffers of this module under their names. Runs the function once, leaving no traces; outside of
  /// `training(using:)`, as evaluation does.
  public func operationGraph(
    at inputs: [Tensor], of function: ([Tensor]) throws -> [Tensor]
  ) rethrows -> OperationGraph {
    let places = parameters() + buffers(), state = ThreadState.current
    let names = inputs.indices.map { "input \($0)" } + places.map(\.name)
    return try state.again(in: state.surroundings) {
      try CallosumTensors.operationGraph(at: inputs + places.map(\.value), named: names) { leaves in
        try exchanging(places, for: Array(leaves.dropFirst(inputs.count))) {
          try function(Array(leaves.prefix(inputs.count)))
        }
      }
    }
  }

  /// Folds every batch normalisation of this network into the layer before (`AffineLayer.fold`), where that
  /// layer's result goes nowhere else and both are called once, as the graph of `function` at `inputs` tells.
  /// - Returns: the paths of those that were folded.
  @discardableResult public func foldBatchNorms(
    at inputs: [Tensor], of function: ([Tensor]) throws -> [Tensor]
  ) rethrows -> [String] {
    let graph = try withBatchNorm(.automatic) { try operationGraph(at: inputs, of: function) }
    let modules = modulesByPath()
    var folded: [String] = []
    for (path, module) in modules.sorted(by: { $0.key < $1.key }) {
      guard let norm = module as? BatchNorm, !norm.isFolded,
        let mean = graph.input(path.isEmpty ? "runningMean" : "\(path).runningMean"),
        let layer = layer(before: mean, in: graph, among: modules), layer.endsAffine
      else { continue }
      layer.fold(norm)
      folded.append(path)
    }
    return folded
  }

  /// The layer whose result alone the normalisation with these running means reads, and nothing else.
  private func layer(
    before mean: OperationGraph.Node, in graph: OperationGraph, among modules: [String: any Module]
  ) -> (any AffineLayer)? {
    let centring = graph.consumers(of: mean)
    guard centring.count == 1, centring[0].operation == "subtract" else { return nil }
    let result = graph.nodes[centring[0].inputs[0]]
    guard ["linear", "convolution", "convolutionTransposed"].contains(result.operation),
      graph.consumers(of: result).count == 1, !graph.outputs.contains(result.id)
    else { return nil }
    // The weights of a transposed convolution are turned on the way.
    var weight = graph.nodes[result.inputs[1]]
    while weight.name == nil, weight.inputs.count == 1, graph.consumers(of: weight).count == 1 {
      weight = graph.nodes[weight.inputs[0]]
    }
    guard let name = weight.name, graph.consumers(of: weight).count == 1, name.hasSuffix("weight") else {
      return nil
    }
    return modules[String(name.dropLast(name == "weight" ? 6 : 7))] as? any AffineLayer
  }
}
