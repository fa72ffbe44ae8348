import CallosumContracts
import CallosumNetworks
import CallosumTensors

// Parts and layers against a case of a golden file. It holds `<case>.<input>`, `<case>.<output>`, and
// `<case>.weight.<name>` of every parameter, and of the buffers that a start of their own would give other
// numbers; and, for the sum of an output times its `<case>.cotangent`, the `<case>.gradient.<name>` of every
// input and parameter. Where several outputs have a derivative, each has its own `<case>.cotangent.<output>`.

/// What is wrong with a layer, whose input is `x` and whose output is `y`.
public func goldenProblems(_ layer: any Layer, _ name: String, in golden: GoldenTensors) -> [String] {
  problems(name, in: golden, layer, inputs: ["x"], outputs: ["y"]) {
    ["y": layer($0["x"] ?? Tensor(0, .float32))]
  }
}

/// What is wrong with a part, whose inputs and outputs are those of its door. The state that it carries starts
/// where it starts by itself; the file may hold what is left of it in the end. `float32` is the tolerance of that type,
/// larger for what makes much of rounding, such as the upstroke of a spike.
public func goldenProblems(
  _ door: Door, _ name: String, in golden: GoldenTensors, float32: Double = 1e-5
) throws -> [String] {
  let inputs = door.inputs.map(\.name).filter { !door.carried.contains($0) }
  let outputs = door.outputs.map(\.name).filter { golden.tensors["\(name).\($0)"] != nil }
  var random = RandomGenerator(seed: 1)
  var failure: (any Error)?
  let found = problems(
    name, in: golden, door.module,
    inputs: inputs.filter { golden.tensors["\(name).\($0)"] != nil }, outputs: outputs, float32: float32
  ) { tensors in
    do { return try door(tensors, using: &random) } catch {
      failure = error
      return tensors
    }
  }
  if let failure { throw failure }
  return found
}

private func problems(
  _ name: String, in golden: GoldenTensors, _ module: (any Module)?, inputs: [String],
  outputs: [String], float32: Double = 1e-5, _ apply: ([String: Tensor]) -> [String: Tensor]
) -> [String] {
  let tensors = golden.group("\(name).")
  let parameters = module?.parameters() ?? []
  let buffers = (module?.buffers() ?? []).filter { tensors["weight.\($0.name)"] != nil }
  let names = Set((parameters + buffers).map { "weight.\($0.name)" })
  let theirs = Set(tensors.keys.filter { $0.hasPrefix("weight.") })
  guard names == theirs else {
    return ["weights differ: \(names.symmetricDifference(theirs).sorted())"]
  }
  guard !inputs.isEmpty, !outputs.isEmpty else { return ["there is no case \(name)"] }
  let moving = inputs.filter { golden["\(name).\($0)"].dtype.isFloatingPoint }
  let fixed = inputs.filter { !moving.contains($0) }.map { ($0, golden["\(name).\($0)"]) }
  let cotangents = outputs.map {
    tensors["cotangent.\($0)"] ?? (outputs.count == 1 ? tensors["cotangent"] : nil)
  }
  var problems: [String] = []
  for (dtype, tolerance) in [(DType.float64, 1e-11), (.float32, float32)] {
    for one in parameters + buffers {
      let value = golden["\(name).weight.\(one.name)"]
      one.value = value.dtype.isFloatingPoint ? value.asType(dtype) : value
    }
    let values = (moving.map { golden["\(name).\($0)"] } + parameters.map(\.value)).map { $0.asType(dtype) }
    let (found, pullback) = valueAndPullback(at: values) { all in
      let given = Dictionary(uniqueKeysWithValues: zip(moving, all) + fixed)
      return withParameters(parameters, as: Array(all.dropFirst(moving.count))) {
        let results = apply(given)
        return outputs.map { results[$0] ?? Tensor(0, dtype) }
      }
    }
    func compare(_ what: String, _ ours: Tensor, _ absolute: Double = 0) {
      let allowed = Tolerance(relative: tolerance, ofLargest: tolerance, absolute: absolute)
      let expected = golden["\(name).\(what)"]
      let comparison = Comparison(
        ours.dtype.isFloatingPoint ? ours.asType(.float64) : ours, expected, within: allowed)
      if let problem = comparison.problem { problems.append("\(what), \(dtype): \(problem)") }
    }
    for (output, value) in zip(outputs, found) { compare(output, value) }
    guard cotangents.contains(where: { $0 != nil }) else { continue }
    let gradients = pullback(
      zip(cotangents, found).map { $0?.asType(dtype) ?? .zeros($1.shape, dtype: dtype) })
    // Where a gradient cancels, rounding errors are those of the largest around.
    let largest = gradients.flatMap(\.doubles).map(abs).max() ?? 0
    for (place, gradient) in zip(moving + parameters.map(\.name), gradients) {
      compare("gradient.\(place)", gradient, 0.1 * tolerance * largest)
    }
  }
  return problems
}
