import CallosumContracts
import CallosumTensors
import Testing

@Suite struct ObjectiveTests {
  private let inputs = Tensor.zeros([2, 3])

  @Test func classesCountWhereTheMaskSays() {
    let logits = Tensor([2, 0, 0, 2, 2, 0, 0, 2] as [Float], [2, 2, 2])
    let labels = Tensor([0, 0, 0, 0] as [Int32], [2, 2])
    let all = Batch(inputs: inputs, targets: labels)
    let some = Batch(inputs: inputs, targets: labels, mask: Tensor([true, false, true, true], [2, 2]))
    let objective = Objective.classes(2)
    #expect(objective.score(logits, all) == Objective.Score(sum: 2, count: 4))
    #expect(objective.score(logits, some) == Objective.Score(sum: 2, count: 3))
    // -log softmax of (2, 0): 0.126928 where right and 2.126928 where wrong.
    #expect(abs(objective.loss(logits, all).item() - 1.126928) < 1e-5)
    #expect(abs(objective.loss(logits, some).item() - 0.793595) < 1e-5)
  }

  @Test func valuesAndBitsAverageOverWhatCounts() {
    let outputs = Tensor([1, -2, 3, 4] as [Float], [2, 1, 2])
    let targets = Tensor([0, 0, 1, 1] as [Float], [2, 1, 2])
    let second = Batch(inputs: inputs, targets: targets, mask: Tensor([false, true], [2, 1]))
    #expect(Objective.values(2).loss(outputs, second).item() == 6.5)
    #expect(Objective.values(2).score(outputs, second).mean == 6.5)
    #expect(Objective.bits(2).score(outputs, second) == Objective.Score(sum: 2, count: 2))
    let all = Batch(inputs: inputs, targets: targets)
    #expect(Objective.bits(2).score(outputs, all) == Objective.Score(sum: 3, count: 4))
    #expect(Objective.values(2).loss(outputs, all).item() == 4.5)
  }

  @Test func fieldsAreJudgedRelativeToTheirSize() {
    let targets = Tensor([3, 4, 0, 10] as [Float], [2, 2, 1])
    let outputs = Tensor([3, 5, 0, 0] as [Float], [2, 2, 1])
    let batch = Batch(inputs: inputs, targets: targets)
    #expect(abs(Objective.field(1).loss(outputs, batch).item() - 0.6) < 1e-6)
    #expect(abs(Objective.field(1).score(outputs, batch).mean - 0.6) < 1e-6)
  }

  @Test func scoresAddUp() {
    var score = Objective.Score()
    #expect(score.mean == 0)
    score += Objective.Score(sum: 3, count: 4)
    score += Objective.Score(sum: 0, count: 2)
    #expect(score.mean == 0.5)
  }

  @Test func leaksAreFound() {
    #expect(leaks(in: Numbers(offsets: [0, 10, 20])).isEmpty)
    let found = leaks(in: Numbers(offsets: [0, 8, 20]))
    #expect(
      found == [
        Leak(splits: [.training, .validation], indices: [8, 0]),
        Leak(splits: [.training, .validation], indices: [9, 1]),
      ])
    #expect(found.first?.description == "the same example is training 8 and validation 0")
  }
}

/// Ten numbers in a row for each split.
private struct Numbers: LearningTask {
  let offsets: [Int]
  let id = "numbers"
  let name = "Numbers"
  let input = TaskInput.values([1])
  let positions: [Int] = []
  let objective = Objective.values(1)
  func count(_ split: Split) -> Int? { 10 }
  func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let offset = offsets[Split.allCases.firstIndex(of: split) ?? 0]
    let numbers = Tensor(indices.map { Float($0 + offset) }, [indices.count, 1])
    return Batch(inputs: numbers, targets: numbers)
  }
}
