/// The sum of products that a formula in Einstein's notation names: `einsum("bij,bjk->bik", a, b)`.
/// A letter names an axis; letters that the result lacks are summed over; a letter twice in one
/// operand takes the diagonal. Without an arrow, the letters that occur once, in alphabetical order.
public func einsum(_ formula: String, _ operands: Tensor...) -> Tensor { einsum(formula, operands) }

/// The same with the operands in an array.
public func einsum(_ formula: String, _ operands: [Tensor]) -> Tensor {
  let sides = formula.filter { $0 != " " }.components(around: "->")
  let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
  precondition(
    sides.count <= 2 && terms.count == operands.count, "einsum",
    "'\(formula)' names \(terms.count) operands, \(operands.count) were given")
  var sizes: [Character: Int] = [:]
  for (term, operand) in zip(terms, operands) {
    precondition(
      term.count == operand.ndim, "einsum",
      "'\(String(term))' names \(term.count) axes, the operand has shape \(operand.shape)")
    for (letter, size) in zip(term, operand.shape) {
      precondition(
        sizes[letter] == nil || sizes[letter] == size, "einsum",
        "axis \(letter) is \(sizes[letter] ?? 0) in one operand and \(size) in another of '\(formula)'")
      sizes[letter] = size
    }
  }
  let all = terms.joined()
  let result =
    sides.count == 2
    ? Array(sides[1])
    : sizes.keys.filter { letter in all.filter { $0 == letter }.count == 1 }.sorted()
  for letter in result {
    precondition(
      sizes[letter] != nil && result.filter { $0 == letter }.count == 1, "einsum",
      "the result of '\(formula)' names axis \(letter) which no operand has, or names it twice")
  }

  var factors = zip(terms, operands).map { Factor($0, $1).withoutRepeats() }
  // From left to right; an axis is summed as soon as neither the result nor a later factor has it.
  var product = factors.removeFirst()
  while !factors.isEmpty {
    let next = factors.removeFirst()
    let needed = Set(result).union(factors.flatMap(\.letters))
    product = product.contracted(with: next, keeping: needed)
  }
  return product.reduced(to: result).tensor
}

/// A tensor whose axes have letters.
private struct Factor {
  var letters: [Character]
  var tensor: Tensor

  init(_ letters: [Character], _ tensor: Tensor) {
    self.letters = letters
    self.tensor = tensor
  }

  /// Axes with the same letter become one, their diagonal.
  func withoutRepeats() -> Factor {
    for (first, letter) in letters.enumerated() {
      guard let second = letters[(first + 1)...].firstIndex(of: letter) else { continue }
      let size = tensor.dim(first)
      // Both axes side by side at the end; every (size + 1)-th element of them is on the diagonal.
      let rest = letters.indices.filter { $0 != first && $0 != second }
      let moved = tensor.transposed(axes: rest + [first, second])
      let flat = moved.reshaped(rest.map { tensor.dim($0) } + [size * size])
      let diagonal = flat.take(Tensor.arange(size) * (size + 1), axis: -1)
      return Factor(rest.map { letters[$0] } + [letter], diagonal).withoutRepeats()
    }
    return self
  }

  /// Sums over the axes that are not in `kept`.
  func summed(keeping kept: Set<Character>) -> Factor {
    let axes = letters.indices.filter { !kept.contains(letters[$0]) }
    guard !axes.isEmpty else { return self }
    return Factor(letters.filter(kept.contains), tensor.sum(axes: axes))
  }

  /// Sums what `order` lacks and puts the axes into that order.
  func reduced(to order: [Character]) -> Factor {
    let kept = summed(keeping: Set(order))
    let axes = order.compactMap { kept.letters.firstIndex(of: $0) }
    return Factor(order, kept.tensor.transposed(axes: axes))
  }

  /// The product with another factor, summed over the axes outside `kept`, as one matrix product
  /// per element of the axes that both have and that stay.
  func contracted(with other: Factor, keeping kept: Set<Character>) -> Factor {
    let a = summed(keeping: kept.union(other.letters))
    let b = other.summed(keeping: kept.union(a.letters))
    let shared = a.letters.filter(b.letters.contains)
    let batch = shared.filter(kept.contains), inner = shared.filter { !kept.contains($0) }
    let rows = a.letters.filter { !shared.contains($0) }
    let columns = b.letters.filter { !shared.contains($0) }
    let left = a.reduced(to: batch + rows + inner).tensor
    let right = b.reduced(to: batch + inner + columns).tensor
    func sizes(_ letters: [Character], _ factor: Factor) -> [Int] {
      letters.compactMap { factor.letters.firstIndex(of: $0).map(factor.tensor.dim) }
    }
    let (batchSizes, rowSizes, columnSizes) = (sizes(batch, a), sizes(rows, a), sizes(columns, b))
    let depth = sizes(inner, a).elementCount
    let product = matmul(
      left.reshaped(batchSizes + [rowSizes.elementCount, depth]),
      right.reshaped(batchSizes + [depth, columnSizes.elementCount]))
    return Factor(batch + rows + columns, product.reshaped(batchSizes + rowSizes + columnSizes))
  }
}

extension String {
  /// The parts before and after the first `separator`, or the whole.
  fileprivate func components(around separator: String) -> [String] {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(separator) {
        return [String(self[..<rest.startIndex]), String(rest.dropFirst(separator.count))]
      }
      rest = rest.dropFirst()
    }
    return [self]
  }
}
