import CallosumTensors
import CallosumTestSupport

// What networks of coordinates and of splines read their inputs with.

extension Operation {
  static let fields: [Operation] = [
    Operation("bsplineBasis", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      bsplineBasis(
        x["x"], intervals: a.int("intervals"), from: a.double("low"), to: a.double("high"),
        degree: a.int("degree"))
    },
    Operation(
      "squaredDistances", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6),
      // The points themselves are known to 6e-5.
      cancelling: ["far away": Tolerance(relative: 5e-6, ofLargest: 1e-5)]
    ) { x, _ in squaredDistances(x["a"], x["b"]) },
    Operation("cosineSimilarities", tolerance: Tolerance(relative: 5e-6, ofLargest: 2e-6)) { x, _ in
      cosineSimilarities(x["a"], x["b"])
    },
    Operation("nearestNeighbours", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      nearestNeighbours(of: x["a"], in: x["b"], count: a.int("count"), block: a.int("block")).squaredDistances
    },
    Operation("sphericalHarmonics", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      sphericalHarmonics(x["x"], degree: a.int("degree"))
    },
    // A place in a fine cell has lost the bits that tell the cell.
    Operation("hashGridEncoding", tolerance: Tolerance(relative: 5e-6, ofLargest: 1e-5)) { x, a in
      hashGridEncoding(x["x"], table: x["table"], resolutions: a.ints("resolutions"))
    },
  ]
}
