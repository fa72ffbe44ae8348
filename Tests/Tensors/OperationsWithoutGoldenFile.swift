import CallosumTensors
import CallosumTestSupport

// Operations whose values are held by tests of their own, and not by a golden file: what they are tried on.

extension Operation {
  static let withoutGoldenFile: [Operation] =
    special + numbers + moves + complexNumbers + sequences + draws

  private static let row = Tensor([0.5, 2, 3, 1.5] as [Float])
  private static let matrix = Tensor([0.5, 2, -3, 1.5, -0.25, 4] as [Float], [2, 3])
  private static let places = Tensor([1, 0] as [Int32])

  private static func one(_ name: String, _ function: @escaping @Sendable (Tensor) -> Tensor) -> Operation {
    Operation(name, on: ["x": row]) { function($0["x"]) }
  }

  private static let special: [Operation] = [
    one("trigamma", trigamma), one("besselJ1", besselJ1), one("isNaN", isNaN), one("isFinite", isFinite),
    one("roundStraightThrough", roundStraightThrough), one("signStraightThrough", signStraightThrough),
    one("gradientScaled") { gradientScaled($0, by: 0.5) }, one("spike") { spike($0) },
    Operation("floorDivide", on: ["a": matrix, "b": row.sliced(axis: 0, to: 3)]) {
      floorDivide($0["a"], $0["b"])
    },
    Operation("conjugateGradient", on: ["b": matrix]) { conjugateGradient($0["b"]) { $0 * 2 }.solution },
    Operation("eulerStep", on: ["x": row]) { eulerStep($0["x"], step: 0.1) { _, x in -x } },
    Operation("rungeKuttaStep", on: ["x": row]) { rungeKuttaStep($0["x"], step: 0.1) { _, x in -x } },
    Operation("eigvalsh", on: ["x": Tensor([2, 0.5, 0.5, 1] as [Float], [2, 2])]) { eigvalsh($0["x"]) },
    Operation("attentionWeights", on: ["q": image, "k": image]) {
      attentionWeights(queries: $0["q"], keys: $0["k"])
    },
  ]

  private static let image = Tensor((0..<16).map { Float($0) / 8 - 1 }, [1, 2, 4, 2])
  private static let volume = Tensor((0..<16).map { Float($0) / 8 - 1 }, [1, 2, 2, 2, 2])

  /// Beside Swift numbers: the types change by PyTorch's rule, so that the values never do.
  private static let numbers: [Operation] = [
    one("add a number") { $0 + 0.5 }, one("add to a number") { 0.5 + $0 },
    one("add a whole number") { $0 + 2 },
    one("subtract a number") { $0 - 0.5 }, one("subtract from a number") { 0.5 - $0 },
    one("multiply by a number") { $0 * 0.5 }, one("multiply by a whole number") { $0 * 3 },
    one("divide by a number") { $0 / 3.0 }, one("divide by a whole number") { $0 / 3 },
    one("remainder by a number") { $0 % 1.5 }, one("remainder by a whole number") { $0 % 2 },
    one("power of a number") { pow(abs($0), 0.5) }, one("square by power") { pow($0, 2) },
    one("cube by power") { pow($0, 3) }, one("maximum with a number") { maximum($0, 0.5) },
    one("minimum with a number") { minimum($0, 0.5) }, one("maximum with a whole number") { maximum($0, 1) },
    one("clip between numbers") { clip($0, min: -0.5, max: 1.5) },
    one("clip between whole numbers") { clip($0, min: -1, max: 1) },
    one("clip below") { clip($0, max: 1) }, one("floorDivide by a whole number") { floorDivide($0, 2) },
    one("floorDivide by a number") { floorDivide($0, 1.5) },
    one("equal to a number") { $0 .== 0.5 }, one("notEqual to a number") { $0 .!= 0.5 },
    one("less than a number") { $0 .< 0.5 }, one("lessEqual to a number") { $0 .<= 0.5 },
    one("greater than a number") { $0 .> 0.5 }, one("greaterEqual to a number") { $0 .>= 0.5 },
    one("less than a whole number") { $0 .< 1 },
    one("equal to a number beyond int32") { $0 .== 3_000_000_000 },
    one("less than a number beyond int32") { $0 .< 3_000_000_000 }, one("add NaN") { $0 + .nan },
    Operation("which with a number", on: ["condition": Tensor([true, false, true, false]), "x": row]) {
      which($0["condition"], $0["x"], 0.5)
    },
    Operation("which with a whole number", on: ["condition": Tensor([true, false, true, false]), "x": row]) {
      which($0["condition"], 7, $0["x"])
    },
  ]

