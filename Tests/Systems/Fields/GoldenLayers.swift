import CallosumNetworks
import CallosumTensors
import CallosumTestSupport

/// What is wrong with a layer against a case of a golden file, `<case>.x`, `.y`, `.cotangent`, `.weight.<name>`
/// and `.gradient.<name>`: weights by name, the output, the gradients by the input and every parameter.
func goldenProblems(_ layer: any Layer, _ name: String, in golden: GoldenTensors) -> [String] {
  let tensors = golden.group("\(name).")
  let parameters = layer.parameters()
  let names = Set(parameters.map { "weight.\($0.name)" })
  let theirs = Set(tensors.keys.filter { $0.hasPrefix("weight.") })
  guard names == theirs, let x = tensors["x"], let cotangent = tensors["cotangent"] else {
    return ["weights differ: \(names.symmetricDifference(theirs).sorted())"]
  }
  for one in parameters { one.value = golden["\(name).weight.\(one.name)"] }
  var problems: [String] = []
  for (dtype, tolerance) in [(DType.float64, 1e-11), (.float32, 1e-5)] {
    let values = ([x] + parameters.map(\.value)).map { $0.asType(dtype) }
    let (outputs, pullback) = valueAndPullback(at: values) { all in
      withParameters(parameters, as: Array(all.dropFirst())) { [layer(all[0])] }
    }
    let gradients = pullback([cotangent.asType(dtype)])
    // Where a gradient cancels, rounding errors are those of the largest around.
    let largest = gradients.flatMap(\.doubles).map(abs).max() ?? 0
    func compare(_ what: String, _ ours: Tensor, _ absolute: Double = 0) {
      let allowed = Tolerance(relative: tolerance, ofLargest: tolerance, absolute: absolute)
      let comparison = Comparison(ours.asType(.float64), golden["\(name).\(what)"], within: allowed)
      if let problem = comparison.problem { problems.append("\(what), \(dtype): \(problem)") }
    }
    compare("y", outputs[0])
    for (place, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
      compare("gradient.\(place)", gradient, 0.1 * tolerance * largest)
    }
  }
  return problems
}
