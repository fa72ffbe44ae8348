import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct WeightsTests {
  private func network(_ seed: UInt64) -> Sequential {
    var random = RandomGenerator(seed: seed)
    return Sequential(Linear(3, 2, using: &random), BatchNorm(2))
  }

  @Test func roundTrip() throws {
    try inTemporaryFolder { folder in
      let first = network(1), second = network(2)
      (first.layers[1] as? BatchNorm)?.runningMean = Tensor([0.25, .infinity] as [Float])
      try first.save(to: folder + "/weights", metadata: ["step": "7"])
      try second.load(from: folder + "/weights")
      #expect(first.weights().mapValues(\.floats) == second.weights().mapValues(\.floats))
      #expect(try Safetensors.load(folder + "/weights").metadata == ["step": "7"])
      // What was loaded belongs to one network only.
      second.parameters()[0].withOwnMemory { $0[0] = 99 }
      #expect(first.parameters()[0].value.floats[0] != 99)
    }
  }

  @Test func aSavedFileReplacesTheOldOneOrNothing() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/weights"
      try network(1).save(to: path)
      let before = FileManager.default.contents(atPath: path)
      try network(2).save(to: path)
      #expect(FileManager.default.contents(atPath: path) != before)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights"])
      #expect(message { try network(1).save(to: folder) } == "cannot write \(folder): it is a folder")
      #expect(
        message { try network(1).save(to: folder + "/no/weights") }
          == "cannot write \(folder)/no/weights: its folder does not exist")
    }
  }

  // MARK: Weights that do not fit

  @Test func missingTensor() throws {
    try expectRefusal("F/a: weights lack layers.0.bias, layers.1.weight") {
      $0["layers.0.bias"] = nil
      $0["layers.1.weight"] = nil
    }
  }

  @Test func extraTensors() throws {
    try expectRefusal("F/a: weights hold a, b, c and 1 more, which this network does not have") {
      for name in ["d", "b", "c", "a"] { $0[name] = .zeros([1]) }
    }
  }

  /// A file with a hole, as large as that of another network: it is refused by its names before it is read.
  @Test func aWrongFileIsNotRead() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a", count = 1 << 33
      let header = #"{"other":{"dtype":"F16","shape":[\#(count / 2)],"data_offsets":[0,\#(count)]}}"#
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      try (length + Data(header.utf8)).write(to: URL(fileURLWithPath: path))
      #expect(truncate(path, 8 + header.utf8.count + count) == 0)
      for type in [nil, DType.float64] {
        #expect(
          message { try network(1).load(from: path, as: type) }.contains("/a: weights lack layers.0.bias"))
      }
      #expect(TensorMemory.peakMemory < count)
    }
  }

  @Test func wrongShapeAndType() throws {
    try expectRefusal("F/a: layers.0.weight must be float32 [2, 3], is float32 [3, 2]") {
      $0["layers.0.weight"] = .zeros([3, 2])
    }
    try expectRefusal("F/a: layers.1.runningMean must be float32 [2], is float64 [2]") {
      $0["layers.1.runningMean"] = .zeros([2], dtype: .float64)
    }
  }

  private func expectRefusal(
    _ line: String, at location: SourceLocation = #_sourceLocation,
    after change: (inout [String: Tensor]) -> Void
  ) throws {
    try inTemporaryFolder { folder in
      var weights = network(1).weights()
      change(&weights)
      try Safetensors.save(weights, to: folder + "/a")
      expectRefusal(folder, line, location)
    }
  }

  /// Loading F/a fails with this line and changes nothing.
  private func expectRefusal(_ folder: String, _ line: String, _ location: SourceLocation) {
    let network = network(2)
    let before = network.weights().mapValues(\.floats)
    let text = message { try network.load(from: folder + "/a") }.replacing(folder, with: "F")
    #expect(text == line, sourceLocation: location)
    #expect(network.weights().mapValues(\.floats) == before, sourceLocation: location)
  }

  // MARK: Damaged files

  @Test func missingFile() throws {
    try inTemporaryFolder {
      expectRefusal(
        $0, "F/a cannot be read; check that it exists and that you may read it", #_sourceLocation)
    }
  }

  @Test func aFileCutOffAnywhereIsRefused() throws {
    try inTemporaryFolder { folder in
      try network(1).save(to: folder + "/whole")
      let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/whole"))
      let network = network(2)
      let before = network.weights().mapValues(\.floats)
      for length in 0..<whole.count {
        try whole.prefix(length).write(to: URL(fileURLWithPath: folder + "/a"))
        let text = message { try network.load(from: folder + "/a") }
        #expect(text.hasPrefix(folder + "/a ") && !text.contains("\n"), "\(length): \(text)")
      }
      #expect(network.weights().mapValues(\.floats) == before)
    }
  }

  @Test func tooShort() throws { try require([1, 2, 3], "F/a is too short for a safetensors file") }

  @Test func aHeaderThatLiesAboutItsLength() throws {
    try require(
      [UInt8](repeating: 0xFF, count: 8) + [0x7B, 0x7D],
      "F/a is cut off, or no safetensors file: it claims a header of 18446744073709551615 bytes")
    try require(
      [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D],
      "F/a is cut off, or no safetensors file: it claims a header of 3 bytes")
  }

  @Test func noJSON() throws {
    let line = "F/a has a header that is not safetensors JSON"
    try require("{\"a\"", line)
    try require("[1, 2]", line)
    try require(String(repeating: "[", count: 100_000), line)
  }

  @Test func entriesThatDescribeNoTensor() throws {
    let line = "F/a has an unreadable entry for a"
    try require("{\"a\": {\"dtype\": \"F32\", \"shape\": [1]}}", line)
    try require("{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}", line, data: 4)
    try require("{\(entry("a", [2], [-8, 0]))}", line, data: 8)
    try require("{\(entry("a", [1], [0]))}", line, data: 4)
    try require("{\(entry("a", [-2], [0, 8]))}", line, data: 8)
  }

  @Test func overlapsAndGaps() throws {
    let a = entry("a", [2], [0, 8])
    try require(
      "{\(a), \(entry("b", [2], [4, 12]))}", "F/a has a gap or an overlap before tensor b", data: 12)
    try require(
      "{\(a), \(entry("b", [2], [12, 20]))}", "F/a has a gap or an overlap before tensor b", data: 20)
    try require("{\(a)}", "F/a holds 12 bytes of data, its header describes 8", data: 12)
  }

  @Test func shapesAgainstOffsets() throws {
    func fits(_ shape: String, _ offsets: String) -> String {
      "F/a tensor a of shape \(shape) does not fit its place \(offsets) in the file"
    }
    try require("{\(entry("a", [3], [0, 8]))}", fits("[3]", "[0, 8]"), data: 8)
    try require("{\(entry("a", [2], [0, 8]))}", fits("[2]", "[0, 8]"), data: 4)
    try require("{\(entry("a", [2], [8, 0]))}", fits("[2]", "[8, 0]"), data: 8)
    let huge = [1 << 40, 1 << 40]
    try require("{\(entry("a", huge, [0, 8]))}", "F/a tensor a has the impossible shape \(huge)", data: 8)
    try require(
      "{\(entry("a", [1 << 60], [0, 8]))}", fits("[\(1 << 60)]", "[0, 8]"), data: 8)
  }

  @Test func unknownType() throws {
    try require(
      "{\(entry("a", [4], [0, 4], "F8_E4M3"))}", "F/a tensor a has type F8_E4M3, which is not supported",
      data: 4)
  }

  @Test func wideIntegersThatDoNotFit() throws {
    try inTemporaryFolder { folder in
      let bytes = file("{\(entry("a", [1], [0, 8], "I64"))}", data: 8).dropLast(8) + [0, 0, 0, 0, 1, 0, 0, 0]
      try Data(bytes).write(to: URL(fileURLWithPath: folder + "/a"))
      let text = message { _ = try Safetensors.load(folder + "/a") }.replacing(folder, with: "F")
      #expect(text == "F/a tensor a holds 4294967296, which does not fit int32")
    }
  }

  private func entry(_ name: String, _ shape: [Int], _ offsets: [Int], _ type: String = "F32") -> String {
    "\"\(name)\": {\"dtype\": \"\(type)\", \"shape\": \(shape), \"data_offsets\": \(offsets)}"
  }

  private func file(_ header: String, data: Int) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    return length + Array(header.utf8) + [UInt8](repeating: 0, count: data)
  }

  private func require(
    _ header: String, _ line: String, data: Int = 0, at location: SourceLocation = #_sourceLocation
  ) throws {
    try require(file(header, data: data), line, at: location)
  }

  private func require(
    _ bytes: [UInt8], _ line: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    try inTemporaryFolder { folder in
      try Data(bytes).write(to: URL(fileURLWithPath: folder + "/a"))
      expectRefusal(folder, line, location)
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch { return "\(error)" }
  }
}

