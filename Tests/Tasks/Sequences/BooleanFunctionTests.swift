import CallosumContracts
import CallosumTasks
import CallosumTensors
import Testing

@Suite struct BooleanFunctionTests {
  /// Elimination: what is left of all conjunctions after the examples is consistent with them; it is never
  /// empty for a conjunction, and nearly always for parity.
  private func conjunctions(fitting sequence: BooleanFunctions.Episode, upTo count: Int) -> [[Int]] {
    let variables = sequence.x[0].count
    let all = (0..<Int(0.5 + .pow(3, Double(variables)))).map { number in
      var rest = number
      return (0..<variables).map { _ in
        defer { rest /= 3 }
        return rest % 3 - 1
      }
    }
    return all.filter { weights in
      (0..<count).allSatisfy { example in
        let holds = zip(weights, sequence.x[example]).allSatisfy { $0 == 0 || $0 == $1 }
        return holds == (sequence.y[example] == 1)
      }
    }
  }

  @Test func valuesAreThoseOfAFunctionOfTheKind() throws {
    for index in 0..<20 {
      let conjunction = try BooleanFunctions(.conjunction, variables: 5, examples: 20).episode(
        .training, index)
      #expect(!conjunctions(fitting: conjunction, upTo: 20).isEmpty)
      // A disjunction is the negation of the conjunction of negated variables.
      let disjunction = try BooleanFunctions(.disjunction, variables: 5, examples: 20).episode(
        .training, index)
      let negated = BooleanFunctions.Episode(
        x: disjunction.x.map { $0.map { -$0 } }, y: disjunction.y.map { -$0 })
      #expect(!conjunctions(fitting: negated, upTo: 20).isEmpty)
      // Parity of two of five variables: one of the ten pairs explains all.
      let parity = try BooleanFunctions(.sparseParity, variables: 5, examples: 40).episode(.training, index)
      let fits = (0..<5).flatMap { i in (0..<i).map { (i, $0) } }.filter { i, j in
        zip(parity.x, parity.y).allSatisfy { x, y in y == -x[i] * x[j] }
      }
      #expect(fits.count == 1)
    }
  }

  @Test func aTaughtConjunctionIsTheOnlyOneLeft() throws {
    let task = try BooleanFunctions(.taughtConjunction, variables: 6)
    for index in 0..<20 {
      let sequence = task.episode(.training, index)
      // The two true examples agree on the literals.
      let literals = zip(sequence.x[0], sequence.x[1]).count { $0 == $1 }
      #expect(Array(sequence.y.prefix(2 + literals)) == [1, 1] + [Int](repeating: -1, count: literals))
      #expect(conjunctions(fitting: sequence, upTo: 2 + literals).count == 1)
    }
  }

  @Test func nearestNeighboursFollow() throws {
    let sequence = try BooleanFunctions(.nearestNeighbour, anchors: 4).episode(.test, 2)
    for i in 4..<24 {
      let similarities = (0..<i).map { j in zip(sequence.x[i], sequence.x[j]).count { $0 == $1 } }
      let nearest = similarities.firstIndex(of: similarities.max() ?? 0) ?? 0
      #expect(sequence.y[i] == sequence.y[nearest])
    }
  }

  /// The share of true values over 2,000 sequences, against what follows from the chances. For d = 8: a conjunction
  /// draws .3 + .7 E[2^-m], E = (.7 + .3 / 2)^8; and so on.
  @Test func labelMarginals() throws {
    func share(_ kind: BooleanFunctions.Kind) throws -> Double {
      let task = try BooleanFunctions(kind)
      let y = (0..<2000).flatMap { task.episode(.training, $0).y }
      return Double(y.count { $0 == 1 }) / Double(y.count)
    }
    let agree = Double.pow(0.85, 8)
    #expect(abs(try share(.conjunction) - (0.3 + 0.7 * agree)) < 0.01)
    #expect(abs(try share(.disjunction) - (1 - 0.3 - 0.7 * agree)) < 0.01)
    #expect(abs(try share(.sparseDisjunction) - 0.7 * 15 / 16) < 0.01)
    #expect(abs(try share(.sparseParity) - 0.5) < 0.01)
  }

  @Test func examplesAndValuesTakeTurns() throws {
    let task = try BooleanFunctions(.conjunction, variables: 4, examples: 3)
    let sequence = task.episode(.training, 7), batch = task.batch(.training, [7])
    #expect(batch.inputs.shape == [1, 6, 4])
    let rows = batch.inputs.doubles
    for i in 0..<3 {
      #expect(Array(rows[8 * i..<8 * i + 4]) == sequence.x[i].map(Double.init))
      #expect(Array(rows[8 * i + 4..<8 * i + 8]) == [Double(sequence.y[i]), 0, 0, 0])
    }
    #expect(batch.mask?.doubles == [1, 0, 1, 0, 1, 0])
    #expect(batch.targets.doubles == sequence.y.flatMap { [$0 == 1 ? 1 : 0, 0] })
  }
}

extension Double {
  fileprivate static func pow(_ base: Double, _ exponent: Double) -> Double {
    (0..<Int(exponent)).reduce(1) { power, _ in power * base }
  }
}
