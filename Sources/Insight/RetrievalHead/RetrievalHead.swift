import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Heads that copy from the context (Wu et al. 2024). While an answer is written, head h copies the token w
/// if w is the token that it looks at most, and that place lies in the needle k:
///
///     score_h = |g_h ∩ k| / |k|
///
/// for the tokens g_h that it copied, averaged over prompts whose answer holds more than half of the needle.
/// A retrieval head has a score of at least 0.1.
///
/// In tensors: where heads look, [batch, layers, heads, steps, keys], which token stands at each key and
/// whether it belongs to the needle [batch, keys], and what was written [batch, steps] -> scores [batch,
/// layers, heads] and the share of the needle's tokens that was written, recall [batch]. The width of the slot
/// is the vocabulary. The paper counts different tokens; the released code counts a token again when it is
/// copied again (`countsRepeats`), in shares of the needle's places.
public struct RetrievalHead: Probe {
  public struct Settings: Configuration {
    /// How many places count as what a head looks at, the first that is copied.
    public var places = 1
    /// Whether a token that is copied again counts again, as in the released code; the paper counts different ones.
    public var countsRepeats = false
    /// Score from which on a head is a retrieval head.
    public var threshold = 0.1
    /// Recall above which an answer counts.
    public var leastRecall = 0.5
    public init() {}

    public func validate() throws {
      try require((1...1000).contains(places), "places must be from 1 to 1000, is \(places)")
      try require((0...1).contains(threshold), "threshold must be from 0 to 1, is \(threshold)")
      try require((0...1).contains(leastRecall), "leastRecall must be from 0 to 1, is \(leastRecall)")
    }
  }

  public static let card = Card(
    id: "retrieval-head", name: "Retrieval heads", family: .insight,
    paper: Paper(
      "Retrieval Head Mechanistically Explains Long-Context Factuality",
      by: ["Wenhao Wu", "Yizhong Wang", "Guangxuan Xiao", "Hao Peng", "Yao Fu"],
      year: 2024, link: "https://arxiv.org/abs/2404.15574"),
    summary: "Finds the few attention heads that look at what is about to be written while a model answers "
      + "from its context; without them it cannot, without as many others it can.",
    verification: "the authors' Retrieval_Head (commit 3ac171a): scores; an induction circuit with weights "
      + "set by hand: scores 1 and 0")

  public static var trials: [Trial<Settings>] {
    var repeats = Settings(), three = Settings()
    repeats.countsRepeats = true
    (three.places, three.leastRecall) = (3, 0)
    return [
      Trial(repeats, in: Slot(width: 2, tokens: 5)), Trial(three, in: Slot(width: 5, tokens: 3)),
    ]
  }

  /// A language model and prompts with a needle, all of one length.
  public struct Subject {
    public let model: TinyLM
    /// [batch, tokens] (int32)
    public let prompts: Tensor
    /// Where the needle stands in each prompt; all of one length, which is that of the answers.
    public let needles: [Range<Int>]

    public init(_ model: TinyLM, prompts: Tensor, needles: [Range<Int>]) {
      (self.model, self.prompts, self.needles) = (model, prompts, needles)
    }
  }

  public struct Finding: Sendable, Equatable {
    /// Mean score of each head, by layer and head; zeros where no answer counted.
    public let scores: [[Double]]
    /// Heads whose score reaches the threshold, the best first.
    public let heads: [Head]
    /// Mean share of the needle that was written, over all prompts.
    public let recall: Double
    /// Prompts whose answer counted.
    public let counted: Int

    /// All heads, the best first; of equals the earlier.
    public var ranking: [Head] {
      let all = scores.indices.flatMap { layer in scores[layer].indices.map { Head(layer, $0) } }
      return all.enumerated().sorted { a, b in
        let (x, y) = (score(a.element), score(b.element))
        return x != y ? x > y : a.offset < b.offset
      }.map(\.element)
    }

    public func score(_ head: Head) -> Double { scores[head.layer][head.head] }
  }

  public let settings: Settings

  /// - Throws: `InvalidInput` for settings that make no sense.
  public init(_ settings: Settings = Settings()) throws {
    try settings.validate()
    self.settings = settings
  }

  /// The scores of all heads on the subject's prompts.
  public func examine(_ subject: Subject) throws -> Finding {
    try examine(subject, mask: nil)
  }

