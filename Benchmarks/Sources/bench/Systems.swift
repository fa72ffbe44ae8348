import Callosum

/// A published system, in Systems/<System>.swift: a training step of it, or what takes the time in it, at the
/// sizes of its claim or of its paper. The other side is Benchmarks/systems/<system>.py; both compute the same
/// numbers from the same data, which the driver checks before it measures. Nothing lists the systems by hand:
/// the plugin `ListSystems` makes `systems` from the names of the files.
protocol Benchmarked: SendableMetatype {
  static var workloads: [Workload] { get }
  /// How its time grows, where that is its point.
  static var curves: [Curve] { get }
}

extension Benchmarked {
  static var curves: [Curve] { [] }
}

/// A training step of what `make` builds, by Adam, or by plain descent with the rate `descent`. Compared are
/// the loss and the length of the gradient.
func system(
  _ name: String, descent: Double? = nil,
  _ make: @escaping @Sendable () throws -> (learns: [NamedParameter], loss: () -> Tensor)
) -> Workload {
  Workload(
    name: name,
    prepare: {
      let (learns, loss) = try make()
      let optimiser: any Optimiser =
        descent.map { SGD(learns, learningRate: $0) } ?? Adam(learns, learningRate: 1e-3)
      return {
        let (_, gradients) = valueAndGradient(by: learns, of: loss)
        optimiser.update(gradients)
      }
    },
    compared: {
      let (learns, loss) = try make()
      fill(learns)
      let (value, gradients) = valueAndGradient(by: learns, of: loss)
      return [value.item(), length(gradients)]
    })
}

/// A layer on tokens and the squared distance of its result from a target.
@Sendable func onTokens(
  _ layer: any StatefulLayer, batch: Int, tokens: Int, width: Int
) -> (learns: [NamedParameter], loss: () -> Tensor) {
  let x = pattern([batch, tokens, width], 1), target = pattern([batch, tokens, width], 2)
  return (
    layer.parameters(),
    { mseLoss(predictions: layer(x, layer.initialState(batch: batch)).output, targets: target) }
  )
}
