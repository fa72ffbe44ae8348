import CallosumTasks
import CallosumTestSupport
import Foundation
import Testing

@Suite struct IDXFileTests {
  @Test(arguments: [false, true]) func readsWhatWasWritten(compressed: Bool) throws {
    try inTemporaryFolder { folder in
      let elements = (0..<(7 * 5 * 3)).map { UInt8(truncatingIfNeeded: $0 * 37) }
      let path = folder + (compressed ? "/a.gz" : "/a")
      let bytes = idx([7, 5, 3], elements)
      try write(compressed ? gzip(bytes) : bytes, to: path)
      let file = try IDXFile(path: path, rank: 3)
      #expect(file.shape == [7, 5, 3])
      #expect(file.bytes == elements)
    }
  }

  @Test func readsGzipDataUnderAPlainName() throws {
    try inTemporaryFolder { folder in
      try write(gzip(idx([2], [8, 9])), to: folder + "/a")
      #expect(try IDXFile(path: folder + "/a", rank: 1).bytes == [8, 9])
    }
  }

  @Test func readsAnEmptyArray() throws {
    try inTemporaryFolder { folder in
      try write(idx([0, 28, 28], []), to: folder + "/a")
      let file = try IDXFile(path: folder + "/a", rank: 3)
      #expect(file.shape == [0, 28, 28])
      #expect(file.bytes.isEmpty)
    }
  }

  @Test func readsMoreThanOneBufferful() throws {
    try inTemporaryFolder { folder in
      let elements = [UInt8](repeating: 3, count: 40_000_000)
      try write(gzip(idx([elements.count], elements)), to: folder + "/a.gz")
      #expect(try IDXFile(path: folder + "/a.gz", rank: 1).bytes == elements)
    }
  }

  @Test func missingFile() throws {
    try inTemporaryFolder { folder in
      #expect(
        message(folder + "/none.gz")
          == "none.gz: no such file; check the path or get the data set again")
    }
  }

  @Test func folderInsteadOfAFile() throws {
    try inTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder + "/sub", withIntermediateDirectories: false)
      #expect(
        message(folder + "/sub")
          == "sub: cannot be read (not a regular file); check the path and its permissions")
    }
  }

  @Test func notGzip() throws {
    try require(
      idx([2], [1, 2]), named: "a.gz",
      "a.gz: is named .gz but is not gzip data; get the file again, or drop .gz from its name")
  }

  @Test func truncatedPlainFile() throws {
    try require(idx([9], [1, 2, 3, 4]), "a: ends after 4 of 9 bytes; get the file again")
    try require([], "a: ends after 0 of 4 bytes; get the file again")
    try require([0, 0, 8, 1, 0, 0], "a: ends after 6 of 8 bytes; get the file again")
  }

  @Test func truncatedGzipFileAtEveryLength() throws {
    let whole = try gzip(idx([300], (0..<300).map { UInt8(truncatingIfNeeded: $0 * $0) }))
    try inTemporaryFolder { folder in
      for length in 0..<whole.count {
        try write(Array(whole[..<length]), to: folder + "/a.gz")
        let text = message(folder + "/a.gz", rank: 1)
        #expect(
          text.hasPrefix("a.gz: ") && text.contains("; get the file again"), "\(length): \(text)")
      }
    }
  }

  @Test func trailingBytes() throws {
    let line = "goes on after the 2 bytes that its header promises; get the file again"
    try require(idx([2], [1, 2, 3]), "a: " + line)
    try require(gzip(idx([2], [1, 2, 3])), named: "a.gz", "a.gz: " + line)
  }

  @Test func wrongMagicNumber() throws {
    try require(
      [0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 0],
      "a: begins with 89 50 4e 47, not with 00 00 08 01; it is not an IDX file of bytes, get the right"
        + " file")
    try require(
      [0, 0, 0x0D, 1, 0, 0, 0, 0],
      "a: begins with 00 00 0d 01, not with 00 00 08 01; it is not an IDX file of bytes, get the right"
        + " file")
  }

  @Test func wrongRank() throws {
    try require(
      idx([1, 1, 1], [5]),
      "a: holds an array of 3 axes, not of 1; images and labels may be swapped, get the right file")
  }

  @Test func absurdSizes() throws {
    let header: [UInt8] = [0, 0, 8, 3] + [UInt8](repeating: 0xFF, count: 12)
    try require(
      header, rank: 3,
      "a: its header promises 4294967295 x 4294967295 x 4294967295 bytes, more than a file of 16 bytes"
        + " can hold; get the file again")
    try require(
      [0, 0, 8, 1, 0x7F, 0xFF, 0xFF, 0xFF],
      "a: its header promises 2147483647 bytes, more than a file of 8 bytes can hold; get the file"
        + " again")
  }

  @Test func corruptChecksum() throws {
    var bytes = try gzip(idx([300], [UInt8](repeating: 1, count: 300)))
    bytes[bytes.count - 8] ^= 0xFF
    try require(
      bytes, named: "a.gz",
      "a.gz: the gzip data is corrupt (incorrect data check); get the file again")
  }

  @Test func anyFlippedByteIsNoticedOrHarmless() throws {
    let elements = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let whole = try gzip(idx([200], elements))
    try inTemporaryFolder { folder in
      for place in whole.indices {
        var bytes = whole
        bytes[place] ^= 0x55
        try write(bytes, to: folder + "/a.gz")
        do {
          // What changes in gzip's own header (time, system) leaves the data as it was.
          let file = try IDXFile(path: folder + "/a.gz", rank: 1)
          #expect(file.bytes == elements)
        } catch {
          #expect(error is IDXError)
        }
      }
    }
  }

  /// The line that reading `bytes` fails with, the folder left out.
  private func require(
    _ bytes: [UInt8], named name: String = "a", rank: Int = 1, _ line: String,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    try inTemporaryFolder { folder in
      try write(bytes, to: folder + "/" + name)
      #expect(message(folder + "/" + name, rank: rank) == line, sourceLocation: location)
    }
  }

  private func message(_ path: String, rank: Int = 1) -> String {
    do {
      return "no error: \(try IDXFile(path: path, rank: rank).shape)"
    } catch {
      let folder = (path as NSString).deletingLastPathComponent + "/"
      return "\(error)".replacingOccurrences(of: folder, with: "")
    }
  }
}