  /// The same with heads out of work.
  public func examine(_ subject: Subject, mask: HeadMask?) throws -> Finding {
    let (batch, length) = (subject.prompts.dim(0), subject.prompts.dim(1))
    guard let steps = subject.needles.first?.count, steps > 0 else {
      throw InvalidInput("retrieval-head needs prompts with a needle")
    }
    try require(
      subject.needles.count == batch
        && subject.needles.allSatisfy { $0.count == steps && 0 <= $0.lowerBound && $0.upperBound <= length },
      "retrieval-head needs one needle of \(steps) tokens in each of the \(batch) prompts of \(length)")
    let generation = Generation(subject.model, after: subject.prompts, steps: steps, mask: mask)
    let keys = generation.tokens.dim(1)
    let needle = subject.needles.flatMap { needle in (0..<keys).map { Int32(needle.contains($0) ? 1 : 0) } }
    let (scores, recalls) = measured(
      generation.weights, generation.tokens, Tensor(needle, [batch, keys]), generation.written)
    let heads = subject.model.settings.heads, layers = subject.model.blocks.count
    let counted = recalls.indices.filter { recalls[$0] > settings.leastRecall }
    let means = (0..<layers).map { layer in
      (0..<heads).map { head in
        let sum = counted.reduce(0) { $0 + scores[($1 * layers + layer) * heads + head] }
        return sum / Double(max(counted.count, 1))
      }
    }
    let recall = recalls.reduce(0, +) / Double(batch)
    let all = Finding(scores: means, heads: [], recall: recall, counted: counted.count)
    return Finding(
      scores: means, heads: all.ranking.filter { all.score($0) >= settings.threshold }, recall: recall,
      counted: counted.count)
  }

  /// Scores of each prompt, layer and head in that order, and the recall of each prompt.
  private func measured(
    _ weights: Tensor, _ tokens: Tensor, _ needle: Tensor, _ written: Tensor
  ) -> (scores: [Double], recalls: [Double]) {
    let (batch, keys, steps) = (weights.dim(0), weights.dim(4), weights.dim(3))
    let headCount = weights.dim(1) * weights.dim(2)
    let places = min(settings.places, keys)
    func integers(_ x: Tensor) -> [Int32] { x.asType(.int32).asArray() }
    let looks = integers(places == 1 ? weights.argMax(axis: -1) : weights.topK(places).indices)
    let tokens = integers(tokens), written = integers(written), isNeedle = integers(needle).map { $0 > 0 }
    var scores: [Double] = [], recalls: [Double] = []
    var copied: [Int32] = []
    for row in 0..<batch {
      let wanted = (0..<keys).filter { isNeedle[row * keys + $0] }.map { tokens[row * keys + $0] }
      let answer = written[row * steps..<(row + 1) * steps]
      recalls.append(recall(of: wanted, in: answer))
      let whole = settings.countsRepeats ? wanted.count : Set(wanted).count
      for head in 0..<headCount {
        copied.removeAll(keepingCapacity: true)
        var start = (row * headCount + head) * steps * places
        for token in answer {
          let isCopied = looks[start..<start + places].contains {
            isNeedle[row * keys + Int($0)] && tokens[row * keys + Int($0)] == token
          }
          if isCopied && (settings.countsRepeats || !copied.contains(token)) { copied.append(token) }
          start += places
        }
        scores.append(Double(copied.count) / Double(max(whole, 1)))
      }
    }
    return (scores, recalls)
  }

  /// Share of the wanted tokens that were written, a token as often as it is wanted (ROUGE-1 recall).
  private func recall(of wanted: [Int32], in answer: ArraySlice<Int32>) -> Double {
    var left = answer
    for token in wanted {
      if let place = left.firstIndex(of: token) { left.remove(at: place) }
    }
    return Double(answer.count - left.count) / Double(max(wanted.count, 1))
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let probe = try RetrievalHead(settings)
    let batch = TensorPort.Extent.free("batch"), keys = TensorPort.Extent.free("keys")
    let (layers, heads, steps) = (
      TensorPort.Extent.free("layers"), TensorPort.Extent.free("heads"), TensorPort.Extent.free("steps")
    )
    return Door(
      inputs: [
        TensorPort("weights", [batch, layers, heads, steps, keys], .fractions),
        TensorPort("tokens", [batch, keys], .indices(below: slot.width)),
        TensorPort("needle", [batch, keys], .indices(below: 2)),
        TensorPort("written", [batch, steps], .indices(below: slot.width)),
      ],
      outputs: [
        TensorPort("scores", [batch, layers, heads], .fractions), TensorPort("recall", [batch], .fractions),
      ]
    ) { tensors, _ in
      guard let weights = tensors["weights"], let keys = tensors["tokens"], let needle = tensors["needle"],
        let written = tensors["written"]
      else { return [:] }
      let (scores, recalls) = probe.measured(weights, keys, needle, written)
      return [
        "scores": Tensor(scores, Array(weights.shape.prefix(3))).asType(weights.dtype),
        "recall": Tensor(recalls).asType(weights.dtype),
      ]
    }
  }
}
