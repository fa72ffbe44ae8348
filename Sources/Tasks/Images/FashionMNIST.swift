import Foundation

/// Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28 x 28 grey levels, ten
/// classes of equal size (Xiao, Rasul and Vollgraf 2017).
public struct FashionMNIST: Sendable {
  /// Images and their labels, in the order of the files.
  public struct Split: Sendable, Equatable {
    /// Grey levels, 0 for the background to 255, as [count, 28, 28] in row-major order.
    public let images: [UInt8]
    /// One class per image, an index into ``FashionMNIST/classNames``.
    public let labels: [UInt8]
    /// Number of images.
    public var count: Int { labels.count }
  }

  public static let height = 28
  public static let width = 28
  public static let classNames = [
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
  ]

  /// The images to learn from.
  public let training: Split
  /// The images to be judged on.
  public let test: Split

  /// Reads both splits from the folder that `folder(environment:systemFolder:)` finds.
  /// - Throws: ``DataSetError`` or ``IDXError``.
  public init() throws {
    let own = ProcessInfo.processInfo.environment["CALLOSUM_DATA"] ?? ""
    if !own.isEmpty, !FileManager.default.fileExists(atPath: own) {
      throw DataSetError.noFolder(path: own)
    }
    guard let folder = Self.folder() else {
      throw DataSetError.missing(DataSet.fashionMNIST)
    }
    try self.init(folder: folder)
  }

  /// Reads both splits from the four files in `folder`.
  /// - Throws: ``DataSetError`` or ``IDXError``.
  public init(folder: String) throws {
    training = try Self.split("train", in: folder)
    test = try Self.split("t10k", in: folder)
  }

  /// The folder that holds the data: `fashion-mnist` in ``DataFolder/own(environment:)``, the folder itself
  /// that `CALLOSUM_DATA` names, or `fashion-mnist` in the one of the system's packages; nil if none of them
  /// has any of the files.
  public static func folder(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    systemFolder: String? = nil
  ) -> String? {
    let own = DataFolder.own(environment: environment)
    let named = environment["CALLOSUM_DATA"].flatMap { $0.isEmpty ? nil : $0 }
    let system = systemFolder ?? DataFolder.system(environment: environment) + "/fashion-mnist"
    let candidates = [own + "/fashion-mnist"] + (named.map { [$0] } ?? []) + [system]
    return candidates.first { folder in
      ["train", "t10k"].contains { split in
        [images(split), labels(split)].contains { name in
          FileManager.default.fileExists(atPath: path(of: name, in: folder))
        }
      }
    }
  }

  private static func split(_ name: String, in folder: String) throws -> Split {
    let imagesPath = path(of: images(name), in: folder)
    let labelsPath = path(of: labels(name), in: folder)
    let images = try IDXFile(path: imagesPath, rank: 3)
    guard images.shape[1...] == [height, width] else {
      throw DataSetError.wrongImageSize(
        path: imagesPath, found: Array(images.shape[1...]), expected: [height, width])
    }
    guard images.shape[0] > 0 else { throw DataSetError.empty(path: imagesPath) }
    let labels = try IDXFile(path: labelsPath, rank: 1)
    guard labels.shape[0] == images.shape[0] else {
      throw DataSetError.countMismatch(
        imagesPath: imagesPath, images: images.shape[0],
        labelsPath: labelsPath, labels: labels.shape[0])
    }
    if let index = labels.bytes.firstIndex(where: { $0 >= classNames.count }) {
      throw DataSetError.unknownLabel(
        path: labelsPath, index: index, label: Int(labels.bytes[index]), classes: classNames.count)
    }
    return Split(images: images.bytes, labels: labels.bytes)
  }

  private static func images(_ split: String) -> String { "\(split)-images-idx3-ubyte" }
  private static func labels(_ split: String) -> String { "\(split)-labels-idx1-ubyte" }

  /// The decompressed file where there is one, the compressed one otherwise.
  private static func path(of name: String, in folder: String) -> String {
    let plain = folder + "/" + name
    return FileManager.default.fileExists(atPath: plain) ? plain : plain + ".gz"
  }
}
