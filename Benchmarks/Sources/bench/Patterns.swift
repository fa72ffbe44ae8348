import Callosum
import Foundation

// Data and weights that both sides make alike, so that what they compute can be compared; see
// Benchmarks/patterns.py.

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
