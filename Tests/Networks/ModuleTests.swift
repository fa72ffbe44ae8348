import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Modules in every place where they may stand.
private final class Nest: Layer {
  let first: Linear
  let list: [any Layer]
  let lists: [[LayerNorm]]
  let table: [String: LayerNorm]
  let present: Linear?
  let absent: Linear?
  let pair: (left: LayerNorm, LayerNorm)
  let again: Linear
  @Parameter var scale: Tensor
  @Parameter var none: Tensor?
  @Buffer var seen: Tensor
  let name = "a text"
  let sizes = [1, 2, 3]

  init(using random: inout RandomGenerator) {
    first = Linear(3, 2, using: &random)
    list = [Dropout(0.5), BatchNorm(2), Sequential(Linear(2, 2, bias: false, using: &random))]
    lists = [[LayerNorm(2)], [LayerNorm(2, bias: false), LayerNorm(2, affine: false)]]
    table = ["b": LayerNorm(2, bias: false), "a": LayerNorm(2, bias: false)]
    present = Linear(2, 1, using: &random)
    absent = nil
    pair = (LayerNorm(2, bias: false), LayerNorm(2, bias: false))
    again = first
    scale = .ones([2])
    none = nil
    seen = .zeros([1])
  }

  func forward(_ x: Tensor) -> Tensor { list.reduce(first(x)) { $1($0) } * scale }
}

/// A module that inherits.
private class Base: Module { @Parameter var inherited = Tensor.ones([1]) }
private final class Derived: Base { @Parameter var own = Tensor.ones([1]) }

@Suite struct ModuleTests {
  private func nest(_ seed: UInt64 = 1) -> Nest {
    var random = RandomGenerator(seed: seed)
    return Nest(using: &random)
  }

