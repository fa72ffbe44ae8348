import Callosum
import CallosumTestSupport
import Foundation
import Testing

// What every part of the catalogue must pass, whatever its kind: it is known by its door alone.

/// A part with settings in a place.
struct PartTrial: Sendable, CustomStringConvertible {
  let part: Part
  let settings: JSONValue?
  let slot: Slot

  /// Each part with its defaults on a square, and in its own odd places.
  static let all: [PartTrial] = Catalogue.all.parts.flatMap { part in
    [PartTrial(part: part, settings: nil, slot: Slot(width: 8, rows: 4, columns: 4))]
      + part.trials.map { PartTrial(part: part, settings: $0.settings, slot: $0.slot) }
  }

  func door(seed: UInt64 = 1) throws -> Door {
    var random = RandomGenerator(seed: seed)
    return try part.door(settings, in: slot, using: &random)
  }

  /// Inputs of `batch` rows, and `length` tokens where the door takes any number.
  func inputs(_ door: Door, batch: Int = 2, length: Int? = nil) -> [String: Tensor] {
    var random = RandomGenerator(seed: 2)
    return door.exampleInputs(["batch": batch, "tokens": length ?? slot.tokens], using: &random)
  }

  var description: String {
    "\(part.card.id)\(settings.flatMap { try? $0.text() } ?? "") in \(slot.tokens) x \(slot.width)"
  }
}

extension Door {
  /// The result for `inputs`, random numbers always the same.
  func apply(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    var random = RandomGenerator(seed: 5)
    return try self(inputs, using: &random)
  }

  /// Moves every parameter away from where it starts: zeros and the like hide what derivatives do. Kernels of
  /// convolutions over many channels move less, or numbers grow with every layer until rounding is all that
  /// float32 has to say of their differences.
  func shake() {
    var random = RandomGenerator(seed: 6)
    for one in parameters where one.value.dtype.isFloatingPoint {
      let terms = one.value.ndim > 2 ? one.value.size / max(one.value.dim(0), 1) : 1
      let scale = 0.3 * min(1, (8 / Double(max(terms, 1))).squareRoot())
      one.value = one.value + random.normal(one.value.shape) * scale
    }
  }

  /// Everything that learning may change.
  var parameters: [NamedParameter] { module?.parameters() ?? [] }

  /// Why no gradient reaches a parameter, if the part says so.
  func excuse(_ parameter: String) -> String? {
    withoutGradient.first { parameter.hasPrefix($0.key) }?.value
  }
}

private func problem(
  _ actual: Tensor?, _ expected: Tensor?, _ allowed: Double = 1e-5, absolute: Double = 0
) -> String? {
  guard let actual, let expected else { return "is missing" }
  if !actual.dtype.isFloatingPoint { return actual.doubleBits == expected.doubleBits ? nil : "differs" }
  return CallosumTestSupport.Comparison(
    actual, expected, within: Tolerance(relative: allowed, ofLargest: allowed, absolute: absolute)
  ).problem
}

