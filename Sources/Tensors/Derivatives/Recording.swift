/// How an operation tells its derivative. It computes its result from unmarked memory, then calls
/// `recorded`, whose closure turns the gradient of the result into those of the inputs. Closures
/// use ordinary operations, so that they can be differentiated again. Nothing is kept unless a
/// derivative was asked for of something that the inputs depend on.
extension Tensor {
  /// One input.
  func recorded(
    _ name: StaticString, from x: Tensor, _ rule: @escaping (_ gradient: Tensor) -> Tensor
  ) -> Tensor {
    guard let tape = ThreadState.current.tape else { return self }
    let index = tape.index(of: x)
    guard index >= 0 else { return self }
    var result = self
    result.mark = tape.append(name, .one(index), .one(rule))
    tape.scribe?.note(name, [x], [result])
    return result
  }

  /// Two inputs that broadcast, each with a rule of its own, whose gradient is summed to the input's
  /// shape. A rule is made only for an input that matters, so that nothing is kept for the other.
  @inline(__always)
  func recorded(
    _ name: StaticString, from a: Tensor, _ ruleOfA: @autoclosure () -> (_ gradient: Tensor) -> Tensor,
    and b: Tensor, _ ruleOfB: @autoclosure () -> (_ gradient: Tensor) -> Tensor
  ) -> Tensor {
    guard let tape = ThreadState.current.tape else { return self }
    let (indexOfA, indexOfB) = (tape.index(of: a), tape.index(of: b))
    guard indexOfA >= 0 || indexOfB >= 0 else { return self }
    var result = self
    result.mark = tape.append(
      name, .two(indexOfA, indexOfB),
      .two(
        indexOfA >= 0 ? summing(ruleOfA(), a.shape == shape ? nil : a.shape) : nil,
        indexOfB >= 0 ? summing(ruleOfB(), b.shape == shape ? nil : b.shape) : nil))
    tape.scribe?.note(name, [a, b], [result])
    return result
  }

  private func summing(
    _ rule: @escaping (Tensor) -> Tensor, _ target: [Int]?
  ) -> (Tensor) -> Tensor {
    guard let target else { return rule }
    return { rule($0).summed(to: target) }
  }

  /// One input, where the derivative follows from the result `y`.
  func recorded(
    _ name: StaticString, from x: Tensor, byResult rule: @escaping (_ gradient: Tensor, _ y: Tensor) -> Tensor
  ) -> Tensor {
    guard let tape = ThreadState.current.tape, tape.index(of: x) >= 0 else { return self }
    var result = self
    // The rule sees the marked result, so that its own derivative leads back here.
    result.mark = Tape.Mark(tape: tape.id, index: tape.count)
    let y = result
    _ = tape.append(name, .one(tape.index(of: x)), .one { rule($0, y) })
    tape.scribe?.note(name, [x], [result])
    return result
  }

  /// Any number of inputs. The closure returns a gradient for each, nil where it is not wanted.
  func recorded(
    _ name: StaticString, from inputs: [Tensor],
    _ rule: @escaping (_ gradient: Tensor, _ needsGradient: NeedsGradient) -> [Tensor?]
  ) -> Tensor {
    guard let tape = ThreadState.current.tape else { return self }
    let indices = inputs.map(tape.index(of:))
    guard indices.contains(where: { $0 >= 0 }) else { return self }
    var result = self
    result.mark = tape.append(name, .many(indices), .many(rule))
    tape.scribe?.note(name, inputs, [result])
    return result
  }

  /// Any number of inputs, where the derivative depends on the result `y` too.
  func recorded(
    _ name: StaticString, from inputs: [Tensor],
    byResult rule: @escaping (_ gradient: Tensor, _ y: Tensor) -> [Tensor?]
  ) -> Tensor {
    guard let tape = ThreadState.current.tape else { return self }
    let indices = inputs.map(tape.index(of:))
    guard indices.contains(where: { $0 >= 0 }) else { return self }
    var result = self
    result.mark = Tape.Mark(tape: tape.id, index: tape.count)
    let y = result
    _ = tape.append(name, .many(indices), .many { gradient, _ in rule(gradient, y) })
    tape.scribe?.note(name, inputs, [result])
    return result
  }

