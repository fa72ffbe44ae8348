import CallosumTensors
import CallosumTestSupport

// Values put at places, sparse matrices, and other arrangements of numbers.

extension Operation {
  static let placement: [Operation] = [
    Operation("put") { x, a in x["x"].put(x["indices"], values: x["values"], axis: a.int("axis")) },
    Operation("putAlong") { x, a in
      x["x"].putAlong(x["indices"], values: x["values"], axis: a.int("axis"))
    },
    Operation("putReduced", kinks: ["ties max", "ties min"]) { x, a in
      let reduction = ScatterReduction(rawValue: a.string("reduction")) ?? .last
      let own = a.bool("includingSelf"), (base, axis) = (x["x"], a.int("axis"))
      if base.ndim > 1 {
        return base.putAlong(
          x["indices"], values: x["values"], axis: axis, reducing: reduction, includingSelf: own)
      }
      return base.put(x["indices"], values: x["values"], axis: axis, reducing: reduction, includingSelf: own)
    },
    Operation("maxPoolIndices") { x, a in
      maxPoolWithIndices(
        x["x"], kernel: a.ints("kernel"), stride: a.ints("stride"), padding: a.ints("padding")
      ).indices
    },
    Operation("maxUnpool") { x, a in
      maxUnpool(
        x["x"], indices: x["indices"], kernel: a.ints("kernel"), stride: a.ints("stride"),
        padding: a.ints("padding"), to: a[list: "size"])
    },
  ]

  static let rearrangement: [Operation] = [
    Operation("shift") { x, a in
      x["x"].shifted(a.int("shift"), axis: a.int("axis"), filledWith: a.double("value"))
    },
    Operation("rot90") { x, a in x["x"].rotated90(times: a.int("times"), axes: a.pair("axes")) },
    Operation("bincount") { x, a in x["x"].bincount(count: a.int("count"), weights: x["weights"]) },
    Operation("kronecker") { x, _ in kronecker(x["a"], x["b"]) },
    Operation("kroneckerMatmul") { x, _ in kroneckerMatmul(x["a"], x["b"], x["x"]) },
    Operation("rotationMatrices", tolerance: Tolerance(relative: 5e-6, ofLargest: 2e-6, absolute: 1e-6)) {
      x, _ in
      rotationMatrices(ofQuaternions: x["q"])
    },
  ]

  static let sparse: [Operation] = [
    Operation("sparseMatmul") { x, a in
      let matrix = matrix(x, a)
      return matmul(a.bool("transposed") ? matrix.transposed() : matrix, x["x"])
    },
    Operation("sparseDense") { x, a in matrix(x, a).dense() },
    // An element that is 0 takes no part, until it is not.
    Operation(
      "sparseFromDense",
      kinks: ["square", "wide", "tall", "no elements", "one row", "elements that meet", "large"]
    ) { x, _ in matmul(SparseMatrix(x["x"]), x["w"]) },
    Operation("sparseNormalisedRows") { x, a in matrix(x, a).normalisedRows().dense() },
    Operation("sparseNormalisedSymmetrically") { x, a in
      let matrix = matrix(x, a)
      return (a[number: "diagonal"].map { matrix.addingDiagonal($0) } ?? matrix)
        .normalisedSymmetrically().dense()
    },
  ]

  private static func matrix(_ x: Inputs, _ a: Arguments) -> SparseMatrix {
    SparseMatrix(rows: x["rows"], columns: x["columns"], values: x["values"], shape: a.pair("shape"))
  }
}