  private static let moves: [Operation] = [
    one("expandedDimensions") { $0.expandedDimensions(axis: 0) },
    one("squeezed") { $0.reshaped(1, 4).squeezed(axis: 0) },
    one("flattened") { $0.reshaped(2, 2).flattened() },
    one("movedAxis") {
      $0.reshaped(2, 2, 1).movedAxis(source: 0, destination: 2)
    },
    one("contiguous") { $0.reshaped(2, 2).transposed().contiguous() },
    one("split") { $0.split(parts: 2)[1] }, one("subscript") { $0[1..<3] },
    one("shifted by whole numbers") { $0.shifted(1, axis: 0, filledWith: 1) },
    one("kthValue") { $0.kthValue(1) }, one("nonZero") { $0.nonZero() },
    one("cummaxWithIndices") { $0.cummaxWithIndices(axis: 0).indices },
    one("overlapAdded") { $0.reshaped(2, 2).overlapAdded(to: [3], axis: 0) },
    Operation("subscript by tensor", on: ["x": matrix, "places": places]) { $0["x"][$0["places"]] },
    Operation(
      "subscript by mask", on: ["x": row, "mask": Tensor([true, false, true, false])], readsByType: ["mask"]
    ) { $0["x"][$0["mask"]] },
    Operation("assign", on: ["x": matrix, "value": row.sliced(axis: 0, to: 3)]) { inputs in
      var x = inputs["x"]
      x[1] = inputs["value"]
      return x
    },
    Operation("assign at tensor", on: ["x": matrix, "places": places, "value": matrix]) { inputs in
      var x = inputs["x"]
      x[inputs["places"]] = inputs["value"]
      return x
    },
    Operation(
      "scatterAddedAlong",
      on: ["x": matrix, "places": Tensor([0, 1, 0, 1, 1, 0] as [Int32], [2, 3])]
    ) { $0["x"].scatterAddedAlong($0["places"], axis: 0, count: 2) },
    Operation("maxPool1d", on: ["x": row.reshaped(1, 4, 1)]) { maxPool1d($0["x"], kernel: 2) },
    Operation("averagePool1d", on: ["x": row.reshaped(1, 4, 1)]) { averagePool1d($0["x"], kernel: 2) },
    Operation("maxPool3d", on: ["x": volume]) { maxPool3d($0["x"], kernel: (2, 2, 2)) },
    Operation("averagePool3d", on: ["x": volume]) { averagePool3d($0["x"], kernel: (2, 2, 2)) },
    Operation("rowSums", on: ["x": matrix]) { SparseMatrix($0["x"]).rowSums() },
    Operation("withValues", on: ["x": matrix, "values": matrix.flattened()]) {
      SparseMatrix($0["x"]).withValues($0["values"]).dense()
    },
    // Tall enough for the kernel that leaves out zeros.
    Operation("sparseLinear, sparse", on: ["x": mostlyZero, "weight": .ones([32, 8]), "bias": .ones([32])]) {
      sparseLinear($0["x"], weight: $0["weight"], bias: $0["bias"])
    },
  ]

  private static let mostlyZero = Tensor((0..<24).map { $0 % 7 == 1 ? Float($0) : 0 }, [3, 8])

  private static let complexNumbers: [Operation] = [
    Operation("complex", on: ["real": row, "imaginary": row]) {
      complex(real: $0["real"], imaginary: $0["imaginary"])
    },
    Operation("realPart", on: ["z": image]) { realPart($0["z"]) },
    Operation("imaginaryPart", on: ["z": image]) { imaginaryPart($0["z"]) },
    Operation("conjugate", on: ["z": image]) { conjugate($0["z"]) },
  ]

  private static let sequences: [Operation] = [
    Operation(
      "leakyIntegrateAndFireStep", on: ["current": matrix, "leak": Tensor(Float(0.5)), "state": matrix]
    ) {
      leakyIntegrateAndFireStep($0["current"], leak: $0["leak"], state: SpikingState(potential: $0["state"]))
        .potentials
    },
    Operation(
      "leakyMemory",
      on: [
        "sums": image.reshaped(2, 4, 2), "inner": .ones([2, 3]), "outer": .ones([3, 2]), "bias": .ones([3]),
        "keep": .full([3], 0.5), "gain": .ones([3]), "initial": matrix,
      ]
    ) { x in
      leakyMemory(
        x["sums"],
        weights: LeakyMemoryWeights(
          inner: x["inner"], outer: x["outer"], bias: x["bias"], keep: x["keep"], gain: x["gain"]),
        initial: x["initial"])
    },
  ]

  private static func draw(
    _ name: String, _ inputs: [String: Tensor],
    _ body: @escaping @Sendable (Inputs, inout RandomGenerator) -> Tensor
  ) -> Operation {
    Operation(name, on: inputs) { x in
      var generator = RandomGenerator(seed: 7)
      return body(x, &generator)
    }
  }

  private static let draws: [Operation] = [
    draw("poisson", ["rate": row]) { $1.poisson($0["rate"]) },
    draw("gamma", ["concentration": row]) { $1.gamma($0["concentration"]) },
    draw("beta", ["alpha": row, "beta": row]) { $1.beta($0["alpha"], $0["beta"]) },
    draw("dirichlet", ["concentration": row]) { $1.dirichlet($0["concentration"]) },
    draw("categorical", ["logits": matrix]) { $1.categorical($0["logits"]) },
    draw("multivariateNormal", ["mean": row, "covariance": .eye(4)]) {
      $1.multivariateNormal(mean: $0["mean"], covariance: $0["covariance"])
    },
    draw("dropout", ["x": row]) { dropout($0["x"], rate: 0.5, using: &$1) },
  ]
}
