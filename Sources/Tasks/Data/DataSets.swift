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
  /// Its files, for ``get(environment:progress:)``.
  public let files: [DataFile]
  private let find: @Sendable ([String: String]) -> String?

  /// The folder that holds it on this machine, if any.
  public var folder: String? { find(ProcessInfo.processInfo.environment) }

  /// Fetches what is missing of it, unless a folder of the system's packages holds it.
  ///
  /// Where `CALLOSUM_MIRROR` names an address, files come from `<address>/<id>/<name>`.
  /// - Parameter progress: hears how many bytes of all there are.
  /// - Returns: the folder that holds it, and the files that were fetched.
  /// - Throws: ``DownloadError``.
  public func get(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    progress: @escaping @Sendable (_ bytes: Int) -> Void = { _ in }
  ) throws -> (folder: String, fetched: [DataFile]) {
    let target = DataFolder.own(environment: environment) + "/" + id
    if let folder = find(environment), folder != target { return (folder, []) }
    var done = 0
    var fetched: [DataFile] = []
    for file in files {
      // A file that was unpacked serves as well.
      let names = [file.name, file.name.hasSuffix(".gz") ? String(file.name.dropLast(3)) : file.name]
      if !names.contains(where: { FileManager.default.fileExists(atPath: target + "/" + $0) }) {
        var source = file
        if let mirror = environment["CALLOSUM_MIRROR"], !mirror.isEmpty {
          source = DataFile(
            name: file.name, address: "\(mirror)/\(id)/\(file.name)", size: file.size, sha256: file.sha256)
        }
        let before = done
        try Download(source, to: target).run { progress(before + $0) }
        fetched.append(source)
      }
      done += file.size
      progress(done)
    }
    return (target, fetched)
  }

  /// The data set named `id`, if there is one.
  public static func named(_ id: String) -> DataSet? { all.first { $0.id == id } }

  /// Every data set that Callosum knows.
  public static let all = [fashionMNIST, tinyShakespeare]

  public static let fashionMNIST = DataSet(
    id: "fashion-mnist",
    name: "Fashion-MNIST",
    summary: "70,000 images of clothing, 28 x 28 grey levels, ten classes of equal size.",
    licence: "MIT",
    source: "https://github.com/zalandoresearch/fashion-mnist",
    howToGet:
      "callosum data get fashion-mnist, or sudo apt-get install dataset-fashion-mnist (Debian, Ubuntu)",
    files: [
      fashionFile(
        "train-images-idx3-ubyte", 26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
      fashionFile(
        "train-labels-idx1-ubyte", 29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
      fashionFile(
        "t10k-images-idx3-ubyte", 4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
      fashionFile(
        "t10k-labels-idx1-ubyte", 5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ],
    find: { FashionMNIST.folder(environment: $0) })

  private static func fashionFile(_ name: String, _ size: Int, _ sha256: String) -> DataFile {
    let home = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"
    return DataFile(name: name + ".gz", address: "\(home)/\(name).gz", size: size, sha256: sha256)
  }

  /// For ``CharacterText``, as `input.txt`.
  public static let tinyShakespeare = DataSet(
    id: "tiny-shakespeare",
    name: "Tiny Shakespeare",
    summary: "40,000 lines of plays by Shakespeare, 1.1 million characters.",
    licence: "public domain",
    source: "https://github.com/karpathy/char-rnn",
    howToGet: "callosum data get tiny-shakespeare",
    files: [
      DataFile(
        name: "input.txt",
        address: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        size: 1_115_394, sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
    ],
    find: { environment in
      let folders = [DataFolder.own(environment: environment), DataFolder.system(environment: environment)]
      return folders.map { $0 + "/tiny-shakespeare" }
        .first { FileManager.default.fileExists(atPath: $0 + "/input.txt") }
    })
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