/// Files of the format's own package, and ours byte by byte.
@Suite struct SafetensorsFormatTests {
  @Test func readsWhatThePackageWrote() throws {
    let path = Golden.folder.appendingPathComponent("networks/package.safetensors").path
    let (tensors, metadata) = try Safetensors.load(path)
    #expect(metadata == ["made": "by the package"])
    func require(_ name: String, _ dtype: DType, _ shape: [Int], _ values: [Double]) {
      #expect(tensors[name]?.dtype == dtype && tensors[name]?.shape == shape, "\(name)")
      #expect(tensors[name]?.doubles == values, "\(name)")
    }
    require("weights.0", .float32, [2, 3], (0..<6).map { Double(Float($0) / 7) })
    require("double", .float64, [3], [1 / 3, -1e300, .infinity])
    require("int", .int32, [2, 1], [1, -2_147_483_648])
    require("long", .int32, [3], [5, 2_147_483_647, -7])
    require("bool", .bool, [3], [1, 0, 1])
    require("byte", .int32, [3], [0, 1, 255])
    require("number", .float32, [], [2.5])
    require("empty", .float32, [0, 3], [])
    let special = tensors["größe \"a/b\""]?.floats ?? []
    #expect(special.count == 2 && special[0].sign == .minus && special[1].isNaN)
    #expect(tensors.count == 9)
  }

