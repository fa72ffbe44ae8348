import CallosumContracts
import CallosumTensors

/// Fashion-MNIST as a task: grey levels from 0 to 1, standardised by the mean and standard deviation
/// of the training pixels; the test images are those of the data set.
public struct FashionMNISTTask: ImageClassification {
  public let id = "fashion-mnist"
  public let name = "Fashion-MNIST"
  public let imageShape = [FashionMNIST.height, FashionMNIST.width, 1]
  public let classCount = FashionMNIST.classNames.count
  private let data: FashionMNIST
  private let mean, deviation: Float

  /// - Throws: ``DataSetError`` or ``IDXError``, each a line that says what to do.
  public init() throws { self.init(try FashionMNIST()) }

  package init(_ data: FashionMNIST) {
    self.data = data
    (mean, deviation) = data.training.levels
  }

  public var trainingCount: Int { data.training.count }
  public var testCount: Int { data.test.count }

  public func trainingBatch(_ indices: [Int]) -> Batch { batch(data.training, indices) }
  public func testBatch(_ range: Range<Int>) -> Batch { batch(data.test, Array(range)) }

  private func batch(_ split: FashionMNIST.Split, _ indices: [Int]) -> Batch {
    let pixels = imageShape.reduce(1, *)
    let scale = 1 / (255 * deviation), shift = -mean / deviation
    let images = [Float](unsafeUninitializedCapacity: indices.count * pixels) { buffer, count in
      split.images.withUnsafeBufferPointer { source in
        for (position, index) in indices.enumerated() {
          for pixel in 0..<pixels {
            buffer[position * pixels + pixel] = Float(source[index * pixels + pixel]) * scale + shift
          }
        }
      }
      count = indices.count * pixels
    }
    return Batch(
      inputs: Tensor(images, [indices.count] + imageShape),
      targets: Tensor(indices.map { Int32(split.labels[$0]) }))
  }
}
