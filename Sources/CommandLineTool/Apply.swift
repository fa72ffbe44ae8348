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
    try checkFormat(of: output, by: "--output", "safetensors")
    if let saveWeights { try checkFormat(of: saveWeights, by: "--save-weights", "safetensors") }
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

    let file = try SafetensorsFile(path: input)
    let isCotangent = { (name: String) in name == "g" || name.hasPrefix("g.") }
    let (cotangentNames, inputNames) = (
      file.entries.keys.filter(isCotangent), file.entries.keys.filter { !isCotangent($0) }
    )
    try require(
      gradients != cotangentNames.isEmpty,
      gradients
        ? "--gradients needs a tensor 'g' in \(input), of the shape of the first output"
        : "\(input) holds 'g', which is for --gradients only")
    // A large file of other tensors is refused before they are read.
    func converted(_ given: DType) -> DType { given.isFloatingPoint ? type : given }
    var described: [String: (DType, [Int])] = [:]
    for name in inputNames {
      guard let entry = file.entries[name] else { continue }
      // Of a type that is not supported, reading says so.
      described[name] = (converted(try entry.dtype ?? file.tensor(name).dtype), entry.shape)
    }
    try door.check(described)
    func read(_ names: [String]) throws -> [String: Tensor] {
      var tensors: [String: Tensor] = [:]
      for name in names {
        let tensor = try file.tensor(name)
        tensors[name] = tensor.asType(converted(tensor.dtype))
      }
      return tensors
    }
    let results = try door.applied(
      to: read(inputNames), cotangents: read(cotangentNames), isTraining: isTraining,
      using: RandomGenerator(seed: options.seed).stream("apply"))
    try Safetensors.save(results, metadata: ["part": options.id], to: output)
    if json.json {
      try json.print(results.mapValues(\.shape))
    } else {
      for (name, tensor) in results.sorted(by: { $0.key < $1.key }) { print("\(name) \(tensor.shape)") }
    }
  }
}
