import Foundation

/// The machine and the libraries that a result was made with.
public struct Machine: Codable, Sendable, Equatable {
  /// The processor's own name for itself.
  public var processor: String
  /// Cores that the system offers.
  public var cores: Int
  /// Threads that the engine used.
  public var threads: Int
  /// Vector instructions that the kernels used, such as "AVX-512".
  public var instructionSet: String
  /// Bytes of main memory.
  public var memory: UInt64
  public var operatingSystem: String
  /// Version of every library that computes, by name.
  public var libraries: [String: String]
  public var callosumVersion: String

  public init(
    processor: String, cores: Int, threads: Int, instructionSet: String, memory: UInt64,
    operatingSystem: String, libraries: [String: String], callosumVersion: String
  ) {
    self.processor = processor
    self.cores = cores
    self.threads = threads
    self.instructionSet = instructionSet
    self.memory = memory
    self.operatingSystem = operatingSystem
    self.libraries = libraries
    self.callosumVersion = callosumVersion
  }

  /// This machine, with what only the engine knows handed in.
  public static func current(
    threads: Int, instructionSet: String, libraries: [String: String], callosumVersion: String
  ) -> Machine {
    let process = ProcessInfo.processInfo
    return Machine(
      processor: processorName ?? "unknown processor", cores: process.activeProcessorCount,
      threads: threads, instructionSet: instructionSet, memory: process.physicalMemory,
      operatingSystem: distribution ?? process.operatingSystemVersionString, libraries: libraries,
      callosumVersion: callosumVersion)
  }

  /// Rows for people: what it is called, what it is.
  package var rows: [(name: String, value: String)] {
    [
      ("Processor", processor),
      ("Cores and threads", "\(cores) cores, \(threads) threads used"),
      ("Vector instructions", instructionSet),
      ("Memory", String(format: "%.1f GiB", Double(memory) / Double(1 << 30))),
      ("Operating system", operatingSystem),
      (
        "Libraries",
        libraries.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
          .joined(separator: ", ")
      ),
      ("Callosum", callosumVersion),
    ].filter { !$0.value.isEmpty }
  }

  private static var processorName: String? {
    field("model name", separator: ":", inFile: "/proc/cpuinfo")
  }

  private static var distribution: String? {
    field("PRETTY_NAME", separator: "=", inFile: "/etc/os-release")
  }

  /// The value of the first line `name separator value`, without quotes.
  private static func field(_ name: String, separator: Character, inFile path: String) -> String? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let parts = line.split(separator: separator, maxSplits: 1)
      guard parts.count == 2 else { continue }
      return parts[1].trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
    }
    return nil
  }
}
