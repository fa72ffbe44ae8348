import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// NaN in gives NaN out, never a plausible number, for every operation.
  @Suite struct NaN {
    /// An element that is NaN makes NaN of every result that depends on it, which is every result that another
    /// number in its place changes, and leaves the others as they are.
    @Test(
      arguments: Operation.everything.filter { !stopping.contains($0.name) && !choosing.contains($0.name) })
    func reachesWhatItBelongsTo(_ operation: Operation) throws {
      for type in [DType.float32, .float64] {
        for sample in try operation.samples(upTo: 1500).prefix(4) {
          for (name, input) in sample.inputs where input.dtype.isFloatingPoint && input.size > 0 {
            let problem = try problem(operation, sample.converted(to: type), name)
            if let problem { Issue.record("\(operation.name), \(sample.name), \(type), \(name): \(problem)") }
          }
        }
      }
    }

    private func problem(_ operation: Operation, _ sample: Sample, _ name: String) throws -> String? {
      guard let input = sample.inputs[name] else { return nil }
      let plain = operation(sample)
      guard plain.dtype.isFloatingPoint else { return nil }
      let clean = plain.doubles
      var lost = [Set<Int>]()
      let places = [0, input.size / 2, input.size - 1]
      for place in places {
        func result(_ number: Double) throws -> Tensor {
          var changed = sample
          changed.inputs[name] = input.replacing(place, by: number)
          return try withErrors { operation(changed) }
        }
        let old = input.doubles[place]
        // Small changes, which stay where the function is defined.
        let others = try [old * 1.03, old * 0.97].map { try result($0).doubles }
        let changed = others.map { other in
          other.indices.filter { !other[$0].isNaN && abs(other[$0] - clean[$0]) > 1e-3 * abs(clean[$0]) }
        }
        // A distribution that needs numbers above 0 refuses it.
        guard let quiet = try? result(.nan).doubles else {
          lost.append([])
          continue
        }
        let missing = Set(changed.joined()).filter { !clean[$0].isNaN && !quiet[$0].isNaN }
        if let one = missing.first { return "NaN at \(place) gives \(quiet[one]) at \(one)" }
        let scale = clean.filter { $0.isFinite }.reduce(0) { max($0, abs($1)) }
        let moved = quiet.indices.first {
          !quiet[$0].isNaN && quiet[$0] != clean[$0] && abs(quiet[$0] - clean[$0]) > 1e-5 * max(scale, 1)
        }
        if let moved { return "NaN at \(place) changes \(clean[moved]) to \(quiet[moved]) at \(moved)" }
        lost.append(Set(quiet.indices.filter { quiet[$0].isNaN && !clean[$0].isNaN }))
        // A NaN with another payload is one too.
        if sample.inputs[name]?.dtype == .float32, place == places[0] {
          var payload = sample
          payload.inputs[name] = input.replacing(place, by: Float(nan: 0x155, signaling: false))
          let also = operation(payload).doubles
          if also.map(\.isNaN) != quiet.map(\.isNaN) { return "a NaN with a payload does not count as one" }
        }
      }
      // Element by element: exactly there.
      let isElementwise = input.shape == plain.shape && Self.elementwise.contains(operation.name)
      if isElementwise, let wrong = zip(places, lost).first(where: { !$1.isSubset(of: [$0]) }) {
        return "NaN at \(wrong.0) reaches \(wrong.1.sorted().prefix(5))"
      }
      return nil
    }

    private static let elementwise = Set((Operation.functions + Operation.arithmetic).map(\.name))
    /// Factorisations stop with a message or say so in a status.
    private static let stopping: Set<String> = Set(Operation.linearAlgebra.map(\.name))
    /// What orders and chooses has no element of its own for a NaN: it comes last, as below.
    private static let choosing: Set<String> = [
      "argSort", "sorted", "topK", "topKMany", "uniqueValues", "uniqueInverse", "uniqueCounts",
      "nearestNeighbours", "histogram", "kthValue", "masked", "isNaN", "isFinite",
    ]

    /// PyTorch's order: NaN is above everything. The values are torch.sort's, topk's, max's and so on (2.13).
    @Test(arguments: [DType.float32, .float64]) func isTheLargest(_ type: DType) {
      let nan = Float.nan
      let x = Tensor([3, nan, -Float.infinity, 1, nan, Float.infinity]).asType(type)
      for setting in Setting.ofKernels {
        setting.run {
          #expect(x.argSort().asArray(Int32.self) == [2, 3, 0, 5, 1, 4])
          #expect(x.argSort(descending: true).asArray(Int32.self) == [1, 4, 5, 0, 3, 2])
          for count in 1...6 {
            #expect(
              x.topK(count).indices.asArray(Int32.self) == Array([1, 4, 5, 0, 3, 2].prefix(count)))
            #expect(
              x.topK(count, largest: false).indices.asArray(Int32.self)
                == Array([2, 3, 0, 5, 1, 4].prefix(count)))
          }
          #expect(x.argMax(axis: 0).item() == 1 && x.argMin(axis: 0).item() == 1)
          #expect(x.max().item().isNaN && x.min().item().isNaN && x.median().item().isNaN)
          #expect(x.quantile(0.1).item().isNaN && x.kthValue(0).item() == -.infinity)
          #expect(x.kthValue(4).item().isNaN)
          #expect(x.cummax(axis: 0).doubles.map(\.isNaN) == [false, true, true, true, true, true])
        }
      }
    }

    /// torch.tensor(nan).int() on x86: a number that no index can be taken for.
    @Test func isNoWholeNumber() {
      for type in [DType.float32, .float64] {
        #expect(Tensor([Float.nan]).asType(type).asType(.int32).asArray(Int32.self) == [.min])
      }
    }
  }
}

extension Sample {
  fileprivate func converted(to type: DType) -> Sample {
    var copy = self
    copy.inputs = inputs.mapValues { $0.dtype.isFloatingPoint ? $0.asType(type) : $0 }
    return copy
  }
}

extension Tensor {
  /// The same numbers but for one.
  fileprivate func replacing(_ place: Int, by number: Double) -> Tensor {
    var numbers = doubles
    numbers[place] = number
    return Tensor(numbers, shape).asType(dtype)
  }
  fileprivate func replacing(_ place: Int, by number: Float) -> Tensor {
    var numbers = asArray(Float.self)
    numbers[place] = number
    return Tensor(numbers, shape)
  }
}
