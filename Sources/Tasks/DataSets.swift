import Foundation

/// A real data set that tasks are made from: what it is and how to get it.
public struct DataSet: Sendable {
  public let id: String
  public let name: String
  /// What it holds, in one sentence.
  public let summary: String
  public let licence: String
  /// Its public home.
  public let source: String
  /// What to do where it is missing, to be read after "get it with".
  public let howToGet: String
  private let find: @Sendable () -> String?

  /// The folder that holds it on this machine, if any.
  public var folder: String? { find() }

  /// The data set named `id`, if there is one.
  public static func named(_ id: String) -> DataSet? { all.first { $0.id == id } }

  /// Every data set that Callosum knows.
  public static let all = [fashionMNIST]

  public static let fashionMNIST = DataSet(
    id: "fashion-mnist",
    name: "Fashion-MNIST",
    summary: "70,000 images of clothing, 28 x 28 grey levels, ten classes of equal size.",
    licence: "MIT",
    source: "https://github.com/zalandoresearch/fashion-mnist",
    howToGet: "sudo apt-get install dataset-fashion-mnist (Debian, Ubuntu), or put its four files"
      + " into a folder and set CALLOSUM_DATA to it",
    find: { FashionMNIST.folder() })
}

/// What can be wrong with a data set beyond the format of its files; described in one line.
public enum DataSetError: Error, Equatable, CustomStringConvertible {
  case missing(name: String, howToGet: String)
  case noFolder(path: String)
  case empty(path: String)
  case wrongImageSize(path: String, found: [Int], expected: [Int])
  case countMismatch(imagesPath: String, images: Int, labelsPath: String, labels: Int)
  case unknownLabel(path: String, index: Int, label: Int, classes: Int)

  static func missing(_ dataSet: DataSet) -> DataSetError {
    .missing(name: dataSet.name, howToGet: dataSet.howToGet)
  }

  public var description: String {
    switch self {
    case .missing(let name, let howToGet):
      "\(name) is not on this machine; get it with: \(howToGet)"
    case .empty(let path):
      "\(path): holds no images; get the file again"
    case .noFolder(let path):
      "CALLOSUM_DATA names \(path), which does not exist; name the folder of the data, or unset it"
    case .wrongImageSize(let path, let found, let expected):
      "\(path): images are \(size(found)), not \(size(expected)); get the right file"
    case .countMismatch(let imagesPath, let images, let labelsPath, let labels):
      "\(labelsPath): holds \(labels) labels for the \(images) images of \(imagesPath);"
        + " get both files from the same source"
    case .unknownLabel(let path, let index, let label, let classes):
      "\(path): label \(index) is \(label), but there are \(classes) classes (0 to \(classes - 1));"
        + " get the file again"
    }
  }

  private func size(_ sizes: [Int]) -> String {
    sizes.map(String.init).joined(separator: " x ")
  }
}
