import Callosum
import Foundation

// The published systems: a training step of each, or what takes the time in it, at the sizes of its claim
// or of its paper. The other side is Benchmarks/systems.py; both compute the same numbers from the same
// data, which the driver checks before it measures.

let systems: [Workload] =
  tokenSystems + learningSystems + fieldSystems + motorSystems + probeSystems

/// Numbers between -1 and 1 that look random and are the same on both sides; each `stream` has its own.
func pattern(_ shape: [Int], _ stream: Int) -> Tensor {
  let start = Double(stream) * 78.233
  let values = (0..<shape.reduce(1, *)).map { place -> Float in
    let wave = Foundation.sin(Double(place) * 12.9898 + start) * 43758.5453
    return Float(2 * (wave - wave.rounded(.down)) - 1)
  }
  return Tensor(values, shape)
}

/// Numbers from 0 to below `limit`, int32.
func patternOfLabels(_ shape: [Int], below limit: Int, _ stream: Int) -> Tensor {
  floor((pattern(shape, stream) * 0.5 + 0.5) * (Double(limit) * 0.9999)).asType(.int32)
}

/// Puts numbers of `pattern` in place of what parameters started with: matrices and kernels within
/// 1 / sqrt(inputs), all others around 0.3.
func fill(_ parameters: [NamedParameter]) {
  for (place, one) in parameters.enumerated() {
    let shape = one.value.shape, values = pattern(shape, 100 + place)
    let inputs = shape.dropFirst().reduce(1, *)
    one.value = shape.count < 2 ? values * 0.1 + 0.3 : values * (1 / Double(inputs).squareRoot())
  }
}

/// The length of all gradients together.
func length(_ gradients: [Tensor]) -> Double {
  gradients.reduce(0) { $0 + square($1).sum().item() }.squareRoot()
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
