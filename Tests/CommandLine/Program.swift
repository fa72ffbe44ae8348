import CallosumTestSupport
import Foundation

/// What the `callosum` program did.
struct Outcome {
  var code: Int32
  /// Ended by a signal, `code`, and not of its own accord.
  var wasKilled: Bool
  var output: String
  var errors: String

  /// Standard output as one JSON document; nil if it is anything else.
  var json: Any? {
    try? JSONSerialization.jsonObject(with: Data(output.utf8), options: .fragmentsAllowed)
  }
  /// Whether standard error is exactly one line.
  var complainsInOneLine: Bool { errors.count { $0 == "\n" } == 1 && errors.hasSuffix("\n") }
}

/// A program that this build made, run as a user would.
enum Program {
  struct NotBuilt: Error {}

  /// It lies beside the bundle of the tests.
  static func path(_ name: String = "callosum") throws -> String {
    for argument in CommandLine.arguments + [Bundle.main.executablePath ?? ""] {
      var url = URL(fileURLWithPath: argument)
      while url.path != "/" {
        let isBundle = url.pathExtension == "xctest"
        url.deleteLastPathComponent()
        let program = url.appendingPathComponent(name).path
        if isBundle, FileManager.default.isExecutableFile(atPath: program) { return program }
      }
    }
    throw NotBuilt()
  }

  /// Runs `callosum`, or the program of that name, in `folder`, with the data sets and the store of that folder
  /// only and further `variables` of the environment.
  /// - Parameters:
  ///   - asNobody: as a user who owns nothing, where this is root, who may do everything.
  ///   - patience: seconds after which a program that does not end is ended.
  ///   - whileRunning: called with the process's number once it listens to signals.
  static func run(
    _ arguments: [String], of name: String = "callosum", in folder: String, threads: Int = 1,
    with variables: [String: String] = [:], asNobody: Bool = false, patience: Double = 60,
    whileRunning: ((Int32) -> Void)? = nil
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: asNobody ? dropping : try path(name))
    process.arguments =
      (asNobody ? ["--reuid=65534", "--regid=65534", "--clear-groups", try path(name)] : []) + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    var environment = ProcessInfo.processInfo.environment
    environment["CALLOSUM_DATA"] = folder
    environment["CALLOSUM_SYSTEM_DATA"] = folder + "/none"
    environment["CALLOSUM_STORE"] = folder + "/.store/runs.sqlite"
    environment["OMP_NUM_THREADS"] = "\(threads)"
    process.environment = environment.merging(variables) { $1 }
    // Files rather than pipes, which would fill up.
    let captured = FileManager.default.temporaryDirectory.appendingPathComponent(
      "callosum-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: captured, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: captured) }
    let (output, errors) = (captured.appendingPathComponent("out"), captured.appendingPathComponent("err"))
    for file in [output, errors] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    if let whileRunning {
      waitUntilItListens(process)
      whileRunning(process.processIdentifier)
    }
    // So that the test fails rather than hangs.
    let number = process.processIdentifier
    let guardian = DispatchWorkItem { kill(number, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: guardian)
    process.waitUntilExit()
    guardian.cancel()
    return Outcome(
      code: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
      output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }

  private static let dropping = "/usr/bin/setpriv"

  /// Whether there is another user to run it as, who may read it where it lies.
  static let canRunAsNobody: Bool = {
    guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: dropping) else { return false }
    var code: Int32?
    try? inTemporaryFolder { code = try run(["--version"], in: $0, asNobody: true).code }
    return code == 0
  }()

  /// Linux tells which signals a process catches; elsewhere a second must do.
  private static func waitUntilItListens(_ process: Process) {
    let interrupt: UInt64 = 1 << UInt64(SIGINT - 1)
    for _ in 0..<1000 where process.isRunning {
      guard
        let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      else { return Thread.sleep(forTimeInterval: 1) }
      let caught = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }?.dropFirst(7)
      let mask = UInt64((caught ?? "").trimmingCharacters(in: .whitespaces), radix: 16) ?? 0
      if mask & interrupt != 0 { return }
      Thread.sleep(forTimeInterval: 0.01)
    }
  }
}

/// Runs `body` with a folder that holds a small Fashion-MNIST: 40 images to learn from, 20 to be judged
/// on.
func withDataSet(_ body: (String) throws -> Void) throws {
  try inTemporaryFolder { folder in
    try writeFashionMNIST(
      training: (0..<40).map { $0 % 10 }, test: (0..<20).map { $0 % 10 }, to: folder)
    try body(folder)
  }
}