  @Test func namesInOrderOfDeclaration() {
    let nest = nest()
    #expect(
      nest.parameters().map(\.name) == [
        "first.weight", "first.bias", "list.1.weight", "list.1.bias", "list.2.layers.0.weight",
        "lists.0.0.weight", "lists.0.0.bias", "lists.1.0.weight", "table.a.weight", "table.b.weight",
        "present.weight", "present.bias", "pair.left.weight", "pair.1.weight", "scale",
      ])
    #expect(nest.buffers().map(\.name) == ["list.1.runningMean", "list.1.runningVariance", "seen"])
    #expect(Derived().parameters().map(\.name) == ["inherited", "own"])
  }

  @Test func sharedParametersCountOnce() {
    // first 8, batch normalisation 4, linear 4, layer norms 2 · 2 + 2 + 2 + 2, present 3, pair 4, scale 2.
    #expect(nest().parameterCount == 35)
    var random = RandomGenerator(seed: 1)
    let shared = Linear(5, 5, using: &random)
    let twice = Sequential(shared, shared)
    #expect(twice.parameters().map(\.name) == ["layers.0.weight", "layers.0.bias"])
    // The gradient of a shared parameter is the sum over its uses.
    let x = random.normal([3, 5])
    let other = Sequential(shared, Linear(5, 5, using: &random))
    for (to, from) in zip(other.layers[1].parameters(), shared.parameters()) { to.value = from.value }
    let once = valueAndGradient(by: twice.parameters()) { square(twice(x)).sum() }.gradients
    let apart = valueAndGradient(by: other.parameters()) { square(other(x)).sum() }.gradients
    for i in 0..<2 {
      let wrong = Comparison(
        once[i], apart[i] + apart[i + 2], within: Tolerance(relative: 0, ofLargest: 1e-5)
      ).problem
      #expect(wrong == nil)
    }
  }

  @Test func anAssignedParameterReplacesTheOldOne() {
    let nest = nest()
    nest.scale = .full([2], 7)
    #expect(nest.parameters().last?.value.floats == [7, 7])
    nest.none = .ones([4])
    #expect(nest.parameters().last?.name == "none")
    nest.parameters().last?.value = .zeros([4])
    #expect(nest.none?.floats == [0, 0, 0, 0])
  }

  @Test func sameSeedSameWeights() {
    let a = nest(3).weights(), b = nest(3).weights(), c = nest(4).weights()
    #expect(a.mapValues(\.floats) == b.mapValues(\.floats))
    #expect(a["first.weight"]?.floats != c["first.weight"]?.floats)
    // Two layers of one network start differently.
    var random = RandomGenerator(seed: 1)
    let pair = Sequential(Linear(4, 4, using: &random), Linear(4, 4, using: &random)).weights()
    #expect(pair["layers.0.weight"]?.floats != pair["layers.1.weight"]?.floats)
  }

  @Test func withParametersRestores() {
    struct Stop: Error {}
    let nest = nest()
    let parameters = nest.parameters()
    let before = nest.weights().mapValues(\.floats)
    let zeros = parameters.map { Tensor.zeros(like: $0.value) }
    let x = Tensor.ones([2, 3])
    #expect(withParameters(parameters, as: zeros) { nest(x) }.floats == [0, 0, 0, 0])
    #expect(throws: Stop.self) { try withParameters(parameters, as: zeros) { throw Stop() } }
    #expect(throws: Stop.self) { try valueAndGradient(by: parameters) { throw Stop() } }
    _ = valueAndGradient(by: parameters) { nest(x).sum() }
    #expect(nest.weights().mapValues(\.floats) == before)
  }

  @Test(
    arguments: [
      // sqrt of 1/30, 6/80, 6/30
      (Initialiser.fanInUniform, 0.182574), (.xavierUniform(), 0.273861), (.kaimingUniform(), 0.447214),
      (.uniform(bound: 0.3), 0.3),
    ] as [(Initialiser, Double)])
  func uniformInitialisers(_ initialiser: Initialiser, bound: Double) {
    var random = RandomGenerator(seed: 1)
    let values = initialiser.values([50, 30], fanIn: 30, fanOut: 50, using: &random)
    let largest = abs(values).max().item()
    #expect(largest <= bound * 1.00001 && largest > bound * 0.99, "\(largest) of \(bound)")
    #expect(abs(values.mean().item()) < bound / 20)
  }

  @Test(
    arguments: [
      // sqrt of 2/80 and 2/30
      (Initialiser.normal(standardDeviation: 0.2), 0.2), (.xavierNormal(), 0.158114),
      (.kaimingNormal(), 0.258199),
      // A normal variable cut off at two deviations has 0.8796 of the deviation.
      (.truncatedNormal(standardDeviation: 0.1), 0.08796),
    ] as [(Initialiser, Double)])
  func normalInitialisers(_ initialiser: Initialiser, deviation: Double) {
    var random = RandomGenerator(seed: 1)
    let values = initialiser.values([300, 30], fanIn: 30, fanOut: 50, using: &random)
    #expect(abs(values.variance().item().squareRoot() / deviation - 1) < 0.03)
  }

  // MARK: Training

  @Test func trainingReachesNestedDropoutAndEnds() {
    let network = Sequential(Sequential(Lambda { $0 * 2 }, Sequential(Dropout(0.25))))
    let x = Tensor.ones([100, 100])
    var random = RandomGenerator(seed: 5)
    #expect(network(x).floats.allSatisfy { $0 == 2 })
    let values = training(using: &random) { network(x) }.floats
    let kept = values.count { $0 != 0 }
    // Of 10,000 with probability 0.75: standard deviation 43.
    #expect(abs(kept - 7500) < 220)
    #expect(values.allSatisfy { $0 == 0 || abs($0 - 2 / 0.75) < 1e-6 })
    #expect(network(x).floats.allSatisfy { $0 == 2 })
    #expect(TrainingPass.current == nil)
  }

  @Test func dropoutDrawsAnew() {
    let dropout = Dropout(0.5), x = Tensor.ones([64])
    var random = RandomGenerator(seed: 5), same = RandomGenerator(seed: 5)
    let (a, b) = training(using: &random) { (dropout(x).floats, dropout(x).floats) }
    #expect(a != b)
    #expect(training(using: &random) { dropout(x).floats } != a)
    #expect(training(using: &same) { dropout(x).floats } == a)
    // The gradient passes where the value did.
    same = RandomGenerator(seed: 5)
    #expect(training(using: &same) { gradient(at: x) { dropout($0).sum() } }.floats == a)
  }

  @Test func trainingEndsWithAnError() {
    struct Stop: Error {}
    var random = RandomGenerator(seed: 1)
    #expect(throws: Stop.self) { try training(using: &random) { throw Stop() } }
    #expect(TrainingPass.current == nil)
  }

  // MARK: Messages

  @Test func aShapeMistakeNamesPathOperationAndShapes() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      let network = Sequential(
        Linear(5, 7, using: &random), Sequential(Dropout(0.1), Linear(8, 3, using: &random)))
      _ = network(.zeros([2, 5]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains(
        "layers.1.layers.1 (Linear), linear: axis width must be 8, is 7; input [2, 7], weight [3, 8]"))
  }

  @Test func aWrongGradientNamesItsParameter() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      SGD(Linear(2, 3, using: &random).parameters(), learningRate: 1).update([.zeros([2, 3]), .zeros([3])])
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("SGD: weight has shape [3, 2], its gradient [2, 3]"))
  }

  // MARK: Modules inside, freezing, printing

  @Test func modulesByName() {
    let nest = nest()
    #expect(
      nest.children().map(\.name) == [
        "first", "list.0", "list.1", "list.2", "lists.0.0", "lists.1.0", "lists.1.1", "table.a", "table.b",
        "present", "pair.left", "pair.1", "again",
      ])
    let all = nest.namedModules()
    #expect(all[0].name == "" && all[0].module === nest && all.count == 15)
    #expect(all.contains { $0.name == "list.2.layers.0" && $0.module is Linear })
    #expect(nest.leafModules().map(\.name) == all.map(\.name).filter { $0 != "" && $0 != "list.2" })
  }

  @Test func frozenParametersStay() throws {
    var random = RandomGenerator(seed: 2)
    let model = Sequential(Linear(3, 4, using: &random), Linear(4, 2, using: &random)),
      x = random.normal([5, 3])
    let names = model.parameters().map(\.name)
    model.freeze()
    #expect(model.trainableParameters().isEmpty && model.parameters().map(\.name) == names)
    model.unfreeze(keys: ["bias"])
    #expect(model.trainableParameters().map(\.name) == ["layers.0.bias", "layers.1.bias"])
    model.unfreeze()
    model.layers[0].freeze(keys: ["weight"])
    #expect(model.trainableParameters().map(\.name) == ["layers.0.bias", "layers.1.weight", "layers.1.bias"])

    // Zeros in the places of frozen ones, the same gradients in the others.
    let parameters = model.parameters(), loss = { square(model(x)).sum() }
    let gradients = valueAndGradient(by: parameters, of: loss).gradients
    #expect(gradients[0].shape == [4, 3] && gradients[0].floats.allSatisfy { $0 == 0 })
    let (_, pullback) = valueAndPullback(by: parameters) { [square(model(x)).sum()] }
    model.unfreeze()
    let full = valueAndGradient(by: parameters, of: loss).gradients
    for i in 1..<4 {
      #expect(gradients[i].floats == full[i].floats && gradients[i].floats.contains { $0 != 0 })
    }
    #expect(full[0].floats.contains { $0 != 0 })

    // Neither momentum nor weight decay moves what is frozen.
    model.layers[0].freeze(recursive: false, keys: ["weight"])
    #expect(pullback([Tensor(1.0)])[0].floats == gradients[0].floats)
    let before = model.weights()
    let optimiser = Adam.adamW(parameters, learningRate: 0.1, weightDecay: 0.5)
    for _ in 0..<3 { optimiser.update(full) }
    for (name, value) in model.weights() {
      #expect((value.floats == before[name]?.floats) == (name == "layers.0.weight"), "\(name)")
    }
    // Weights come and go as ever.
    try model.load(weights: before.mapValues { $0 * 2 })
    #expect(model.parameters()[0].value.floats == before["layers.0.weight"]?.floats.map { $0 * 2 })
    #expect(model.trainableParameters().count == 3)
  }

  @Test func aFreezeOfNothingStops() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      Sequential(Linear(2, 2, using: &random)).freeze(keys: ["wieght"])
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains("freeze: Sequential has no parameter wieght; it has layers.0.bias, layers.0.weight"),
      "\(text.prefix(300))")
  }

  @Test func modulesPrintAsTrees() {
    var random = RandomGenerator(seed: 1)
    let model = Sequential(Linear(3, 4, using: &random), BatchNorm(4), Sequential(LayerNorm(4, bias: false)))
    model.freeze(keys: ["layers.0.bias"])
    for one in model.layers[2].parameters() { one.value = one.value.asType(.float64) }
    #expect(
      "\(model)" == """
        Sequential, 28 parameters
          layers.0: Linear
            weight [4, 3]
            bias [4] frozen
          layers.1: BatchNorm
            weight [4]
            bias [4]
            runningMean [4] buffer
            runningVariance [4] buffer
          layers.2: Sequential
            layers.0: LayerNorm
              weight [4] float64
        """)
  }
}

