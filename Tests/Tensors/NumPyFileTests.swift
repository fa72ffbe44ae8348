import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Tests/Fixtures/files, by NumPy (files.py).
private func fixture(_ name: String) -> String {
  Golden.folder.appendingPathComponent("files/\(name)").path
}

private func bytes(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

@Suite struct NumPyFileTests {
  /// Arrays that NumPy writes as we do.
  static let plain: [String: DType] = [
    "float32": .float32, "float64": .float64, "int32": .int32, "bool": .bool, "number": .float32,
    "empty": .float32, "emptyInside": .int32, "one": .float32, "many": .float32, "special": .float32,
    "long": .float64,
  ]

  private func compare(_ found: Tensor?, _ name: String, _ expected: GoldenTensors) {
    guard let found else {
      Issue.record("\(name) is missing")
      return
    }
    #expect(found.shape == expected[name].shape, "\(name)")
    let bits = found.doubles.map(\.bitPattern), wanted = expected[name].doubles.map(\.bitPattern)
    // NaN keeps its meaning, not its bits.
    #expect(
      zip(bits, wanted).allSatisfy {
        $0 == $1 || Double(bitPattern: $0).isNaN && Double(bitPattern: $1).isNaN
      }
        && bits.count == wanted.count, "\(name)")
  }

  // MARK: Arrays

  @Test(arguments: plain.keys.sorted()) func readsAndWritesWhatNumPyWrote(_ name: String) throws {
    let array = try NumPy.load(fixture("\(name).npy"))
    #expect(array.dtype == Self.plain[name])
    compare(array, name, try Golden.tensors("files/expected"))
    try inTemporaryFolder { folder in
      try NumPy.save(array, to: folder + "/a.npy")
      #expect(try bytes(folder + "/a.npy") == bytes(fixture("\(name).npy")))
    }
  }

  @Test(arguments: [2, 3]) func readsLaterVersions(_ version: Int) throws {
    let array = try NumPy.load(fixture("version\(version).npy"))
    compare(array, "float32", try Golden.tensors("files/expected"))
  }

  @Test func convertsOtherTypesOrdersAndLayouts() throws {
    let arrays = try NumPy.loadArchive(fixture("types.npz"))
    let expected = try Golden.tensors("files/expected")
    #expect(Set(arrays.keys).union(Self.plain.keys) == Set(expected.tensors.keys))
    for (name, array) in arrays {
      compare(array, name, expected)
      let type: DType =
        name.hasPrefix("f8")
        ? .float64
        : "fh".contains(name.prefix(1))
          ? .float32
          : name.hasPrefix("b") ? .bool : .int32
      #expect(array.dtype == type, "\(name)")
    }
  }

  @Test func aViewIsWrittenInRowOrder() throws {
    try inTemporaryFolder { folder in
      let view = Tensor([1, 2, 3, 4, 5, 6] as [Float], [2, 3]).transposed()
      try NumPy.save(view, to: folder + "/a.npy")
      let back = try NumPy.load(folder + "/a.npy")
      #expect(back.shape == [3, 2] && back.floats == [1, 4, 2, 5, 3, 6])
    }
  }

  // MARK: Archives

  @Test(arguments: ["stored", "deflated", "wide"]) func readsArchives(_ name: String) throws {
    let arrays = try NumPy.loadArchive(fixture("\(name).npz"))
    let expected = try Golden.tensors("files/expected")
    #expect(arrays.mapValues(\.dtype) == Self.plain)
    for (name, array) in arrays { compare(array, name, expected) }
    #expect(try NumPy.loadArchive(fixture("none.npz")).isEmpty)
  }

  @Test func writesStoredArchivesAsNumPyDoes() throws {
    try inTemporaryFolder { folder in
      try NumPy.saveArchive(NumPy.loadArchive(fixture("stored.npz")), to: folder + "/a")
      #expect(try bytes(folder + "/a") == bytes(fixture("stored.npz")))
      try NumPy.saveArchive([:], to: folder + "/a")
      #expect(try bytes(folder + "/a") == bytes(fixture("none.npz")))
      // Sizes and offsets of 64 bits, as beyond 2 GB.
      try NumPy.saveArchive(NumPy.loadArchive(fixture("stored.npz")), to: folder + "/a", widestPlain: 0)
      #expect(try bytes(folder + "/a") == bytes(fixture("wide.npz")))
    }
  }

  @Test func readsItsOwnCompressedArchives() throws {
    try inTemporaryFolder { folder in
      let arrays = try NumPy.loadArchive(fixture("stored.npz"))
      var random = RandomGenerator(seed: 1)
      // Longer than the writer's buffer, and of all kinds of content.
      let more = [
        "größe/a": random.normal([300, 300]), "zeros": Tensor.zeros([500_000]),
        "steps": Tensor.arange(200_000),
      ]
      try NumPy.saveArchive(arrays.merging(more) { $1 }, compressed: true, to: folder + "/a")
      let back = try NumPy.loadArchive(folder + "/a")
      for (name, array) in arrays { #expect(back[name]?.shape == array.shape, "\(name)") }
      for (name, array) in more { #expect(back[name]?.doubles == array.doubles, "\(name)") }
      #expect(back.count == arrays.count + more.count)
      #expect(try bytes(folder + "/a").count < 4 * 90_000 + 500_000)
    }
  }

  /// For `Tests/Fixtures/files.py --check`, which lets NumPy and the safetensors package read our files.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["CALLOSUM_FILES"] != nil))
  func fileAgreement() throws {
    let folder = ProcessInfo.processInfo.environment["CALLOSUM_FILES"] ?? ""
    let arrays = try NumPy.loadArchive(fixture("stored.npz"))
    for (name, array) in arrays { try NumPy.save(array, to: "\(folder)/\(name).npy") }
    try NumPy.saveArchive(arrays, to: folder + "/stored.npz")
    try NumPy.saveArchive(arrays, compressed: true, to: folder + "/deflated.npz")
    try Safetensors.save(arrays, to: folder + "/plain.safetensors")
  }

  // MARK: Refusals

  private func expectRefusal(
    _ line: String, _ bytes: [UInt8], archive: Bool = false,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let text: String
      do {
        _ = try archive ? NumPy.loadArchive(path).count : NumPy.load(path).size
        text = "no error"
      } catch { text = "\(error)" }
      #expect(text.replacing(folder, with: "F") == "F/a " + line, sourceLocation: location)
    }
  }

  @Test func typesThatAreNotNumbers() throws {
    let types = ["complex": "<c8", "text": "<U2", "objects": "|O"]
    for (name, type) in types {
      try expectRefusal("has type '\(type)', which is not supported", bytes(fixture("refused-\(name).npy")))
    }
    try expectRefusal(
      "has a header that does not describe a plain array", bytes(fixture("refused-records.npy")))
  }

  @Test func integersThatDoNotFit() throws {
    try expectRefusal(
      "the array holds 2147483648, which does not fit int32", bytes(fixture("refused-wide.npy")))
    try expectRefusal(
      "the array holds 4294967295, which does not fit int32", bytes(fixture("refused-unsigned.npy")))
  }

  private func file(_ header: String, data: Int = 0) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  private func header(_ shape: String, type: String = "<f4") -> String {
    "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape)}"
  }

  @Test func headersThatLie() throws {
    try expectRefusal("does not begin like an .npy file", Array("no array at all".utf8))
    try expectRefusal("does not begin like an .npy file", [0x93])
    try expectRefusal("does not begin like an .npy file", [])
    try expectRefusal(
      "has .npy version 4, which is not supported", [0x93] + Array("NUMPY".utf8) + [4, 0, 0, 0])
    try expectRefusal(
      "claims a header of 65535 bytes, more than it holds", [0x93] + Array("NUMPY".utf8) + [1, 0, 255, 255])
    try expectRefusal(
      "claims a header of 4294967295 bytes, more than it holds",
      [0x93] + Array("NUMPY".utf8) + [2, 0, 255, 255, 255, 255])
    try expectRefusal("holds 8 bytes of data, its header describes 12", file(header("(3,)"), data: 8))
    try expectRefusal("holds 16 bytes of data, its header describes 12", file(header("(3,)"), data: 16))
    for shape in ["(4611686018427387904,)", "(4294967296, 4294967296)", "(0, 4611686018427387904)"] {
      let sizes = "[\(shape.filter { !"()".contains($0) }.split(separator: ",").joined(separator: ","))]"
      try expectRefusal("has the impossible shape \(sizes)", file(header(shape), data: 4))
    }
    let deep = [Int](repeating: 1, count: 17)
    let axes = deep.map(String.init).joined(separator: ", ")
    try expectRefusal("has the impossible shape [\(axes)]", file(header("(\(axes))"), data: 4))
  }

  @Test func headersThatDescribeNothing() throws {
    let good = header("(1,)")
    let broken = [
      "", "{}", "{", good + "x", good.replacing("False", with: "0"), good.replacing("(1,)", with: "(1)"),
      good.replacing("(1,)", with: "(-1,)"), good.replacing("(1,)", with: "(1.0,)"),
      good.replacing("(1,)", with: "[1]"), good.replacing("(1,)", with: "(99999999999999999999,)"),
      good.replacing("'shape'", with: "'form'"), good.replacing("}", with: ", 'shape': (1,)}"),
      good.replacing("'<f4'", with: "'<f4"), good.replacing("'<f4'", with: "__import__('os')"),
      String(repeating: "(", count: 200),
    ]
    for text in broken {
      try expectRefusal("has a header that does not describe a plain array", file(text, data: 4))
    }
    for type in ["f4", "<f", "<f16", "<V4", "!f4", ""] {
      try expectRefusal(
        "has type '\(type)', which is not supported", file(header("(1,)", type: type), data: 4))
    }
    // What NumPy's own readers take: other orders of keys, double quotes, the long numbers of Python 2.
    try inTemporaryFolder { folder in
      let text = "{\"shape\": (2L, 1L), 'fortran_order': True, 'descr': '=f4', }  \n"
      try Data(file(text, data: 8)).write(to: URL(fileURLWithPath: folder + "/a"))
      #expect(try NumPy.load(folder + "/a").shape == [2, 1])
    }
  }

  @Test func filesThatAreNone() {
    func message(_ path: String) -> String {
      do { return "\(try NumPy.load(path))" } catch { return "\(error)" }
    }
    #expect(
      message("/nowhere/a.npy")
        == "/nowhere/a.npy cannot be read; check that it exists and that you may read it")
    #expect(message("/dev/null") == "/dev/null is not a regular file")
    #expect(message("/tmp") == "/tmp is a folder")
  }

  @Test func cutOffAnywhere() throws {
    let array = try bytes(fixture("float32.npy")), archive = try bytes(fixture("stored.npz"))
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      for length in array.indices {
        try Data(array.prefix(length)).write(to: URL(fileURLWithPath: path))
        #expect(throws: TensorFileError.self) { try NumPy.load(path) }
      }
      for length in stride(from: 0, to: archive.count, by: 7) {
        try Data(archive.prefix(length)).write(to: URL(fileURLWithPath: path))
        #expect(throws: TensorFileError.self) { try NumPy.loadArchive(path) }
      }
    }
  }

  // MARK: Damaged archives

  /// Where a signature first stands.
  private func place(of signature: [UInt8], in bytes: [UInt8]) -> Int {
    bytes.indices.first { bytes[$0...].starts(with: signature) } ?? bytes.count
  }

  @Test(arguments: [false, true]) func everyDamagedByteOfTheElementsIsSeen(_ compressed: Bool) throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      try NumPy.saveArchive(["x": .arange(40)], compressed: compressed, to: path)
      let whole = try bytes(path)
      // 30 bytes of header, 5 of name, 20 of sizes; then what is checked.
      for at in 55..<place(of: Array("PK\u{1}\u{2}".utf8), in: whole) {
        var damaged = whole
        damaged[at] ^= 0x10
        try Data(damaged).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: TensorFileError.self) { try NumPy.loadArchive(path) }
        #expect(error?.problem.contains("member x.npy is damaged") == true)
      }
    }
  }

  @Test func directoriesThatLie() throws {
    var files: [[UInt8]] = []
    try inTemporaryFolder { folder in
      for compressed in [false, true] {
        try NumPy.saveArchive(
          ["a": .zeros([1000]), "b": .zeros([1000])], compressed: compressed, to: folder + "/a")
        files.append(try bytes(folder + "/a"))
      }
    }
    let (stored, deflated) = (files[0], files[1])
    let entry = place(of: Array("PK\u{1}\u{2}".utf8), in: stored)
    let packed = place(of: Array("PK\u{1}\u{2}".utf8), in: deflated)
    func changed(_ bytes: [UInt8], _ at: Int, _ values: [UInt8]) -> [UInt8] {
      var bytes = bytes
      bytes.replaceSubrange(at..<at + values.count, with: values)
      return bytes
    }
    func refuse(_ line: String, _ bytes: [UInt8], at location: SourceLocation = #_sourceLocation) throws {
      try expectRefusal(line, bytes, archive: true, at: location)
    }
    try refuse(
      "member a.npy is encrypted or packed by method 12", changed(stored, entry + 10, [12]))
    try refuse("member a.npy is encrypted or packed by method 0", changed(stored, entry + 8, [1]))
    let overlap = "does not lie where the directory says, or overlaps another"
    // The first claims the place of the second, and the second that of the first.
    try refuse("member a.npy \(overlap)", changed(stored, entry + 20, [0, 0x20, 0, 0, 0, 0x20, 0, 0]))
    try refuse("member a.npy \(overlap)", changed(stored, entry + 51 + 42, [0, 0, 0, 0]))
    try refuse("member a.npy \(overlap)", changed(stored, 31, Array("x".utf8)))
    // A bomb: 4 GB from some 60 bytes.
    try refuse(
      "member a.npy claims to be 4294967294 bytes, packed into \(deflated[packed + 20])",
      changed(deflated, packed + 24, [0xfe, 0xff, 0xff, 0xff]))
    try refuse("has two members of the same name", changed(stored, entry + 51 + 46, Array("a".utf8)))
    try refuse(
      "has a directory that does not lie inside it", changed(stored, stored.count - 10, [255, 255, 255, 0]))
    try refuse(
      "has a directory that does not lie inside it", changed(stored, stored.count - 12, [255, 255]))
    try refuse(
      "has a directory that ends elsewhere than it says", changed(stored, stored.count - 12, [1, 0]))
    try refuse("is not a zip archive, or is cut off", Array("PK".utf8))
    try inTemporaryFolder { folder in
      try NumPy.saveArchive(["a": .zeros([1])], to: folder + "/a")
      let text = try bytes(folder + "/a").map { $0 == UInt8(ascii: "y") ? UInt8(ascii: "z") : $0 }
      try refuse("holds a.npz, which is not an array; NumPyArchive reads the members that are", text)
    }
  }
}
