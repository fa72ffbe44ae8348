import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct SafetensorsFileTests {
  private func fixture(_ name: String) -> String {
    Golden.folder.appendingPathComponent("files/\(name).safetensors").path
  }

  @Test func writesTheBytesOfThePackage() throws {
    let (tensors, metadata) = try Safetensors.load(fixture("plain"))
    #expect(metadata == ["made": "by \"the package\"\t\u{1f}"])
    try inTemporaryFolder { folder in
      try Safetensors.save(tensors, metadata: metadata, to: folder + "/a")
      let (ours, theirs) = (folder + "/a", fixture("plain"))
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: ours)) == Data(contentsOf: URL(fileURLWithPath: theirs)))
    }
  }

  @Test func convertsOtherTypes() throws {
    let tensors = try Safetensors.load(fixture("types")).tensors
    let expected = try Golden.tensors("files/types-expected")
    #expect(Set(tensors.keys) == Set(expected.tensors.keys) && tensors.count == 9)
    for (name, tensor) in tensors {
      #expect(tensor.dtype == (name.contains("float") ? .float32 : .int32), "\(name)")
      #expect(tensor.shape == [3, 2] && tensor.doubles == expected[name].doubles, "\(name)")
    }
  }

  /// A file with a hole is large only for those who read it, and mapped not even for them.
  @Test func openingALargeFileReadsItsHeaderOnly() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a", count = 1 << 33
      let header = """
        {"x":{"dtype":"F32","shape":[\(count / 4)],"data_offsets":[0,\(count)]}}
        """
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      try (length + Data(header.utf8)).write(to: URL(fileURLWithPath: path))
      #expect(truncate(path, 8 + header.utf8.count + count) == 0)
      let before = residentBytes()
      #expect(try SafetensorsFile(path: path).entries["x"]?.shape == [count / 4])
      let x = try Safetensors.load(path, mapping: true).tensors["x"]
      #expect(x?.shape == [count / 4])
      #expect(x?.sliced(axis: 0, from: count / 4 - 2).floats == [0, 0])
      #expect(isSanitized || residentBytes() - before < 1 << 26)
    }
  }

  @Test(arguments: [false, true]) func tensorsKeepTheirMemoryAlive(_ mapping: Bool) throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      var random = RandomGenerator(seed: 1)
      let original = random.normal([100, 100])
      try Safetensors.save(["x": original], to: path)
      func read() throws -> Tensor { try SafetensorsFile(path: path, mapping: mapping).tensor("x") }
      var x = try read()
      // Neither a replaced nor a removed file changes what was opened.
      try Safetensors.save(["x": .zeros([100, 100])], to: path)
      unlink(path)
      #expect(x.floats == original.floats)
      // And who writes to a tensor changes no file and no other tensor.
      try Safetensors.save(["x": original], to: path)
      x = try read()
      let other = try read()
      x.withOwnMemory { $0[7] = 42 }
      #expect(x.floats[7] == 42 && other.floats == original.floats)
      #expect(try read().floats == original.floats)
    }
  }

  @Test func tensorsThatAreNotAlignedAreCopied() throws {
    try inTemporaryFolder { folder in
      let header = """
        {"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}}
        """
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      let values = [1.5, -2.25].flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
      try (length + Data(header.utf8) + [200] + values).write(to: URL(fileURLWithPath: folder + "/a"))
      let tensors = try Safetensors.load(folder + "/a").tensors
      #expect(tensors["a"]?.doubles == [200] && tensors["b"]?.doubles == [1.5, -2.25])
    }
  }

  @Test func anyNameComesBack() throws {
    try inTemporaryFolder { folder in
      let names = [
        "", "a/b", "\"", "\\", "\\u0041", "\n\t\r\u{8}\u{c}\u{0}\u{1f}\u{7f}", "größe", "🧠", "e\u{301}",
      ]
      let tensors = Dictionary(
        uniqueKeysWithValues: names.enumerated().map { ($0.element, Tensor(Float($0.offset))) })
      let metadata = Dictionary(uniqueKeysWithValues: names.map { ($0, $0 + $0) })
      try Safetensors.save(tensors, metadata: metadata, to: folder + "/a")
      let back = try Safetensors.load(folder + "/a")
      #expect(
        back.metadata == metadata && back.tensors.mapValues { $0.item() } == tensors.mapValues { $0.item() })
      let error = #expect(throws: TensorFileError.self) {
        try Safetensors.save(["__metadata__": Tensor(1 as Float)], to: folder + "/b")
      }
      #expect(error?.problem == "cannot hold a tensor with the name __metadata__")
    }
  }

  // MARK: Refusals

  private func message(_ header: String, data: Int = 0) throws -> String {
    var text = "no error"
    try inTemporaryFolder { folder in
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      try (length + Data(header.utf8) + Data(count: data)).write(to: URL(fileURLWithPath: folder + "/a"))
      do { _ = try Safetensors.load(folder + "/a") } catch {
        text = "\(error)".replacing(folder + "/", with: "")
      }
    }
    return text
  }

  private func entry(_ name: String, _ begin: Int = 0, shape: String = "[1]") -> String {
    "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(begin + 4)]}"
  }

  @Test func namesThatStandTwice() throws {
    #expect(try message("{\(entry("a")),\(entry("a", 4))}", data: 8) == "a has two entries for a")
    #expect(try message("{\(entry("a")),\(entry("\\u0061", 4))}", data: 8) == "a has two entries for a")
    #expect(
      try message("{\"__metadata__\":{},\"__metadata__\":{}}") == "a has two entries for __metadata__")
    #expect(try message("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}") == "a has two entries for k")
    let twice = "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    #expect(try message(twice, data: 4) == "a has an unreadable entry for a")
  }

  @Test func whatIsNoHeader() throws {
    let line = "a has a header that is not safetensors JSON"
    for text in [
      "", "[]", "{", "{}}", "{\(entry("a")),}", "{\(entry("a"))", "{a:1}", "{\"\\x\":1}", "{\"\\ud800\":1}",
    ] {
      #expect(try message(text, data: 4) == line, "\(text)")
    }
    #expect(try message(String(repeating: "{\"a\":", count: 200_000)) == "a has an unreadable entry for a")
    #expect(try message(String(repeating: "[", count: 1_000_000)) == line)
    for shape in ["[-1]", "[1.0]", "[1e0]", "[", "1", "[18446744073709551616]", "[true]", "[[1]]"] {
      #expect(
        try message("{\(entry("a", shape: shape))}", data: 4) == "a has an unreadable entry for a", "\(shape)"
      )
    }
    let wide = "[\([String](repeating: "1", count: 17).joined(separator: ","))]"
    #expect(
      try message("{\(entry("a", shape: wide))}", data: 4)
        == "a tensor a has the impossible shape \(wide.replacing(",", with: ", "))")
    #expect(
      try message("{\(entry("a", shape: "[0,4611686018427387904]"))}", data: 4)
        == "a tensor a has the impossible shape [0, 4611686018427387904]")
    #expect(try message("{}", data: 1) == "a holds 1 bytes of data, its header describes 0")
    #expect(try message("{} ") == "no error")
  }
}

/// Memory of this process that lies in RAM.
private func residentBytes() -> Int {
  let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
  return (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * Int(getpagesize())
}
