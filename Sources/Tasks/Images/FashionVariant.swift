import CallosumContracts
import CallosumTensors

/// Fashion-MNIST, in part and transformed: subsets, some of the classes, and any chain of transforms, for all
/// pictures or for those judged by only.
///
/// The data set's training pictures, in an order that the seed decides, are learned from (the first) and
/// validated by (the last); its test pictures judge, the first of them. Levels are standardised by the mean
/// and deviation of all training pixels of the data set, after the transforms.
public struct FashionVariant: ImageClassification {
  public struct Settings: Configuration {
    /// How many pictures of the chosen classes each split has at most.
    public var training = 55_000
    public var validation = 5000
    public var test = 10_000
    /// The classes kept, which are numbered anew in this order.
    public var classes = Array(0..<10)
    public var transforms: [ImageTransform] = []
    /// Further transforms of the pictures judged by.
    public var testTransforms: [ImageTransform] = []
    public var seed: UInt64 = 0
    public init() {}

    public func validate() throws {
      try require(
        training > 0 && validation >= 0 && test > 0,
        "training and test must be at least 1 and validation at least 0")
      try require(
        !classes.isEmpty && Set(classes).count == classes.count && classes.allSatisfy((0..<10).contains),
        "classes must be different numbers from 0 to 9, are \(classes)")
    }
  }

  public let id = "fashion-mnist-variant"
  public let name = "Fashion-MNIST, changed"
  public let imageShape: [Int]
  public let settings: Settings
  private let data: FashionMNIST
  private let indices: [Split: [Int]]
  private let transforms: [Split: [ImageTransform.Prepared]]
  private let mean, deviation: Float

  /// - Throws: ``DataSetError`` or ``IDXError`` where the data set is missing, `InvalidInput` for settings that
  ///   make no sense.
  public init(_ settings: Settings = Settings()) throws { try self.init(settings, data: try FashionMNIST()) }

  public init(_ settings: Settings, data: FashionMNIST) throws {
    try settings.validate()
    var (rows, columns) = (FashionMNIST.height, FashionMNIST.width)
    func prepared(_ transform: ImageTransform) throws -> ImageTransform.Prepared {
      let before = (rows, columns)
      (rows, columns) = try transform.shape(rows, columns)
      return transform.prepared(before.0, before.1)
    }
    let forAll = try settings.transforms.map(prepared)
    let shape = (rows, columns)
    let forTest = try settings.testTransforms.map(prepared)
    try require((rows, columns) == shape, "testTransforms must keep the shape of pictures")
    transforms = [.training: forAll, .validation: forAll, .test: forAll + forTest]
    imageShape = [rows, columns, 1]
    self.settings = settings
    self.data = data
    (mean, deviation) = data.training.levels

    var order = RandomGenerator(seed: settings.seed).stream("fashion-mnist/order")
    let isKept = { (label: UInt8) in settings.classes.contains(Int(label)) }
    let learnable = data.training.labels.indices.filter { isKept(data.training.labels[$0]) }
      .shuffled(using: &order)
    let judging = data.test.labels.indices.filter { isKept(data.test.labels[$0]) }
    try require(
      !learnable.isEmpty && !judging.isEmpty, "there are no pictures of the classes \(settings.classes)")
    let validation = min(settings.validation, learnable.count - 1)
    indices = [
      .training: Array(learnable.prefix(min(settings.training, learnable.count - validation))),
      .validation: Array(learnable.suffix(validation)), .test: Array(judging.prefix(settings.test)),
    ]
  }

  public var classCount: Int { settings.classes.count }
  public var trainingCount: Int { count(.training) ?? 0 }
  public var testCount: Int { count(.test) ?? 0 }
  public func trainingBatch(_ indices: [Int]) -> Batch { batch(.training, indices) }
  public func testBatch(_ range: Range<Int>) -> Batch { batch(.test, Array(range)) }
  public func count(_ split: Split) -> Int? { indices[split]?.count ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    var pixels: [Float] = []
    for index in indices {
      pixels += image(split, index).pixels.map { ($0 - mean) / deviation }
    }
    return Batch(
      inputs: Tensor(pixels, [indices.count] + imageShape),
      targets: Tensor(indices.map { Int32(settings.classes.firstIndex(of: fashionClass(split, $0)) ?? 0) }))
  }

  /// A picture after its transforms, levels from 0 to 1.
  public func image(_ split: Split, _ index: Int) -> GreyImage {
    var generator = exampleStream("image", of: id, settings.seed, split, index)
    var image = source(split).image(place(split, index))
    for transform in transforms[split] ?? [] { image = transform(image, &generator) }
    return image
  }