  /// Several results of one operation. The closure gets a gradient for each result, nil where nothing
  /// depends on it.
  static func recorded(
    _ name: StaticString, _ results: [Tensor], from inputs: [Tensor],
    _ rule: @escaping (_ gradients: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?]
  ) -> [Tensor] {
    guard let tape = ThreadState.current.tape else { return results }
    let indices = inputs.map(tape.index(of:))
    guard indices.contains(where: { $0 >= 0 }) else { return results }
    var results = results
    for i in results.indices {
      results[i].mark = tape.append(
        name, .many(i == 0 ? indices : []), i == 0 ? .joint(count: results.count, rule) : .partOfJoint)
    }
    tape.scribe?.note(name, inputs, results)
    return results
  }

  /// Several results of one operation, where the derivative depends on the results too.
  static func recorded(
    _ name: StaticString, results: [Tensor], from inputs: [Tensor],
    byResults rule: @escaping (_ gradients: [Tensor?], _ results: [Tensor]) -> [Tensor?]
  ) -> [Tensor] {
    guard let tape = ThreadState.current.tape else { return results }
    // The rule sees the marked results, so that its own derivative leads back here.
    var marked = results
    for i in results.indices { marked[i].mark = Tape.Mark(tape: tape.id, index: tape.count + i) }
    let known = marked
    return recorded(name, results, from: inputs) { gradients, _ in rule(gradients, known) }
  }
}

extension Tensor {
  /// For results that have no derivative, such as indices: a gradient that reaches them stops the
  /// program with the operation's name, instead of passing for 0. Numbers made from indices and truth
  /// values (`asType`) are constants between their jumps, and pass no gradient on.
  package func withoutDerivative(_ name: StaticString, from inputs: Tensor...) -> Tensor {
    guard let tape = ThreadState.current.tape else { return self }
    let indices = inputs.map(tape.index(of:))
    guard indices.contains(where: { $0 >= 0 }) else { return self }
    var result = self
    result.mark = tape.append(name, .many(indices), .absent)
    tape.scribe?.note(name, inputs, [result])
    return result
  }

  /// For what an operation does not differentiate by: stops with its name where a derivative would
  /// depend on this tensor, instead of losing that part in silence.
  package func requireConstant(_ name: StaticString, _ what: String) -> Tensor {
    let depends =
      dtype.isFloatingPoint && ThreadState.current.tape.map { $0.index(of: self) >= 0 } ?? false
    precondition(!depends, name, "\(what) has no derivative here; use stopGradient around it")
    return unmarked
  }
}

/// An operation with a kernel of its own; its inputs are all float32 or all float64. `reference` says what
/// it computes in ordinary operations; `fast` computes the same for float32 and returns, with the result,
/// how gradients go back. The reference serves float64, derivatives of derivatives, and the tests that
/// compare both.
func fused(
  _ name: StaticString, _ inputs: [Tensor],
  reference: @escaping ([Tensor]) -> Tensor,
  fast: ([Tensor]) -> (Tensor, (_ gradient: Tensor, _ needsGradient: NeedsGradient) -> [Tensor?])
) -> Tensor {
  if realType(of: inputs, name) == .float64 || ThreadState.current.prefersReference {
    return reference(inputs)
  }
  let (result, rule) = fast(inputs.map(\.unmarked))
  return result.recorded(name, from: inputs) { gradient, needsGradient in
    guard ThreadState.current.tape != nil else { return rule(gradient, needsGradient) }
    // This derivative is being differentiated too.
    let (_, pullback) = valueAndPullback(at: inputs) { [reference($0)] }
    return pullback([gradient]).enumerated().map { needsGradient[$0.offset] ? $0.element : nil }
  }
}

/// The same with several results. The rule gets a gradient for each, nil where nothing depends on it.
func fused(
  _ name: StaticString, _ inputs: [Tensor],
  reference: @escaping ([Tensor]) -> [Tensor],
  fast: ([Tensor]) -> ([Tensor], (_ gradients: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?])
) -> [Tensor] {
  if realType(of: inputs, name) == .float64 || ThreadState.current.prefersReference {
    return reference(inputs)
  }
  let (results, rule) = fast(inputs.map(\.unmarked))
  return Tensor.recorded(name, results, from: inputs) { gradients, needsGradient in
    guard ThreadState.current.tape != nil else { return rule(gradients, needsGradient) }
    // This derivative is being differentiated too.
    let (_, pullback) = valueAndPullback(at: inputs, of: reference)
    return pullback(gradients).enumerated().map { needsGradient[$0.offset] ? $0.element : nil }
  }
}
