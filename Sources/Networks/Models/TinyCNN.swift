import CallosumTensors

/// A small convolutional classifier, for looking inside: images [batch, height, width, channels] -> logits
/// [batch, classes].
///
/// Each stage is a 3 x 3 convolution without bias, batch normalisation, ReLU and 2 x 2 max pooling; then come
/// a hidden layer with ReLU, if `hidden` is not 0, and the output layer. Parameters: `stages.N.convolution`,
/// `stages.N.norm`, `dense`, `output`. To be read by hooks: `stages.N` (behind the pooling) and
/// `dense` (behind the ReLU).
public final class TinyCNN: Layer {
  public final class Stage: Layer {
    public let convolution: Conv2d
    public let norm: BatchNorm

    init(_ inputs: Int, _ outputs: Int, using generator: inout RandomGenerator) {
      convolution = Conv2d(
        inputs, outputs, kernel: (3, 3), padding: (1, 1), bias: false, using: &generator)
      norm = BatchNorm(outputs)
    }

    public func forward(_ x: Tensor) -> Tensor {
      maxPool2d(relu(norm(convolution(x))), kernel: (2, 2))
    }
  }

  public let stages: [Stage]
  public let dense: Linear?
  public let output: Linear

  /// - Parameters:
  ///   - imageShape: height, width and channels.
  ///   - channels: of each stage.
  ///   - hidden: units of the hidden layer; 0 for none.
  public init(
    imageShape: [Int], classes: Int, stages channels: [Int] = [16, 32, 64], hidden: Int = 128,
    using generator: inout RandomGenerator
  ) {
    let smallest = 1 << channels.count
    precondition(
      imageShape.count == 3 && imageShape[0] >= smallest && imageShape[1] >= smallest, "TinyCNN",
      "\(channels.count) stages need images of at least \(smallest) x \(smallest), these are \(imageShape)")
    let before = [imageShape[2]] + channels
    stages = zip(before, channels).map { Stage($0, $1, using: &generator) }
    let (rows, columns) = (imageShape[0] >> channels.count, imageShape[1] >> channels.count)
    let features = rows * columns * before[channels.count]
    dense = hidden > 0 ? Linear(features, hidden, activation: .relu, using: &generator) : nil
    output = Linear(hidden > 0 ? hidden : features, classes, using: &generator)
  }

  public func forward(_ images: Tensor) -> Tensor {
    let features = stages.reduce(images) { $1($0) }.flattened(start: 1)
    return output(dense.map { $0(features) } ?? features)
  }

  /// The names of what each layer puts out, from the first to the logits.
  public var layerNames: [String] {
    stages.indices.map { "stages.\($0)" } + (dense == nil ? [] : ["dense"]) + ["output"]
  }
}
