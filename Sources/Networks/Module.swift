import CallosumTensors

/// A piece of a network that owns parameters, buffers and other modules. They are found by their
/// property names: `@Parameter var weight`, `let blocks: [Block]` gives `blocks.0.….weight`. Printed, a
/// module shows the tree of what it holds.
public protocol Module: AnyObject, CustomStringConvertible {}

/// The place where a module keeps a tensor.
public class TensorBox {
  package final var tensor: Tensor?
  /// Whether learning leaves it alone.
  final var isFrozen = false
  package var isLearned: Bool { true }
  init(_ tensor: Tensor?) { self.tensor = tensor }

  /// Lets `body` change the elements (float32), of a copy if anybody else sees their memory.
  final func withOwnMemory(_ body: (UnsafeMutablePointer<Float>) -> Void) { tensor?.withOwnMemory(body) }
}

/// A tensor that learning changes.
@propertyWrapper public final class Parameter<Value: TensorSlot>: TensorBox {
  public var wrappedValue: Value {
    get { Value(kept: tensor) }
    set { tensor = newValue.kept }
  }
  public init(wrappedValue: Value) { super.init(wrappedValue.kept) }
}

/// A tensor that belongs to a module's state but is not learned, such as a running mean.
@propertyWrapper public final class Buffer<Value: TensorSlot>: TensorBox {
  public var wrappedValue: Value {
    get { Value(kept: tensor) }
    set { tensor = newValue.kept }
  }
  public init(wrappedValue: Value) { super.init(wrappedValue.kept) }
  override package var isLearned: Bool { false }
}

/// A tensor or an optional one.
public protocol TensorSlot {
  init(kept: Tensor?)
  var kept: Tensor? { get }
}
extension Tensor: TensorSlot {
  public init(kept: Tensor?) {
    guard let kept else { fatalError("a parameter that a module needs cannot be taken away") }
    self = kept
  }
  public var kept: Tensor? { self }
}
extension Optional: TensorSlot where Wrapped == Tensor {
  public init(kept: Tensor?) { self = kept }
  public var kept: Tensor? { self }
}

/// A tensor of a module under its full name.
public struct NamedParameter {
  public let name: String
  package let box: TensorBox
  /// Its present value.
  public var value: Tensor {
    get { box.tensor ?? .zeros([0]) }
    nonmutating set { box.tensor = newValue }
  }
  /// Whether derivatives and optimisers leave it alone; see ``Module/freeze(recursive:keys:)``.
  public var isFrozen: Bool { box.isFrozen }
  /// Lets `body` change the value in place (float32).
  package func withOwnMemory(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    box.withOwnMemory(body)
  }
}

extension Module {
  /// What learning changes, by name, in the order of declaration; frozen ones too.
  public func parameters() -> [NamedParameter] { boxes().filter(\.box.isLearned) }

  /// The parameters that are not frozen.
  public func trainableParameters() -> [NamedParameter] { parameters().filter { !$0.isFrozen } }

  /// State that is kept with the parameters but not learned.
  public func buffers() -> [NamedParameter] { boxes().filter { !$0.box.isLearned } }

  /// Number of learned values.
  public var parameterCount: Int { parameters().map(\.value.size).reduce(0, +) }

  private func boxes(recursive: Bool = true) -> [NamedParameter] {
    var found: [NamedParameter] = []
    var seen: Set<ObjectIdentifier> = []
    visit(self, "") { name, part in
      // A tensor shared by two modules counts once, under its first name.
      if let box = part as? TensorBox, box.tensor != nil, seen.insert(ObjectIdentifier(box)).inserted {
        found.append(NamedParameter(name: name, box: box))
      }
      return recursive
    }
    return found
  }

  // MARK: Modules inside

  /// This module and all below it by path, each before what it holds; this one's path is empty. A module that
  /// stands at two places has two names.
  public func namedModules() -> [(name: String, module: any Module)] {
    var found: [(name: String, module: any Module)] = [("", self)]
    visit(self, "") { path, part in
      if let part = part as? any Module { found.append((path, part)) }
      return true
    }
    return found
  }

  /// The modules that this one holds itself, in the order of declaration.
  public func children() -> [(name: String, module: any Module)] {
    var found: [(name: String, module: any Module)] = []
    visit(self, "") { path, part in
      if let part = part as? any Module { found.append((path, part)) }
      return false
    }
    return found
  }

  /// The modules below this one that hold no others.
  public func leafModules() -> [(name: String, module: any Module)] {
    namedModules().filter { $0.name != "" && $0.module.children().isEmpty }
  }

  func modulesByPath() -> [String: any Module] {
    Dictionary(namedModules().map { ($0.name, $0.module) }) { first, _ in first }
  }

  // MARK: Freezing

