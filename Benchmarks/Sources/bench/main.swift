import Foundation

// The worker that the driver talks to: one JSON command on a line of standard input, one JSON
// answer on a line of standard output. See Benchmarks/drive.py.

struct Command: Decodable {
  let workload: String
  /// x of a curve.
  let at: Double?
  /// "compared" for the numbers that both sides must find.
  let measure: String?
  let steps: Int?
  let warmup: Int?
}

struct Answer: Encodable {
  var milliseconds: [Double] = []
  var peak_mb = 0.0
  var compared: [Double]?
  var error: String?
}

/// Why there is no answer, in a line.
struct Refusal: Error, CustomStringConvertible {
  let description: String
}

func peakMegabytes() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

func answer(_ command: Command) throws -> Answer {
  let workload = Workload.all.first { $0.name == command.workload }
  let curve = Curve.all.first { $0.name == command.workload }
  if command.measure == "compared" {
    guard let compared = workload?.compared else {
      throw Refusal(description: "\(command.workload) has nothing to compare")
    }
    return Answer(compared: try compared())
  }
  let step: (() -> Void)? =
    if let at = command.at { curve?.prepare(at) } else { try workload?.prepare() }
  guard let step else { throw Refusal(description: "no workload \(command.workload)") }
  for _ in 0..<(command.warmup ?? 3) { step() }
  let clock = ContinuousClock()
  let times = (0..<(command.steps ?? 15)).map { _ in clock.measure(step) / .milliseconds(1) }
  return Answer(milliseconds: times, peak_mb: peakMegabytes())
}

func answer(_ line: String) -> Answer {
  guard let command = try? JSONDecoder().decode(Command.self, from: Data(line.utf8)) else {
    return Answer(error: "not a command: \(line)")
  }
  do { return try answer(command) } catch { return Answer(error: "\(error)") }
}

let encoder = JSONEncoder()
while let line = readLine() {
  if let data = try? encoder.encode(answer(line)), let text = String(data: data, encoding: .utf8) {
    print(text)
    fflush(nil)
  }
}
