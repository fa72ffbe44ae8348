import CallosumZlib
import Foundation

/// An array of bytes in the IDX format of the MNIST family, plain or compressed with gzip.
///
/// A file holds the magic number `00 00 08 rank` (08 stands for unsigned bytes), one big-endian
/// 32-bit size per axis, and the elements in row-major order.
public struct IDXFile: Sendable, Equatable {
  /// Sizes of the axes, outermost first.
  public let shape: [Int]
  /// The elements, row-major.
  public let bytes: [UInt8]

  /// Reads the file at `path`, which must hold an array of `rank` axes.
  ///
  /// Never holds more than the header promises, and refuses a header that promises more than a file
  /// of that size can hold before anything is allocated.
  /// - Throws: ``IDXError``.
  public init(path: String, rank: Int) throws {
    let size = try Self.size(ofFile: path)
    let stream = try ByteStream(path: path)
    let header = try stream.read(4 + 4 * rank, atLeast: 4)
    try Self.check(magic: Array(header.prefix(4)), rank: rank, path: path)
    guard header.count == 4 + 4 * rank else {
      throw IDXError.truncated(path: path, bytes: header.count, promised: 4 + 4 * rank)
    }
    shape = (1...rank).map { axis in
      header[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    let (count, overflow) = shape.reduce((1, false)) { product, axis in
      let (partial, overflow) = product.0.multipliedReportingOverflow(by: axis)
      return (partial, overflow || product.1)
    }
    // Deflate turns one byte into 1032 at the very best, which bounds what a file can hold.
    guard !overflow, count / 1032 <= size else {
      throw IDXError.absurd(path: path, shape: shape, size: size)
    }
    bytes = try stream.read(count, atLeast: count)
    try stream.expectEnd(after: count)
  }

  private static func size(ofFile path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw errno == ENOENT || errno == ENOTDIR
        ? IDXError.missing(path: path)
        : IDXError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw IDXError.unreadable(path: path, reason: "not a regular file")
    }
    return Int(status.st_size)
  }

  private static func check(magic: [UInt8], rank: Int, path: String) throws {
    guard magic[0] == 0, magic[1] == 0, magic[2] == 8 else {
      throw IDXError.wrongMagic(path: path, found: magic, expectedRank: rank)
    }
    guard Int(magic[3]) == rank else {
      throw IDXError.wrongRank(path: path, found: Int(magic[3]), expected: rank)
    }
  }
}

/// What can be wrong with an IDX file; described in one line that says what to do.
public enum IDXError: Error, Equatable, CustomStringConvertible {
  case missing(path: String)
  case unreadable(path: String, reason: String)
  case notGzip(path: String)
  case corrupt(path: String, reason: String)
  case truncated(path: String, bytes: Int, promised: Int)
  case trailing(path: String, promised: Int)
  case wrongMagic(path: String, found: [UInt8], expectedRank: Int)
  case wrongRank(path: String, found: Int, expected: Int)
  case absurd(path: String, shape: [Int], size: Int)

  public var description: String {
    switch self {
    case .missing(let path):
      "\(path): no such file; check the path or get the data set again"
    case .unreadable(let path, let reason):
      "\(path): cannot be read (\(reason)); check the path and its permissions"
    case .notGzip(let path):
      "\(path): is named .gz but is not gzip data; get the file again, or drop .gz from its name"
    case .corrupt(let path, let reason):
      "\(path): the gzip data is corrupt (\(reason)); get the file again"
    case .truncated(let path, let bytes, let promised):
      "\(path): ends after \(bytes) of \(promised) bytes; get the file again"
    case .trailing(let path, let promised):
      "\(path): goes on after the \(promised) bytes that its header promises; get the file again"
    case .wrongMagic(let path, let found, let rank):
      "\(path): begins with \(hexadecimal(found)), not with \(hexadecimal([0, 0, 8, UInt8(clamping: rank)]));"
        + " it is not an IDX file of bytes, get the right file"
    case .wrongRank(let path, let found, let expected):
      "\(path): holds an array of \(found) axes, not of \(expected);"
        + " images and labels may be swapped, get the right file"
    case .absurd(let path, let shape, let size):
      "\(path): its header promises \(shape.map(String.init).joined(separator: " x ")) bytes,"
        + " more than a file of \(size) bytes can hold; get the file again"
    }
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }
}

/// Reads a file front to back; gzip data is decompressed and checked on the way.
private final class ByteStream {
  private let path: String
  private let file: gzFile

  init(path: String) throws {
    errno = 0
    guard let file = gzopen(path, "rb") else {
      throw IDXError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    self.path = path
    self.file = file
    // zlib passes data on as it is when it does not begin like gzip.
    if path.hasSuffix(".gz"), gzdirect(file) == 1 { throw IDXError.notGzip(path: path) }
  }

  deinit { gzclose_r(file) }

  /// The next `count` bytes, or as many as there are before the end but `minimum` at least.
  func read(_ count: Int, atLeast minimum: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let part = UInt32(min(count - filled, 1 << 24))
        let got = gzread(file, buffer.baseAddress?.advanced(by: filled), part)
        if got < 0 { throw failure() }
        if got == 0 { break }
        filled += Int(got)
      }
      if filled < minimum {
        throw IDXError.truncated(path: path, bytes: filled, promised: minimum)
      }
    }
  }

  /// Checks that nothing follows; zlib compares the checksum at this point.
  func expectEnd(after count: Int) throws {
    var extra: UInt8 = 0
    let got = gzread(file, &extra, 1)
    if got > 0 { throw IDXError.trailing(path: path, promised: count) }
    var code: Int32 = 0
    let reason = gzerror(file, &code)
    if got < 0 || code != Z_OK, let reason {
      throw code == Z_BUF_ERROR
        ? IDXError.corrupt(path: path, reason: "its checksum is cut off")
        : IDXError.corrupt(path: path, reason: Self.plain(String(cString: reason)))
    }
  }

  private func failure() -> IDXError {
    var code: Int32 = 0
    let reason = gzerror(file, &code).map { String(cString: $0) } ?? "unknown reason"
    return code == Z_ERRNO
      ? .unreadable(path: path, reason: String(cString: strerror(errno)))
      : .corrupt(path: path, reason: Self.plain(reason))
  }

  /// zlib puts the path in front of its reasons.
  private static func plain(_ reason: String) -> String {
    reason.split(separator: ": ").last.map(String.init) ?? reason
  }
}
