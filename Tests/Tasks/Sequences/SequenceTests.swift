import CallosumContracts
import CallosumTasks
import CallosumTensors
import Testing

/// What every task of sequences owes: the same examples twice, none in two splits, and shapes as said.
func expectLawful(
  _ task: any LearningTask, limit: Int = 400, at location: SourceLocation = #_sourceLocation
) {
  #expect(leaks(in: task, limit: limit) == [], sourceLocation: location)
  for split in Split.allCases {
    let indices = [0, 3, 1]
    let batch = task.batch(split, indices), again = task.batch(split, indices)
    #expect(batch.inputs.doubles == again.inputs.doubles, sourceLocation: location)
    #expect(batch.targets.doubles == again.targets.doubles, sourceLocation: location)
    #expect(batch.inputs.dim(0) == 3, sourceLocation: location)
    switch task.input {
    case .values(let shape):
      #expect(batch.inputs.shape == [3] + shape, sourceLocation: location)
      #expect(batch.inputs.dtype == .float32, sourceLocation: location)
      #expect(isFinite(batch.inputs).all().item() == 1, sourceLocation: location)
    case .tokens(let vocabulary, let length):
      #expect(batch.inputs.ndim == 2 && batch.inputs.dim(1) <= length, sourceLocation: location)
      #expect(batch.inputs.dtype == .int32, sourceLocation: location)
      #expect(batch.inputs.doubles.allSatisfy { (0..<Double(vocabulary)).contains($0) })
    }
    // The objective checks that targets and mask have the shape that it wants.
    var shape = [3] + task.positions + [task.objective.width]
    // Swift 6.3's optimiser frees a temporary array before its subscript is read; hence no [0] of it.
    let input = task.input.shape
    if batch.inputs.ndim == 2, task.positions == Array(input.prefix(1)) { shape[1] = batch.inputs.dim(1) }
    let outputs = Tensor.zeros(shape)
    #expect(task.objective.loss(outputs, batch).item().isFinite, sourceLocation: location)
  }
}

@Suite struct SequenceTests {
  @Test func allAreLawful() throws {
    expectLawful(try AssociativeRecall())
    expectLawful(try AssociativeRecall(keys: 4, values: 2, pairs: 2, queries: 1, writes: 1...3, length: 9))
    expectLawful(try CopyTask())
    expectLawful(try CopyTask(symbols: 2, copied: 5, delay: 7, scattered: true))
    expectLawful(try BinaryMemory(.parity, spans: [2, 3, 5]))
    expectLawful(try BinaryMemory(.match, spans: [4]))
    expectLawful(try CumulativeParity())
    expectLawful(try NeedleInHaystack())
    expectLawful(try NeedleInHaystack(distractors: 3, depth: 0.5))
    expectLawful(try ModularArithmetic(modulus: 31, corruption: 0.3))
    for kind in BooleanFunctions.Kind.allCases { expectLawful(try BooleanFunctions(kind), limit: 50) }
  }

  @Test func seedsDifferAndSplitsHaveTheirShares() throws {
    let one = try CumulativeParity(length: 12, seed: 1), two = try CumulativeParity(length: 12, seed: 2)
    #expect(one.example(.training, 0) != two.example(.training, 0))
    #expect(one.example(.training, 0) != one.example(.training, 1))
    // Of all 4096 sequences an eighth each is set aside.
    var seen: [Split: Set<[Int32]>] = [:]
    for split in Split.allCases {
      seen[split] = Set((0..<6000).map { one.example(split, $0).tokens })
    }
    #expect((450...580).contains(seen[.validation]?.count ?? 0))
    #expect((450...580).contains(seen[.test]?.count ?? 0))
  }

  /// Walks over the sequence and remembers.
  @Test(arguments: [1...1, 1...3]) func recallWantsTheLastValueWritten(writes: ClosedRange<Int>) throws {
    let task = try AssociativeRecall(
      keys: 16, values: 32, pairs: 8, queries: 8, writes: writes, length: 64)
    var overwritten = 0
    for index in 0..<50 {
      let example = task.example(.training, index)
      #expect(example.tokens.count == 64)
      var memory: [Int32: Int32] = [:]
      var writesOf: [Int32: Int] = [:]
      var place = 0, asked = 0
      while place < 64 {
        let token = example.tokens[place]
        if example.isScored[place] {
          #expect(memory[token] == example.targets[place])
          asked += 1
        } else if token < 16 {
          place += 1
          if memory[token] != nil { overwritten += 1 }
          #expect((16..<48).contains(example.tokens[place]))
          memory[token] = example.tokens[place]
          writesOf[token, default: 0] += 1
        } else {
          #expect(token == 48)
        }
        place += 1
      }
      #expect(asked == 8 && writesOf.count == 8)
      #expect(writesOf.values.allSatisfy { writes.contains($0) })
    }
    #expect((overwritten > 0) == (writes.upperBound > 1))
  }