@Suite struct PartConformanceTests {
  @Test func everyPartHasTwoOddPlaces() {
    for part in Catalogue.all.parts { #expect(part.trials.count >= 2, "\(part.card.id)") }
  }

  @Test(arguments: PartTrial.all) func givesWhatItsPortsSay(_ trial: PartTrial) throws {
    let door = try trial.door()
    let results = try door.apply(trial.inputs(door))
    #expect(Set(results.keys) == Set(door.outputs.map(\.name)))
    for port in door.outputs {
      let tensor = try #require(results[port.name])
      #expect(tensor.ndim == port.shape.count, "\(port.name) \(tensor.shape)")
      for (size, extent) in zip(tensor.shape, port.shape) {
        if case .fixed(let expected) = extent { #expect(size == expected, "\(port.name)") }
      }
      guard tensor.dtype.isFloatingPoint else { continue }
      #expect(tensor.asType(.float32).floats.allSatisfy { !$0.isNaN }, "\(port.name)")
      #expect(tensor.asType(.float32).floats.contains { $0 != 0 }, "\(port.name)")
    }
  }

  @Test(arguments: PartTrial.all) func everyParameterGetsAGradient(_ trial: PartTrial) throws {
    let door = try trial.door()
    door.shake()
    let inputs = trial.inputs(door)
    let (_, gradients) = try valueAndGradient(by: door.parameters) {
      let outputs = try door.apply(inputs).values.filter(\.dtype.isFloatingPoint)
      return outputs.map { square($0).sum() }.reduce(Tensor(0, .float32)) { $0 + $1 }
    }
    let largest = gradients.flatMap(\.floats).map(abs).max() ?? 0
    for (parameter, gradient) in zip(door.parameters, gradients) where !parameter.isFrozen {
      #expect(gradient.shape == parameter.value.shape)
      #expect(gradient.floats.allSatisfy { $0.isFinite }, "\(parameter.name)")
      // Where derivatives cancel, rounding errors are left.
      let arrives = gradient.floats.contains { abs($0) > 1e-6 * largest }
      #expect(arrives == (door.excuse(parameter.name) == nil), "\(parameter.name)")
    }
  }

  /// The whole part in float64 against central differences, by its inputs and every parameter, and in
  /// float32, which takes other kernels, against float64. A surrogate is no difference of anything: what has one is
  /// held against other code.
  @Test(arguments: PartTrial.all) func derivatives(_ trial: PartTrial) throws {
    func solve(_ dtype: DType) throws -> (
      inputs: [Tensor], cotangents: [Tensor], outputs: [Tensor], gradients: [Tensor],
      function: ([Tensor]) -> Tensor
    ) {
      let door = try trial.door()
      door.shake()
      for place in door.parameters + (door.module?.buffers() ?? [])
      where place.value.dtype.isFloatingPoint { place.value = place.value.asType(dtype) }
      let given = trial.inputs(door).mapValues { $0.dtype.isFloatingPoint ? $0.asType(dtype) : $0 }
      let names = given.keys.sorted().filter { given[$0]?.dtype.isFloatingPoint ?? false }
      let parameters = door.parameters.filter { door.excuse($0.name) == nil }
      let shown = door.outputs.filter(\.isDifferentiable).map(\.name)
      func outputs(_ all: [Tensor]) -> [Tensor] {
        withParameters(parameters, as: Array(all.dropFirst(names.count))) {
          let results = try? door.apply(given.merging(zip(names, all)) { $1 })
          return shown.compactMap { results?[$0] }
        }
      }
      let inputs = names.compactMap { given[$0] } + parameters.map(\.value)
      let (values, pullback) = valueAndPullback(at: inputs, of: outputs)
      var random = RandomGenerator(seed: 3)
      let cotangents = values.map { random.normal($0.shape).asType(dtype) }
      return (
        inputs, cotangents, values, pullback(cotangents),
        { all in
          zip(outputs(all), cotangents).map { ($0 * $1).sum() }.reduce(Tensor(0, dtype)) { $0 + $1 }
        }
      )
    }
    let exact = try solve(.float64)
    guard !exact.outputs.isEmpty else { return }
    // Of networks with many tensors fewer places of each.
    if try !trial.door().hasSurrogateDerivatives {
      let wrong = finiteDifferenceProblem(
        at: exact.inputs, gradients: exact.gradients, cotangent: Tensor(1, .float64),
        elements: min(100, max(3000 / exact.inputs.count, 10)), tolerance: 1e-6, of: exact.function)
      #expect(wrong == nil)
    }

    let fast = try solve(.float32)
    // Where a derivative cancels, rounding errors are those of the largest around.
    let largest = exact.gradients.flatMap(\.doubles).map(abs).max() ?? 0
    // A surrogate is steep, and so makes much of the rounding of what it sees.
    let share = try trial.door().hasSurrogateDerivatives ? 2e-3 : 1e-6
    let pairs = zip(fast.outputs + fast.gradients, exact.outputs + exact.gradients)
    for (place, (float, double)) in pairs.enumerated() {
      #expect(problem(float.asType(.float64), double, absolute: share * largest) == nil, "\(place)")
    }
  }

  /// No rows in, no rows out, wherever rows have their results for themselves.
  @Test(arguments: PartTrial.all) func anEmptyBatchGivesAnEmptyOne(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard door.rowsAreIndependent, door.inputs.contains(where: { $0.shape.contains(.free("batch")) }) else {
      return
    }
    let results = try door.apply(trial.inputs(door, batch: 0))
    for port in door.outputs {
      guard let axis = port.shape.firstIndex(of: .free("batch")) else { continue }
      #expect(results[port.name]?.dim(axis) == 0, "\(port.name)")
    }
  }

  /// Of no samples nothing is learned: a rule that takes their mean says so, and does not divide by 0; one that
  /// takes their sum gives zeros.
  @Test(arguments: PartTrial.all) func noSamplesTeachNothing(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard door.inputs.contains(where: { $0.shape.first == .free("samples") }) else { return }
    var random = RandomGenerator(seed: 2)
    let nothing = door.exampleInputs(["samples": 0], using: &random)
    do {
      let results = try door.apply(nothing)
      for (name, tensor) in results {
        #expect(tensor.asType(.float64).doubles.allSatisfy { $0.isFinite }, "\(name)")
      }
    } catch let error as InvalidInput {
      #expect(error.description == "\(trial.part.card.id) needs at least one sample")
    }
  }

  @Test(arguments: PartTrial.all) func sameSeedSameBits(_ trial: PartTrial) throws {
    try Setting().run {
      let (a, b, other) = (try trial.door(), try trial.door(), try trial.door(seed: 4))
      let inputs = trial.inputs(a)
      let first = try a.apply(inputs)
      for again in [try b.apply(inputs), try a.apply(inputs)] {
        for name in first.keys { #expect(first[name]?.doubleBits == again[name]?.doubleBits, "\(name)") }
      }
      let differ = a.parameters.map(\.value.doubleBits) != other.parameters.map(\.value.doubleBits)
      #expect(differ == (a.startsAtRandom && !a.parameters.isEmpty))
    }
  }

  /// What the other rows hold, be it NaN, does not reach a row.
  @Test(arguments: PartTrial.all) func rowsAreIndependent(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard door.rowsAreIndependent else { return }
    func row(_ tensors: [String: Tensor], _ index: Int, _ ports: [TensorPort]) -> [String: Tensor] {
      var result = tensors
      for port in ports {
        guard let axis = port.shape.firstIndex(of: .free("batch")) else { continue }
        result[port.name] = tensors[port.name]?.sliced(axis: axis, from: index, to: index + 1)
      }
      return result
    }
    let inputs = trial.inputs(door, batch: 3)
    let together = try door.apply(inputs)
    var poisoned = inputs
    for port in door.inputs where port.isDifferentiable {
      guard let axis = port.shape.firstIndex(of: .free("batch")), let tensor = inputs[port.name] else {
        continue
      }
      let middle = tensor.sliced(axis: axis, from: 1, to: 2)
      let nan = Tensor.full(middle.shape, .nan)
      poisoned[port.name] = concatenated([nan, middle, nan], axis: axis)
    }
    let survivor = try door.apply(poisoned)
    for index in 0..<3 {
      let alone = try door.apply(row(inputs, index, door.inputs))
      for (name, tensor) in row(together, index, door.outputs) {
        #expect(problem(tensor, alone[name]) == nil, "\(name), row \(index)")
      }
      guard index == 1 else { continue }
      for (name, tensor) in row(survivor, index, door.outputs) {
        #expect(problem(tensor, alone[name]) == nil, "\(name) beside NaN")
      }
    }
  }

  /// Whatever it holds, be it NaN.
  @Test(arguments: PartTrial.all) func theFutureDoesNotMatter(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard door.isCausal, let axis = door.sequenceAxis else { return }
    let inputs = trial.inputs(door)
    let length = try #require(door.alongSequence(inputs).first?.value.dim(axis))
    let whole = try door.apply(inputs)
    for time in 1..<length {
      for factor in [3, Double.nan] {
        var changed = inputs
        for (name, tensor) in door.alongSequence(inputs) where tensor.dtype.isFloatingPoint {
          let past = tensor.sliced(axis: axis, to: time), future = tensor.sliced(axis: axis, from: time)
          changed[name] = concatenated([past, future * factor + 1], axis: axis)
        }
        let results = try door.apply(changed)
        for (name, tensor) in door.alongSequence(results) {
          let expected = whole[name]?.sliced(axis: axis, to: time)
          let problem = problem(tensor.sliced(axis: axis, to: time), expected)
          #expect(problem == nil, "\(name), time \(time), times \(factor)")
        }
      }
    }
  }

  /// NaN in gives NaN out: every result that another number in its place changes is NaN too.
  @Test(arguments: PartTrial.all, [DType.float32, .float64])
  func nothingBecomesOfNaN(_ trial: PartTrial, _ type: DType) throws {
    let door = try trial.door()
    door.shake()
    for place in door.parameters + (door.module?.buffers() ?? [])
    where place.value.dtype.isFloatingPoint { place.value = place.value.asType(type) }
    let inputs = trial.inputs(door).mapValues { $0.dtype.isFloatingPoint ? $0.asType(type) : $0 }
    let clean = try door.apply(inputs)
    for port in door.inputs where port.isDifferentiable {
      guard let input = inputs[port.name], input.size > 0 else { continue }
      for place in Set([0, input.size / 2, input.size - 1]) {
        func results(_ number: Double) throws -> [String: Tensor] {
          var numbers = input.doubles, changed = inputs
          numbers[place] = number
          changed[port.name] = Tensor(numbers, input.shape).asType(type)
          return try door.apply(changed)
        }
        let old = input.doubles[place]
        let near = try results(old * 1.03 + 0.01)
        // A part may refuse what is not a number, with a word.
        guard let lost = try? results(.nan) else { continue }
        for (name, tensor) in clean where tensor.dtype.isFloatingPoint {
          let before = tensor.doubles, after = near[name]?.doubles ?? [], missing = lost[name]?.doubles ?? []
          let wrong = before.indices.filter {
            abs(after[$0] - before[$0]) > 1e-3 * abs(before[$0]) && !missing[$0].isNaN
          }
          #expect(
            wrong.isEmpty,
            "\(port.name)[\(place)] is NaN, \(name)\(wrong.prefix(3)) are \(wrong.prefix(3).map { missing[$0] })"
          )
        }
      }
    }
  }

  /// A sequence in pieces of any length, each with the state that the piece before left.
  @Test(arguments: PartTrial.all) func piecesMakeTheWhole(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard let axis = door.sequenceAxis, !door.carried.isEmpty else { return }
    let length = 11
    let inputs = trial.inputs(door, length: length)
    let whole = try door.apply(inputs)
    for cuts in [[1], [4, 5], [7]] {
      var carried: [String: Tensor] = [:]
      var pieces: [String: [Tensor]] = [:]
      for (from, to) in zip([0] + cuts, cuts + [length]) {
        var piece = inputs.merging(carried) { $1 }
        for (name, tensor) in door.alongSequence(inputs) {
          piece[name] = tensor.sliced(axis: axis, from: from, to: to)
        }
        let results = try door.apply(piece)
        carried = results.filter { door.carried.contains($0.key) }
        for (name, tensor) in door.alongSequence(results) { pieces[name, default: []].append(tensor) }
      }
      for (name, parts) in pieces {
        #expect(problem(concatenated(parts, axis: axis), whole[name], 2e-5) == nil, "\(name) \(cuts)")
      }
      for (name, tensor) in carried { #expect(problem(tensor, whole[name], 2e-5) == nil, "\(name) \(cuts)") }
    }
  }

  /// Rows whose sequences have come to different places go on as each would by itself.
  @Test(arguments: PartTrial.all) func rowsMayBeAtDifferentPlaces(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard let axis = door.sequenceAxis, !door.carried.isEmpty, door.rowsAreIndependent else { return }
    let inputs = trial.inputs(door, batch: 3, length: 11)
    let batch = Dictionary(
      (door.inputs + door.outputs).compactMap { port in
        port.shape.firstIndex(of: .free("batch")).map { (port.name, $0) }
      }
    ) { first, _ in first }
    /// Tokens of one row; what has no such axes as it is.
    func piece(_ row: Int, _ tokens: Range<Int>) -> [String: Tensor] {
      var result = inputs
      for (name, axis) in batch {
        result[name] = result[name]?.sliced(axis: axis, from: row, to: row + 1)
      }
      for (name, tensor) in door.alongSequence(result) {
        result[name] = tensor.sliced(axis: axis, from: tokens.lowerBound, to: tokens.upperBound)
      }
      return result
    }
    let places = [1, 5, 7]
    let next = try places.enumerated().map { row, place in
      piece(row, place..<place + 4).merging(
        try door.apply(piece(row, 0..<place)).filter { door.carried.contains($0.key) }
      ) { $1 }
    }
    var together = next[0]
    for (name, axis) in batch where together[name] != nil {
      together[name] = concatenated(next.compactMap { $0[name] }, axis: axis)
    }
    let results = try door.apply(together)
    for (row, one) in next.enumerated() {
      for (name, expected) in try door.apply(one) {
        guard let axis = batch[name] else { continue }
        let found = results[name]?.sliced(axis: axis, from: row, to: row + 1)
        #expect(problem(found, expected, 2e-5) == nil, "\(name), row \(row)")
      }
    }
  }

  /// What a mask takes out changes no bit of what comes out, be it NaN.
  @Test(arguments: PartTrial.all) func whatIsMaskedDoesNotMatter(_ trial: PartTrial) throws {
    let door = try trial.door()
    for mask in door.inputs where mask.name.lowercased().hasSuffix("mask") && mask.shape.count == 2 {
      let concerned = door.inputs.filter {
        $0.isDifferentiable && $0.shape.count > 2 && $0.shape[1] == mask.shape[1]
      }
      #expect(!concerned.isEmpty, "\(mask.name)")
      var random = RandomGenerator(seed: 7)
      let sizes = ["batch": 2, "tokens": trial.slot.tokens]
      var inputs = trial.inputs(door)
      for port in concerned { inputs[port.name] = port.example(sizes, using: &random) }
      let count = try #require(inputs[concerned[0].name]).dim(1)
      let there = (0..<2 * count).map { Int32($0 % 3 == 0 || $0 == count ? 1 : 0) }
      let isThere = (Tensor(there, [2, count]) .> 0).expandedDimensions(axis: 2)
      inputs[mask.name] = Tensor(there, [2, count])
      func run(_ hidden: Double) throws -> [String: Tensor] {
        var changed = inputs
        for port in concerned {
          changed[port.name] = inputs[port.name].map { which(isThere, $0, Tensor(hidden, .float32)) }
        }
        return try door.apply(changed)
      }
      let zeros = try run(0)
      for hidden in [1e30, .infinity, .nan] {
        let other = try run(hidden)
        for (name, tensor) in zeros {
          #expect(tensor.doubleBits == other[name]?.doubleBits, "\(mask.name) \(name) \(hidden)")
        }
      }
    }
  }

  /// Rows with padding and several sequences: each sequence as it is alone, padding gives zeros, and what it
  /// holds, be it NaN, changes no bit of anything.
  @Test(arguments: PartTrial.all) func sequencesOfARowAreApart(_ trial: PartTrial) throws {
    let door = try trial.door()
    guard door.inputs.contains(where: { $0.name == "segments" }) else { return }
    let inputs = trial.inputs(door, length: 11), x = try #require(inputs["x"])
    let numbers: [[Int32]] = [[0, 0, 1, 1, 1, 1, 1, 0, 2, 2, 2], [3, 3, 3, 3, 3, 3, 3, 3, 0, 3, 3]]
    let segments = Tensor(numbers.flatMap { $0 }, [2, 11])
    let isToken = (segments .> 0).expandedDimensions(axis: 2)
    func run(_ padding: Double) throws -> [String: Tensor] {
      try door.apply(["x": which(isToken, x, Tensor(padding, .float32)), "segments": segments])
    }
    let zeros = try run(0), poisoned = try run(.nan)
    for (name, tensor) in zeros { #expect(tensor.doubleBits == poisoned[name]?.doubleBits, "\(name)") }
    let y = try #require(zeros["y"])
    #expect(which(isToken, y.constant(0), y).floats.allSatisfy { $0 == 0 })
    for (row, tokens, isLast) in [
      (0, [2, 3, 4, 5, 6], false), (0, [8, 9, 10], true), (1, [0, 1, 2, 3, 4, 5, 6, 7, 9, 10], true),
    ] {
      let index = Tensor(tokens.map(Int32.init))
      let alone = try door.apply(["x": x[row].take(index).expandedDimensions(axis: 0)])
      #expect(problem(y[row].take(index), alone["y"]?.squeezed(axis: 0), 2e-5) == nil, "row \(row)")
      for name in door.carried where isLast {
        #expect(problem(zeros[name]?[row], alone[name]?[0], 2e-5) == nil, "\(name), row \(row)")
      }
    }
  }

  @Test(arguments: PartTrial.all) func weightsSurviveAFile(_ trial: PartTrial) throws {
    try inTemporaryFolder { folder in
      try Setting().run {
        let door = try trial.door(), other = try trial.door(seed: 9)
        guard let module = door.module, let copy = other.module else { return }
        try module.save(to: folder + "/weights")
        try copy.load(from: folder + "/weights")
        let expected = try door.apply(trial.inputs(door)), found = try other.apply(trial.inputs(door))
        for name in expected.keys { #expect(expected[name]?.doubleBits == found[name]?.doubleBits) }
      }
    }
  }

  @Test(arguments: PartTrial.all) func settingsRoundTrip(_ trial: PartTrial) throws {
    let part = trial.part
    var one = RandomGenerator(seed: 1), same = RandomGenerator(seed: 1)
    let door = try part.door(trial.settings, in: trial.slot, using: &one)
    let spelledOut = try part.door(trial.settings ?? part.defaults, in: trial.slot, using: &same)
    #expect(
      door.module?.weights().mapValues(\.doubleBits) == spelledOut.module?.weights().mapValues(\.doubleBits))
    let error = #expect(throws: InvalidInput.self) {
      try part.door(.object(["unknown-key": .null]), in: trial.slot, using: &one)
    }
    #expect(
      error?.description.hasPrefix("configuration of \(part.card.id): unknown key 'unknown-key'") == true)
  }
}

extension Door {
  /// The tensors that lie along the sequence: what is not carried and has that axis.
  func alongSequence(_ tensors: [String: Tensor]) -> [String: Tensor] {
    guard let axis = sequenceAxis else { return [:] }
    return tensors.filter { !carried.contains($0.key) && $0.value.ndim > axis }
  }
}

extension Tensor {
  /// All elements in full precision.
  fileprivate var doubleBits: [UInt64] { asType(.float64).doubles.map(\.bitPattern) }
}

@Suite struct PartListTests {
  /// Every file that declares a card is listed in <Family>.swift of its family, and all lists are in the
  /// catalogue. File and type are called after the id, and a part with a claim is a folder of that name.
  @Test func listsFoldersAndNamesAgree() throws {
    let sources = Golden.folder.appendingPathComponent("../../Sources").standardizedFileURL
    var listed: Set<String> = []
    for family in Family.allCases.map(\.rawValue.capitalized) {
      let folder = sources.appendingPathComponent(family)
      let list = try String(contentsOf: folder.appendingPathComponent("\(family).swift"), encoding: .utf8)
      for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      where file.hasSuffix(".swift") {
        let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
        guard text.contains("static let card"),
          let id = text.firstMatch(of: /id: "([a-z0-9-]+)", name:/)?.output.1
        else { continue }
        let path = file.split(separator: "/"), type = path.last?.dropLast(".swift".count) ?? ""
        #expect(list.contains("Part(\(type).self"), "\(family)/\(file) is not listed in \(family).swift")
        #expect(type.lowercased() == id.replacing("-", with: ""), "\(family)/\(file) holds the part \(id)")
        let part = try Catalogue.all.part(String(id))
        #expect(
          part.claim == nil || path.first == type[...], "\(family)/\(file) should be in a folder \(type)")
        listed.insert(String(id))
      }
    }
    #expect(listed == Set(Catalogue.all.parts.map(\.card.id)).subtracting(Catalogue.brains.map(\.card.id)))
  }

  /// `describe` shows what stands above each field.
  @Test(arguments: Catalogue.all.parts.map(\.card.id)) func settingsSayWhatTheyMean(_ id: String) throws {
    let part = try Catalogue.all.part(id)
    for setting in part.settings {
      let meaning = setting.meaning ?? ""
      #expect(meaning.hasSuffix("."), "\(id): write a sentence with /// above \(setting.path)")
    }
    guard case .object(let defaults) = part.defaults else { return }
    #expect(Set(part.settings.map(\.path)).isSuperset(of: defaults.keys), "\(id)")
  }

  /// One key for each paper.
  @Test func papersAgree() {
    let papers = Catalogue.all.parts.map(\.card.paper)
    for paper in papers {
      #expect(papers.allSatisfy { $0.key != paper.key || $0 == paper }, "\(paper.key)")
      #expect(paper.key.wholeMatch(of: /[a-z]+\d{4}[a-z]+/) != nil, "\(paper.key)")
    }
  }

  @Test(arguments: Catalogue.all.parts.map(\.card)) func cardsAreComplete(_ card: Card) {
    #expect(card.id.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*/) != nil)
    for text in [card.name, card.paper.title, card.summary, card.verification] { #expect(!text.isEmpty) }
    #expect((1900...2100).contains(card.paper.year))
    #expect(!card.paper.authors.isEmpty)
    if let link = card.paper.link {
      #expect(
        link.wholeMatch(of: #/https://(arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\d{4,}/\S+)/#) != nil,
        "\(link)")
    }
  }
}
