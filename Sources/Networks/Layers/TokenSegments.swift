import CallosumTensors

/// Which tokens of a batch belong together, where rows hold padding or several sequences one after the other.
///
/// `segments` [batch, tokens] (int32) gives the sequence of each token: 0 for padding, which belongs to none,
/// any number above for a sequence, and another number where the next one begins. A padding mask of ones and
/// zeros is the case of one sequence in each row. A layer that carries a state computes each sequence by itself:
/// the first of a row goes on from the state of that row, every other begins anew, and what the last one leaves
/// is the row's state. Padding neither changes a state nor is changed: its outputs are zeros, and whatever it
/// holds, NaN too, reaches nobody.
///
/// Sequences are brought side by side, [sequences, longest, width]: cost grows with their number times the
/// longest.
public struct TokenSegments {
  /// Tokens of each sequence, those of the first row first.
  public let lengths: [Int]
  /// The row that each sequence is in.
  private let rows: [Int32]
  private let batch, tokens, longest: Int
  /// Where each place [sequences, longest] finds its token, and each token [batch, tokens] its place; 0 where
  /// there is none.
  private let sources, places: Tensor
  /// The sequences of each row counted from 1 on, 0 for padding: int32 [batch, tokens].
  public let numbers: Tensor
  /// Whether no row holds more than one sequence.
  public var areWholeRows: Bool { zip(rows, rows.dropFirst()).allSatisfy { $0 != $1 } }
  /// Bool [sequences, longest, 1] and [batch, tokens, 1].
  private let isFilled, isToken: Tensor

  public init(_ segments: Tensor) {
    precondition(
      segments.ndim == 2 && segments.dtype == .int32, "TokenSegments",
      "needs segments [batch, tokens] of int32, got \(segments.dtype) \(segments.shape)")
    let numbers = segments.asArray(Int32.self)
    precondition(
      numbers.allSatisfy { $0 >= 0 }, "TokenSegments",
      "segments must be 0 or above, one is \(numbers.min() ?? 0)")
    let (batch, tokens) = (segments.dim(0), segments.dim(1))
    (self.batch, self.tokens) = (batch, tokens)
    var members: [[Int32]] = [], rows: [Int32] = []
    for row in 0..<batch {
      var current: Int32 = 0
      for place in row * tokens..<(row + 1) * tokens where numbers[place] > 0 {
        if numbers[place] != current {
          members.append([])
          rows.append(Int32(row))
          current = numbers[place]
        }
        members[members.count - 1].append(Int32(place))
      }
    }
    let longest = members.map(\.count).max() ?? 0
    (self.longest, self.rows, lengths) = (longest, rows, members.map(\.count))
    var sources = [Int32](repeating: 0, count: members.count * longest)
    var places = [Int32](repeating: 0, count: numbers.count)
    for (sequence, tokens) in members.enumerated() {
      for (step, token) in tokens.enumerated() {
        sources[sequence * longest + step] = token
        places[Int(token)] = Int32(sequence * longest + step)
      }
    }
    var counted = [Int32](repeating: 0, count: numbers.count), first = 0
    for (sequence, tokens) in members.enumerated() {
      if sequence > 0 && rows[sequence] != rows[sequence - 1] { first = sequence }
      for token in tokens { counted[Int(token)] = Int32(sequence - first + 1) }
    }
    self.numbers = Tensor(counted, [batch, tokens])
    self.sources = Tensor(sources, [members.count, longest])
    self.places = Tensor(places, [batch, tokens])
    isToken = (segments .> 0).expandedDimensions(axis: 2)
    isFilled = Self.isBelow(lengths, longest).expandedDimensions(axis: 2)
  }

  private static func isBelow(_ lengths: [Int], _ longest: Int) -> Tensor {
    Tensor.arange(longest) .< Tensor(lengths.map(Int32.init), [lengths.count, 1])
  }

  /// The sequences of x [batch, tokens, width] side by side, [sequences, longest, width]; zeros after their ends.
  public func gathered(_ x: Tensor) -> Tensor {
    precondition(
      x.ndim == 3 && x.dim(0) == batch && x.dim(1) == tokens, "TokenSegments",
      "segments [\(batch), \(tokens)] do not fit tokens \(x.shape)")
    return which(isFilled, x.reshaped(batch * tokens, x.dim(2)).take(sources), x.constant(0))
  }

  /// x [sequences, longest, ...] with zeros after the ends of the sequences.
  public func cut(_ x: Tensor) -> Tensor {
    which(
      isFilled.reshaped([lengths.count, longest] + x.shape.dropFirst(2).map { _ in 1 }), x, x.constant(0))
  }

  /// Back from [sequences, longest, width] to [batch, tokens, width]; zeros for padding.
  public func scattered(_ y: Tensor) -> Tensor {
    if lengths.isEmpty { return .zeros([batch, tokens, y.dim(2)], dtype: y.dtype) }
    return which(isToken, y.reshaped(lengths.count * longest, y.dim(2)).take(places), y.constant(0))
  }

  /// The last `count` steps of each sequence of `history` [sequences, before + longest, width], which begins with
  /// `before` steps that all sequences have.
  public func lastSteps(_ count: Int, of history: Tensor, before: Int) -> Tensor {
    let width = history.dim(1)
    let index = lengths.enumerated().flatMap { sequence, length in
      (0..<count).map { Int32(sequence * width + before + length - count + $0) }
    }
    return history.reshaped(lengths.count * width, history.dim(2)).take(
      Tensor(index, [lengths.count, count]))
  }

  /// What each sequence begins with: the state of its row, or `fresh` (of one row) after another sequence.
  public func initial(_ state: State, fresh: State) -> State {
    var index = rows
    for place in rows.indices.dropFirst() where rows[place] == rows[place - 1] { index[place] = Int32(batch) }
    return joined(state, fresh, index)
  }

  /// The state of each row after its last sequence; as it was for rows without one.
  public func final(_ state: State, before: State) -> State {
    var index = (0..<batch).map(Int32.init)
    for (sequence, row) in rows.enumerated() { index[Int(row)] = Int32(batch + sequence) }
    return joined(before, state, index)
  }

  private func joined(_ first: State, _ second: State, _ index: [Int32]) -> State {
    State(
      Dictionary(
        uniqueKeysWithValues: first.names.map { name in
          (name, concatenated([first[name], second[name]], axis: 0).take(Tensor(index)))
        }))
  }
}
