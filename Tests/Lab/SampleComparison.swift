import CallosumContracts
import CallosumLab
import Foundation

// Not the test support's comparison of numbers.
typealias Comparison = CallosumLab.Comparison

/// Plausible made-up results, the same every time.
enum SampleComparison {
  private struct Shape {
    let id: String
    let name: String
    let parameters: Int
    let multiplyAccumulates: Int
    let final: Double
    let speed: Double
    let scatter: Double
  }

  private static let shapes = [
    Shape(
      id: "pooling", name: "Average pooling", parameters: 204_426, multiplyAccumulates: 9_650_000,
      final: 0.8612, speed: 11_830, scatter: 0.0021),
    Shape(
      id: "attention", name: "Softmax self-attention", parameters: 270_986,
      multiplyAccumulates: 13_980_000, final: 0.8821, speed: 6_240, scatter: 0.0016),
    Shape(
      id: "spatial-mlp", name: "Spatial MLP", parameters: 223_912,
      multiplyAccumulates: 10_870_000, final: 0.8768, speed: 8_410, scatter: 0.0019),
    Shape(
      id: "depthwise", name: "Depthwise 7x7 convolution", parameters: 217_226,
      multiplyAccumulates: 10_250_000, final: 0.8849, speed: 7_150, scatter: 0.0014),
  ]

  static func make(
    seeds: [UInt64] = [1, 2, 3], arms: Int = 4, gap: Double = 0, stopsEarly: Bool = false
  ) -> Comparison {
    let steps = 1400
    let budget = Comparison.Budget(steps: steps, batchSize: 128, seeds: seeds)
    var list = shapes.prefix(arms).enumerated().map { index, shape in
      Comparison.Arm(
        id: shape.id, name: shape.name, partID: shape.id, skeleton: "backbone", parameters: shape.parameters,
        multiplyAccumulates: shape.multiplyAccumulates,
        runs: seeds.map { run(shape, seed: $0, arm: index, steps: steps, gap: gap) })
    }
    if stopsEarly, let last = list.indices.last {
      list[last].runs = []
      let half = list[last - 1].runs[0]
      list[last - 1].runs[0].curve = Array(half.curve.prefix(half.curve.count / 2))
      list[last - 1].runs[0].testScore = nil
      list[last - 1].runs[0].status = .interrupted
    }
    return Comparison(
      task: .init(
        id: "fashion-mnist", name: "Fashion-MNIST", metric: Objective.classes(10).metric,
        trainingExamples: 58_000, validationExamples: 2000, testExamples: 10_000),
      budget: budget, arms: list,
      configuration: .object([
        "task": .string("fashion-mnist"),
        "network": .object([
          "width": .integer(64), "depth": .integer(4), "patch": .integer(4),
          "expansion": .integer(4), "activation": .string("gelu"), "dropout": .number(0.1),
        ]),
        "optimiser": .object([
          "kind": .string("adamw"), "learningRate": .number(0.001), "weightDecay": .number(0.05),
          "warmUpSteps": .integer(100), "schedule": .string("cosine"),
        ]),
        "parts": .array(list.map { .string($0.id) }),
      ]),
      machine: Machine(
        processor: "AMD EPYC 9B45 (Turin)", cores: 2, threads: 2, instructionSet: "AVX-512",
        memory: 8 << 30, operatingSystem: "Debian GNU/Linux 12 (bookworm)",
        libraries: ["oneDNN": "2.6.3", "OpenBLAS": "0.3.21"], callosumVersion: "0.1.0"),
      command: "callosum compare --task fashion-mnist --parts "
        + list.map(\.id).joined(separator: ",") + " --steps \(steps) --seeds \(seeds.count)",
      date: Date(timeIntervalSince1970: 1_790_000_000), wasInterrupted: stopsEarly)
  }

  private static func run(
    _ shape: Shape, seed: UInt64, arm: Int, steps: Int, gap: Double
  ) -> Comparison.Run {
    func noise(_ step: Int) -> Double {
      let angle = Double(seed) * 12.9898 + Double(arm) * 78.233 + Double(step) * 0.137
      let wave = sin(angle) * 43758.5453
      return 2 * (wave - wave.rounded(.down)) - 1
    }
    let offset = noise(0) * shape.scatter
    let speed = shape.speed * (1 + 0.02 * noise(7))
    let final = shape.final + offset + (arm == 3 ? gap : 0)
    let curve = stride(from: 0, through: steps, by: 100).map { step in
      let progress = Double(step) / Double(steps)
      let accuracy =
        step == 0
        ? 0.1 + 0.02 * noise(1)
        : step == steps
          ? final
          : final - 0.16 * exp(-7 * progress) - 0.03 * (1 - progress)
            + 0.006 * noise(step) * (1 - progress)
      return Comparison.CurvePoint(
        step: step, seconds: Double(step * 128) / speed,
        trainingLoss: step == 0
          ? nil
          : 0.36 + (0.885 - shape.final) * 3 + 0.75 * exp(-6 * progress) + 0.012 * noise(step + 3),
        validationScore: accuracy)
    }
    return Comparison.Run(
      seed: seed, curve: curve, testScore: final,
      trainingSeconds: Double(steps * 128) / speed, examplesPerSecond: speed)
  }
}
