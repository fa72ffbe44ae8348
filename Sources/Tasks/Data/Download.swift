import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A file of a data set at its public address.
public struct DataFile: Sendable, Equatable {
  public let name: String
  public let address: String
  /// Bytes.
  public let size: Int
  /// 64 hexadecimal digits.
  public let sha256: String
  public init(name: String, address: String, size: Int, sha256: String) {
    (self.name, self.address, self.size, self.sha256) = (name, address, size, sha256)
  }
}

/// What can go wrong with a download; described in one line that says what to do.
public enum DownloadError: Error, Equatable, CustomStringConvertible {
  case badAddress(String)
  case refused(address: String, status: Int)
  case brokeOff(address: String, got: Int, of: Int, reason: String)
  case wrongFile(address: String, found: String)
  case busy(path: String)
  case cannotWrite(path: String, reason: String)

  public var description: String {
    switch self {
    case .badAddress(let address): "\(address): is no address that files can be fetched from"
    case .refused(let address, let status):
      "\(address): the server answered \(status); try again later, or get the file elsewhere"
    case .brokeOff(let address, let got, let size, let reason):
      got > 0
        ? "\(address): broke off after \(got) of \(size) bytes (\(reason)); run the same command to go on"
        : "\(address): cannot be fetched (\(reason)); try again later, or get the file elsewhere"
    case .wrongFile(let address, let found):
      "\(address): is not the file that it should be (SHA-256 \(found)); nothing was kept"
    case .busy(let path): "\(path): another process is fetching it"
    case .cannotWrite(let path, let reason): "cannot write \(path): \(reason)"
    }
  }
}

/// Fetches a file once: what arrives goes into `<name>.part`, which a later call goes on with, and becomes
/// the file only when its size and checksum are right.
public struct Download: Sendable {
  public let file: DataFile
  /// The folder that gets it; made if it does not exist.
  public let folder: String
  /// How often in a row a connection may bring nothing before the download is given up.
  public var attempts = 4
  /// Seconds without a byte until a connection counts as broken.
  public var patience = 30.0
  /// Seconds before the second attempt, doubled for each after it.
  public var pause = 1.0

  public init(_ file: DataFile, to folder: String) {
    self.file = file
    self.folder = folder
  }

  public var path: String { folder + "/" + file.name }
  private var partPath: String { path + ".part" }

  /// Does nothing if the file is there.
  /// - Parameter progress: hears how many bytes there are.
  /// - Throws: ``DownloadError``.
  public func run(progress: @escaping @Sendable (_ bytes: Int) -> Void = { _ in }) throws {
    if FileManager.default.fileExists(atPath: path) { return }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DownloadError.cannotWrite(path: folder, reason: "the folder cannot be made")
    }
    let part = try PartFile(path: partPath)
    defer { part.close() }
    var fruitless = 0, most = part.size
    while part.size < file.size {
      do {
        try fetch(into: part, progress: progress)
      } catch DownloadError.brokeOff(let address, let got, let size, let reason) {
        fruitless = part.size > most ? 0 : fruitless + 1
        most = max(most, part.size)
        if fruitless >= attempts {
          throw DownloadError.brokeOff(address: address, got: got, of: size, reason: reason)
        }
        if fruitless > 0 { Thread.sleep(forTimeInterval: pause * Double(1 << (fruitless - 1))) }
      }
    }
    let digest = try part.digest()
    guard part.size == file.size, digest == file.sha256 else {
      part.remove()
      throw DownloadError.wrongFile(address: file.address, found: digest)
    }
    try part.become(path)
  }

  /// One connection, which asks for what is missing.
  private func fetch(into part: PartFile, progress: @escaping @Sendable (Int) -> Void) throws {
    guard let url = URL(string: file.address), ["http", "https"].contains(url.scheme ?? "") else {
      throw DownloadError.badAddress(file.address)
    }
    var request = URLRequest(url: url, timeoutInterval: patience)
    if part.size > 0 { request.setValue("bytes=\(part.size)-", forHTTPHeaderField: "Range") }
    // A server that compresses would answer with other bytes than the checksum is of.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    let transfer = Transfer(part: part, limit: file.size, progress: progress)
    let settings = URLSessionConfiguration.ephemeral
    settings.timeoutIntervalForRequest = patience
    let session = URLSession(configuration: settings, delegate: transfer, delegateQueue: nil)
    session.dataTask(with: request).resume()
    transfer.isDone.wait()
    session.finishTasksAndInvalidate()

    if let problem = transfer.writeProblem { throw problem }
    if let status = transfer.status, ![200, 206].contains(status) {
      // Where the part does not suit what the server has, begin again.
      if status == 416, part.size > 0 {
        try part.truncate()
      } else if status < 500 {
        throw DownloadError.refused(address: file.address, status: status)
      }
    }
    if part.size < file.size {
      let reason = transfer.reason ?? transfer.status.map { $0 >= 500 ? "status \($0)" : "too short" }
      throw DownloadError.brokeOff(
        address: file.address, got: part.size, of: file.size, reason: reason ?? "no answer")
    }
  }
}