// MARK: Where modules may be kept

private struct Pair {
  var left, right: LayerNorm
  @Parameter var own = Tensor.ones([2])
  let numbers = [Float](repeating: 0, count: 3)
}
private enum Kind {
  case nothing
  case single(LayerNorm)
  case both(first: LayerNorm, second: LayerNorm)
  indirect case deep(Kind)
}
private enum Side: Hashable { case right, left }

/// Modules of width 2 in every kind of value that may keep them.
private final class Keeper: Layer {
  let pair = Pair(left: norm(), right: norm())
  let pairs = [Pair(left: norm(), right: norm())]
  let perhaps: Pair? = Pair(left: norm(), right: norm())
  let none: Pair? = nil
  let plain = Kind.nothing
  let single = Kind.single(norm())
  let both = Kind.both(first: norm(), second: norm())
  let deep = Kind.deep(.single(norm()))
  let numbered = [10: norm(), 2: norm()]
  let sided = [Side.right: norm(), .left: norm()]
  let tables = ["a": [Side.left: [norm()]]]
  let slice = [norm(), norm()][1...]
  let tuple = (norm(), named: (norm(), norm()))
  lazy var late: LayerNorm = Keeper.norm()
  /// Where modules have no name, but these have one elsewhere.
  final class Note { var known: [LayerNorm] = [], next: Note? }
  let note = Note()
  var places: [NamedParameter] = []
  weak var parent: Keeper?