  /// The package reads such a file (tried with version 0.8.0): little-endian length, JSON padded with
  /// spaces to a multiple of 8, wide types first, no gaps.
  @Test func writesTheFormat() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      let tensors: [String: Tensor] = [
        "b/ü": Tensor([1, 2, 3, 4, 5, 6] as [Float], [2, 3]).transposed(), "a": Tensor([true, false, true]),
        "c": Tensor([-1] as [Int32]), "d": Tensor([0.5] as [Double], []), "e": .zeros([2, 0]),
      ]
      try Safetensors.save(tensors, metadata: ["k": "v \"w\""], to: path)
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      let length = bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
      #expect(length % 8 == 0)
      let json = try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: Any]
      #expect(json?.count == 6)
      #expect(json?["__metadata__"] as? [String: String] == ["k": "v \"w\""])
      func part(_ name: String) -> (type: String?, shape: [Int]?, bytes: [UInt8], begin: Int) {
        let entry = json?[name] as? [String: Any]
        let offsets = entry?["data_offsets"] as? [Int] ?? [0, 0]
        return (
          entry?["dtype"] as? String, entry?["shape"] as? [Int],
          Array(bytes[(8 + length)...].dropFirst(offsets[0]).prefix(offsets[1] - offsets[0])), offsets[0]
        )
      }
      #expect(part("a").type == "BOOL" && part("a").shape == [3] && part("a").bytes == [1, 0, 1])
      #expect(part("c").type == "I32" && part("c").shape == [1] && part("c").bytes == [255, 255, 255, 255])
      #expect(
        part("d").type == "F64" && part("d").shape == [] && part("d").bytes == [0, 0, 0, 0, 0, 0, 0xE0, 0x3F])
      #expect(part("e").type == "F32" && part("e").shape == [2, 0] && part("e").bytes == [])
      // 1, 4, 2, 5, 3, 6 as float32: rows of the transposed view.
      #expect(part("b/ü").type == "F32" && part("b/ü").shape == [3, 2])
      let numbers: [Float] = [1, 4, 2, 5, 3, 6]
      #expect(
        part("b/ü").bytes == numbers.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
      )
      #expect(bytes.count == 8 + length + 24 + 8 + 4 + 3)
      // Every tensor is aligned to its elements, as readers that map the file want.
      for (name, size) in [("b/ü", 4), ("c", 4), ("d", 8)] {
        #expect(part(name).begin % size == 0, "\(name)")
      }
    }
  }
}
