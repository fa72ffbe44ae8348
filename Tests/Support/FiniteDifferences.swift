import CallosumTensors

/// Compares gradients of sum(function(inputs) * cotangent) with central differences, all float64.
/// The error is measured against the largest entry of all gradients. Arrays above `elements` numbers
/// are checked at that many places spread over them.
///
/// - Parameter gradients: one for each input, nil where the input is a constant.
/// - Returns: what is wrong, nil if nothing is.
public func finiteDifferenceProblem(
  at inputs: [Tensor], gradients: [Tensor?], cotangent: Tensor, elements: Int = 100,
  tolerance: Double = 1e-6, of function: ([Tensor]) -> Tensor
) -> String? {
  let weights = cotangent.doubles
  let largest = gradients.reduce(1e-3) { most, gradient in
    (gradient?.doubles ?? []).reduce(most) { Swift.max($0, $1.magnitude) }
  }
  var worst = 0.0
  var problem: String?
  for (which, gradient) in gradients.enumerated() {
    guard let gradient = gradient?.doubles else { continue }
    let values = inputs[which].doubles
    let step = Swift.max(1, values.count / elements)
    for place in stride(from: 0, to: values.count, by: step) {
      func slope(_ h: Double) -> Double {
        func output(_ shift: Double) -> [Double] {
          var moved = values
          moved[place] += shift
          var arguments = inputs
          arguments[which] = Tensor(moved, inputs[which].shape)
          return function(arguments).doubles
        }
        let (above, below) = (output(h), output(-h))
        // Differences first: the sums are far larger than what they differ by.
        return zip(weights, zip(above, below)).reduce(0) { $0 + $1.0 * ($1.1.0 - $1.1.1) } / (2 * h)
      }
      let h = 1e-5
      var error = (slope(h) - gradient[place]).magnitude / largest
      // Richardson's extrapolation, for strongly curved functions.
      for wide in [1e-5, 1e-3] where !(error <= tolerance) {
        let better = (4 * slope(wide / 2) - slope(wide)) / 3
        error = Swift.min(error, (better - gradient[place]).magnitude / largest)
      }
      if !(error <= worst) {
        worst = error
        if !(error <= tolerance) {
          problem =
            "gradient of input \(which), element \(place): \(gradient[place]) instead of \(slope(h)), "
            + "error \(error) of the largest gradient \(largest)"
        }
      }
    }
  }
  return problem
}
