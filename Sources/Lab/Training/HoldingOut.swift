import CallosumContracts

/// A task without validation examples, with its last training examples in their place.
struct HoldingOut: LearningTask {
  private let task: any LearningTask
  private let training, heldOut: Int

  /// `task` itself if it has validation examples, or learns from examples without end; else `task` with up
  /// to `limit` examples, a tenth at most, held out.
  static func from(_ task: any LearningTask, limit: Int) -> any LearningTask {
    guard task.count(.validation) == 0, let count = task.count(.training) else { return task }
    let heldOut = min(limit, count / 10)
    return HoldingOut(task: task, training: count - heldOut, heldOut: heldOut)
  }

  var id: String { task.id }
  var name: String { task.name }
  var input: TaskInput { task.input }
  var positions: [Int] { task.positions }
  var objective: Objective { task.objective }

  func count(_ split: Split) -> Int? {
    switch split {
    case .training: training
    case .validation: heldOut
    case .judged: task.count(.judged)
    }
  }

  func batch(_ split: Split, _ indices: [Int]) -> Batch {
    split == .validation
      ? task.batch(.training, indices.map { training + $0 }) : task.batch(split, indices)
  }
}
