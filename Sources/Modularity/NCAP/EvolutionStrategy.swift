import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Learning without derivatives (Salimans et al. 2017, as estorch does it): weights w are tried with normal
/// changes ε and with their opposites, and w moves with Adam along
///
///     sum over all tries of rank ε / (tries sigma),
///
/// ε of standard deviation sigma, ranks of the returns from -1/2 (worst) to 1/2 (best), each element between -1
/// and 1, less the decay times w.
public final class EvolutionStrategy {
  public struct Settings: Configuration {
    /// Changes that are tried in a generation, each with its opposite.
    public var pairs = 16
    public var sigma = 0.02
    public var learningRate = 0.01
    /// Of squared weights.
    public var decay = 0.005
    public init() {}

    public func validate() throws {
      try require((1...100_000).contains(pairs), "pairs must be from 1 to 100000, is \(pairs)")
      try require(sigma > 0 && sigma.isFinite, "sigma must be above 0, is \(sigma)")
      try require(learningRate >= 0 && decay >= 0, "learningRate and decay must be at least 0")
    }
  }

  public let settings: Settings
  private let parameters: [NamedParameter]
  private let optimiser: Adam
  private var generator: RandomGenerator

  public init(_ module: any Module, _ settings: Settings = Settings(), using generator: RandomGenerator)
    throws
  {
    try settings.validate()
    self.settings = settings
    self.generator = generator
    parameters = module.parameters()
    optimiser = Adam(parameters, learningRate: settings.learningRate, weightDecay: settings.decay)
  }

  /// One generation. `returns` gets sets of weights by name, [1 + 2 pairs] + the parameter's shape, and gives as
  /// many returns; the first set is the weights as they are.
  /// - Returns: what `returns` gave.
  @discardableResult
  public func generation(_ returns: (_ sets: [String: Tensor]) throws -> [Double]) rethrows -> [Double] {
    let changes = parameters.map { parameter in
      let half = generator.normal([settings.pairs] + parameter.value.shape) * settings.sigma
      return concatenated([half, -half])
    }
    let sets = zip(parameters, changes).map { parameter, change in
      let now = parameter.value.expandedDimensions(axis: 0)
      return (parameter.name, concatenated([now, now + change]))
    }
    let found = try returns(Dictionary(uniqueKeysWithValues: sets))
    let tries = 2 * settings.pairs
    precondition(
      found.count == tries + 1, "EvolutionStrategy", "needs \(tries + 1) returns, got \(found.count)")
    let ranks = Tensor(Self.ranks(Array(found.dropFirst()))).asType(.float32)
    optimiser.update(
      changes.map { change in
        let along = ranks.reshaped([tries] + [Int](repeating: 1, count: change.ndim - 1))
        return clip(-(along * change).sum(axis: 0) / (Double(tries) * settings.sigma), min: -1, max: 1)
      })
    return found
  }

  /// Evenly from -1/2 for the least to 1/2 for the largest; of equal returns the earlier ranks lower.
  public static func ranks(_ returns: [Double]) -> [Double] {
    var ranks = returns.map { _ in 0.0 }
    let order = returns.indices.sorted { (returns[$0], $0) < (returns[$1], $1) }
    for (rank, place) in order.enumerated() {
      ranks[place] = returns.count > 1 ? Double(rank) / Double(returns.count - 1) - 0.5 : 0
    }
    return ranks
  }
}
