import CallosumTensors

/// A piece of a network that owns parameters, buffers and other modules. They are found by their
/// property names: `@Parameter var weight`, `let blocks: [Block]` gives `blocks.0.….weight`.
public protocol Module: AnyObject {}

/// The place where a module keeps a tensor.
public class TensorBox {
  package final var tensor: Tensor?
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
  /// Lets `body` change the value in place (float32).
  package func withOwnMemory(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    box.withOwnMemory(body)
  }
}

extension Module {
  /// What learning changes, by name, in the order of declaration.
  public func parameters() -> [NamedParameter] { boxes().filter(\.box.isLearned) }

  /// State that is kept with the parameters but not learned.
  public func buffers() -> [NamedParameter] { boxes().filter { !$0.box.isLearned } }

  /// Number of learned values.
  public var parameterCount: Int { parameters().map(\.value.size).reduce(0, +) }

  /// This module and those below it by path; this one's is empty.
  func modules() -> [String: any Module] {
    var found: [String: any Module] = ["": self]
    visit(self, "") { path, part in if let part = part as? any Module { found[path] = part } }
    return found
  }

  private func boxes() -> [NamedParameter] {
    var found: [NamedParameter] = []
    var seen: Set<ObjectIdentifier> = []
    visit(self, "") { name, part in
      // A tensor shared by two modules counts once, under its first name.
      guard let box = part as? TensorBox, box.tensor != nil,
        seen.insert(ObjectIdentifier(box)).inserted
      else { return }
      found.append(NamedParameter(name: name, box: box))
    }
    return found
  }
}

/// Calls `body` with the name and value of everything below `part` that is a module or holds a tensor.
private func visit(_ part: Any, _ path: String, _ body: (String, Any) -> Void) {
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

private func descend(_ value: Any, _ path: String, _ body: (String, Any) -> Void) {
  let mirror = Mirror(reflecting: value)
  if mirror.displayStyle == .optional {
    // First of all: an optional module would pass for a module, with a child named "some".
    if let some = mirror.children.first { descend(some.value, path, body) }
  } else if value is TensorBox {
    body(path, value)
  } else if value is any Module {
    body(path, value)
    visit(value, path, body)
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
    }
    let type = String(describing: Swift.type(of: last))
    return path.isEmpty ? type : "\(path) (\(type))"
  }
}()
