import CallosumTensors

/// A piece of a network that owns parameters, buffers and other modules. They are found by their
/// property names: `@Parameter var weight`, `let blocks: [Block]` gives `blocks.0.….weight`. Properties may be
/// optionals, structs, enums, tuples, arrays and dictionaries of modules as well: `pair.left.weight`,
/// `kind.linear.weight` (the case of an enum), `table.b.weight` (a key as it prints; keys that are whole numbers
/// in their order, others in that of the alphabet). What cannot have a name that lasts stops the program when
/// parameters are asked for first: a module in a set, in a class that is no module, or in a lazy property
/// before its first use. Printed, a module shows the tree of what it holds.
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
    var seen: Set<ObjectIdentifier> = [], names: Set<String> = []
    visit(self, "", isWhole: recursive) { name, part in
      // A tensor shared by two modules counts once, under its first name.
      if let box = part as? TensorBox, box.tensor != nil, seen.insert(ObjectIdentifier(box)).inserted {
        precondition(
          names.insert(name).inserted, "Module",
          "\(type(of: self)) has two parameters of the name \(name); rename a property or a key")
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
    visit(self, "", isWhole: true) { path, part in
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

/// Calls `body` with the name and value of everything below `module` that is a module or holds a tensor; it
/// says whether to go on inside that module. `isWhole` where it always does: then nothing may be left out.
private func visit(
  _ module: any Module, _ path: String, isWhole: Bool = false, _ body: (String, Any) -> Bool
) {
  withoutActuallyEscaping(body) { body in
    var visitor = ModuleVisitor(body: body)
    visitor.visit(module, path)
    if isWhole { visitor.requireAllFound() }
  }
}

/// Finds modules by reflection, wherever a property may keep them: by themselves, in optionals, structs, enums,
/// tuples, arrays, dictionaries, and these in one another. Where they cannot have a name that lasts, it stops
/// rather than leave them out: what is not found would be neither trained nor saved, without a word.
private struct ModuleVisitor {
  let body: (String, Any) -> Bool
  /// Modules on the way from the root: one that holds itself, as a child holds its parent, is met once.
  private var open: [ObjectIdentifier] = []
  /// All modules and tensors met, and those seen where they cannot have a name, with what is wrong.
  private var found: Set<ObjectIdentifier> = []
  private var nameless: [(object: ObjectIdentifier, problem: String)] = []
  /// What is wrong with the place that is being looked at, if anything is.
  private var problem: String?

  init(body: @escaping (String, Any) -> Bool) { self.body = body }

  mutating func visit(_ module: any Module, _ path: String) {
    open.append(ObjectIdentifier(module))
    defer { open.removeLast() }
    for (label, value) in properties(of: module) { descend(value, joined(path, label)) }
  }

  private func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Stored properties by name, those of superclasses first.
  private func properties(of object: Any) -> [(label: String, value: Any)] {
    var levels = [Mirror(reflecting: object)]
    while let level = levels.last?.superclassMirror { levels.append(level) }
    return levels.reversed().flatMap { level in
      level.children.map { child in
        let label = child.label ?? ""
        if label.hasPrefix(lazyPrefix), let value = child.value as? any LazyStorage, value.lacksModule {
          preconditionFailure(
            "Module",
            "\(level.subjectType).\(name(label)) is lazy and not made yet: it would be neither trained nor "
              + "saved; make it in the initialiser")
        }
        return (name(label), child.value)
      }
    }
  }

  /// A property wrapper is stored under the property's name with an underscore in front, and the second
  /// element of a tuple without labels is ".1".
  private func name(_ label: String) -> String {
    for prefix in [lazyPrefix, "_", "."] where label.hasPrefix(prefix) {
      return String(label.dropFirst(prefix.count))
    }
    return label
  }

  private mutating func descend(_ value: Any, _ path: String) {
    // What nearly all properties are, settled without a mirror. An optional is seen as what it holds.
    if let box = value as? TensorBox {
      if isNamed(ObjectIdentifier(box)) { _ = body(path, box) }
      return
    }
    if let module = value as? any Module {
      let object = ObjectIdentifier(module)
      if !open.contains(object), isNamed(object), body(path, module) { visit(module, path) }
      return
    }
    if value is Tensor || value is any Numeric || value is Bool || value is String { return }
    // A note of where a parameter is, which has its name there.
    if value is NamedParameter { return }
    if let list = value as? any ElementList {
      // A million numbers are not looked at one by one.
      let type = list.elementType
      if type is any Numeric.Type || type == Bool.self || type == String.self || type == Tensor.self {
        return
      }
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      if let some = mirror.children.first { descend(some.value, path) }
    case .collection:
      for (position, element) in mirror.children.enumerated() {
        descend(element.value, "\(path).\(position)")
      }
    case .dictionary:
      for (key, element) in entries(of: mirror, path) { descend(element, "\(path).\(key)") }
    case .set:
      look(
        into: mirror.children,
        "\(path) is a set, which has no order that lasts, and holds a module; make an array")
    case .struct, .enum, .tuple:
      for (label, element) in mirror.children { descend(element, joined(path, name(label ?? ""))) }
    default:
      // Not a whole graph of objects: one in another is not looked into.
      guard problem == nil, type(of: value) is AnyClass else { return }
      for (label, inner) in properties(of: value) {
        look(
          into: [(label, inner)],
          "\(path) is a \(type(of: value)), a class but no Module, and holds one in \(label); make it a Module"
        )
      }
    }
  }

  /// Whether what was met has a name where it stands.
  private mutating func isNamed(_ object: ObjectIdentifier) -> Bool {
    if let problem { nameless.append((object, problem)) } else { found.insert(object) }
    return problem == nil
  }

  /// Modules in places where they cannot have a name are no harm if they have one elsewhere.
  private mutating func look(into values: some Sequence<(label: String?, value: Any)>, _ problem: String) {
    let outer = self.problem
    self.problem = outer ?? problem
    for (_, value) in values { descend(value, "") }
    self.problem = outer
  }

  func requireAllFound() {
    for (object, problem) in nameless where !found.contains(object) {
      preconditionFailure("Module", "\(problem), or it would be neither trained nor saved")
    }
  }

  /// Elements of a dictionary in the order of their keys: numbers by size, others by how they print.
  private mutating func entries(of mirror: Mirror, _ path: String) -> [(key: String, value: Any)] {
    var entries: [(key: String, number: Int?, value: Any)] = mirror.children.compactMap { child in
      let pair = Array(Mirror(reflecting: child.value).children)
      guard pair.count == 2 else { return nil }
      let number = (pair[0].value as? any BinaryInteger).flatMap { Int(exactly: $0) }
      return ("\(pair[0].value)", number, pair[1].value)
    }
    entries.sort { a, b in
      if let a = a.number, let b = b.number { a < b } else { a.key < b.key }
    }
    var named: [(key: String, value: Any)] = []
    for entry in entries {
      if named.last?.key == entry.key {
        look(
          into: [(nil, entry.value)],
          "\(path) has two keys that print as \(entry.key), and holds a module; make keys that print apart")
      } else {
        named.append((entry.key, entry.value))
      }
    }
    return named
  }
}

/// What the name of a lazy property's storage begins with.
private let lazyPrefix = "$__lazy_storage_$_"

/// What a lazy property is kept as.
private protocol LazyStorage { var lacksModule: Bool { get } }
extension Optional: LazyStorage {
  fileprivate var lacksModule: Bool { self == nil && Wrapped.self is any Module.Type }
}

/// An array of which the type of elements is known, even when it is empty.
private protocol ElementList { var elementType: Any.Type { get } }
extension Array: ElementList { fileprivate var elementType: Any.Type { Element.self } }

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