  /// From now on learning leaves the parameters alone: their gradients are zeros, which nothing computes, and
  /// optimisers pass them by. Saving and loading treat them like others.
  ///
  /// - Parameters:
  ///   - recursive: whether this concerns the modules below as well.
  ///   - keys: the parameters concerned by the ends of their names (`"bias"`, `"head.weight"`); nil for all.
  public func freeze(recursive: Bool = true, keys: [String]? = nil) {
    setFrozen(true, recursive, keys, "freeze")
  }

  /// Lets the parameters learn again; see ``freeze(recursive:keys:)``.
  public func unfreeze(recursive: Bool = true, keys: [String]? = nil) {
    setFrozen(false, recursive, keys, "unfreeze")
  }

  private func setFrozen(_ isFrozen: Bool, _ recursive: Bool, _ keys: [String]?, _ operation: StaticString) {
    let all = boxes(recursive: recursive).filter(\.box.isLearned)
    guard let keys else { return all.forEach { $0.box.isFrozen = isFrozen } }
    for key in keys {
      let found = all.filter { $0.name == key || $0.name.hasSuffix(".\(key)") }
      precondition(
        !found.isEmpty, operation,
        "\(type(of: self)) has no parameter \(key); it has \(nameList(all.map(\.name), upTo: 12))")
      for one in found { one.box.isFrozen = isFrozen }
    }
  }

  // MARK: Description

  /// The tree of modules with their names, and the shapes of what they hold.
  public var description: String {
    var lines = ["\(type(of: self)), \(parameterCount) parameters"]
    describe(self, "  ", &lines)
    return lines.joined(separator: "\n")
  }
}

private func describe(_ module: any Module, _ indent: String, _ lines: inout [String]) {
  visit(module, "") { name, part in
    if let part = part as? any Module {
      lines.append("\(indent)\(name): \(type(of: part))")
      describe(part, indent + "  ", &lines)
    } else if let box = part as? TensorBox, let tensor = box.tensor {
      let remarks = [
        tensor.dtype == .float32 ? nil : tensor.dtype.rawValue, box.isLearned ? nil : "buffer",
        box.isFrozen ? "frozen" : nil,
      ].compactMap { $0 }
      lines.append(([indent + name, "\(tensor.shape)"] + remarks).joined(separator: " "))
    }
    return false
  }
}

/// Calls `body` with the name and value of everything below `part` that is a module or holds a tensor; it
/// says whether to go on inside that module.
private func visit(_ part: Any, _ path: String, _ body: (String, Any) -> Bool) {
  func join(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
  var mirror: Mirror? = Mirror(reflecting: part)
  var levels: [Mirror] = []
  while let level = mirror {
    levels.append(level)
    mirror = level.superclassMirror
  }
  for child in levels.reversed().flatMap({ Array($0.children) }) {
    // A property wrapper is stored under the property's name with an underscore in front.
    let label = child.label.map { $0.hasPrefix("_") ? String($0.dropFirst()) : $0 } ?? ""
    descend(child.value, join(label), body)
  }
}

private func descend(_ value: Any, _ path: String, _ body: (String, Any) -> Bool) {
  let mirror = Mirror(reflecting: value)
  if mirror.displayStyle == .optional {
    // First of all: an optional module would pass for a module, with a child named "some".
    if let some = mirror.children.first { descend(some.value, path, body) }
  } else if value is TensorBox {
    _ = body(path, value)
  } else if value is any Module {
    if body(path, value) { visit(value, path, body) }
  } else if let list = value as? [Any] {
    for (position, element) in list.enumerated() { descend(element, "\(path).\(position)", body) }
  } else if let table = value as? [String: Any] {
    for (key, element) in table.sorted(by: { $0.key < $1.key }) { descend(element, "\(path).\(key)", body) }
  } else if mirror.displayStyle == .tuple {
    for (label, element) in mirror.children {
      // Without a label of its own, the second element is ".1".
      descend(element, "\(path).\((label ?? "").trimmingPrefix("."))", body)
    }
  }
}

// MARK: Calls

/// A module from one tensor to one tensor of floating-point numbers.
public protocol Layer: StatefulLayer {
  /// What the layer computes; callers use `layer(x)`.
  func forward(_ x: Tensor) -> Tensor
}

extension Layer {
  public func callAsFunction(_ x: Tensor) -> Tensor { running { forward(signal("input", x)) } }
}

extension Module {
  /// Runs `body` as a call of this module, so that a mistake inside is reported with its path.
  public func running<Result>(_ body: () throws -> Result) rethrows -> Result {
    let state = ThreadState.current
    registerPaths
    state.modules.append(self)
    defer { state.modules.removeLast() }
    let result = try body()
    return state.hooks == nil ? result : hooked(result)
  }
}

/// Done once: lets the tensor room name the modules under way.
private let registerPaths: Void = {
  ThreadState.describeModules = { modules in
    guard let root = modules.first as? any Module, let last = modules.last else { return "" }
    var path = ""
    visit(root, "") { name, part in
      if let part = part as? any Module, part === last { path = name }
      return true
    }
    let type = String(describing: Swift.type(of: last))
    return path.isEmpty ? type : "\(path) (\(type))"
  }
}()
