import CallosumTasks
import CallosumTestSupport
import Foundation
import Testing

@Suite(.serialized) struct DownloadTests {
  private let contents = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }

  private func digest(_ bytes: [UInt8]) -> String {
    let hash = SHA256()
    hash.update(bytes)
    return hash.digest()
  }

  /// A server of `/file` that behaves so, and a download of it that loses no time.
  private func withServer(
    _ behaviours: [FileServer.Behaviour], size: Int? = nil, sha256: String? = nil,
    _ body: (Download, FileServer) throws -> Void
  ) throws {
    try inTemporaryFolder { folder in
      let server = try FileServer(["/file": contents], behaviours)
      defer { server.stop() }
      let file = DataFile(
        name: "file", address: server.address + "/file", size: size ?? contents.count,
        sha256: sha256 ?? digest(contents))
      var download = Download(file, to: folder + "/new/folder")
      download.pause = 0.01
      download.patience = 5
      try body(download, server)
    }
  }

  private func isWhole(_ download: Download) -> Bool {
    let left = try? FileManager.default.contentsOfDirectory(atPath: download.folder)
    return FileManager.default.contents(atPath: download.path) == Data(contents) && left == ["file"]
  }

  @Test func checksumsOfTheStandard() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    let two = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    #expect(digest([]) == empty)
    #expect(digest(Array("abc".utf8)) == abc)
    #expect(digest(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)) == two)
    #expect(digest([UInt8](repeating: 97, count: 1_000_000)) == million)
    // In pieces of every length around a block's.
    let hash = SHA256()
    var rest = contents[...]
    for length in (0...).lazy.map({ $0 % 131 }) where !rest.isEmpty {
      hash.update(rest.prefix(length))
      rest = rest.dropFirst(length)
      if rest.isEmpty { break }
    }
    let found = hash.digest()
    #expect(found == digest(contents))
  }

  @Test func fetchesOnce() throws {
    try withServer([]) { download, server in
      try download.run()
      #expect(isWhole(download))
      try download.run()
      #expect(server.requests == [FileServer.Request(path: "/file", start: nil)])
    }
  }

  @Test func goesOnWhereItBrokeOff() throws {
    let breaks: [FileServer.Behaviour] = [
      .breakOff(after: 100_000), .hangUp, .status(503), .breakOff(after: 50_000), .breakOff(after: 1),
    ]
    try withServer(breaks) { download, server in
      let most = Locked(0)
      try download.run { most.set($0) }
      #expect(isWhole(download))
      #expect(most.value == contents.count)
      let starts = server.requests.map(\.start)
      #expect(starts.first == .some(nil) && starts.count == 6)
      // What arrived is not asked for again.
      #expect(starts.dropFirst().map { $0 ?? -1 }.sorted() == starts.dropFirst().map { $0 ?? -1 })
      #expect((starts[1] ?? 0) > 0)
    }
  }

  @Test func goesOnInALaterRun() throws {
    let dead = [FileServer.Behaviour](repeating: .hangUp, count: 4)
    try withServer([.breakOff(after: 120_000)] + dead) { download, server in
      let error = #expect(throws: DownloadError.self) { try download.run() }
      #expect(!FileManager.default.fileExists(atPath: download.path))
      let line = error?.description ?? ""
      #expect(line.contains(" of 300000 bytes (") && line.hasSuffix("); run the same command to go on"))
      let before = server.requests.count
      try download.run()
      #expect(isWhole(download))
      #expect((server.requests[before].start ?? 0) > 0)
    }
  }

  @Test(arguments: [FileServer.Behaviour.ignoreRange, .wrongRange])
  func aServerThatAnswersOtherwise(_ behaviour: FileServer.Behaviour) throws {
    try withServer([.breakOff(after: 80_000), behaviour]) { download, _ in
      try download.run()
      #expect(isWhole(download))
    }
  }

  @Test func aWrongFileIsNotKept() throws {
    for size in [contents.count, contents.count - 10, 5] {
      try withServer([], size: size, sha256: String(repeating: "0", count: 64)) { download, _ in
        let error = #expect(throws: DownloadError.self) { try download.run() }
        let line = error?.description ?? ""
        #expect(line.contains("is not the file that it should be") && line.hasSuffix("; nothing was kept"))
        let left = try FileManager.default.contentsOfDirectory(atPath: download.folder)
        #expect(left == [])
      }
    }
    // One that is too short can only be tried again.
    try withServer([], size: contents.count + 1) { download, _ in
      let error = #expect(throws: DownloadError.self) { try download.run() }
      #expect(error?.description.contains("bytes (") == true)
      #expect(!FileManager.default.fileExists(atPath: download.path))
    }
  }

  @Test func refusalsAreSaid() throws {
    try withServer([.status(403)]) { download, server in
      let line = "\(server.address)/file: the server answered 403; try again later, or get the file elsewhere"
      let error = #expect(throws: DownloadError.self) { try download.run() }
      #expect(error?.description == line)
    }
    try inTemporaryFolder { folder in
      let file = DataFile(name: "a", address: "file:///etc/passwd", size: 1, sha256: "")
      let error = #expect(throws: DownloadError.self) { try Download(file, to: folder).run() }
      #expect(error == .badAddress("file:///etc/passwd"))
      try write([1], to: folder + "/blocked")
      let blocked = Download(file, to: folder + "/blocked/inside")
      let refusal = #expect(throws: DownloadError.self) { try blocked.run() }
      let path = folder + "/blocked/inside"
      #expect(refusal == .cannotWrite(path: path, reason: "the folder cannot be made"))
    }
  }

  @Test func dataSetsSayWhereTheyComeFrom() {
    for set in DataSet.all {
      #expect(!set.files.isEmpty)
      for file in set.files {
        #expect(file.address.hasPrefix("https://") && file.address.hasSuffix("/" + file.name))
        #expect(file.sha256.count == 64 && file.sha256.allSatisfy(\.isHexDigit) && file.size > 0)
      }
    }
  }

  @Test func whatPackagesHaveIsNotFetched() throws {
    try inTemporaryFolder { folder in
      let system = folder + "/system/fashion-mnist"
      try FileManager.default.createDirectory(atPath: system, withIntermediateDirectories: true)
      try writeFashionMNIST(to: system)
      let environment = [
        "CALLOSUM_DATA": folder + "/own", "CALLOSUM_SYSTEM_DATA": folder + "/system",
        "CALLOSUM_MIRROR": "http://127.0.0.1:9",
      ]
      let got = try DataSet.fashionMNIST.get(environment: environment)
      #expect(got.folder == system && got.fetched.isEmpty)
    }
  }

  @Test func theDataFolder() {
    #expect(DataFolder.own(environment: ["CALLOSUM_DATA": "/a", "XDG_DATA_HOME": "/b"]) == "/a")
    #expect(DataFolder.own(environment: ["CALLOSUM_DATA": "", "XDG_DATA_HOME": "/b"]) == "/b/callosum")
    #expect(DataFolder.own(environment: [:]).hasPrefix("/"))
  }
}

/// A number that another thread sets.
private final class Locked: @unchecked Sendable {
  private let lock = NSLock()
  private var number: Int
  init(_ number: Int) { self.number = number }
  var value: Int { lock.withLock { number } }
  func set(_ value: Int) { lock.withLock { number = value } }
}
