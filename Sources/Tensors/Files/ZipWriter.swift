import CallosumZlib
import Foundation

/// Writes a zip archive member after member, byte for byte as Python's zipfile does for NumPy: local
/// headers have 64-bit sizes, the directory where 32 bits do not do.
package struct ZipWriter {
  let sink: AtomicFile.Sink
  let path: String
  /// Python's limit, above which sizes are written with 64 bits in the directory too.
  package static let widestPlain: UInt64 = (1 << 31) - 1
  let widestPlain: UInt64

  private struct Entry {
    let name: [UInt8]
    let method: UInt16
    let crc: UInt32
    let packedSize: UInt64, size: UInt64, offset: UInt64
    /// Bit 11 says that the name is UTF-8.
    var flags: UInt16 { name.allSatisfy { $0 < 0x80 } ? 0 : 0x800 }
  }
  private var entries: [Entry] = []
  private var written: UInt64 = 0

  package init(sink: AtomicFile.Sink, path: String, widestPlain: UInt64 = Self.widestPlain) {
    self.sink = sink
    self.path = path
    self.widestPlain = widestPlain
  }

  /// Appends a member that consists of `pieces`.
  package mutating func append(_ name: String, _ pieces: [UnsafeRawBufferPointer], compressed: Bool) throws {
    let name = Array(name.utf8)
    guard name.count <= 0xffff else {
      throw TensorFileError(path: path, "cannot hold a name of \(name.count) bytes")
    }
    let packed = compressed ? try deflated(pieces) : nil
    let size = pieces.reduce(0) { $0 + UInt64($1.count) }
    let entry = Entry(
      name: name, method: compressed ? 8 : 0, crc: pieces.reduce(0) { checksum($1, after: $0) },
      packedSize: packed.map { UInt64($0.count) } ?? size, size: size, offset: written)
    var header = Record()
    header.add(0x0403_4b50 as UInt32)
    header.add([45, entry.flags, entry.method, 0, Self.firstDay])
    header.add([entry.crc, .max, .max])
    header.add([UInt16(name.count), 20])
    header.bytes += name
    header.add([1, 16] as [UInt16])
    header.add([entry.size, entry.packedSize])
    try write(header.bytes)
    if let packed {
      try write(packed)
    } else {
      for piece in pieces {
        try sink.write(piece)
        written += UInt64(piece.count)
      }
    }
    entries.append(entry)
  }

  /// 1 January 1980, the first that zip knows: the same arrays give the same file.
  private static let firstDay: UInt16 = 1 << 5 | 1

  /// Writes the directory and the end of the archive.
  package mutating func finish() throws {
    let begin = written
    for entry in entries {
      func narrow(_ number: UInt64, _ isWide: Bool) -> UInt32 { isWide ? .max : UInt32(number) }
      let isLarge = entry.size > widestPlain || entry.packedSize > widestPlain
      let isFar = entry.offset > widestPlain
      let wide = (isLarge ? [entry.size, entry.packedSize] : []) + (isFar ? [entry.offset] : [])
      var record = Record()
      record.add(0x0201_4b50 as UInt32)
      // Made on Unix (3) for version 4.5, the first with 64-bit sizes.
      record.add([3 << 8 | 45, 45, entry.flags, entry.method, 0, Self.firstDay])
      record.add([entry.crc, narrow(entry.packedSize, isLarge), narrow(entry.size, isLarge)])
      record.add([UInt16(entry.name.count), wide.isEmpty ? 0 : UInt16(4 + 8 * wide.count), 0, 0, 0])
      record.add([0o600 << 16, narrow(entry.offset, isFar)])
      record.bytes += entry.name
      if !wide.isEmpty {
        record.add([1, UInt16(8 * wide.count)])
        record.add(wide)
      }
      try write(record.bytes)
    }
    try write(end(begin: begin, size: written - begin, count: UInt64(entries.count)))
  }

  private func end(begin: UInt64, size: UInt64, count: UInt64) -> [UInt8] {
    var record = Record()
    if begin > widestPlain || size > widestPlain || count > 0xffff {
      record.add(0x0606_4b50 as UInt32)
      record.add([44] as [UInt64])
      record.add([45, 45] as [UInt16])
      record.add([0, 0] as [UInt32])
      record.add([count, count, size, begin])
      record.add([0x0706_4b50, 0] as [UInt32])
      record.add([begin + size] as [UInt64])
      record.add([1] as [UInt32])
    }
    record.add(0x0605_4b50 as UInt32)
    let entries = UInt16(min(count, 0xffff))
    record.add([0, 0, entries, entries])
    record.add([UInt32(min(size, 0xffff_ffff)), UInt32(min(begin, 0xffff_ffff))])
    record.add([0] as [UInt16])
    return record.bytes
  }

  private mutating func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try sink.write($0) }
    written += UInt64(bytes.count)
  }

  private func deflated(_ pieces: [UnsafeRawBufferPointer]) throws -> [UInt8] {
    var stream = z_stream()
    guard
      deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw TensorFileError(path: path, "cannot be compressed: out of memory") }
    defer { deflateEnd(&stream) }
    var result: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 1 << 18)
    func run(_ flush: Int32) {
      repeat {
        let left = room.withUnsafeMutableBufferPointer { room in
          stream.next_out = room.baseAddress
          stream.avail_out = UInt32(room.count)
          _ = deflate(&stream, flush)
          return Int(stream.avail_out)
        }
        result += room.prefix(room.count - left)
      } while stream.avail_out == 0
    }
    for piece in pieces {
      for begin in stride(from: 0, to: piece.count, by: 1 << 30) {
        let part = UnsafeRawBufferPointer(rebasing: piece[begin..<min(begin + 1 << 30, piece.count)])
        // zlib does not write to its input.
        stream.next_in = UnsafeMutablePointer(
          mutating: part.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(part.count)
        run(Z_NO_FLUSH)
      }
    }
    run(Z_FINISH)
    return result
  }

  /// Little-endian numbers side by side.
  private struct Record {
    var bytes: [UInt8] = []
    mutating func add(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
    mutating func add(_ numbers: [some FixedWidthInteger]) { for number in numbers { add(number) } }
  }
}
