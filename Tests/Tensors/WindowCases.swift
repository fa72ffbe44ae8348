import CallosumTensors
import CallosumTestSupport

// Windows over spatial axes.

extension Operation {
  static let windows: [Operation] = convolutions + columns + pooling

  private static let convolutions: [Operation] = [
    Operation("conv3d") { x, a in
      conv3d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.triple("stride"),
        padding: a.triple("padding"), dilation: a.triple("dilation"), groups: a.int("groups"))
    },
    Operation("convTransposed1d") { x, a in
      convTransposed1d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.int("stride"),
        padding: a.int("padding"), outputPadding: a.int("outputPadding"), dilation: a.int("dilation"),
        groups: a.int("groups"))
    },
    Operation("convTransposed2d") { x, a in
      convTransposed2d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.pair("stride"),
        padding: a.pair("padding"), outputPadding: a.pair("outputPadding"), dilation: a.pair("dilation"),
        groups: a.int("groups"))
    },
    Operation("convTransposed3d") { x, a in
      convTransposed3d(
        x["x"], weight: x["weight"], bias: x[optional: "bias"], stride: a.triple("stride"),
        padding: a.triple("padding"), outputPadding: a.triple("outputPadding"),
        dilation: a.triple("dilation"), groups: a.int("groups"))
    },
  ]

  private static let columns: [Operation] = [
    Operation("unfold") { x, a in
      unfold(
        x["x"], kernel: a.ints("kernel"), stride: a.ints("stride"), padding: a.ints("padding"),
        dilation: a.ints("dilation"))
    },
    Operation("fold") { x, a in
      fold(
        x["x"], to: a.ints("size"), kernel: a.ints("kernel"), stride: a.ints("stride"),
        padding: a.ints("padding"), dilation: a.ints("dilation"))
    },
    Operation("pixelShuffle") { x, a in pixelShuffle(x["x"], factor: a.int("factor")) },
    Operation("pixelUnshuffle") { x, a in pixelUnshuffle(x["x"], factor: a.int("factor")) },
  ]

  private static let pooling: [Operation] = [
    Operation("maxPool2d", kinks: ["all negative"]) { x, a in
      maxPool2d(
        x["x"], kernel: a.pair("window"), stride: a.pair("stride"), padding: a.pair("padding"))
    },
    Operation("averagePool2d") { x, a in
      averagePool2d(
        x["x"], kernel: a.pair("window"), stride: a.pair("stride"), padding: a.pair("padding"),
        countPadding: a.bool("countsPadding"))
    },
    Operation("maxPool", kinks: ["ties on a line", "ties in an image", "ties in a volume"]) { x, a in
      maxPool(
        x["x"], kernel: a.ints("kernel"), stride: a.ints("stride"), padding: a.ints("padding"),
        dilation: a.ints("dilation"))
    },
    Operation("averagePool") { x, a in
      averagePool(
        x["x"], kernel: a.ints("kernel"), stride: a.ints("stride"), padding: a.ints("padding"),
        countPadding: a.bool("countsPadding"))
    },
    Operation("adaptiveMaxPool", kinks: ["ties"]) { x, a in adaptiveMaxPool(x["x"], to: a.ints("sizes")) },
    Operation("adaptiveAveragePool") { x, a in adaptiveAveragePool(x["x"], to: a.ints("sizes")) },
    Operation("globalMaxPool") { x, _ in globalMaxPool(x["x"]) },
    Operation("globalAveragePool") { x, _ in globalAveragePool(x["x"]) },
  ]
}

extension Arguments {
  fileprivate func triple(_ name: String) -> (Int, Int, Int) {
    let values = ints(name)
    return (values[0], values[1], values[2])
  }
}
