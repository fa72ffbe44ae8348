import CallosumZlib
import Foundation

/// Reads zip archives (PKWARE's APPNOTE 6.3): members stored or deflated, sizes of 32 or 64 bits.
enum ZipArchive {
  struct Member {
    let name: String
    let isDeflated: Bool
    let crc: UInt32
    /// Bytes in the archive, and when unpacked.
    let packedSize: Int, size: Int
    /// Of the local header.
    let offset: Int
    /// Of the packed bytes.
    var begin = 0
  }

  /// The members in the order of the archive, each with its place, which no other shares.
  /// - Throws: ``TensorFileError``.
  static func members(of file: FileBytes) throws -> [Member] {
    let directory = try directory(of: file)
    var members: [Member] = []
    var at = directory.begin
    for _ in 0..<directory.count {
      let (member, next) = try entry(at: at, before: directory.end, file)
      members.append(member)
      at = next
    }
    guard at == directory.end else {
      throw TensorFileError(path: file.path, "has a directory that ends elsewhere than it says")
    }
    guard Set(members.map(\.name)).count == members.count else {
      throw TensorFileError(path: file.path, "has two members of the same name")
    }
    members.sort { $0.offset < $1.offset }
    for index in members.indices {
      let next = index + 1 < members.count ? members[index + 1].offset : directory.begin
      try locate(&members[index], before: next, file)
    }
    return members
  }

  // MARK: The directory

  private typealias Directory = (begin: Int, end: Int, count: Int)

  /// From the record at the end of the archive, behind which a comment may stand.
  private static func directory(of file: FileBytes) throws -> Directory {
    let problem = TensorFileError(path: file.path, "is not a zip archive, or is cut off")
    let last = file.count - 22
    guard last >= 0 else { throw problem }
    let isEnd = { at in
      file.number(UInt32.self, at: at) == 0x0605_4b50
        && at + 22 + Int(file.number(UInt16.self, at: at + 20)) == file.count
    }
    guard let end = (max(0, last - 0xffff)...last).last(where: isEnd) else { throw problem }
    var (count, size, begin) = (
      UInt64(file.number(UInt16.self, at: end + 10)), UInt64(file.number(UInt32.self, at: end + 12)),
      UInt64(file.number(UInt32.self, at: end + 16))
    )
    var limit = end
    if end >= 20, file.number(UInt32.self, at: end - 20) == 0x0706_4b50 {
      let record = file.number(UInt64.self, at: end - 12)
      guard let record = Int(exactly: record), record <= end - 20 - 56,
        file.number(UInt32.self, at: record) == 0x0606_4b50
      else { throw problem }
      count = file.number(UInt64.self, at: record + 32)
      size = file.number(UInt64.self, at: record + 40)
      begin = file.number(UInt64.self, at: record + 48)
      limit = record
    }
    // An entry takes 46 bytes at least.
    guard begin <= limit, size <= UInt64(limit) - begin, count <= size / 46 else {
      throw TensorFileError(path: file.path, "has a directory that does not lie inside it")
    }
    return (Int(begin), Int(begin + size), Int(count))
  }

  /// One entry of the directory, and where the next begins.
  private static func entry(at: Int, before end: Int, _ file: FileBytes) throws -> (Member, next: Int) {
    let problem = TensorFileError(path: file.path, "has an unreadable entry in its directory")
    guard end - at >= 46, file.number(UInt32.self, at: at) == 0x0201_4b50 else { throw problem }
    let nameEnd = at + 46 + Int(file.number(UInt16.self, at: at + 28))
    let extraEnd = nameEnd + Int(file.number(UInt16.self, at: at + 30))
    let next = extraEnd + Int(file.number(UInt16.self, at: at + 32))
    guard next <= end, let name = String(validating: file.bytes[at + 46..<nameEnd], as: UTF8.self) else {
      throw problem
    }
    var sizes = [20, 24, 42].map { UInt64(file.number(UInt32.self, at: at + $0)) }
    // What does not fit 32 bits stands in the extra field 1: size, packed size, offset.
    var wide = wideNumbers(in: nameEnd..<extraEnd, file)[...]
    for which in [1, 0, 2] where sizes[which] == 0xffff_ffff {
      if let number = wide.popFirst() { sizes[which] = number }
    }
    let method = file.number(UInt16.self, at: at + 10)
    guard file.number(UInt16.self, at: at + 8) & 1 == 0, method == 0 || method == 8 else {
      throw TensorFileError(path: file.path, "member \(name) is encrypted or packed by method \(method)")
    }
    let isDeflated = method == 8
    // Deflate turns one byte into 1032 at the very best.
    guard sizes.allSatisfy({ $0 <= UInt64(Int.max) / 2048 }), sizes[0] <= UInt64(file.count),
      isDeflated ? sizes[1] / 1032 <= sizes[0] : sizes[1] == sizes[0]
    else {
      throw TensorFileError(
        path: file.path, "member \(name) claims to be \(sizes[1]) bytes, packed into \(sizes[0])")
    }
    let member = Member(
      name: name, isDeflated: isDeflated, crc: file.number(UInt32.self, at: at + 16),
      packedSize: Int(sizes[0]), size: Int(sizes[1]), offset: Int(sizes[2]))
    return (member, next)
  }

