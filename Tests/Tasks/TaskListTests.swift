import CallosumContracts
import CallosumTasks
import CallosumTestSupport
import Testing

@Suite struct TaskListTests {
  /// Every task of the list answers to its id, gives batches of the shapes that it states, and shares no
  /// example between splits.
  @Test(arguments: Catalogue.tasks.map(\.id).filter { $0 != "fashion-mnist" })
  func everyTaskIsWhatItSays(_ id: String) throws {
    let task = try Catalogue(tasks: Catalogue.tasks).task(id, seed: 3)
    #expect(task.id == id)
    let batch = task.batch(.training, [0, 1, 2])
    #expect(batch.inputs.dim(0) == 3 && batch.inputs.ndim == task.input.shape.count + 1)
    #expect(batch.targets.dim(0) == 3)
    #expect(leaks(in: task, limit: 60).isEmpty)
  }

  @Test func unknownTasksHaveANeighbour() {
    #expect(throws: InvalidInput("unknown task 'darci'; did you mean 'darcy'?")) {
      try Catalogue(tasks: Catalogue.tasks).task("darci")
    }
  }
}
