import CallosumContracts
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

extension Claim {
  /// Hebbian Learning based Orthogonal Projection: permuted Fashion-MNIST, 5 tasks of 2,000 pictures, each with
  /// its own order of pixels and a head of its own; spiking layers 784-200-200, 6 steps, surrogate
  /// derivatives through time, with the threshold of 1 that the authors have with those. (A first run learned
  /// the threshold in the first task, without the lower bound that they have where they do: it went below 0,
  /// and one seed stayed at chance in all arms.)
  ///
  /// Descent at 0.1 with batches of 64, 30 epochs a task (32 steps each): with fewer, plain training loses too
  /// little of earlier tasks for anything to be saved. The paper's rows, a quarter of them for its quarter of
  /// hidden neurons: 80 and 50 for the first task, 70 and 18 for later ones, 20 and 5 fewer after every third. The
  /// exact arm has as many rows, the largest components of all inputs of a task that earlier rows leave over. The
  /// frozen trunk learns heads only, after the first task, and all of it at 0.3.
  static let hlop = Claim(
    of: HLOP.card,
    sentence: "Spiking layers whose weights learn outside the space that lateral Hebbian weights have found "
      + "for earlier tasks forget next to nothing.",
    paperFigure: "nearly zero forgetting under several ways of training",
    experiment: "Five permutations of Fashion-MNIST one after the other; the share right over all tasks at "
      + "the end, and how it changed since each was learned.",
    arms: [
      Arm("hlop", "Hebbian projection", .mechanism), Arm("plain", "No projection", .baseline),
      Arm("svd", "Exact subspace", .reference), Arm("frozen", "Frozen trunk", .reference),
    ],
    metrics: [Metric("accuracy", chance: 0.1), Metric("backward transfer")],
    criterion: Criterion(
      Condition(transfer("hlop"), .isAtLeast(-0.03)),
      Condition(transfer("hlop") - transfer("plain"), .leads(by: 0.04)),
      Condition(accuracy("hlop") - accuracy("frozen"), .leads(by: 0.02)),
      Condition(accuracy("hlop") - accuracy("svd"), .matches(within: 0.02)),
      gates: [Condition(transfer("plain"), .isAtMost(-0.05))]),
    matching: .parameters(within: 0),
    tuning: Tuning(
      seeds: [100, 101], trialsPerArm: 3,
      choice:
        "Rates 0.1, which is the authors', and 0.3 with 10 epochs, and 0.3 with 5: 0.1 was better for all arms "
        + "but the frozen trunk. Then 30 epochs for all, of 10, 20, 30 and 40, where plain training lost about 0.1."
    ),
    explanations: [
      .contradicted: "Plain training changes earlier tasks by {backward transfer(plain)}, the projection by "
        + "{backward transfer(hlop)} and the exact subspace by {backward transfer(svd)}. What is missing where the "
        + "exact subspace has it owes to the Hebbian rows, of which a task of 2,000 pictures gives few updates; what "
        + "both miss owes to the number of rows, which is the paper's.",
      .smallerThanClaimed:
        "Plain training changes earlier tasks by {backward transfer(plain)} only, the projection "
        + "by {backward transfer(hlop)}: with heads of their own and 2,000 pictures tasks are mild, which speaks "
        + "for our scale.",
    ],
    picture: { try projectionPicture($0) }
  ) { run in
    let course = try Course(run, tasks: 5, epochs: run.count(quick: 30, full: 60, trial: 1))
    let table = try course.learn(run)
    let last = table[table.count - 1]
    let changes = (0..<table.count - 1).map { last[$0] - table[$0][$0] }
    func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
    return ClaimResult(
      ["accuracy": mean(last), "backward transfer": mean(changes)],
      parameters: course.network.parameterCount)
  }
}

private func accuracy(_ arm: String) -> Quantity { .measured("accuracy", of: arm) }
private func transfer(_ arm: String) -> Quantity { .measured("backward transfer", of: arm) }

/// One network on its way through the tasks.
private final class Course {
  let network: SpikingPerceptron
  private let tasks: [(training: Batch, test: Batch)]
  private let epochs: Int
  private let rate: Double

  init(_ run: ClaimRun, tasks count: Int, epochs: Int) throws {
    self.epochs = epochs
    rate = run.arm == "frozen" ? 0.3 : 0.1
    var settings = SpikingPerceptron.Settings(), random = run.random("weights")
    (settings.hidden, settings.steps) = ([200, 200], 6)
    network = try SpikingPerceptron(settings, inputs: 784, classes: 10, using: &random)
    let data = try FashionMNIST()
    tasks = try (0..<count).map { task in
      var settings = FashionVariant.Settings()
      (settings.training, settings.validation) = (run.count(2000, trial: 128), 0)
      settings.test = run.count(1000, trial: 100)
      settings.seed = run.seed
      settings.transforms = [.permuted(seed: run.seed * 100 + UInt64(task))]
      let pictures = try FashionVariant(settings, data: data)
      func flat(_ split: Split) -> Batch {
        let batch = pictures.batch(split, Array(0..<(pictures.count(split) ?? 0)))
        return Batch(inputs: batch.inputs.reshaped(-1, 784), targets: batch.targets)
      }
      return (flat(.training), flat(.test))
    }
  }

