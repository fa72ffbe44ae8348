import CallosumContracts
import CallosumInsight
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// A model of two layers that copies by induction, with weights set by hand. Numbers 0 to 7 of the stream say
/// which token is here, 8 to 15 which was before; 16 to 23 say which comes next.
///
/// Head (0, 0): query and key are the same vector for every token, the key turned one place ahead, so that it
/// looks one place back; it copies the token there. Head (1, 0): query is the token here, key the token before,
/// both in the slowest pairs of the rotary embedding, which hardly turn; it copies the token there.
private func inductionCircuit() -> TinyLM {
  var settings = TinyLM.Settings(vocabulary: 8)
  (settings.width, settings.heads, settings.hidden) = (48, 2, 4)
  var random = RandomGenerator(seed: 1)
  let model = TinyLM(settings, using: &random)
  for one in model.parameters() where !one.name.contains("norm") { one.value = .zeros(one.value.shape) }
  func matrix(_ rows: Int, _ columns: Int, _ entries: [(Int, Int, Float)]) -> Tensor {
    var values = [Float](repeating: 0, count: rows * columns)
    for (row, column, value) in entries { values[row * columns + column] = value }
    return Tensor(values, [rows, columns])
  }
  let tokens = Array(stride(from: 0, to: 8, by: 1))
  model.embedding.weight = matrix(8, 48, tokens.map { ($0, $0, 1) })
  let first = model.blocks[0].attention, second = model.blocks[1].attention

  let here = Tensor((0..<48).map { Float($0 < 8 ? 1 : 0) })
  let looking = Tensor((0..<24).map { _ in Float(5) }, [1, 24])
  let ahead = rotaryEmbedding(looking, offset: 1)
  func everywhere(_ vector: Tensor) -> Tensor {
    let rows = concatenated([vector.reshaped(24), .zeros([24])])
    return rows.expandedDimensions(axis: 1) * here
  }
  first.query.weight = everywhere(looking)
  first.key.weight = everywhere(ahead)
  first.value.weight = matrix(48, 48, tokens.map { ($0, $0, 1) })
  // The norm makes sqrt(48) of a single 1 among 48 numbers.
  let norm = Float(1 / 48.0.squareRoot())
  first.output.weight = matrix(48, 48, tokens.map { (8 + $0, $0, norm) })

  func slow(_ token: Int) -> Int { token < 4 ? 8 + token : 16 + token }
  second.query.weight = matrix(48, 48, tokens.map { (slow($0), $0, 8) })
  second.key.weight = matrix(48, 48, tokens.map { (slow($0), 8 + $0, 8) })
  second.value.weight = matrix(48, 48, tokens.map { ($0, $0, 1) })
  second.output.weight = matrix(48, 48, tokens.map { (16 + $0, $0, 1) })
  model.head?.weight = matrix(8, 48, tokens.map { ($0, 16 + $0, 1) })
  return model
}

/// Token 0 is the key, 1 to 4 the answer, others hay; the answer stands behind the key.
private func prompts() -> RetrievalHead.Subject {
  var random = RandomGenerator(seed: 2)
  var all: [Int32] = [], needles: [Range<Int>] = []
  for place in [1, 7, 20] {
    var prompt = (0..<30).map { _ in Int32.random(in: 5...7, using: &random) }
    prompt.replaceSubrange(place..<place + 5, with: [0, 1, 2, 3, 4])
    all += prompt + [0]
    let start = place + 1
    needles.append(start..<start + 4)
  }
  return RetrievalHead.Subject(inductionCircuit(), prompts: Tensor(all, [3, 31]), needles: needles)
}

@Suite struct RetrievalHeadTests {
  /// retrieval_head_detection.py of nightdessert/Retrieval_Head, commit 3ac171a, on random attention.
  @Test(arguments: [1, 3]) func agreesWithTheAuthorsCode(_ places: Int) throws {
    let golden = try Golden.tensors(beside: #filePath)
    var settings = RetrievalHead.Settings()
    (settings.places, settings.countsRepeats) = (places, true)
    var random = RandomGenerator(seed: 1)
    let door = try RetrievalHead.door(settings, in: Slot(width: 6, tokens: 25), using: &random)
    let results = try door(
      [
        "weights": golden["weights"], "tokens": golden["tokens"], "needle": golden["needle"],
        "written": golden["generated"],
      ], using: &random)
    let scores = try #require(results["scores"]).asType(.float64)
    let wrong = CallosumTestSupport.Comparison(
      scores, golden["score.\(places)"], within: Tolerance(relative: 1e-6))
    #expect(wrong.problem == nil)
  }

  @Test func theInductionHeadScoresOneAndTheOthersZero() throws {
    let subject = prompts()
    let finding = try RetrievalHead().examine(subject)
    #expect(finding.recall == 1 && finding.counted == 3)
    #expect(finding.scores == [[0, 0], [1, 0]])
    #expect(finding.heads == [Head(1, 0)] && finding.ranking.first == Head(1, 0))
    let generation = Generation(subject.model, after: subject.prompts, steps: 4)
    #expect(generation.written.doubles == Array(repeating: [1, 2, 3, 4], count: 3).flatMap { $0 })
  }

  /// Without the head that copies there is no answer; the head that looks one back is needed only while the
  /// prompt is read, and idle heads never.
  @Test(arguments: HeadMask.Mode.allCases) func masking(_ mode: HeadMask.Mode) throws {
    let subject = prompts(), probe = try RetrievalHead()
    let means = HeadMask.means(of: subject.model, on: subject.prompts)
    func recall(_ head: Head, inPrompt: Bool) throws -> Double {
      let mask = HeadMask([head], mode: mode, inPrompt: inPrompt, means: means)
      return try probe.examine(subject, mask: mask).recall
    }
    #expect(try recall(Head(1, 0), inPrompt: false) <= 0.25)
    #expect(try recall(Head(0, 0), inPrompt: false) == 1)
    #expect(try recall(Head(0, 0), inPrompt: true) <= 0.25)
    #expect(try recall(Head(1, 1), inPrompt: true) == 1)
    #expect(try recall(Head(0, 1), inPrompt: true) == 1)
  }

  /// Tokens 3, 4, 3 are wanted; the head copies 3 twice.
  @Test func repeatsCountOnce() throws {
    let weights = Tensor([Float]([1, 0, 0, 0, 0, 1, 0, 0, 1]), [1, 1, 1, 3, 3])
    func score(_ countsRepeats: Bool) throws -> [Float] {
      var settings = RetrievalHead.Settings()
      settings.countsRepeats = countsRepeats
      var random = RandomGenerator(seed: 1)
      let door = try RetrievalHead.door(settings, in: Slot(width: 5, tokens: 3), using: &random)
      let results = try door(
        [
          "weights": weights, "tokens": Tensor([Int32]([3, 4, 3]), [1, 3]),
          "needle": Tensor([Int32]([1, 1, 1]), [1, 3]), "written": Tensor([Int32]([3, 0, 3]), [1, 3]),
        ], using: &random)
      return try #require(results["scores"]).floats + (try #require(results["recall"]).floats)
    }
    #expect(try score(false) == [0.5, Float(2.0 / 3)])
    #expect(try score(true) == [Float(2.0 / 3), Float(2.0 / 3)])
  }

  @Test func refusesNeedlesThatDoNotFit() throws {
    let subject = prompts()
    let odd = RetrievalHead.Subject(subject.model, prompts: subject.prompts, needles: [1..<5, 1..<5, 1..<4])
    #expect(throws: InvalidInput.self) { try RetrievalHead().examine(odd) }
  }
}