  static func norm() -> LayerNorm { LayerNorm(2, bias: false) }

  init() {
    _ = late
    parent = self
    (note.known, note.next) = ([pair.left], note)
    places = pair.left.parameters()
  }

  static let modules = [
    "pair.left", "pair.right", "pairs.0.left", "pairs.0.right", "perhaps.left", "perhaps.right",
    "single.single",
    "both.both.first", "both.both.second", "deep.deep.single", "numbered.2", "numbered.10", "sided.left",
    "sided.right", "tables.a.left.0", "slice.0", "tuple.0", "tuple.named.0", "tuple.named.1", "late",
  ]

  /// What the modules give one after the other, scaled by what the structs keep themselves.
  func forward(_ x: Tensor) -> Tensor {
    let all = namedModules().compactMap { $0.module as? LayerNorm }
    let own = [pair.own, pairs[0].own, perhaps?.own].compactMap { $0 }
    return own.reduce(all.reduce(x) { $0 + $1(x) }, *)
  }
}

@Suite struct ModuleContainerTests {
  @Test func modulesAreFoundWhereverTheyAreKept() throws {
    let keeper = Keeper()
    #expect(keeper.children().map(\.name) == Keeper.modules)
    #expect(keeper.leafModules().map(\.name) == Keeper.modules)
    let names = Set(Keeper.modules.map { $0 + ".weight" } + ["pair.own", "pairs.0.own", "perhaps.own"])
    #expect(Set(keeper.parameters().map(\.name)) == names && keeper.parameters().count == names.count)
    for name in Keeper.modules { #expect("\(keeper)".contains("  \(name): LayerNorm"), "\(name)") }

    // Trained: every parameter moves.
    let x = Tensor([1, 3, -2, 0.5] as [Float]).reshaped(2, 2)
    let before = keeper.weights()
    let optimiser = SGD(keeper.parameters(), learningRate: 0.1)
    optimiser.update(valueAndGradient(by: keeper.parameters()) { square(keeper(x)).sum() }.gradients)
    for (name, value) in keeper.weights() { #expect(value.floats != before[name]?.floats, "\(name)") }

    // Saved, loaded.
    try inTemporaryFolder { folder in
      let other = Keeper()
      try keeper.save(to: folder + "/weights")
      try other.load(from: folder + "/weights")
      #expect(other.weights().mapValues(\.floats) == keeper.weights().mapValues(\.floats))
    }

    // Frozen, set free again.
    keeper.freeze()
    #expect(keeper.trainableParameters().isEmpty)
    keeper.unfreeze(keys: ["deep.deep.single.weight"])
    #expect(keeper.trainableParameters().map(\.name) == ["deep.deep.single.weight"])

    // Hooks and weight sets find them by the same names.
    let (_, activations) = keeper.reading(Keeper.modules + Keeper.modules.map { $0 + ".input" }) { keeper(x) }
    for (name, found) in activations { #expect(found.count == 1, "\(name)") }
    let y = keeper.withWeights(keeper.weights().mapValues { .zeros(like: $0) }) { keeper(x) }
    #expect(y.floats == [0, 0, 0, 0])
  }

  @Test func whatCannotHaveANameIsRefused() async {
    let set = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Inner: Module, Hashable {
        @Parameter var weight = Tensor.ones([1])
        static func == (a: Inner, b: Inner) -> Bool { a === b }
        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
      }
      final class Outer: Module { let inner: Set = [Inner()] }
      _ = Outer().parameters()
    }
    let object = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Holder { let layers = [LayerNorm(2)] }
      final class Outer: Module { let holder = Holder() }
      _ = Outer().weights()
    }
    let keys = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      struct Key: Hashable, CustomStringConvertible {
        let number: Int
        var description: String { "key" }
      }
      final class Outer: Module { let table = [Key(number: 1): LayerNorm(2), Key(number: 2): LayerNorm(2)] }
      _ = Outer().namedModules()
    }
    let late = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Outer: Module { lazy var late = LayerNorm(2) }
      _ = SGD(Outer().parameters(), learningRate: 1)
    }
    let twice = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Clash: Module { let table: [String: Any] = ["a.0": LayerNorm(2), "a": [LayerNorm(2)]] }
      _ = Clash().parameters()
    }
    for (result, text) in [
      (set, "Module: inner is a set, which has no order that lasts, and holds a module; make an array"),
      (
        object, "Module: holder is a Holder, a class but no Module, and holds one in layers; make it a Module"
      ),
      (keys, "Module: table has two keys that print as key, and holds a module; make keys that print apart"),
      (late, "Module: Outer.late is lazy and not made yet"),
      (twice, "Module: Clash has two parameters of the name table.a.0.weight"),
    ] {
      let found = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(found.contains(text), "\(found.prefix(300))")
    }
  }
}
