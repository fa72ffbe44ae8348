import Callosum
import CallosumTestSupport
import Foundation
import Testing

// What every part of the catalogue must pass.

/// A token mixer with its settings in a slot.
struct Trial: Sendable, CustomStringConvertible {
  let part: Part
  let settings: JSONValue?
  let slot: TokenSlot
  let batch: Int
  let isCausal: Bool

  /// Unusual settings, two for each part: a part without any is a failure of this suite.
  static let odd: [String: [String]] = [
    "average-pooling": [#"{"window": 5}"#, #"{"window": 7}"#],
    "depthwise-convolution": [#"{"window": 5, "bias": false}"#, #"{"window": 1}"#],
    "softmax-attention": [#"{"heads": 1, "bias": false}"#, #"{"heads": 7, "causal": true}"#],
    "spatial-mlp": [#"{"hidden": 1}"#, #"{"hidden": 11}"#],
  ]

  /// Each part with its defaults on a square, and with the odd settings on 3 x 5 tokens of 7 numbers.
  static let all: [Trial] = Catalogue.all.parts.flatMap { part in
    let odd = (odd[part.card.id] ?? []).map { text in
      try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }
    return [Trial(part, nil, width: 8, rows: 4, columns: 4, batch: 3)]
      + odd.enumerated().map { Trial(part, $1, width: 7, rows: 3, columns: 5, batch: $0 == 0 ? 1 : 2) }
  }

  init(_ part: Part, _ settings: JSONValue?, width: Int, rows: Int, columns: Int, batch: Int) {
    (self.part, self.settings, self.batch) = (part, settings, batch)
    slot = TokenSlot(
      width: width, tokens: rows * columns, grid: TokenSlot.Grid(rows: rows, columns: columns))
    var isCausal = false
    if case .tokenMixer(true, _, _) = part.kind { isCausal = true }
    if case .object(let values)? = settings, values["causal"] == .bool(true) { isCausal = true }
    self.isCausal = isCausal
  }

  func module(seed: UInt64 = 1) throws -> any Layer {
    var random = RandomGenerator(seed: seed)
    guard case .tokenMixer(_, _, let build) = part.kind else { throw Mistake("no token mixer") }
    return try build(settings, slot, &random)
  }

  func input(batch: Int? = nil) -> Tensor {
    var random = RandomGenerator(seed: 2)
    return random.normal([batch ?? self.batch, slot.tokens, slot.width])
  }

  var description: String {
    "\(part.card.id)\(settings.flatMap { try? $0.text() } ?? "") in \(batch) x \(slot.tokens) x \(slot.width)"
  }
}

@Suite struct PartConformanceTests {
  @Test func everyPartHasOddSettings() {
    #expect(Set(Trial.odd.keys) == Set(Catalogue.all.parts.map(\.card.id)))
    #expect(Trial.all.count == 3 * Catalogue.all.parts.count)
    #expect(Trial.all.allSatisfy { $0.settings != nil || $0.slot.width == 8 })
  }

  @Test(arguments: Trial.all) func keepsTheShape(_ trial: Trial) throws {
    let module = try trial.module()
    let y = module(trial.input())
    #expect(y.shape == trial.input().shape && y.dtype == .float32)
    #expect(y.floats.allSatisfy { $0.isFinite })
    #expect(y.floats.contains { $0 != 0 })
  }

  @Test(arguments: Trial.all) func everyParameterGetsAGradient(_ trial: Trial) throws {
    let module = try trial.module()
    let x = trial.input()
    let parameters = module.parameters()
    let (_, gradients) = valueAndGradient(by: parameters) { square(module(x)).sum() }
    for (parameter, gradient) in zip(parameters, gradients) {
      #expect(gradient.shape == parameter.value.shape)
      #expect(gradient.floats.allSatisfy { $0.isFinite }, "\(parameter.name)")
      #expect(gradient.floats.contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  /// The whole part in float64 against central differences, by its input and every parameter, and in
  /// float32, which takes other kernels, against float64.
  @Test(arguments: Trial.all) func derivatives(_ trial: Trial) throws {
    func solve(_ dtype: DType) throws -> (
      inputs: [Tensor], cotangent: Tensor, output: Tensor, gradients: [Tensor],
      function: ([Tensor]) -> Tensor
    ) {
      let module = try trial.module()
      for place in module.parameters() + module.buffers() { place.value = place.value.asType(dtype) }
      let parameters = module.parameters()
      func function(_ all: [Tensor]) -> Tensor {
        withParameters(parameters, as: Array(all.dropFirst())) { module(all[0]) }
      }
      let inputs = [trial.input().asType(dtype)] + parameters.map(\.value)
      let (outputs, pullback) = valueAndPullback(at: inputs) { [function($0)] }
      var random = RandomGenerator(seed: 3)
      let cotangent = random.normal(outputs[0].shape).asType(dtype)
      return (inputs, cotangent, outputs[0], pullback([cotangent]), function)
    }
    let exact = try solve(.float64)
    let problem = finiteDifferenceProblem(
      at: exact.inputs, gradients: exact.gradients, cotangent: exact.cotangent, tolerance: 1e-6,
      of: exact.function)
    #expect(problem == nil)

    let fast = try solve(.float32)
    let pairs = zip([fast.output] + fast.gradients, [exact.output] + exact.gradients)
    for (place, (float, double)) in pairs.enumerated() {
      let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
      let wrong = CallosumTestSupport.Comparison(float.asType(.float64), double, within: allowed).problem
      #expect(wrong == nil, "\(place)")
    }
  }

  @Test(arguments: Trial.all) func sameSeedSameBits(_ trial: Trial) throws {
    try Setting().run {
      let (a, b, other) = (try trial.module(), try trial.module(), try trial.module(seed: 4))
      let x = trial.input()
      #expect(a(x).floats == b(x).floats)
      #expect(a(x).floats == a(x).floats)
      if !a.parameters().isEmpty { #expect(a(x).floats != other(x).floats) }
    }
  }

  /// What the other rows hold, be it NaN, does not reach a row.
  @Test(arguments: Trial.all) func rowsAreIndependent(_ trial: Trial) throws {
    let module = try trial.module()
    let x = trial.input(batch: 4)
    let alone = (0..<4).map { module(x[.range($0..<$0 + 1)]) }
    let together = module(x)
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
    func problem(_ actual: Tensor, _ expected: Tensor) -> String? {
      CallosumTestSupport.Comparison(actual, expected, within: allowed).problem
    }
    #expect(problem(together, concatenated(alone)) == nil)
    let nan = Tensor.full([1, trial.slot.tokens, trial.slot.width], .nan)
    let poisoned = module(concatenated([nan, x[.range(1..<2)], nan, x[.range(3..<4)]]))
    for row in [1, 3] { #expect(problem(poisoned[.range(row..<row + 1)], alone[row]) == nil, "row \(row)") }
  }

  @Test(arguments: Trial.all.filter(\.isCausal)) func theFutureDoesNotMatter(_ trial: Trial) throws {
    let module = try trial.module()
    let x = trial.input()
    let y = module(x)
    for token in 1..<trial.slot.tokens {
      let past = x.sliced(axis: 1, to: token), future = x.sliced(axis: 1, from: token)
      let changed = module(concatenated([past, future * 3 + 1], axis: 1))
      let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
      let wrong = CallosumTestSupport.Comparison(
        changed.sliced(axis: 1, to: token), y.sliced(axis: 1, to: token), within: allowed)
      #expect(wrong.problem == nil, "token \(token)")
      #expect(changed.sliced(axis: 1, from: token).floats != y.sliced(axis: 1, from: token).floats)
    }
  }

  @Test(arguments: Trial.all) func weightsSurviveAFile(_ trial: Trial) throws {
    try inTemporaryFolder { folder in
      try Setting().run {
        let module = try trial.module(), other = try trial.module(seed: 9)
        try module.save(to: folder + "/weights")
        try other.load(from: folder + "/weights")
        #expect(module(trial.input()).floats == other(trial.input()).floats)
      }
    }
  }

  @Test(arguments: Catalogue.all.parts.map(\.card.id)) func settingsRoundTrip(_ id: String) throws {
    let part = try Catalogue.all.part(id)
    guard case .tokenMixer(_, _, let build) = part.kind else { throw Mistake("no token mixer") }
    let slot = Trial(part, nil, width: 8, rows: 4, columns: 4, batch: 1).slot
    var one = RandomGenerator(seed: 1), same = RandomGenerator(seed: 1)
    let module = try build(nil, slot, &one), spelledOut = try build(part.defaults, slot, &same)
    #expect(module.weights().mapValues(\.floats) == spelledOut.weights().mapValues(\.floats))
    let error = #expect(throws: Mistake.self) { try build(.object(["unknown-key": .null]), slot, &one) }
    #expect(error?.description.hasPrefix("configuration of \(id): unknown key 'unknown-key'") == true)
  }
}

@Suite struct PartListTests {
  /// Every file that declares a card is listed in Parts.swift of its room, and all lists are in the
  /// catalogue.
  @Test func theListsMatchTheFolders() throws {
    let sources = Golden.folder.appendingPathComponent("../../Sources").standardizedFileURL
    var listed = 0
    for room in try FileManager.default.contentsOfDirectory(atPath: sources.path) {
      let folder = sources.appendingPathComponent(room)
      guard let list = try? String(contentsOf: folder.appendingPathComponent("Parts.swift"), encoding: .utf8)
      else { continue }
      let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      for file in files where file.hasSuffix(".swift") && file != "Parts.swift" {
        let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
        guard text.contains("static let card") else { continue }
        let type = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
        #expect(list.contains("(\(type).self)"), "\(room)/\(file) is not listed in \(room)/Parts.swift")
        listed += 1
      }
    }
    #expect(listed == Catalogue.all.parts.count)
  }

  @Test(arguments: Catalogue.all.parts.map(\.card)) func cardsAreComplete(_ card: Card) {
    #expect(card.id.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*/) != nil)
    for text in [card.name, card.paper, card.summary, card.verification] { #expect(!text.isEmpty) }
    #expect((1900...2100).contains(card.year))
  }
}