/// What has arrived so far. While it is open, no other process can open it.
private final class PartFile: @unchecked Sendable {
  private let path: String
  private let descriptor: Int32
  private var isOpen = true
  private(set) var size: Int

  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw PartFile.error(path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      _ = Foundation.close(descriptor)
      throw DownloadError.busy(path: path)
    }
    size = Int(lseek(descriptor, 0, SEEK_END))
  }

  deinit { close() }

  /// Lets others have it. A session may hold on to this object for a while.
  func close() {
    if isOpen { _ = Foundation.close(descriptor) }
    isOpen = false
  }

  func append(_ data: Data) throws {
    var rest = data[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR { continue }
        throw PartFile.error(path)
      }
      rest = rest.dropFirst(written)
      size += written
    }
  }

  func truncate() throws {
    guard ftruncate(descriptor, 0) == 0 else { throw PartFile.error(path) }
    lseek(descriptor, 0, SEEK_SET)
    size = 0
  }

  func digest() throws -> String {
    let hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset = 0
    while true {
      let got = pread(descriptor, &buffer, buffer.count, off_t(offset))
      if got < 0 { throw PartFile.error(path) }
      if got == 0 { return hash.digest() }
      hash.update(buffer[..<got])
      offset += got
    }
  }

  func remove() { unlink(path) }

  func become(_ finished: String) throws {
    guard fsync(descriptor) == 0, rename(path, finished) == 0 else { throw PartFile.error(finished) }
  }

  private static func error(_ path: String) -> DownloadError {
    let isFull = errno == ENOSPC || errno == EDQUOT
    let reason = isFull ? "the disk is full; free some space" : String(cString: strerror(errno)).lowercased()
    return .cannotWrite(path: path, reason: reason)
  }
}

/// Writes down what one connection brings. Its session calls it from one thread at a time, and who waits
/// for `isDone` reads it afterwards.
private final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  let isDone = DispatchSemaphore(value: 0)
  private(set) var status: Int?
  private(set) var reason: String?
  private(set) var writeProblem: (any Error)?
  /// Whether what comes continues what is there; a cancelled answer may still bring some.
  private var isUseful = false
  private let part: PartFile
  private let limit: Int
  private let progress: @Sendable (Int) -> Void

  init(part: PartFile, limit: Int, progress: @escaping @Sendable (Int) -> Void) {
    self.part = part
    self.limit = limit
    self.progress = progress
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    let response = response as? HTTPURLResponse
    let code = response?.statusCode ?? 0
    status = code
    do {
      // A server that does not know ranges begins at the beginning, and one may begin elsewhere.
      let range = response?.value(forHTTPHeaderField: "Content-Range") ?? ""
      let isContinued = code == 206 && range.hasPrefix("bytes \(part.size)-")
      if code == 200 || (code == 206 && !isContinued) { try part.truncate() }
      isUseful = code == 200 || isContinued
      completionHandler(isUseful ? .allow : .cancel)
    } catch {
      writeProblem = error
      completionHandler(.cancel)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    guard isUseful, writeProblem == nil else { return }
    do {
      try part.append(data)
      progress(part.size)
      // More than there should be is the wrong file, however long it goes on.
      if part.size > limit { dataTask.cancel() }
    } catch {
      writeProblem = error
      dataTask.cancel()
    }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    reason = error.map { error in
      switch (error as? URLError)?.code {
      case .timedOut: "no answer in time"
      case .cannotFindHost, .dnsLookupFailed: "the server's name is not known here; is there a network?"
      case .cannotConnectToHost, .notConnectedToInternet: "no connection to the server"
      case .networkConnectionLost: "the connection was lost"
      case .secureConnectionFailed, .serverCertificateUntrusted: "the server cannot prove who it is"
      case let code?: "network error \(code.rawValue)"
      case nil: "\(error)"
      }
    }
    isDone.signal()
  }
}