  private static func wideNumbers(in extra: Range<Int>, _ file: FileBytes) -> [UInt64] {
    var at = extra.lowerBound
    while extra.upperBound - at >= 4 {
      let size = Int(file.number(UInt16.self, at: at + 2))
      guard size <= extra.upperBound - at - 4 else { return [] }
      if file.number(UInt16.self, at: at) == 1 {
        return (0..<min(size / 8, 3)).map { file.number(UInt64.self, at: at + 4 + 8 * $0) }
      }
      at += 4 + size
    }
    return []
  }

  /// Finds the member's bytes behind its own header, which must not reach `limit`.
  private static func locate(_ member: inout Member, before limit: Int, _ file: FileBytes) throws {
    let at = member.offset
    let problem = TensorFileError(
      path: file.path, "member \(member.name) does not lie where the directory says, or overlaps another")
    guard at <= limit - 30, file.number(UInt32.self, at: at) == 0x0403_4b50 else { throw problem }
    let nameSize = Int(file.number(UInt16.self, at: at + 26))
    member.begin = at + 30 + nameSize + Int(file.number(UInt16.self, at: at + 28))
    guard member.begin <= limit, member.packedSize <= limit - member.begin,
      file.bytes[at + 30..<at + 30 + nameSize].elementsEqual(member.name.utf8)
    else { throw problem }
  }
}

// MARK: Members

extension ZipArchive.Member {
  /// The bytes, checked, and where they begin: in the archive itself if they are stored there as they are.
  /// - Throws: ``TensorFileError``.
  func unpacked(from file: FileBytes) throws -> (FileBytes, begin: Int) {
    let packed = UnsafeRawBufferPointer(rebasing: file.bytes[begin..<begin + packedSize])
    let source = isDeflated ? try inflated(packed, file.path) : file
    let from = isDeflated ? 0 : begin
    let bytes = UnsafeRawBufferPointer(rebasing: source.bytes[from..<from + size])
    guard checksum(bytes) == crc else {
      throw TensorFileError(path: file.path, "member \(name) is damaged: its checksum is another")
    }
    return (source, from)
  }

  /// Takes memory as the bytes come: what a header claims costs nothing.
  private func inflated(_ packed: UnsafeRawBufferPointer, _ path: String) throws -> FileBytes {
    let damaged = TensorFileError(
      path: path, "member \(name) is damaged: it does not unpack to \(size) bytes")
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw TensorFileError(path: path, "member \(name): out of memory")
    }
    defer { inflateEnd(&stream) }
    var capacity = max(1, min(size, 4 * packed.count + 4096))
    guard var block = malloc(capacity) else {
      throw TensorFileError(path: path, "member \(name): out of memory")
    }
    var (taken, made) = (0, 0)
    var isOwned = true
    defer { if isOwned { free(block) } }
    var code = Z_OK
    while code == Z_OK {
      if made == capacity, capacity < size {
        capacity = min(size, 2 * capacity)
        guard let larger = realloc(block, capacity) else {
          throw TensorFileError(path: path, "member \(name): out of memory")
        }
        block = larger
      }
      let input = min(packed.count - taken, 1 << 30), output = min(capacity - made, 1 << 30)
      // zlib does not write to its input.
      stream.next_in = UnsafeMutablePointer(
        mutating: packed.baseAddress?.advanced(by: taken).assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(input)
      stream.next_out = block.advanced(by: made).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(output)
      code = inflate(&stream, Z_NO_FLUSH)
      taken += input - Int(stream.avail_in)
      made += output - Int(stream.avail_out)
    }
    guard code == Z_STREAM_END, made == size, taken == packed.count else { throw damaged }
    isOwned = false
    return FileBytes(path: path, owning: block, count: size)
  }
}

/// The CRC-32 of zip archives.
func checksum(_ bytes: UnsafeRawBufferPointer, after start: UInt32 = 0) -> UInt32 {
  var sum = UInt(start)
  for begin in stride(from: 0, to: bytes.count, by: 1 << 30) {
    let part = bytes[begin..<min(begin + 1 << 30, bytes.count)]
    let pointer = UnsafeRawBufferPointer(rebasing: part).assumingMemoryBound(to: UInt8.self).baseAddress
    sum = crc32(sum, pointer, UInt32(part.count))
  }
  return UInt32(sum)
}
