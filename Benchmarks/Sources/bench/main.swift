import Foundation

// The worker that the driver talks to: one JSON command on a line of standard input, one JSON
// answer on a line of standard output. See Benchmarks/drive.py.

struct Command: Decodable {
  let workload: String
  /// x of a curve.
  let at: Double?
  let measure: String?
  let steps: Int?
  let warmup: Int?
}

struct Answer: Encodable {
  var milliseconds: [Double] = []
  var peak_mb = 0.0
  var error: String?
}

func peakMegabytes() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

func step(for command: Command) -> (() -> Void)? {
  if let at = command.at { return Curve.all.first { $0.name == command.workload }?.prepare(at) }
  return Workload.all.first { $0.name == command.workload }?.prepare()
}

func answer(_ line: String) -> Answer {
  guard let command = try? JSONDecoder().decode(Command.self, from: Data(line.utf8)) else {
    return Answer(error: "not a command: \(line)")
  }
  guard let step = step(for: command) else {
    return Answer(error: "no workload \(command.workload)")
  }
  for _ in 0..<(command.warmup ?? 3) { step() }
  let clock = ContinuousClock()
  let times = (0..<(command.steps ?? 15)).map { _ in clock.measure(step) / .milliseconds(1) }
  return Answer(milliseconds: times, peak_mb: peakMegabytes())
}

let encoder = JSONEncoder()
while let line = readLine() {
  if let data = try? encoder.encode(answer(line)), let text = String(data: data, encoding: .utf8) {
    print(text)
    fflush(nil)
  }
}
