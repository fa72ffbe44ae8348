import CallosumLab
import CallosumTensors
import Foundation

// What the commands say in the same words.

extension Terminal {
  /// The width that is printed to; nil where that is no terminal.
  static var width: Int? { columns(of: STDOUT_FILENO) }
}

extension Table {
  /// Prints it, folded to the width of a terminal.
  func show() { Terminal.say(lines: text(columns: Terminal.width)) }
}

extension Interruption {
  /// Says on standard error how to go on.
  static func say(_ howToGoOn: String) { Terminal.remark("Interrupted: \(howToGoOn).") }
}

extension Terminal {
  /// Says that a run goes on with another number of threads than it began with.
  static func remarkOtherThreads(_ run: RunRecord) {
    let threads = Machine.thisOne.threads
    guard run.machine.threads != threads else { return }
    remark(
      "Run \(run.id) began with \(Format.count(run.machine.threads, "thread")) and goes on with \(threads): the last "
        + "digits may be others than without a break.")
  }
}

extension BusyMachine {
  /// Advises fewer threads where other programs take the cores.
  static func warn() {
    if let advice = advice(threads: Machine.thisOne.threads) { Terminal.remark(advice) }
  }
}
