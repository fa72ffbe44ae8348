import CallosumTensors
import CallosumTestSupport

// Operations whose values are held by tests of their own, and not by a golden file: what they are tried on.

extension Operation {
  static let withoutGoldenFile: [Operation] = [
    Operation("trigamma", on: ["x": row]) { trigamma($0["x"]) },
    Operation("besselJ1", on: ["x": row]) { besselJ1($0["x"]) },
    Operation("isNaN", on: ["x": row]) { isNaN($0["x"]) },
    Operation("isFinite", on: ["x": row]) { isFinite($0["x"]) },
  ]

  private static let row = Tensor([0.5, 2, 3, 1.5] as [Float])
}
