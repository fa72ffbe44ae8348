import CallosumTensors
import Foundation

/// Shows on standard error how far a long job is: label, bar, percent, speed, time left.
///
/// On a terminal one line is redrawn at most ten times a second and erased at the end; elsewhere a
/// plain line appears every five seconds.
package final class ProgressBar {
  package enum Style: Equatable {
    /// One line, redrawn; `columns` of the terminal.
    case terminal(columns: Int)
    /// Plain lines, for logs.
    case lines
    case silent

    /// What suits standard error now.
    package static func standardError(quiet: Bool) -> Style {
      if quiet { return .silent }
      return Terminal.columns(of: STDERR_FILENO).map { .terminal(columns: $0) } ?? .lines
    }
  }

  /// What is being done, such as "attention, seed 2 of 3".
  package var label: String {
    get { shownLabel }
    set { shownLabel = newValue.printable() }
  }
  private var shownLabel: String
  /// What goes on while nothing advances, such as "test examples 3,500 of 10,000"; nil otherwise.
  private var aside: String?
  private var total: Int
  private let unit: String?
  private let style: Style
  private let seconds: () -> Double
  private let write: (String) -> Void

  private var done = 0
  private let start: Double
  private var lastShown: Double
  private var isVisible = false
  /// Recent (seconds, done), oldest first: the speed shown is that of the last few seconds.
  private var recent: [(seconds: Double, done: Int)]

  /// A job of `total` units, such as images; without a name for them no speed is shown. `seconds` is a clock and `write` a place to write to,
  /// both replaceable for tests.
  package init(
    label: String, total: Int, unit: String?, style: Style,
    seconds: @escaping () -> Double = monotonicSeconds,
    write: @escaping (String) -> Void = writeToStandardError
  ) {
    shownLabel = label.printable()
    self.total = max(total, 1)
    self.unit = unit
    self.style = style
    self.seconds = seconds
    self.write = write
    start = seconds()
    lastShown = -.infinity
    recent = [(start, 0)]
    if style == .lines { lastShown = start }
  }

  deinit { finish() }

  /// There is more to do than was known.
  package func extend(by count: Int) { total += count }

  /// Says what goes on until the next units are done.
  package func show(_ aside: String) {
    self.aside = aside.printable()
    redraw()
  }

  /// Records that `count` more units are done.
  package func advance(by count: Int) {
    done += count
    if count > 0 { aside = nil }
    redraw()
  }

  private func redraw() {
    let now = seconds()
    switch style {
    case .terminal(let columns) where now - lastShown >= 0.1:
      note(now)
      isVisible = true
      write("\r" + bar(at: now, columns: columns) + "\u{1B}[K")
    case .lines where now - lastShown >= 5:
      note(now)
      write(plainLine(at: now) + "\n")
    default: break
    }
  }

  /// Prints a line of its own above the bar.
  package func say(_ text: String) {
    guard style != .silent else { return }
    erase()
    write(text.printable() + "\n")
    lastShown = style == .lines ? lastShown : -.infinity
  }

  /// Ends the job, whether all of it is done or not, and erases the bar.
  package func finish() {
    erase()
  }

  private func erase() {
    if isVisible { write("\r\u{1B}[K") }
    isVisible = false
  }

  private func note(_ now: Double) {
    lastShown = now
    recent.append((now, done))
    while recent.count > 2, now - recent[0].seconds > 5 { recent.removeFirst() }
  }

  private var fraction: Double { min(Double(done) / Double(total), 1) }

  private var speed: Double {
    guard let first = recent.first, let last = recent.last, last.seconds > first.seconds else {
      return 0
    }
    return Double(last.done - first.done) / (last.seconds - first.seconds)
  }

  /// How much is done, and what else there is to say.
  private func figures(at now: Double) -> (percent: String, others: [String]) {
    let percent = "\(Int(fraction * 100)) %"
    if let aside { return (percent, [aside]) }
    let elapsed = now - start
    let left =
      done > 0 && elapsed >= 1
      ? Format.duration(elapsed * Double(max(total - done, 0)) / Double(done)) + " left" : ""
    let rate = speed > 0 ? unit.map { "\(Format.rate(speed)) \($0)/s" } : nil
    return (percent, [rate ?? "", left].filter { !$0.isEmpty })
  }

  private func plainLine(at now: Double) -> String {
    let figures = figures(at: now)
    return "\(label): \(([figures.percent] + figures.others).joined(separator: ", "))"
  }

  private func bar(at now: Double, columns: Int) -> String {
    let figures = figures(at: now)
    let percent = String(repeating: " ", count: 5 - figures.percent.count) + figures.percent
    let after = ([percent] + figures.others).joined(separator: "  ")
    // The last column stays free: a full line would make some terminals scroll.
    let room = columns - 1 - DisplayWidth.of(label) - 2 - 1 - after.count
    guard room >= 6 else {
      return DisplayWidth.clip("\(label) \(after)", to: columns - 1)
    }
    let length = min(room, 30)
    let filled = Int(fraction * Double(length))
    let bar =
      String(repeating: "█", count: filled)
      + String(repeating: "░", count: length - filled)
    return "\(label)  \(bar) \(after)"
  }
}

/// Seconds on a clock that never jumps.
package func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Writes at once; a reader that went away is no reason to stop.
package func writeToStandardError(_ text: String) {
  var text = text
  text.withUTF8 { bytes in
    _ = writeAll(UnsafeRawBufferPointer(bytes), to: STDERR_FILENO)
  }
}