  /// After each task the share right of every task so far.
  func learn(_ run: ClaimRun) throws -> [[Double]] {
    var random = run.random("heads and rows"), order = run.random("order")
    let projects = run.arm == "hlop" || run.arm == "svd"
    var table: [[Double]] = []
    for (task, data) in tasks.enumerated() {
      let fewer = task / 3
      let rows = task == 0 ? [80, 50] : [70 - 20 * fewer, 18 - 5 * fewer]
      network.beginTask(rows: run.arm == "hlop" ? rows : [0, 0], using: &random)
      let learned = network.learned(in: task).filter {
        run.arm != "frozen" || task == 0 || $0.name.hasPrefix("heads")
      }
      for epoch in 0..<epochs {
        let places = Array(0..<data.training.targets.size).shuffled(using: &order)
        for start in stride(from: 0, to: places.count, by: 64) {
          let chosen = Tensor(places[start..<min(start + 64, places.count)].map(Int32.init))
          let x = data.training.inputs.take(chosen), labels = data.training.targets.take(chosen)
          let (_, gradients) = valueAndGradient(by: learned) {
            let logits = network(x, task: task, projecting: projects && task > 0) { subspace, samples in
              if run.arm == "hlop" { subspace.update(samples) }
            }
            return crossEntropy(logits: logits, targets: labels)
          }
          for (one, gradient) in zip(learned, gradients) { one.value = one.value - gradient * rate }
        }
        try run.progress((Double(task) + Double(epoch + 1) / Double(epochs)) / Double(tasks.count))
      }
      if run.arm == "svd" { addExactRows(rows, data.training.inputs, task) }
      network.endTask()
      table.append((0...task).map { accuracy($0) })
    }
    return table
  }

  func accuracy(_ task: Int) -> Double {
    let logits = network(tasks[task].test.inputs, task: task)
    return (logits.argMax(axis: 1) .== tasks[task].test.targets).asType(.float32).mean().item()
  }

  /// The largest components of what earlier rows leave over of each layer's input, over the whole task.
  private func addExactRows(_ rows: [Int], _ inputs: Tensor, _ task: Int) {
    var moments: [Tensor] = []
    _ = network(inputs, task: task) { subspace, samples in
      let left = subspace.remainder(samples)
      moments.append(matmul(left.transposed(), left) * (1 / Double(samples.dim(0))))
    }
    for ((subspace, moment), count) in zip(zip(network.subspaces, moments), rows) {
      let vectors = eigh(moment).vectors
      let width = vectors.dim(0)
      subspace.append(vectors.sliced(axis: 1, from: width - count).transposed().contiguous())
    }
  }
}

// MARK: Picture

private func projectionPicture(_ observer: ClaimRun.Observer) throws -> Picture {
  var courses: [(name: String, table: [[Double]], gram: [[Double]])] = []
  for (arm, name) in [("hlop", "Hebbian projection"), ("plain", "no projection")] {
    let run = ClaimRun(arm: arm, seed: 1, budget: .quick, observer: observer)
    let course = try Course(run, tasks: 4, epochs: 5)
    let table = try course.learn(run)
    let rows = course.network.subspaces[1].rows
    let gram = matmul(rows, rows.transposed())
    courses.append((name, table, gram.split(parts: max(rows.dim(0), 1)).map(\.doubles)))
  }
  let forgetting = courses.map { course in
    Picture.Panel(
      "Share right of each task, \(course.name)",
      .lines(
        x: "tasks learned", y: "share right",
        course.table.indices.map { task in
          Picture.Series(
            "task \(task + 1)",
            (task..<course.table.count).map {
              Picture.Point(Double($0 + 1), course.table[$0][task])
            })
        }))
  }
  let changes = courses.map { course in
    Picture.Series(
      course.name,
      course.table.indices.dropFirst().map { now in
        let since = (0..<now).map { course.table[now][$0] - course.table[$0][$0] }
        return Picture.Point(Double(now + 1), since.reduce(0, +) / Double(now))
      })
  }
  return Picture(
    "Learning beside what is known",
    caption: "Four permutations of Fashion-MNIST. Without projection each new task costs the earlier ones; "
      + "with it they stay, as the change of earlier tasks since each was learned shows. The products of the "
      + "second layer's lateral weights show how far its rows have become orthonormal: ones on the diagonal, nought elsewhere.",
    panels: forgetting + [
      Picture.Panel(
        "Change of earlier tasks, mean", .lines(x: "tasks learned", y: "change of share right", changes)),
      Picture.Panel(
        "Lateral weights H Hᵀ, second layer", .grid(x: "row", y: "row", courses[0].gram, range: 0...1)),
    ])
}
