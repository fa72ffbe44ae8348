import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// What loaded tensors have to do with their file: nothing.
@Suite struct LoadedFileTests {
  private static let writers: [(name: String, write: @Sendable (Tensor, String) throws -> Void)] = [
    ("npy", { try NumPy.save($0, to: $1) }),
    ("stored npz", { try NumPy.saveArchive(["x": $0], to: $1) }),
    ("deflated npz", { try NumPy.saveArchive(["x": $0], compressed: true, to: $1) }),
    ("safetensors", { try Safetensors.save(["x": $0], to: $1) }),
  ]

  private func load(_ format: String, _ path: String, mapping: Bool = false) throws -> Tensor? {
    switch format {
    case "npy": try NumPy.load(path, mapping: mapping)
    case "safetensors": try Safetensors.load(path, mapping: mapping).tensors["x"]
    default: try NumPy.loadArchive(path, mapping: mapping)["x"]
    }
  }

  /// A program that writes over the file, or cuts it off, would change a mapped tensor or end this process.
  @Test(arguments: writers.indices, [DType.float32, .int32]) func fileMayChange(_ at: Int, _ type: DType)
    throws
  {
    let (format, write) = Self.writers[at]
    try inTemporaryFolder { folder in
      let path = folder + "/a", original = Tensor.arange(10_000).reshaped(100, 100).asType(type)
      try write(original, path)
      for mapping in [false, true] {
        #expect(try load(format, path, mapping: mapping)?.doubles == original.doubles, "\(format)")
      }
      let x = try load(format, path)
      let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      let count = try file.seekToEnd()
      try file.seek(toOffset: 0)
      try file.write(contentsOf: Data(repeating: 0x5a, count: Int(count)))
      #expect(x?.doubles == original.doubles, "\(format)")
      try file.truncate(atOffset: 0)
      #expect(x?.doubles == original.doubles, "\(format)")
    }
  }

  @Test func cutOffAfterOpening() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      try Safetensors.save(["x": .ones([1000])], to: path)
      let file = try SafetensorsFile(path: path)
      #expect(truncate(path, 1000) == 0)
      let error = #expect(throws: TensorFileError.self) { try file.tensor("x") }
      #expect(error?.problem == "was cut off while it was read")
    }
  }

  // MARK: Members that are no arrays

  /// As from `numpy.savez(path, x=…, names=numpy.array(["a", "bc"]))`, and a note beside it.
  @Test(arguments: [false, true]) func membersOfAnArchive(_ compressed: Bool) throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a", x = Tensor([1.5, -2] as [Float])
      try NumPy.save(x, to: folder + "/x.npy")
      let members: [(String, [UInt8])] = [
        (
          "names.npy",
          Array(try Data(contentsOf: Golden.folder.appendingPathComponent("files/refused-text.npy")))
        ),
        ("note.txt", Array("made by hand".utf8)),
        ("x.npy", Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/x.npy")))),
        ("wrong.npy", [1, 2, 3]),
      ]
      try AtomicFile.write(to: path) { sink in
        var writer = ZipWriter(sink: sink, path: path)
        for (name, bytes) in members {
          try bytes.withUnsafeBytes { try writer.append(name, [$0], compressed: compressed) }
        }
        try writer.finish()
      }
      let archive = try NumPyArchive(path: path)
      #expect(archive.entries.mapValues(\.type) == ["x": "<f4", "names": "<U2"])
      #expect(archive.entries.mapValues(\.shape) == ["x": [2], "names": [2]])
      #expect(archive.others == ["note.txt", "wrong.npy"])
      #expect(try archive.array("x").floats == x.floats)
      func problem(_ body: () throws -> Void) -> String? {
        #expect(throws: TensorFileError.self) { try body() }?.problem
      }
      #expect(
        problem { _ = try archive.array("names") } == "array names has type '<U2', which is not supported")
      #expect(problem { _ = try archive.array("note.txt") } == "has no array note.txt")
      #expect(
        problem { _ = try archive.array("wrong") } == "array wrong does not begin like an .npy file")
      #expect(
        problem { _ = try NumPy.loadArchive(path) } == "array names has type '<U2', which is not supported")
    }
  }

  // MARK: PyTorch's own files

  /// Whole or cut off, with every reader: the line says whose file it is and what to do.
  @Test(arguments: [44, 300, 100_000]) func filesOfPyTorch(_ length: Int) throws {
    try inTemporaryFolder { folder in
      let path = folder + "/model.pt"
      try AtomicFile.write(to: path) { sink in
        var writer = ZipWriter(sink: sink, path: path)
        for name in ["model/data.pkl", "model/byteorder", "model/data/0"] {
          try [UInt8](repeating: 7, count: 1000).withUnsafeBytes {
            try writer.append(name, [$0], compressed: false)
          }
        }
        try writer.finish()
      }
      let zip = try Data(contentsOf: URL(fileURLWithPath: path)).prefix(length)
      // Before version 1.6: a pickle of this magic number.
      let pickle: [UInt8] = [
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
      ]
      for bytes in [zip, Data(pickle + [UInt8](repeating: 0, count: 100))] {
        try bytes.write(to: URL(fileURLWithPath: path))
        for read in [
          { _ = try NumPy.load(path) }, { _ = try NumPy.loadArchive(path) },
          { _ = try Safetensors.load(path) },
        ] {
          let error = #expect(throws: TensorFileError.self) { try read() }
          #expect(error?.problem.hasPrefix("is a file of PyTorch's own format (torch.save)") == true)
        }
      }
    }
  }
}
