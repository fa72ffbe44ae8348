import CallosumZlib
import Foundation

/// A picture of up to 256 colours as a PNG file (RFC 2083, colour type 3).
enum PNG {
  struct Colour: Equatable {
    let red, green, blue: UInt8
  }

  /// - Parameters:
  ///   - pixels: Rows from the top of places in `palette`, all of one length.
  ///   - clear: The place of a colour that is not drawn.
  static func encoded(_ pixels: [[UInt8]], palette: [Colour], clear: UInt8? = nil) -> Data {
    let width = pixels.first?.count ?? 0
    var file = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    // Eight bits for each pixel, colours from the palette, nothing interlaced.
    file += chunk("IHDR", bigEndian(width) + bigEndian(pixels.count) + [8, 3, 0, 0, 0])
    file += chunk("PLTE", palette.flatMap { [$0.red, $0.green, $0.blue] })
    if let clear { file += chunk("tRNS", [UInt8](repeating: 255, count: Int(clear)) + [0]) }
    // Each row begins with how it is filtered: not at all.
    file += chunk("IDAT", deflated(pixels.flatMap { [0] + $0 }))
    file += chunk("IEND", [])
    return file
  }

  /// As an address that a page can hold.
  static func address(_ pixels: [[UInt8]], palette: [Colour], clear: UInt8? = nil) -> String {
    "data:image/png;base64,\(encoded(pixels, palette: palette, clear: clear).base64EncodedString())"
  }

  private static func bigEndian(_ number: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).bigEndian, Array.init)
  }

  /// Length, name, content, and the check sum of name and content.
  private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
    let checked = Array(name.utf8) + content
    let sum = crc32(0, checked, UInt32(checked.count))
    return bigEndian(content.count) + checked + bigEndian(Int(sum))
  }

  private static func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(UInt(bytes.count))
    var packed = [UInt8](repeating: 0, count: Int(length))
    let code = compress2(&packed, &length, bytes, UInt(bytes.count), 9)
    precondition(code == Z_OK, "zlib's compress2 with enough room: \(code)")
    return Array(packed.prefix(Int(length)))
  }
}
