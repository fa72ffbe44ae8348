import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// Runs one part on tensors from a file: the door for checks from outside.
struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a part on given tensors, with its derivatives on request.",
    discussion: """
      The input file (safetensors) holds the tensors that 'callosum describe' lists as inputs. With \
      --gradients it also holds 'g', of the shape of the first output (or 'g.NAME' for any output), and \
      the output file gets, as 'grad.NAME', the derivative of sum(output * g) by every input and parameter.
      """)

  @OptionGroup var options: PartOptions
  @Option(help: "File with the inputs.") var input: String
  @Option(help: "File with the weights, by the names that 'describe' prints.") var weights: String?
  @Option(help: "File to write the outputs to.") var output: String
  @Option(help: "File to write the weights to.") var saveWeights: String?
  @Flag(help: "Write the derivatives too.") var gradients = false
  @Flag(name: .customLong("training"), help: "Training mode, with dropout and the like.")
  var isTraining = false
  @Option(help: "float32 or float64.") var dtype = "float32"
  @OptionGroup var json: JSONOption

  func run() throws {
    guard let type = [DType.float32, .float64].first(where: { "\($0)" == dtype }) else {
      throw UsageError("--dtype must be float32 or float64, is '\(dtype)'")
    }
    try checkFiles(
      reading: [("--input", input)] + (weights.map { [("--weights", $0)] } ?? []),
      writing: [("--output", output)] + (saveWeights.map { [("--save-weights", $0)] } ?? []))
    let door = try options.open().door
    let places = (door.module?.parameters() ?? []) + (door.module?.buffers() ?? [])
    if let weights {
      guard let module = door.module, !places.isEmpty else {
        throw UsageError("\(options.id) has no weights; leave --weights out")
      }
      try module.load(from: weights, as: type)
    }
    if let saveWeights { try door.module?.save(to: saveWeights) }
    for place in places where place.value.dtype.isFloatingPoint { place.value = place.value.asType(type) }

    let given = try Safetensors.load(input).tensors.mapValues {
      $0.dtype.isFloatingPoint ? $0.asType(type) : $0
    }
    let isCotangent = { (name: String) in name == "g" || name.hasPrefix("g.") }
    let inputs = given.filter { !isCotangent($0.key) }
    let cotangents = given.filter { isCotangent($0.key) }
    try require(
      gradients != cotangents.isEmpty,
      gradients
        ? "--gradients needs a tensor 'g' in \(input), of the shape of the first output"
        : "\(input) holds 'g', which is for --gradients only")
    let results = try gradients ? derivatives(door, inputs, cotangents) : call(door, inputs)
    try Safetensors.save(results, metadata: ["part": options.id], to: output)
    if json.json {
      try json.print(results.mapValues(\.shape))
    } else {
      for (name, tensor) in results.sorted(by: { $0.key < $1.key }) { print("\(name) \(tensor.shape)") }
    }
  }

  private func call(_ door: Door, _ inputs: [String: Tensor]) throws -> [String: Tensor] {
    var random = RandomGenerator(seed: options.seed).stream("apply")
    var inner = random.stream("layers")
    return try isTraining
      ? training(using: &inner) { try door(inputs, using: &random) } : door(inputs, using: &random)
  }

  /// The outputs, and the derivative of the sum of all outputs times their cotangents.
  private func derivatives(
    _ door: Door, _ inputs: [String: Tensor], _ cotangents: [String: Tensor]
  ) throws -> [String: Tensor] {
    let parameters = door.module?.parameters() ?? []
    let names = inputs.keys.sorted().filter { inputs[$0]?.dtype.isFloatingPoint ?? false }
    var results: [String: Tensor] = [:]
    let leaves = names.compactMap { inputs[$0] } + parameters.map(\.value)
    let (_, gradients) = try valueAndGradient(at: leaves) { leaves in
      let replaced = inputs.merging(zip(names, leaves)) { $1 }
      return try withParameters(parameters, as: Array(leaves.dropFirst(names.count))) {
        let outputs = try call(door, replaced)
        results = outputs.mapValues(stopGradient)
        return try weightedSum(door, outputs, cotangents)
      }
    }
    for (name, gradient) in zip(names + parameters.map(\.name), gradients) {
      results["grad.\(name)"] = gradient
    }
    return results
  }

  private func weightedSum(
    _ door: Door, _ outputs: [String: Tensor], _ cotangents: [String: Tensor]
  ) throws -> Tensor {
    var sum: Tensor?
    for (name, cotangent) in cotangents.sorted(by: { $0.key < $1.key }) {
      let of = name == "g" ? door.outputs.first?.name ?? "" : String(name.dropFirst(2))
      guard let output = outputs[of] else {
        throw unknownName("output", of, in: outputs.keys)
      }
      try require(
        output.shape == cotangent.shape,
        "'\(name)' must have the shape of '\(of)', \(output.shape), has \(cotangent.shape)")
      let term = (output * cotangent).sum()
      sum = sum.map { $0 + term } ?? term
    }
    guard let sum else { throw InvalidInput("there is no 'g' to derive by") }
    return sum
  }
}
