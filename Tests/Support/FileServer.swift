import Foundation

/// A small HTTP server on this machine that serves files from memory, with ranges, and breaks off when told to.
package final class FileServer: @unchecked Sendable {
  package struct Request: Sendable, Equatable {
    package let path: String
    /// Where the range begins that was asked for, if one was.
    package let start: Int?
    package init(path: String, start: Int?) {
      self.path = path
      self.start = start
    }
  }

  /// How the server behaves, one entry for each request; `.whole` when they are used up.
  package enum Behaviour: Sendable {
    case whole
    /// Closes the connection after so many bytes of the body.
    case breakOff(after: Int)
    /// Closes it before an answer.
    case hangUp
    case status(Int)
    /// Answers a range with the whole file.
    case ignoreRange
    /// Answers a range with one that begins elsewhere.
    case wrongRange
  }

  private let files: [String: [UInt8]]
  private let listener: Int32
  private let lock = NSLock()
  private var behaviours: [Behaviour]
  private var seen: [Request] = []
  package let port: UInt16

  package var address: String { "http://127.0.0.1:\(port)" }
  package var requests: [Request] { lock.withLock { seen } }

  struct CannotListen: Error {}

  /// - Parameter files: contents by path, such as `/a.txt`.
  package init(_ files: [String: [UInt8]], _ behaviours: [Behaviour] = []) throws {
    self.files = files
    self.behaviours = behaviours
    #if canImport(Glibc)
      let stream = Int32(SOCK_STREAM.rawValue)
    #else
      let stream = SOCK_STREAM
    #endif
    let listener = socket(AF_INET, stream, 0)
    self.listener = listener
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        listener >= 0 && bind(listener, $0, size) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &size) == 0
      }
    }
    guard isBound else { throw CannotListen() }
    port = UInt16(bigEndian: place.sin_port)
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        self?.answer(connection)
        close(connection)
      }
    }
  }

  /// Ends listening.
  package func stop() {
    shutdown(listener, Int32(2))
    close(listener)
  }

  private func answer(_ connection: Int32) {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !text.contains("\r\n\r\n") {
      let got = recv(connection, &buffer, buffer.count, 0)
      guard got > 0 else { return }
      text += String(decoding: buffer[..<got], as: UTF8.self)
    }
    let lines = text.components(separatedBy: "\r\n")
    let path = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
    let range = lines.first { $0.lowercased().hasPrefix("range: bytes=") }
    let start = range.flatMap { Int($0.dropFirst("range: bytes=".count).prefix { $0.isNumber }) }
    let behaviour = lock.withLock {
      seen.append(Request(path: path, start: start))
      return behaviours.isEmpty ? .whole : behaviours.removeFirst()
    }
    guard let contents = files[path] else { return send(connection, "HTTP/1.1 404 Not Found", []) }
    switch behaviour {
    case .hangUp: return
    case .status(let status): send(connection, "HTTP/1.1 \(status) As Told", [UInt8](repeating: 33, count: 9))
    case .whole: serve(connection, contents, from: start, limit: .max)
    case .breakOff(let limit): serve(connection, contents, from: start, limit: limit)
    case .ignoreRange: serve(connection, contents, from: nil, limit: .max)
    case .wrongRange: serve(connection, contents, from: start.map { max($0 - 3, 0) }, limit: .max)
    }
  }

  private func serve(_ connection: Int32, _ contents: [UInt8], from start: Int?, limit: Int) {
    guard let start else { return send(connection, "HTTP/1.1 200 OK", contents, limit: limit) }
    guard start < contents.count else {
      return send(
        connection, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */\(contents.count)", [])
    }
    let range = "Content-Range: bytes \(start)-\(contents.count - 1)/\(contents.count)"
    send(connection, "HTTP/1.1 206 Partial Content\r\n\(range)", Array(contents[start...]), limit: limit)
  }

  private func send(_ connection: Int32, _ head: String, _ body: [UInt8], limit: Int = .max) {
    let header = head + "\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    var rest = Array(header.utf8) + body.prefix(limit)
    while !rest.isEmpty {
      #if canImport(Glibc)
        let sent = Glibc.send(connection, rest, rest.count, Int32(MSG_NOSIGNAL))
      #else
        let sent = Darwin.send(connection, rest, rest.count, 0)
      #endif
      guard sent > 0 else { return }
      rest.removeFirst(sent)
    }
  }
}