  @Test func recallLeavesOutWhatDoesNotFit() throws {
    let task = try AssociativeRecall(
      keys: 16, values: 32, pairs: 16, queries: 8, writes: 1...3, length: 64)
    let example = task.example(.test, 0)
    #expect(example.tokens.count == 64)
    #expect(example.isScored.count { $0 } == 8)
    #expect(Set(example.tokens.filter { $0 < 16 }).count == 16)
    #expect(throws: InvalidInput("16 pairs and 16 queries need a length of 48, not 47")) {
      try AssociativeRecall(length: 47)
    }
    #expect(throws: InvalidInput("pairs must be from 1 to the 3 keys, is 4")) {
      try AssociativeRecall(keys: 3, pairs: 4)
    }
  }

  @Test(arguments: [false, true]) func copyWantsTheSymbolsInOrder(scattered: Bool) throws {
    let task = try CopyTask(symbols: 5, copied: 4, delay: 3, scattered: scattered)
    for index in 0..<20 {
      let example = task.example(.training, index)
      #expect(example.tokens.count == 11)
      #expect(example.tokens[7] == 6)
      #expect(example.tokens[8...] == [5, 5, 5])
      #expect(example.isScored == (0..<11).map { $0 >= 7 })
      #expect(example.tokens[..<7].filter { $0 < 5 } == Array(example.targets[7...]))
      if !scattered { #expect(example.tokens[4..<7] == [5, 5, 5]) }
    }
  }

  @Test func parityAndMatchLookBackAsFarAsAsked() throws {
    let parity = try BinaryMemory(.parity, spans: [2, 3]), match = try BinaryMemory(.match, spans: [2, 4])
    var lengths: Set<Int> = []
    for index in 0..<60 {
      let a = parity.example(.training, index), b = match.example(.training, index)
      let (x, y) = (a.tokens, b.tokens)
      lengths.insert(x.count)
      #expect(a.targets == [x.suffix(2).reduce(0, +) % 2, x.suffix(3).reduce(0, +) % 2])
      #expect(
        b.targets == [y[y.count - 2] == y[y.count - 1] ? 1 : 0, y[y.count - 4] == y[y.count - 1] ? 1 : 0])
    }
    #expect(lengths == Set(5..<14))
  }

  @Test func cumulativeParityIsARunningSum() throws {
    let example = try CumulativeParity(length: 10).example(.validation, 5)
    for place in 0..<10 { #expect(example.targets[place] == example.tokens[...place].reduce(0, +) % 2) }
  }

  @Test func needlesStandWhereAsked() throws {
    for (depth, place) in [(0, 1), (1, 56), (0.5, 29)] as [(Double, Int)] {
      let task = try NeedleInHaystack(depth: depth)
      let example = task.example(.test, 3)
      #expect(task.place(in: example).lowerBound == place)
    }
    let task = try NeedleInHaystack(distractors: 2)
    for index in 0..<50 {
      let example = task.example(.training, index)
      let range = task.place(in: example)
      #expect(Array(example.tokens[range]) == Array(example.targets[60...]))
      #expect(example.tokens[range.lowerBound - 1] == example.tokens[60])
      #expect(Array(example.tokens[61...]) == Array(example.targets[60..<63]))
      #expect(example.isScored == (0..<64).map { $0 >= 60 })
      #expect(example.tokens[..<60].count { $0 < 8 } == 3)
    }
  }

  @Test(arguments: ModularArithmetic.Operation.allCases)
  func arithmeticIsRight(_ operation: ModularArithmetic.Operation) throws {
    let task = try ModularArithmetic(modulus: 13, operation: operation, trainingShare: 0.6)
    var pairs = Set<[Double]>()
    for split in Split.allCases {
      let count = task.count(split) ?? 0
      let batch = task.batch(split, Array(0..<count))
      let (tokens, results) = (batch.inputs.doubles, batch.targets.doubles)
      for i in 0..<count {
        let (a, b, c) = (Int(tokens[2 * i]), Int(tokens[2 * i + 1]), Int(results[i]))
        pairs.insert([Double(a), Double(b)])
        switch operation {
        case .add: #expect(c == (a + b) % 13)
        case .subtract: #expect((c + b) % 13 == a)
        case .multiply: #expect(c == a * b % 13)
        case .divide: #expect(c * b % 13 == a)
        case .sumOfSquares: #expect(c == (a * a + b * b) % 13)
        }
      }
    }
    #expect(pairs.count == (operation == .divide ? 156 : 169))
    #expect(task.count(.training) == (operation == .divide ? 94 : 101))
  }

  @Test func corruptionStaysRightByChance() throws {
    let task = try ModularArithmetic(modulus: 67, trainingShare: 0.6, corruption: 0.3)
    let corrupted = 0.3 * Double(task.count(.training) ?? 0)
    // One in 67 of those drawn anew is right again.
    #expect(abs(Double(task.wrongLabels.count) - corrupted * 66 / 67) < 12)
    #expect(try ModularArithmetic(modulus: 67).wrongLabels.isEmpty)
    #expect(throws: InvalidInput("division needs a prime modulus, 15 is none")) {
      try ModularArithmetic(modulus: 15, operation: .divide)
    }
  }
}
