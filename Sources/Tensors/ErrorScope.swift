import CallosumKernels

/// Runs `body`, and throws the mistake with which it would stop the program: shapes or types that do not
/// fit, a matrix that is singular, a label out of range, memory that there is not. What `body` returns or
/// throws passes through.
///
/// ```swift
/// do {
///   let x = try withErrors { solve(a, b) }
/// } catch let mistake as InvalidInput {
///   print(mistake)  // solve: the matrix is singular: pivot 1 is 0
/// }
/// ```
///
/// `body` runs on a thread of its own while the caller waits, because Swift cannot go back through frames
/// that do not throw: at a mistake that thread ends where it stands. So
/// - `defer` blocks and the rest of `body` do not run, and what its frames own stays allocated: for rare
///   mistakes, not for a loop that makes one each time;
/// - what was being changed in place at that moment, such as a variable of yours or an optimiser in its
///   update, may be half changed and must not be used again. What was only read is as before, and so is what
///   the caller was recording;
/// - locks that `body` itself holds stay locked;
/// - task-local values and the main actor are not there inside.
///
/// Scopes nest, and derivatives are recorded through them. One costs as much as waking a thread twice, some
/// ten microseconds: put it around a step, not around an operation. Not caught: Swift's own traps (an array
/// index, an overflow of Int) and mistakes on other threads that `body` started.
///
/// - Throws: ``InvalidInput`` for a mistake, or what `body` throws.
public func withErrors<Result>(_ body: () throws -> Result) throws -> Result {
  let state = ThreadState.current
  let before = state.place
  let scope = ErrorScope()
  state.scope = scope
  var result: Swift.Result<Result, any Error>?
  let ending = withoutActuallyEscaping({ result = Swift.Result(catching: body) }) { run in
    let words = unsafeBitCast(
      Closure(run: run), to: (UnsafeMutableRawPointer, UnsafeMutableRawPointer?).self)
    return withExtendedLifetime(run) { callosum_run_error_scope(words.0, words.1) }
  }
  state.scope = before.scope
  if ending == 1, let mistake = scope.mistake {
    state.restore(before)
    throw mistake
  }
  guard let result else { throw InvalidInput("withErrors: the system gives no thread for the scope") }
  return try result.get()
}

/// A closure with its own words, not those that a generic type would make of it.
private struct Closure { let run: () -> Void }

/// Where a mistake is told.
final class ErrorScope {
  fileprivate private(set) var mistake: InvalidInput?

  /// Ends the body of the scope, on its own thread. Does not return, but see `callosum_leave_error_scope`.
  func leave(_ mistake: InvalidInput) {
    self.mistake = mistake
    callosum_leave_error_scope()
  }
}
