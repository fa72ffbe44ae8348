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
  static func members(of file: TensorFile) throws -> [Member] {
    let directory = try directory(of: file)
    let entries = try file.read(directory.begin..<directory.end)
    var members: [Member] = []
    var at = 0
    for _ in 0..<directory.count {
      let (member, next) = try entry(at: at, entries, file)
      members.append(member)
      at = next
    }
    guard at == entries.count else {
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
  private static func directory(of file: TensorFile) throws -> Directory {
    let problem = TensorFileError(path: file.path, "is not a zip archive, or is cut off")
    guard file.count >= 22 else { throw problem }
    // The record of 22 bytes, the longest comment behind it, and the 20 bytes before it that lead to a wide one.
    let tail = try file.read(max(0, file.count - 20 - 22 - 0xffff)..<file.count)
    let isEnd = { at in
      tail.number(UInt32.self, at: at) == 0x0605_4b50
        && at + 22 + Int(tail.number(UInt16.self, at: at + 20)) == tail.count
    }
    let last = tail.count - 22
    guard let end = (max(0, last - 0xffff)...last).last(where: isEnd) else { throw problem }
    var (count, size, begin) = (
      UInt64(tail.number(UInt16.self, at: end + 10)), UInt64(tail.number(UInt32.self, at: end + 12)),
      UInt64(tail.number(UInt32.self, at: end + 16))
    )
    var limit = file.count - tail.count + end
    if end >= 20, tail.number(UInt32.self, at: end - 20) == 0x0706_4b50 {
      guard let at = Int(exactly: tail.number(UInt64.self, at: end - 12)), at <= limit - 20 - 56 else {
        throw problem
      }
      let record = try file.read(at..<at + 56)
      guard record.number(UInt32.self, at: 0) == 0x0606_4b50 else { throw problem }
      count = record.number(UInt64.self, at: 32)
      size = record.number(UInt64.self, at: 40)
      begin = record.number(UInt64.self, at: 48)
      limit = at
    }
    // An entry takes 46 bytes at least.
    guard begin <= limit, size <= UInt64(limit) - begin, count <= size / 46 else {
      throw TensorFileError(path: file.path, "has a directory that does not lie inside it")
    }
    return (Int(begin), Int(begin + size), Int(count))
  }

  /// One of the directory's entries, and where the next begins.
  private static func entry(
    at: Int, _ entries: FileBytes, _ file: TensorFile
  ) throws -> (Member, next: Int) {
    let problem = TensorFileError(path: file.path, "has an unreadable entry in its directory")
    guard entries.count - at >= 46, entries.number(UInt32.self, at: at) == 0x0201_4b50 else { throw problem }
    let nameEnd = at + 46 + Int(entries.number(UInt16.self, at: at + 28))
    let extraEnd = nameEnd + Int(entries.number(UInt16.self, at: at + 30))
    let next = extraEnd + Int(entries.number(UInt16.self, at: at + 32))
    guard next <= entries.count,
      let name = entries.withBytes({ String(validating: $0[at + 46..<nameEnd], as: UTF8.self) })
    else { throw problem }
    var sizes = [20, 24, 42].map { UInt64(entries.number(UInt32.self, at: at + $0)) }
    // What does not fit 32 bits stands in the extra field 1: size, packed size, offset.
    var wide = wideNumbers(in: nameEnd..<extraEnd, entries)[...]
    for which in [1, 0, 2] where sizes[which] == 0xffff_ffff {
      if let number = wide.popFirst() { sizes[which] = number }
    }
    let method = entries.number(UInt16.self, at: at + 10)
    guard entries.number(UInt16.self, at: at + 8) & 1 == 0, method == 0 || method == 8 else {
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
      name: name, isDeflated: isDeflated, crc: entries.number(UInt32.self, at: at + 16),
      packedSize: Int(sizes[0]), size: Int(sizes[1]), offset: Int(sizes[2]))
    return (member, next)
  }

  private static func wideNumbers(in extra: Range<Int>, _ entries: FileBytes) -> [UInt64] {
    var at = extra.lowerBound
    while extra.upperBound - at >= 4 {
      let size = Int(entries.number(UInt16.self, at: at + 2))
      guard size <= extra.upperBound - at - 4 else { return [] }
      if entries.number(UInt16.self, at: at) == 1 {
        return (0..<min(size / 8, 3)).map { entries.number(UInt64.self, at: at + 4 + 8 * $0) }
      }
      at += 4 + size
    }
    return []
  }

  /// Finds the member's bytes behind its own header, which must not reach `limit`.
  private static func locate(_ member: inout Member, before limit: Int, _ file: TensorFile) throws {
    let at = member.offset
    let problem = TensorFileError(
      path: file.path, "member \(member.name) does not lie where the directory says, or overlaps another")
    guard at <= limit - 30 else { throw problem }
    let header = try file.read(at..<at + 30)
    guard header.number(UInt32.self, at: 0) == 0x0403_4b50 else { throw problem }
    let nameEnd = at + 30 + Int(header.number(UInt16.self, at: 26))
    member.begin = nameEnd + Int(header.number(UInt16.self, at: 28))
    guard member.begin <= limit, member.packedSize <= limit - member.begin,
      try file.read(at + 30..<nameEnd).withBytes({ $0.elementsEqual(member.name.utf8) })
    else { throw problem }
  }
}

// MARK: Members

extension ZipArchive.Member {
  /// All bytes, checked.
  /// - Throws: ``TensorFileError``.
  func unpacked(from file: TensorFile) throws -> FileBytes {
    let packed = try file.read(begin..<begin + packedSize)
    let bytes = isDeflated ? try packed.withBytes { try inflated($0, file.path, upTo: size) } : packed
    guard bytes.withBytes({ checksum($0) }) == crc else {
      throw TensorFileError(path: file.path, "member \(name) is damaged: its checksum is another")
    }
    return bytes
  }

  /// The first `count` bytes, or all if there are no more; nothing is checked.
  /// - Throws: ``TensorFileError``.
  func beginning(_ count: Int, from file: TensorFile) throws -> FileBytes {
    // No code of deflate is longer than 15 bits for a byte, behind tables of less than 1 KiB.
    let packed = try file.read(begin..<begin + min(packedSize, 2 * count + 1024))
    let wanted = min(count, size)
    return isDeflated
      ? try packed.withBytes { try inflated($0, file.path, upTo: wanted) } : packed[0..<wanted]
  }

  /// The first `limit` bytes, which the member claims to have. Takes memory as the bytes come: what a header
  /// claims costs nothing.
  private func inflated(_ packed: UnsafeRawBufferPointer, _ path: String, upTo limit: Int) throws -> FileBytes
  {
    let damaged = TensorFileError(
      path: path, "member \(name) is damaged: it does not unpack to \(size) bytes")
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw TensorFileError(path: path, "member \(name): out of memory")
    }
    defer { inflateEnd(&stream) }
    var capacity = max(1, min(limit, 4 * packed.count + 4096))
    guard var block = malloc(capacity) else {
      throw TensorFileError(path: path, "member \(name): out of memory")
    }
    var (taken, made) = (0, 0)
    var isOwned = true
    defer { if isOwned { free(block) } }
    var code = Z_OK
    while code == Z_OK, made < limit || limit == size {
      if made == capacity, capacity < limit {
        capacity = min(limit, 2 * capacity)
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
    let isWhole = code == Z_STREAM_END && made == size && taken == packed.count
    guard isWhole || (code == Z_OK && limit < size) else { throw damaged }
    isOwned = false
    return FileBytes(path: path, owning: block, count: made)
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
