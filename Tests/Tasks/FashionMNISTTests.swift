import CallosumTasks
import CallosumTestSupport
import Foundation
import Testing

@Suite struct FashionMNISTTests {
  @Test func readsBothSplits() throws {
    try inTemporaryFolder { folder in
      try writeFashionMNIST(to: folder)
      let data = try FashionMNIST(folder: folder)
      #expect(data.training.count == 3)
      #expect(data.training.images.count == 3 * 28 * 28)
      #expect(data.training.labels == [9, 0, 4])
      #expect(data.test.labels == [1])
    }
  }

  @Test(.enabled(if: FashionMNIST.folder() != nil, "Fashion-MNIST is not on this machine"))
  func readsTheRealFiles() throws {
    let data = try FashionMNIST()
    #expect(data.training.count == 60_000)
    #expect(data.test.count == 10_000)
    for split in [data.training, data.test] {
      let counts = (0..<10).map { label in split.labels.count { Int($0) == label } }
      #expect(counts == [Int](repeating: split.count / 10, count: 10))
    }
    // The mean grey level that everybody normalises with.
    let sum = data.training.images.reduce(0) { $0 + Int($1) }
    let mean = Double(sum) / Double(data.training.images.count) / 255
    #expect(abs(mean - 0.2860) < 0.0001)
  }

  @Test func looksInTheOwnFolderFirst() throws {
    try inTemporaryFolder { folder in
      let (own, system) = (folder + "/own", folder + "/system")
      for path in [own + "/fashion-mnist", system] {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      }
      func found(_ value: String?) -> String? {
        FashionMNIST.folder(
          environment: ["XDG_DATA_HOME": folder + "/home", "CALLOSUM_DATA": value ?? ""],
          systemFolder: system)
      }
      #expect(found(own) == nil)
      try writeFashionMNIST(to: system)
      #expect(found(nil) == system)
      #expect(found("") == system)
      #expect(found(own) == system)
      try writeFashionMNIST(to: own)
      #expect(found(own) == own)
      try writeFashionMNIST(to: own + "/fashion-mnist")
      #expect(found(own) == own + "/fashion-mnist")
    }
  }

  @Test func missingDataSetTellsHowToGetIt() {
    let error = DataSetError.missing(name: "Fashion-MNIST", howToGet: DataSet.fashionMNIST.howToGet)
    #expect(
      "\(error)"
        == "Fashion-MNIST is not on this machine; get it with: callosum data get fashion-mnist, or sudo"
        + " apt-get install dataset-fashion-mnist (Debian, Ubuntu)")
  }

  @Test func missingFile() throws {
    try require(
      "F/t10k-labels-idx1-ubyte.gz: no such file; check the path or get the data set again"
    ) {
      try FileManager.default.removeItem(atPath: $0 + "/t10k-labels-idx1-ubyte")
    }
  }

  @Test func labelCountMismatch() throws {
    try require(
      "F/train-labels-idx1-ubyte: holds 2 labels for the 3 images of F/train-images-idx3-ubyte;"
        + " get both files from the same source"
    ) { try write(idx([2], [1, 2]), to: $0 + "/train-labels-idx1-ubyte") }
  }

  @Test func labelOutOfRange() throws {
    try require(
      "F/train-labels-idx1-ubyte: label 1 is 10, but there are 10 classes (0 to 9); get the file again"
    ) { try write(idx([3], [9, 10, 4]), to: $0 + "/train-labels-idx1-ubyte") }
  }

  @Test func wrongImageSize() throws {
    try require("F/t10k-images-idx3-ubyte: images are 2 x 3, not 28 x 28; get the right file") {
      try write(idx([1, 2, 3], [1, 2, 3, 4, 5, 6]), to: $0 + "/t10k-images-idx3-ubyte")
    }
  }

  @Test func dataSetsAreListedOnce() {
    #expect(Set(DataSet.all.map(\.id)).count == DataSet.all.count)
    #expect(DataSet.named("fashion-mnist")?.name == "Fashion-MNIST")
    #expect(DataSet.named("fashion") == nil)
  }

  /// The line that reading fails with after `damage`, with F for the folder.
  private func require(
    _ line: String, at location: SourceLocation = #_sourceLocation,
    after damage: (String) throws -> Void
  ) throws {
    try inTemporaryFolder { folder in
      try writeFashionMNIST(to: folder)
      try damage(folder)
      let error = #expect(throws: (any Error).self, sourceLocation: location) {
        try FashionMNIST(folder: folder)
      }
      let text = error.map { "\($0)".replacingOccurrences(of: folder, with: "F") }
      #expect(text == line, sourceLocation: location)
    }
  }
}
