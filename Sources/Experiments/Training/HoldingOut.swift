import CallosumContracts

/// A task without validation examples, with its last training examples in their place.
package struct HoldingOut: LearningTask {
  private let task: any LearningTask
  private let training, heldOut: Int

  /// `task` itself if it has validation examples, or learns from examples without end; else `task` with up
  /// to `limit` examples, a tenth at most, held out.
  package static func from(_ task: any LearningTask, limit: Int) -> any LearningTask {
    guard task.count(.validation) == 0, let count = task.count(.training) else { return task }
    let heldOut = min(limit, count / 10)
    return HoldingOut(task: task, training: count - heldOut, heldOut: heldOut)
  }

  package var id: String { task.id }
  package var name: String { task.name }
  package var input: TaskInput { task.input }
  package var positions: [Int] { task.positions }
  package var objective: Objective { task.objective }
  package var order: TokenOrder { task.order }
  package var hasFixedLength: Bool { task.hasFixedLength }

  package func count(_ split: Split) -> Int? {
    switch split {
    case .training: training
    case .validation: heldOut
    case .test: task.count(.test)
    }
  }

  package func batch(_ split: Split, _ indices: [Int]) -> Batch {
    split == .validation
      ? task.batch(.training, indices.map { training + $0 }) : task.batch(split, indices)
  }
}
