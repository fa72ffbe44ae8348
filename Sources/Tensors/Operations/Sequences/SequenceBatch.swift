/// A batch of sequences for a recurrent cell: its shapes, and how its rows lie for the kernels.
///
/// Kernels take all sequences from their first step taken to the last, step by step, with the longest
/// row first and nothing behind the end of shorter ones: PyTorch's packed sequences. So `reverse` and
/// `lengths` are matters of how rows are copied there and back, and cost no arithmetic. With all rows
/// of one length the copies are transposes.
struct SequenceBatch {
  let batch, time, inputs, hidden, gates: Int
  let reverse: Bool
  let dtype: DType
  /// Where each step begins among the packed rows, time + 1 entries.
  let first: [Int]
  private let name: StaticString
  private let packing: Packing?

  private struct Packing {
    let lengths: [Int]
    /// The row of the batch that comes first, second ...; the longest first.
    let order: [Int]
    /// Of each packed row, its place in [batch * time].
    let places: Tensor
  }

  init(
    _ x: Tensor, _ weights: RecurrentWeights, gates: Int, _ reverse: Bool, _ lengths: Tensor?,
    _ name: StaticString
  ) {
    realType(of: [x] + weights.list, name)
    precondition(
      x.ndim == 3 && x.dim(1) > 0, name,
      "the input must be [batch, time, inputs] with a step at least, is \(x.shape)")
    let (batch, time) = (x.dim(0), x.dim(1))
    (self.batch, self.time, inputs, self.gates, dtype) = (batch, time, x.dim(2), gates, x.dtype)
    (self.reverse, self.name) = (reverse, name)
    let hidden = weights.hidden.shape.last ?? 0
    self.hidden = hidden
    let rows = gates * hidden
    let expected = [[rows, x.dim(2)], [rows, hidden], [rows], [rows]]
    let found = weights.list.map(\.shape)
    precondition(
      expected == found, name,
      "weights must be \(expected) for input \(x.shape) and hidden \(hidden), are \(found)")
    guard let lengths else {
      packing = nil
      first = (0...time).map { $0 * batch }
      return
    }
    precondition(
      lengths.dtype == .int32 && lengths.shape == [batch], name,
      "lengths must be int32 [batch \(batch)], are \(lengths.dtype) \(lengths.shape)")
    let counts = lengths.doubles.map { Int($0) }
    if let wrong = counts.first(where: { $0 < 0 || $0 > time }) {
      preconditionFailure(name, "lengths must be from 0 to \(time), the steps of \(x.shape), one is \(wrong)")
    }
    // Equal lengths keep their order, so that the same batch gives the same bits.
    let order = counts.indices.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
    var first = [0], places: [Int32] = []
    for t in 0..<time {
      for row in order {
        guard t < counts[row] else { break }
        places.append(Int32(row * time + (reverse ? counts[row] - 1 - t : t)))
      }
      first.append(places.count)
    }
    self.first = first
    packing = Packing(lengths: counts, order: order, places: Tensor(places, [places.count]))
  }

  /// The given state, checked, or zeros.
  func state(_ given: Tensor?) -> Tensor {
    guard let given else { return .zeros([batch, hidden], dtype: dtype) }
    precondition(
      given.shape == [batch, hidden] && given.dtype == dtype, name,
      "the initial state must be \(dtype) [batch \(batch), hidden \(hidden)], is \(given.dtype) \(given.shape)"
    )
    return given
  }

  /// Which steps count, [batch, time, 1]; nil if all do.
  var valid: Tensor? {
    packing.map { packing in
      let counts = Tensor(packing.lengths.map { Int32($0) }, [batch, 1, 1])
      return counts .> Tensor.arange(time).reshaped(1, time, 1)
    }
  }

  /// Of all states, [batch, time, hidden], that of each row after its last step taken: the initial one
  /// for a row without steps.
  func last(of states: Tensor, initial: Tensor) -> Tensor {
    guard let packing else {
      let at = reverse ? 0 : time - 1
      return states.sliced(axis: 1, from: at, to: at + 1).squeezed(axis: 1)
    }
    let places = packing.lengths.enumerated().map { row, length in
      Int32(row * time + (reverse ? 0 : max(length - 1, 0)))
    }
    let last = states.reshaped(batch * time, hidden).take(Tensor(places, [batch]))
    if !packing.lengths.contains(0) { return last }
    return which(Tensor(packing.lengths.map { $0 == 0 }, [batch, 1]), initial, last)
  }

  // MARK: To the kernels and back; none of this is recorded

  /// [batch, time, width] as the kernels take it, [rows, width].
  func packed(_ x: Tensor) -> Tensor {
    guard let packing else {
      let x = reverse ? x.flipped(axes: [1]) : x
      return x.transposed(1, 0, 2).packed.reshaped([time * batch, x.dim(2)])
    }
    return x.reshaped([batch * time, x.dim(2)]).take(packing.places)
  }

  /// The way back, with zeros behind each row's end.
  func unpacked(_ x: Tensor) -> Tensor {
    guard let packing else {
      let x = x.reshaped([time, batch, x.dim(1)]).transposed(1, 0, 2)
      return reverse ? x.flipped(axes: [1]) : x
    }
    return x.scatterAdded(at: packing.places, count: batch * time).reshaped([batch, time, x.dim(1)])
  }

  /// A state, [batch, hidden], in the order of the rows of a step; in memory of its own with lengths.
  func ordered(_ state: Tensor) -> Tensor { packing.map { state.take(Self.index($0.order)) } ?? state.packed }

  /// The way back.
  func restored(_ state: Tensor) -> Tensor {
    packing.map { state.scatterAdded(at: Self.index($0.order), count: batch) } ?? state
  }

  /// The packed states before every step, from all packed states and the ordered one at the start.
  func earlier(_ states: Tensor, start: Tensor) -> Tensor {
    if packing == nil { return concatenated([start, states.sliced(axis: 0, to: (time - 1) * batch)]) }
    let rows = (0..<time).flatMap { t in
      (0..<first[t + 1] - first[t]).map { t == 0 ? $0 : batch + first[t - 1] + $0 }
    }
    return concatenated([start, states]).take(Self.index(rows))
  }

  /// Of packed states and the ordered one at the start, each row's last, in the order of the batch.
  func lastPacked(_ states: Tensor, start: Tensor) -> Tensor {
    guard let packing else { return states.sliced(axis: 0, from: (time - 1) * batch) }
    let rows = packing.order.enumerated().map { position, row in
      packing.lengths[row] == 0 ? position : batch + first[packing.lengths[row] - 1] + position
    }
    return restored(concatenated([start, states]).take(Self.index(rows)))
  }

  private static func index(_ rows: [Int]) -> Tensor { Tensor(rows.map { Int32($0) }, [rows.count]) }
}
