import CallosumTensors
import CallosumTestSupport

extension Operation {
  static let ordering: [Operation] = [
    Operation("argSort") { x, a in
      x["x"].argSort(axis: a.int("axis"), descending: a.bool("descending"))
    },
    Operation("sorted") { x, a in
      x["x"].sorted(axis: a.int("axis"), descending: a.bool("descending"))
    },
    Operation("topK", topK), Operation("topKMany", topK),
    Operation("median") { x, a in x["x"].median(axis: a.int("axis")) },
    Operation("quantile") { x, a in x["x"].quantile(a.double("q"), axis: a.int("axis")) },
    Operation("oneHot") { x, a in x["x"].oneHot(count: a.int("count")) },
    Operation("uniqueValues") { x, _ in x["x"].unique().values },
    Operation("uniqueInverse") { x, _ in x["x"].unique().inverse },
    Operation("uniqueCounts") { x, _ in x["x"].unique().counts },
    Operation("segmentSum") { x, a in x["x"].segmentSum(x["segments"], count: a.int("count")) },
    Operation("segmentMean") { x, a in x["x"].segmentMean(x["segments"], count: a.int("count")) },
    Operation("segmentMax") { x, a in x["x"].segmentMax(x["segments"], count: a.int("count")) },
    Operation("segmentSoftmax") { x, a in x["x"].segmentSoftmax(x["segments"], count: a.int("count")) },
    Operation("masked") { x, _ in x["x"].masked(by: x["condition"]) },
    Operation("histogram") { x, a in
      x["x"].histogram(bins: a.int("bins"), low: a.double("low"), high: a.double("high"))
    },
  ]

  @Sendable private static func topK(_ x: Inputs, _ a: Arguments) -> Tensor {
    x["x"].topK(a.int("k"), axis: a.int("axis"), largest: a.bool("largest")).values
  }

  static let sampling: [Operation] = [
    Operation("padMode") { x, a in
      x["x"].padded(
        axis: a.int("axis"), before: a.int("before"), after: a.int("after"),
        mode: PaddingMode(rawValue: a.string("mode")) ?? .zeros)
    },
    Operation("gaussianFilter") { x, a in
      gaussianFilter(
        x["x"], sigma: a.double("sigma"), axis: a.int("axis"),
        mode: PaddingMode(rawValue: a.string("mode")) ?? .zeros, reach: a.double("reach"))
    },
    Operation("resize") { x, a in
      let sizes = a[list: "sizes"] ?? []
      return resized(
        x["x"], axes: Array(1...sizes.count), to: sizes,
        by: Interpolation(rawValue: a.string("mode")) ?? .linear, alignCorners: a.bool("alignCorners"))
    },
    Operation(
      "gridSample",
      kinks: ["on the elements, zeros", "on the elements, border", "on the elements, reflect"],
      tolerance: Tolerance(relative: 1e-5, ofLargest: 1e-5)
    ) { x, a in
      gridSample(
        x["x"], at: x["coordinates"], by: Interpolation(rawValue: a.string("interpolation")) ?? .linear,
        mode: PaddingMode(rawValue: a.string("mode")) ?? .zeros,
        alignCorners: a.bool("alignCorners"))
    },
    Operation("einsum") { x, a in einsum(a.string("formula"), x.numbered) },
  ]
}
