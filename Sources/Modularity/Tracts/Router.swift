import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A router on a tract to several regions: each token goes to the `k` targets that suit it best,
///
///     p = softmax(R x),   y_e = p_e (P_e x)  where p_e is among the k largest,  0 elsewhere
///
/// The weights p_e are not scaled up to sum 1, so that derivatives reach R even for k = 1 (Fedus, Zoph
/// and Shazeer 2021); of equal p the first counts. x [batch, tokens, sourceWidth] -> for each target e
/// [batch, tokens, inputs_e]. Parameters: `route.weight` [targets, sourceWidth], `projections.e.weight`
/// [inputs_e, sourceWidth].
public final class Router: TractMechanism {
  public struct Settings: Configuration {
    /// Targets that a token goes to.
    public var k = 1
    public init() {}

    public func validate() throws { try require(k > 0, "k must be at least 1, is \(k)") }
  }

  public static let traits = TractTraits(keepsWidth: false, branches: true, hasWeights: true)
  public static let card = Card(
    id: "router", name: "Router", family: .modularity,
    paper: Paper(
      "Switch Transformers: Scaling to Trillion Parameter Models with Simple and Efficient "
        + "Sparsity",
      by: ["William Fedus", "Barret Zoph", "Noam Shazeer"],
      year: 2021, link: "https://arxiv.org/abs/2101.03961"),
    summary: "Sends each token of a region to those few of several target regions that suit it best, "
      + "weighted by a learned softmax.",
    verification: "the formula written out; k of all targets as the whole softmax; derivatives by "
      + "differences")

  public static var trials: [Trial<Settings>] {
    // Enough tokens that every target gets some.
    var two = Settings()
    two.k = 2
    return [
      Trial(two, in: Slot(width: 5, outputWidth: 3, tokens: 12)),
      Trial(Settings(), in: Slot(width: 2, outputWidth: 4, tokens: 31)),
    ]
  }

  public let route: Projection
  public let projections: [Projection]
  private let k: Int

  /// `inputs` is what each target takes.
  /// - Throws: `InvalidInput` if there are fewer targets than a token should go to.
  public init(
    _ settings: Settings, sourceWidth: Int, inputs: [Int], weights: TractWeights = .fanInUniform,
    gain: Double = 1, using generator: inout RandomGenerator
  ) throws {
    try settings.validate()
    try require(
      settings.k <= inputs.count,
      "a router to \(inputs.count) regions cannot send a token to \(settings.k) of them; k can be up to"
        + " \(inputs.count)")
    k = settings.k
    route = Projection(sourceWidth, inputs.count, using: &generator)
    projections = inputs.map {
      Projection(sourceWidth, $0, weights: weights, gain: gain, using: &generator)
    }
  }

  public convenience init(
    _ settings: Settings, between ends: TractEnds, using generator: inout RandomGenerator
  ) throws {
    try self.init(
      settings, sourceWidth: ends.source.width, inputs: ends.targets.map(\.width), weights: ends.weights,
      gain: ends.gain, using: &generator)
  }

  public func carry(_ source: Tensor, target: Tensor?) -> [Tensor] { self(source) }

  public func callAsFunction(_ x: Tensor) -> [Tensor] {
    running {
      let p = softmax(route(x))
      let chosen = stopGradient(p).topK(k).indices.oneHot(count: projections.count, dtype: p.dtype)
      let gates = p * chosen.sum(axis: -2)
      return projections.enumerated().map { place, projection in
        projection(x) * gates.sliced(axis: -1, from: place, to: place + 1)
      }
    }
  }

  /// Three targets of the slot's output width: `x` in, `y0`, `y1`, `y2` out.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let inputs = [Int](repeating: slot.outputWidth, count: 3)
    let router = try Router(settings, sourceWidth: slot.width, inputs: inputs, using: &generator)
    func port(_ name: String, _ width: Int) -> TensorPort {
      TensorPort(name, [.free("batch"), .free("tokens"), .fixed(width)])
    }
    return Door(
      module: router, inputs: [port("x", slot.width)],
      outputs: inputs.indices.map { port("y\($0)", slot.outputWidth) }, sequenceAxis: 1, isCausal: true
    ) { tensors, _ in
      guard let x = tensors["x"] else { return [:] }
      let results = router(x)
      return Dictionary(uniqueKeysWithValues: results.enumerated().map { ("y\($0)", $1) })
    }
  }
}
