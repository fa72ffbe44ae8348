import CallosumTensors
import Foundation

/// The tensors and the metadata of a safetensors file.
func readSafetensors(_ url: URL) throws -> (tensors: [String: Tensor], metadata: [String: String]) {
  struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let dataOffsets: [Int]
    enum CodingKeys: String, CodingKey { case dtype, shape, dataOffsets = "data_offsets" }
  }
  enum Item: Decodable {
    case metadata([String: String]), tensor(Entry)
    init(from decoder: Decoder) throws {
      if let entry = try? Entry(from: decoder) { self = .tensor(entry) } else {
        self = .metadata(try [String: String](from: decoder))
      }
    }
  }
  struct Malformed: Error { let file: URL }

  let bytes = try Data(contentsOf: url)
  guard bytes.count >= 8 else { throw Malformed(file: url) }
  let headerSize = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
  guard headerSize <= bytes.count - 8 else { throw Malformed(file: url) }
  let items = try JSONDecoder().decode([String: Item].self, from: bytes[8..<8 + headerSize])
  let body = bytes.dropFirst(8 + headerSize)

  func array<Element: TensorElement>(_ entry: Entry, of type: Element.Type) throws -> Tensor {
    let count = entry.shape.elementCount
    guard entry.dataOffsets.count == 2, entry.dataOffsets[0] >= 0,
      entry.dataOffsets[1] <= body.count,
      entry.dataOffsets[1] - entry.dataOffsets[0] == count * type.dtype.size
    else { throw Malformed(file: url) }
    let part = body.dropFirst(entry.dataOffsets[0]).prefix(count * type.dtype.size)
    let values = [Element](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = part.copyBytes(to: buffer) / type.dtype.size
    }
    return Tensor(values, entry.shape)
  }

  var tensors: [String: Tensor] = [:]
  var metadata: [String: String] = [:]
  for (name, item) in items {
    switch item {
    case .metadata(let texts): metadata = texts
    case .tensor(let entry):
      switch entry.dtype {
      case "F32": tensors[name] = try array(entry, of: Float.self)
      case "F64": tensors[name] = try array(entry, of: Double.self)
      case "I32": tensors[name] = try array(entry, of: Int32.self)
      case "BOOL": tensors[name] = try array(entry, of: Bool.self)
      default: throw Malformed(file: url)
      }
    }
  }
  return (tensors, metadata)
}
