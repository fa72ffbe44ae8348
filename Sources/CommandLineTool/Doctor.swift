import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// What this machine offers, and what is slow or missing.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show processor, libraries, threads, measured speed and data, and warn of what is amiss.")
  @OptionGroup var output: JSONOption

  private struct Findings: Encodable {
    let machine: Machine
    let gigaflopsPerSecond: Double
    let dataSets: [String: String?]
    let warnings: [String]
  }

  func run() throws {
    let machine = Machine.thisOne
    let speed = measuredProductRate()
    var warnings: [String] = []
    if machine.instructionSet == "baseline" {
      warnings.append("the processor has no vector instructions that the kernels know; all will be slow")
    }
    let atWork = BusyMachine.coresAtWork() ?? 0
    if let advice = BusyMachine.advice(threads: machine.threads, cores: machine.cores, atWork: atWork) {
      warnings.append(advice)
    } else if machine.threads < machine.cores && atWork <= 0.5 {
      warnings.append(
        "\(machine.threads) of \(machine.cores) cores are used; unset OMP_NUM_THREADS to use all")
    }
    let expected = Double(machine.threads) * (machine.instructionSet == "AVX-512" ? 60 : 20)
    if speed < expected {
      warnings.append("matrix products run slower than expected; is something else running?")
    }
    // What comparisons run on; the others are there for who asks for them.
    for set in [DataSet.fashionMNIST] where set.folder == nil {
      warnings.append("\(set.name) is not on this machine; get it with: \(set.howToGet)")
    }
    let findings = Findings(
      machine: machine, gigaflopsPerSecond: speed,
      dataSets: Dictionary(uniqueKeysWithValues: DataSet.all.map { ($0.id, $0.folder) }), warnings: warnings)
    if output.json { return try output.print(findings) }
    var table = Table([("", .left), ("", .left)])
    for row in machine.rows { table.add([row.name, row.value]) }
    table.add(["Matrix products", "\(Int(speed.rounded())) GFLOP/s (1024 x 1024, float32)"])
    for set in DataSet.all { table.add([set.name, set.folder ?? "not found"]) }
    table.show()
    for warning in warnings { Terminal.say("Warning: \(warning)") }
  }

  /// The best of several products of 1024 x 1024 matrices, in 10^9 operations per second.
  private func measuredProductRate() -> Double {
    var random = RandomGenerator(seed: 1)
    let a = random.normal([1024, 1024]), b = random.normal([1024, 1024])
    let clock = ContinuousClock()
    let best = (0..<20).map { _ in clock.measure { _ = matmul(a, b) } / .seconds(1) }.min() ?? 1
    return 2 * 1024 * 1024 * 1024 / best / 1e9
  }
}
