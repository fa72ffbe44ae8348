import CallosumKernels

/// What this thread is doing: the tape that records for a derivative, if one is asked for, and the
/// modules whose calls are under way, outermost first.
package final class ThreadState {
  var tape: Tape?
  /// Fused operations use their readable reference (tests compare the two).
  package var prefersReference = false
  /// Multiply-accumulates since counting began, nil while nobody counts.
  package var multiplyAccumulates: Int?
  package var modules: [AnyObject] = []
  /// The training pass under way, if any; the room above knows its type.
  package var trainingPass: (any TrainingState)?
  /// What reads and changes named activations, if anything does; the room above knows its type.
  package var hooks: AnyObject?
  /// Which statistics batch normalisation uses, if a scope says so; the room above knows its type.
  package var batchNorm: (any Sendable)?
  /// Whether a function runs for the second time, for its derivative: side effects happened already.
  package private(set) var isRepeating = false
  /// What a mistake is told to, if somebody wants to survive it.
  var scope: ErrorScope?

  /// Turns the modules under way into a path such as `blocks.0.mixer`; set by the room above.
  package nonisolated(unsafe) static var describeModules: (@Sendable ([AnyObject]) -> String)?

  package static var current: ThreadState {
    if let known = callosum_thread_slot() {
      return Unmanaged<ThreadState>.fromOpaque(known).takeUnretainedValue()
    }
    let fresh = ThreadState()
    callosum_set_thread_slot(Unmanaged.passRetained(fresh).toOpaque()) { state in
      if let state { Unmanaged<ThreadState>.fromOpaque(state).release() }
    }
    return fresh
  }
}

/// A training pass, whose random numbers can be drawn again.
package protocol TrainingState: AnyObject {
  /// Another pass, which draws from here on what this one would.
  func copy() -> any TrainingState
}

// MARK: Running again

extension ThreadState {
  /// What a function sees beside its inputs.
  package struct Surroundings {
    fileprivate let modules: [AnyObject]
    fileprivate let trainingPass: (any TrainingState)?
    fileprivate let hooks: AnyObject?
    fileprivate let batchNorm: (any Sendable)?
  }

  /// As of now.
  package var surroundings: Surroundings { surroundings(trainingPass?.copy()) }

  private func surroundings(_ pass: (any TrainingState)?) -> Surroundings {
    Surroundings(modules: modules, trainingPass: pass, hooks: hooks, batchNorm: batchNorm)
  }

  private func enter(_ known: Surroundings, _ pass: (any TrainingState)?) {
    (modules, trainingPass) = (known.modules, pass)
    (hooks, batchNorm) = (known.hooks, known.batchNorm)
  }

  /// Runs `body` as it ran in those surroundings, as often as wanted: with the same random numbers, and
  /// without the side effects that belong to the first time.
  package func again<Result>(in known: Surroundings, _ body: () throws -> Result) rethrows -> Result {
    let (before, repeated) = (surroundings(trainingPass), isRepeating)
    enter(known, known.trainingPass?.copy())
    isRepeating = true
    defer {
      enter(before, before.trainingPass)
      isRepeating = repeated
    }
    return try body()
  }
}

extension ThreadState {
  /// Adds the arithmetic of a product, where somebody counts.
  static func count(multiplyAccumulates count: @autoclosure () -> Int) {
    let state = current
    if let known = state.multiplyAccumulates { state.multiplyAccumulates = known + count() }
  }
}

/// The multiply-accumulates that `body` computes: those of matrix products, convolutions and
/// attention, which decide what a network costs.
public func countingMultiplyAccumulates(_ body: () throws -> Void) rethrows -> Int {
  let state = ThreadState.current
  let outer = state.multiplyAccumulates
  state.multiplyAccumulates = 0
  defer { state.multiplyAccumulates = outer.map { $0 + (state.multiplyAccumulates ?? 0) } }
  try body()
  return state.multiplyAccumulates ?? 0
}

// MARK: Mistakes

extension ThreadState {
  /// Everything that a scope changes for its time.
  struct Place {
    fileprivate let tape: Tape?
    fileprivate let prefersReference: Bool
    fileprivate let multiplyAccumulates: Int?
    fileprivate let surroundings: Surroundings
    fileprivate let isRepeating: Bool
    let scope: ErrorScope?
  }

  var place: Place {
    Place(
      tape: tape, prefersReference: prefersReference, multiplyAccumulates: multiplyAccumulates,
      surroundings: surroundings(trainingPass), isRepeating: isRepeating, scope: scope)
  }

  /// For scopes that were left without their `defer`.
  func restore(_ place: Place) {
    (tape, prefersReference) = (place.tape, place.prefersReference)
    multiplyAccumulates = place.multiplyAccumulates
    enter(place.surroundings, place.surroundings.trainingPass)
    (isRepeating, scope) = (place.isRepeating, place.scope)
  }
}

/// Stops the program because of a mistake in it, with a message that names the part's path in the
/// network, the operation, and what does not fit. Inside `withErrors` the mistake is thrown there.
package func preconditionFailure(_ operation: StaticString, _ problem: @autoclosure () -> String) -> Never {
  stop(operation, problem())
  fatalError("\(operation): the end of its scope did not come")
}

/// Stops as `preconditionFailure` does unless `condition` holds.
package func precondition(
  _ condition: Bool, _ operation: StaticString, _ problem: @autoclosure () -> String
) {
  if !condition { stop(operation, problem()) }
}

@inline(never) private func stop(_ operation: StaticString, _ problem: String) {
  let state = ThreadState.current
  let path = state.modules.isEmpty ? nil : ThreadState.describeModules?(state.modules)
  let line = "\(path.map { "\($0), " } ?? "")\(operation): \(problem)"
  guard let scope = state.scope else { fatalError(line) }
  scope.leave(InvalidInput(line))
}
