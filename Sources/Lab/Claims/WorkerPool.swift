import CallosumContracts
import Foundation
import Synchronization

/// Processes of this program that run jobs of a claim side by side, each with its share of the cores.
///
/// The engine's kernels share the work of one job poorly when it is small; two jobs with a core each take
/// about half the time of two jobs that follow each other on both cores.
final class WorkerPool {
  private let limit: Int
  private let program: URL
  private var workers: [Worker] = []

  private final class Worker {
    let job: Reproduction.Job
    let process: Process
    let output = Mailbox(), errors = Mailbox()
    var isInterrupted = false
    var saidItsLast = false

    init(_ job: Reproduction.Job, _ process: Process) {
      self.job = job
      self.process = process
    }
  }

  /// What a process writes to a pipe, collected by another thread as it comes.
  private final class Mailbox: Sendable {
    let pipe = Pipe()
    private let received = Mutex<Data>(Data())

    func open() {
      pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
        let data = handle.availableData
        self?.received.withLock { $0.append(data) }
      }
    }

    /// Reads what an ended process left.
    func close() {
      pipe.fileHandleForReading.readabilityHandler = nil
      let rest = (try? pipe.fileHandleForReading.readToEnd()) ?? Data()
      received.withLock { $0.append(rest) }
    }

    /// The whole lines that came since the last call.
    func takeLines() -> [String] {
      let lines = received.withLock { data -> Data in
        guard let end = data.lastIndex(of: UInt8(ascii: "\n")) else { return Data() }
        defer { data = Data(data[data.index(after: end)...]) }
        return Data(data[...end])
      }
      return String(decoding: lines, as: UTF8.self).split(separator: "\n").map(String.init)
    }
  }

  init(limit: Int) throws {
    self.limit = limit
    guard let path = Bundle.main.executableURL else {
      throw InvalidInput("this program does not know its path")
    }
    program = path
  }

  var isEmpty: Bool { workers.isEmpty }
  var hasRoom: Bool { workers.count < limit }

  func start(_ job: Reproduction.Job, arguments: [String]) throws {
    let worker = Worker(job, Process())
    let process = worker.process
    process.executableURL = program
    process.arguments = arguments
    var environment = ProcessInfo.processInfo.environment
    environment["OMP_NUM_THREADS"] = "\(max(1, ProcessInfo.processInfo.activeProcessorCount / limit))"
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = worker.output.pipe
    process.standardError = worker.errors.pipe
    for mailbox in [worker.output, worker.errors] { mailbox.open() }
    try process.run()
    workers.append(worker)
  }

  /// What the workers said since the last call; waits a moment if that is nothing.
  func messages() throws -> [(Reproduction.Job, ClaimMessage)] {
    var found: [(Reproduction.Job, ClaimMessage)] = []
    for worker in workers {
      // Asked before reading: what an ended process wrote is all there.
      let hasEnded = !worker.process.isRunning
      if hasEnded { for mailbox in [worker.output, worker.errors] { mailbox.close() } }
      for line in worker.output.takeLines() {
        let message = try ClaimMessage(line: line)
        switch message {
        case .result, .failed: worker.saidItsLast = true
        default: break
        }
        found.append((worker.job, message))
      }
      guard hasEnded else { continue }
      if !worker.saidItsLast {
        let last = worker.errors.takeLines().last
        let code = worker.process.terminationStatus
        found.append((worker.job, .failed(last ?? "its process ended with code \(code)")))
      }
      workers.removeAll { $0 === worker }
    }
    if found.isEmpty { Thread.sleep(forTimeInterval: 0.02) }
    return found
  }

  /// Asks every worker to end, once.
  func interrupt() {
    for worker in workers where !worker.isInterrupted {
      worker.isInterrupted = true
      worker.process.interrupt()
    }
  }

  /// Ends what still runs.
  func stop() {
    for worker in workers { worker.process.terminate() }
    workers = []
  }
}
