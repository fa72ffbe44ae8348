import Foundation

/// How much of the machine other programs use.
package enum BusyMachine {
  /// Cores that are at work while this program waits a tenth of a second; nil where the system does not say.
  package static func coresAtWork() -> Double? {
    guard let before = ticks() else { return nil }
    Thread.sleep(forTimeInterval: 0.1)
    guard let after = ticks() else { return nil }
    let passed = after.all - before.all
    guard passed > 0 else { return nil }
    return Double(after.busy - before.busy) / Double(passed)
      * Double(ProcessInfo.processInfo.processorCount)
  }

  /// A line of advice if `threads` do not find a free core each: small operations wait for the slowest thread,
  /// which on a busy core can take tens of times as long.
  package static func advice(threads: Int) -> String? {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    guard threads > 1, let atWork = coresAtWork() else { return nil }
    return advice(threads: threads, cores: cores, atWork: atWork)
  }

  package static func advice(threads: Int, cores: Int, atWork: Double) -> String? {
    guard threads > 1, atWork > Double(cores - threads) + 0.5 else { return nil }
    let busy = String(format: "%.1f", atWork)
    return "Other programs keep \(busy) of \(cores) cores busy; with OMP_NUM_THREADS=1 this may run many "
      + "times faster."
  }

  /// Time since the system's start in ticks, summed over cores (proc(5), the first line of /proc/stat:
  /// user, nice, system, idle, iowait, irq, softirq, steal).
  private static func ticks() -> (busy: Int, all: Int)? {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
      let line = text.split(separator: "\n").first
    else { return nil }
    let counts = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
    guard counts.count == 8 else { return nil }
    let all = counts.reduce(0, +)
    return (all - counts[3] - counts[4], all)
  }
}
