import Foundation

/// A file of named tensors in the safetensors format: an 8-byte little-endian header length, a JSON
/// header (name -> dtype, shape, data_offsets), then the elements, without gaps.
public enum Safetensors {
  /// What a header may take at most; the reference implementation has the same limit.
  private static let largestHeader = 100_000_000

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let dataOffsets: [Int]
    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case dataOffsets = "data_offsets"
    }
  }

  /// A header value is a tensor's entry or, under `__metadata__`, a table of strings.
  private enum HeaderValue: Decodable {
    case entry(Entry)
    case metadata([String: String])
    init(from decoder: any Decoder) throws {
      if let entry = try? Entry(from: decoder) {
        self = .entry(entry)
      } else {
        self = .metadata(try [String: String](from: decoder))
      }
    }
  }

  // MARK: Reading

  /// The tensors and the metadata of a file. Types U8 and BOOL become bool, I64 becomes int32 where
  /// the values allow it.
  /// - Throws: ``SafetensorsError``, one line that says what is wrong.
  public static func load(_ path: String) throws -> (tensors: [String: Tensor], metadata: [String: String]) {
    guard let file = FileManager.default.contents(atPath: path) else {
      throw SafetensorsError(path: path, "cannot be read; check that it exists and that you may read it")
    }
    guard file.count >= 8 else { throw SafetensorsError(path: path, "is too short for a safetensors file") }
    let length = file.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(largestHeader), Int(length) <= file.count - 8 else {
      throw SafetensorsError(path: path, "claims a header of \(length) bytes, more than it holds")
    }
    let start = 8 + Int(length)
    let header: [String: HeaderValue]
    do {
      header = try JSONDecoder().decode([String: HeaderValue].self, from: file[8..<start])
    } catch {
      throw SafetensorsError(path: path, "has a header that is not safetensors JSON")
    }
    var tensors: [String: Tensor] = [:]
    var metadata: [String: String] = [:]
    var covered: [(begin: Int, end: Int, name: String)] = []
    for (name, value) in header {
      guard case .entry(let entry) = value else {
        guard name == "__metadata__", case .metadata(let table) = value else {
          throw SafetensorsError(path: path, "has an unreadable entry for \(name)")
        }
        metadata = table
        continue
      }
      tensors[name] = try tensor(entry, name, file, start, path)
      covered.append((entry.dataOffsets[0], entry.dataOffsets[1], name))
    }
    covered.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    var end = 0
    for part in covered {
      guard part.begin == end else {
        throw SafetensorsError(path: path, "has a gap or an overlap before tensor \(part.name)")
      }
      end = part.end
    }
    guard end == file.count - start else {
      throw SafetensorsError(
        path: path, "holds \(file.count - start) bytes of data, its header describes \(end)")
    }
    return (tensors, metadata)
  }

  private static func tensor(
    _ entry: Entry, _ name: String, _ file: Data, _ start: Int, _ path: String
  ) throws -> Tensor {
    let types: [String: (DType, Int)] = [
      "F32": (.float32, 4), "F64": (.float64, 8), "I32": (.int32, 4), "I64": (.int32, 8),
      "BOOL": (.bool, 1), "U8": (.bool, 1),
    ]
    guard let (dtype, width) = types[entry.dtype] else {
      throw SafetensorsError(path: path, "tensor \(name) has type \(entry.dtype), which is not supported")
    }
    var count = 1
    for size in entry.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else {
        throw SafetensorsError(path: path, "tensor \(name) has the impossible shape \(entry.shape)")
      }
      count = product
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: width)
    guard !overflow, entry.dataOffsets.count == 2, entry.dataOffsets[0] >= 0,
      entry.dataOffsets[1] <= file.count - start, entry.dataOffsets[0] <= entry.dataOffsets[1],
      entry.dataOffsets[1] - entry.dataOffsets[0] == bytes
    else {
      throw SafetensorsError(
        path: path,
        "tensor \(name) of shape \(entry.shape) does not fit its place \(entry.dataOffsets) in the file")
    }
    let result = Tensor(uninitialized: entry.shape, dtype)
    let from = start + entry.dataOffsets[0]
    if entry.dtype == "I64" {
      for i in 0..<count {
        let value = file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: from + 8 * i, as: Int64.self) }
        guard let narrow = Int32(exactly: value) else {
          throw SafetensorsError(path: path, "tensor \(name) holds \(value), which does not fit int32")
        }
        result.pointer(as: Int32.self)[i] = narrow
      }
    } else {
      file.withUnsafeBytes { source in
        result.storage.pointer.copyMemory(
          from: UnsafeRawPointer(source.baseAddress.map { $0 + from } ?? UnsafeRawPointer(result.pointer)),
          byteCount: bytes)
      }
      if dtype == .bool {
        for i in 0..<count {
          let byte = result.pointer.load(fromByteOffset: i, as: UInt8.self)
          result.pointer.storeBytes(of: byte == 0 ? 0 : 1, toByteOffset: i, as: UInt8.self)
        }
      }
    }
    return result
  }

  // MARK: Writing

  /// Writes the tensors and the metadata; all or nothing. Wide types come first, then names in order,
  /// so that every tensor is aligned to its elements for readers that map the file.
  /// - Throws: an error whose description is one line.
  public static func save(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
  ) throws {
    let order = tensors.sorted { ($1.value.dtype.size, $0.key) < ($0.value.dtype.size, $1.key) }
    var header: [String: Any] = [:]
    var offset = 0
    for (name, tensor) in order {
      let bytes = tensor.size * tensor.dtype.size
      let type =
        switch tensor.dtype {
        case .float32: "F32"
        case .float64: "F64"
        case .int32: "I32"
        case .bool: "BOOL"
        }
      header[name] = ["dtype": type, "shape": tensor.shape, "data_offsets": [offset, offset + bytes]]
      offset += bytes
    }
    if !metadata.isEmpty { header["__metadata__"] = metadata }
    var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys])
    // Elements start at a multiple of 8.
    while json.count % 8 != 0 { json.append(0x20) }
    var length = UInt64(json.count).littleEndian
    try AtomicFile.write(to: path) { sink in
      try withUnsafeBytes(of: &length) { try sink.write($0) }
      try json.withUnsafeBytes { try sink.write($0) }
      for (_, tensor) in order {
        let packed = tensor.packed
        try sink.write(UnsafeRawBufferPointer(start: packed.pointer, count: packed.size * packed.dtype.size))
      }
    }
  }
}

/// A safetensors file that cannot be used; described in one line.
public struct SafetensorsError: Error, CustomStringConvertible {
  public let path: String
  public let problem: String
  package init(path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }
  public var description: String { "\(path) \(problem)" }
}