  /// The class of a picture in the data set.
  public func fashionClass(_ split: Split, _ index: Int) -> Int {
    Int(source(split).labels[place(split, index)])
  }

  private func place(_ split: Split, _ index: Int) -> Int { indices[split]?[index] ?? 0 }
  private func source(_ split: Split) -> FashionMNIST.Split { split == .test ? data.test : data.training }
}

extension FashionMNIST.Split {
  /// A picture with levels from 0 to 1.
  func image(_ index: Int) -> GreyImage {
    let size = FashionMNIST.height * FashionMNIST.width
    return GreyImage(
      rows: FashionMNIST.height, columns: FashionMNIST.width,
      pixels: images[index * size..<(index + 1) * size].map { Float($0) / 255 })
  }

  /// Mean and standard deviation of the levels, 0 to 1, of all pixels.
  var levels: (mean: Float, deviation: Float) {
    var counts = [Int](repeating: 0, count: 256)
    for byte in images { counts[Int(byte)] += 1 }
    let count = Double(max(images.count, 1))
    let mean = counts.indices.reduce(0.0) { $0 + Double($1) / 255 * Double(counts[$1]) } / count
    let square = counts.indices.reduce(0.0) { $0 + Double($1 * $1) / 65025 * Double(counts[$1]) } / count
    return (Float(mean), Float(max(square - mean * mean, 1e-12).squareRoot()))
  }
}

/// Two pictures of Fashion-MNIST at once, side by side or one over the other.
///
/// The pictures of each split are those of a ``FashionVariant``; every example is a pair of two of them, drawn
/// by its index. Half the pairs of `.same` are of one class.
public struct FashionPairs: LearningTask {
  public enum Arrangement: String, Codable, Sendable, CaseIterable {
    /// Twice as many columns.
    case sideBySide
    /// The brighter of both pixels.
    case overlay
  }
  public enum Question: String, Codable, Sendable, CaseIterable {
    /// Whether both are of one class: 1 for yes.
    case same
    /// Which classes there are: a bit for each.
    case both
  }

  public let id = "fashion-mnist-pairs"
  public let name = "Pairs of Fashion-MNIST"
  public let arrangement: Arrangement
  public let question: Question
  private let pictures: FashionVariant
  private let places: [Split: [[Int]]]

  /// - Throws: `InvalidInput` unless every split has pictures of two classes.
  public init(_ pictures: FashionVariant, arrangement: Arrangement, question: Question) throws {
    (self.pictures, self.arrangement, self.question) = (pictures, arrangement, question)
    var places: [Split: [[Int]]] = [:]
    for split in Split.allCases {
      let all = 0..<(pictures.count(split) ?? 0)
      let byClass = Dictionary(grouping: all) { pictures.fashionClass(split, $0) }
      places[split] = byClass.sorted { $0.key < $1.key }.map(\.value)
      try require(byClass.count > 1, "pairs need \(split.rawValue) pictures of two classes at least")
    }
    self.places = places
  }

  public var input: TaskInput {
    let (rows, columns) = (pictures.imageShape[0], pictures.imageShape[1])
    return .values([rows, arrangement == .sideBySide ? 2 * columns : columns, 1])
  }
  public let positions: [Int] = []
  public var objective: Objective {
    question == .same ? .classes(2) : .bits(pictures.settings.classes.count)
  }
  public func count(_ split: Split) -> Int? { nil }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let pairs = indices.map { pair(split, $0) }
    let first = pictures.batch(split, pairs.map(\.0)), second = pictures.batch(split, pairs.map(\.1))
    let inputs =
      arrangement == .sideBySide
      ? concatenated([first.inputs, second.inputs], axis: 2) : maximum(first.inputs, second.inputs)
    switch question {
    case .same: return Batch(inputs: inputs, targets: (first.targets .== second.targets).asType(.int32))
    case .both:
      let bits = [first, second].map { $0.targets.oneHot(count: pictures.classCount) }
      return Batch(inputs: inputs, targets: maximum(bits[0], bits[1]))
    }
  }

  private func pair(_ split: Split, _ index: Int) -> (Int, Int) {
    var generator = exampleStream("pair", of: id, pictures.settings.seed, split, index)
    let classes = places[split] ?? []
    let first = Int.random(in: 0..<classes.count, using: &generator)
    var second = Int.random(in: 0..<classes.count, using: &generator)
    if question == .same {
      // Half of one class, half of two.
      let other = Int.random(in: 1..<classes.count, using: &generator)
      second = generator.uniform() < 0.5 ? first : (first + other) % classes.count
    }
    return (
      classes[first][Int.random(in: classes[first].indices, using: &generator)],
      classes[second][Int.random(in: classes[second].indices, using: &generator)]
    )
  }
}
