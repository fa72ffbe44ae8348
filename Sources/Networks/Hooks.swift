import CallosumTensors

/// Reading and changing what flows inside a network, by name. Every call of a module publishes its
/// result under the module's path (`blocks.0.mixer`; the network itself is `""`) and, for layers, its
/// input under `<path>.input`. A module publishes inner signals with `signal`, found under
/// `<path>.<signal>`. What hooks return takes the place of what they were given, and derivatives pass
/// through them. Without hooks a call costs one comparison more.

/// The hooks of this thread, outermost scope first.
private final class Hooks {
  struct Place: Hashable {
    let module: ObjectIdentifier
    /// nil for the result of the module.
    let signal: String?
  }
  final class Hook {
    let name: String
    let change: (Tensor) -> Tensor
    var hasRun = false
    init(_ name: String, _ change: @escaping (Tensor) -> Tensor) { (self.name, self.change) = (name, change) }
  }
  let hooks: [Place: [Hook]]
  /// Modules with hooks that have run to their end.
  var finished: Set<ObjectIdentifier> = []
  /// Signals that such modules published, for messages.
  var published: [ObjectIdentifier: Set<String>] = [:]

  init(_ outer: Hooks?, _ new: [(Place, Hook)]) {
    hooks = new.reduce(into: outer?.hooks ?? [:]) { $0[$1.0, default: []].append($1.1) }
  }

  static var current: Hooks? { ThreadState.current.hooks as? Hooks }

  func apply(_ place: Place, _ x: Tensor) -> Tensor {
    var x = x
    for hook in hooks[place] ?? [] {
      hook.hasRun = true
      let changed = hook.change(x)
      precondition(
        changed.shape == x.shape && changed.dtype == x.dtype, "withHooks",
        "the hook on \(hook.name) must return \(x.dtype) \(x.shape), returned \(changed.dtype) \(changed.shape)"
      )
      x = changed
    }
    return x
  }
}

extension Module {
  /// Publishes a tensor inside this module's computation under a name and returns it, or what a hook
  /// put in its place: `let weights = signal("weights", softmax(scores))`.
  public func signal(_ name: String, _ x: Tensor) -> Tensor {
    if ThreadState.current.hooks == nil { return x }
    return published(name, x)
  }

  /// Whether a signal of this module has a hook: for signals that are computed on demand only.
  public func isHooked(_ name: String) -> Bool {
    guard let hooks = Hooks.current else { return false }
    return hooks.hooks[Hooks.Place(module: ObjectIdentifier(self), signal: name)] != nil
  }

  private func published(_ name: String, _ x: Tensor) -> Tensor {
    guard let hooks = Hooks.current else { return x }
    hooks.published[ObjectIdentifier(self), default: []].insert(name)
    return hooks.apply(Hooks.Place(module: ObjectIdentifier(self), signal: name), x)
  }

  /// The end of a call of this module while there are hooks.
  func hooked<Result>(_ result: Result) -> Result {
    guard let hooks = Hooks.current else { return result }
    hooks.finished.insert(ObjectIdentifier(self))
    guard let tensor = result as? Tensor else { return result }
    return hookedOutput(tensor) as? Result ?? result
  }

  /// What hooks make of the tensor that a call of this module yields, alone or beside a state.
  func hookedOutput(_ output: Tensor) -> Tensor {
    if ThreadState.current.hooks == nil { return output }
    return Hooks.current?.apply(Hooks.Place(module: ObjectIdentifier(self), signal: nil), output) ?? output
  }
}

extension Module {
  /// The result of `body`, in which every activation of this network that has one of these names passes
  /// through its hook: a function that looks at it and returns it, or another of the same shape. Scopes
  /// nest; the hooks of outer scopes come first. A module that appears twice has one set of hooks.
  ///
  /// Stops at a name that cannot be: no module of this path, or one that ran without publishing it.
  public func withHooks<Result>(
    _ hooks: [String: (Tensor) -> Tensor], _ body: () throws -> Result
  ) rethrows -> Result {
    let state = ThreadState.current, outer = Hooks.current
    let modules = modulesByPath()
    let placed = hooks.map { (place(of: $0.key, among: modules), Hooks.Hook($0.key, $0.value)) }
    let inForce = Hooks(outer, placed)
    state.hooks = inForce
    defer { state.hooks = outer }
    let result = try body()
    for (place, hook) in placed where !hook.hasRun && inForce.finished.contains(place.module) {
      let others = inForce.published[place.module] ?? []
      preconditionFailure(
        "withHooks",
        "\(hook.name) was not published by a module that ran"
          + (place.signal == nil ? ": the result is no tensor" : "; there are \(nameList(others))"))
    }
    outer?.finished.formUnion(inForce.finished)
    outer?.published.merge(inForce.published) { $0.union($1) }
    return result
  }

  /// The result of `body` and the activations of these names that arose in it, in order of the calls.
  public func reading<Result>(
    _ names: [String], _ body: () throws -> Result
  ) rethrows -> (result: Result, activations: [String: [Tensor]]) {
    let found = Found(names)
    let hooks = names.map { name in
      (
        name,
        { (x: Tensor) in
          if !ThreadState.current.isRepeating { found.activations[name]?.append(x) }
          return x
        }
      )
    }
    let result = try withHooks(Dictionary(hooks) { first, _ in first }, body)
    return (result, found.activations)
  }

  /// The value of `loss`, the activations of these names and the gradients of the value by them, each in
  /// order of the calls. Activations inside `checkpointed` cannot be differentiated by.
  public func gradients(
    byActivations names: [String], of loss: () throws -> Tensor
  ) rethrows -> (value: Tensor, activations: [String: [Tensor]], gradients: [String: [Tensor]]) {
    let found = Found(names), order = Order()
    let (value, _, observed) = try valueAndGradient(at: []) { _, observe in
      let hooks = names.map { name in
        (
          name,
          { (x: Tensor) in
            let x = observe(x)
            found.activations[name]?.append(x)
            order.names.append(name)
            return x
          }
        )
      }
      return try withHooks(Dictionary(hooks) { first, _ in first }, loss)
    }
    var gradients = found.activations.mapValues { _ in [Tensor]() }
    for (name, gradient) in zip(order.names, observed) { gradients[name]?.append(gradient) }
    return (value, found.activations, gradients)
  }

  /// A module's result if the name is a module's path, else a signal of the module before the last dot.
  private func place(of name: String, among modules: [String: any Module]) -> Hooks.Place {
    if let module = modules[name] { return Hooks.Place(module: ObjectIdentifier(module), signal: nil) }
    let dot = name.lastIndex(of: ".")
    let path = dot.map { String(name[..<$0]) } ?? ""
    let signal = dot.map { String(name[name.index(after: $0)...]) } ?? name
    guard let module = modules[path] else {
      preconditionFailure(
        "withHooks",
        "\(type(of: self)) has no module \(path); it has \(nameList(modules.keys.filter { $0 != "" }, upTo: 12))"
      )
    }
    return Hooks.Place(module: ObjectIdentifier(module), signal: signal)
  }
}

private final class Found {
  var activations: [String: [Tensor]]
  init(_ names: [String]) { activations = Dictionary(names.map { ($0, []) }) { first, _ in first } }
}

private final class Order { var names: [String] = [] }
