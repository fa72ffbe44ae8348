import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A continuous modern Hopfield network as a layer (Ramsauer et al. 2020): state patterns retrieve from
/// stored patterns; see ``HopfieldAssociation`` for the formula and ``HopfieldEnergy`` for the theory.
///
/// As a layer on tokens every token is a state pattern and a stored one. As a `Memory` what is written is
/// kept as it is, any number of patterns, and a read retrieves from all of it.
public final class ModernHopfield: Memory {
  public typealias Settings = HopfieldAssociation.Settings

  public static let card = Card(
    id: "modern-hopfield", name: "Modern Hopfield network", family: .memory,
    paper: Paper(
      "Hopfield Networks is All You Need",
      by: [
        "Hubert Ramsauer", "Bernhard Schäfl", "Johannes Lehner", "Philipp Seidl", "Michael Widrich",
        "Thomas Adler", "Lukas Gruber", "Markus Holzleitner", "Milena Pavlović", "Geir Kjetil Sandve",
        "Victor Greiff", "David Kreil", "Michael Kopp", "Günter Klambauer", "Johannes Brandstetter",
        "Sepp Hochreiter",
      ],
      year: 2020, link: "https://arxiv.org/abs/2008.02217"),
    summary: "An associative memory for real-valued patterns: one update leads from a noisy pattern to "
      + "the stored one. Its capacity grows exponentially with the width, and its update is attention.",
    verification: "the authors' hopfield-layers (commit f56f929): outputs and gradients; energy and "
      + "retrieval bounds of the paper")

  public static var trials: [Trial<Settings>] {
    var narrow = Settings(), iterated = Settings()
    (narrow.heads, narrow.headWidth, narrow.beta, narrow.bias) = (3, 5, 0.7, false)
    (iterated.heads, iterated.updates, iterated.tolerance, iterated.normalised) = (2, 4, 0, false)
    iterated.learnedBeta = true
    return [
      Trial(narrow, in: Slot(width: 7, outputWidth: 4, tokens: 5)),
      Trial(iterated, in: Slot(width: 6, tokens: 2)),
    ]
  }

  public let association: HopfieldAssociation
  public var withoutGradient: [String: String] { association.withoutGradient }
  public var takesAnyLength: Bool { true }
  private let slot: Slot

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.slot = slot
    association = try HopfieldAssociation(
      settings, width: slot.width, outputWidth: slot.outputWidth, part: Self.card.id, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    State(["patterns": .zeros([batch, 0, slot.width])])
  }

  /// Patterns are their own keys: what is stored are the values.
  public func write(keys: Tensor, values: Tensor, to state: State) -> State {
    State(["patterns": concatenated([state["patterns"], values], axis: 1)])
  }

  public func read(_ queries: Tensor, from state: State) -> Tensor {
    association(queries, state["patterns"])
  }

  /// Tokens retrieve from what was stored before and from each other; nothing is stored.
  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let stored = concatenated([state["patterns"].asType(x.dtype), x], axis: 1)
    return (association(x, stored), state)
  }

  /// `x` [batch, tokens, width] retrieves from `stored` [batch, patterns, width], or from itself where
  /// that is not given, and reads `values`, or what is stored; `mask` [batch, patterns] holds 0 for patterns that
  /// are not there, `associationMask` [batch, tokens, patterns] for those that a state must not find.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let layer = try ModernHopfield(settings, in: slot, using: &generator)
    let patterns: [TensorPort.Extent] = [.free("batch"), .free("patterns")]
    return Door(
      module: layer,
      inputs: [
        TensorPort("x", [.free("batch"), .free("tokens"), .fixed(slot.width)]),
        TensorPort("stored", patterns + [.fixed(slot.width)], isOptional: true),
        TensorPort("values", patterns + [.fixed(slot.width)], isOptional: true),
        TensorPort("mask", patterns, .indices(below: 2), isOptional: true),
        TensorPort(
          "associationMask", [.free("batch"), .free("tokens"), .free("patterns")], .indices(below: 2),
          isOptional: true),
      ],
      outputs: [TensorPort("y", [.free("batch"), .free("tokens"), .fixed(slot.outputWidth)])],
      withoutGradient: layer.withoutGradient
    ) { tensors, _ in
      guard let x = tensors["x"] else { return [:] }
      let y = layer.association(
        x, tensors["stored"] ?? x, values: tensors["values"], mask: tensors["mask"].map { $0 .> 0 },
        associationMask: tensors["associationMask"].map { $0 .> 0 })
      return ["y": y]
    }
  }
}
