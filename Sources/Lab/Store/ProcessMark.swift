import Foundation

/// Which process does something, so that others can tell whether it still lives.
struct ProcessMark: Codable, Equatable {
  let host: String
  let number: Int32
  /// When the process started, in words of the system, because numbers are used again; empty where the
  /// system does not tell.
  let start: String

  static let current = ProcessMark(number: getpid())

  init(number: Int32) {
    host = ProcessMark.hostName
    self.number = number
    start = ProcessMark.start(of: number)
  }

  /// False if it is known to have ended. Of another machine nothing is known.
  var mayLive: Bool {
    guard host == ProcessMark.hostName else { return true }
    guard kill(number, 0) == 0 || errno == EPERM else { return false }
    return start == ProcessMark.start(of: number)
  }

  private static let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }()

  /// Linux: the 22nd field of /proc/N/stat (clock ticks after the start of the machine) and which start of
  /// the machine that was. The second field, a name in brackets, may hold spaces.
  private static func start(of number: Int32) -> String {
    guard let text = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8),
      let bracket = text.lastIndex(of: ")")
    else { return "" }
    let fields = text[bracket...].split(separator: " ")
    guard fields.count > 20 else { return "" }
    // A process that has ended but that its parent has not asked about is a zombie.
    if fields[1] == "Z" { return "ended" }
    let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return "\(fields[20]) \((boot ?? "").prefix(36))"
  }
}
