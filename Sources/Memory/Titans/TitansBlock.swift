import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Attention as short-term memory together with a ``Titans`` as long-term memory and learned tokens
/// that belong to no time, P (Titans, section 4). With M(x) for "learn x, then recall by x":
///
///     context:  h = M_0(q),  y = attention over [P; h; segment],  o = W (norm(y) * SiLU(norm(M(y))))
///     gate:     y = sliding attention over [P; x],  o = W (norm(y) * SiLU(norm(M([P; x]))))
///     layer:    o = sliding attention over M([P; x])
///
/// In the context form M_0 are the memory's weights at the segment's beginning; a segment is one chunk of
/// the memory. A token sees what was recalled for tokens up to itself only: the paper lets it see the whole
/// segment's, which would show it later tokens. In the other forms the memory learns P before anything else.
///
/// [batch, tokens, width] -> the same shape. Parameters: `persistent.tokens` [count, width], `attention`
/// (``SlidingAttention``), `memory`, `attentionNorm`, `memoryNorm` [width], `output.weight` [width, width],
/// and `query.weight` [width, width] in the context form. The paper leaves open how y and M are multiplied:
/// it speaks of norms with learned weights and a nonlinearity.
public final class TitansBlock: UnitMechanism {
  public enum Form: String, Codable, Sendable, CaseIterable {
    case context, gate, layer
  }

  public struct Settings: Configuration {
    /// Where the memory stands: as context before the attention, as a gate beside it, or as a layer before it.
    public var form = Form.context
    /// Heads of the attention that share the width equally.
    public var heads = 4
    /// Tokens that a token sees by attention, itself among them; the context form sees its segment.
    public var window = 16
    /// Learned tokens that belong to no time.
    public var persistent = 4
    /// Tokens that convolutions of the attention see.
    public var kernel = 4
    /// The long-term memory.
    public var memory = Titans.Settings()
    public init() {}

    public func validate() throws {
      for (name, value, least) in [
        ("heads", heads, 1), ("window", window, 2), ("persistent", persistent, 0), ("kernel", kernel, 1),
      ] {
        try require((least...100_000).contains(value), "\(name) must be at least \(least), is \(value)")
      }
      try memory.validate()
      try require(memory.size == 0, "a block's memory has the block's width: leave its size at 0")
    }
  }

  public static let kind = Kind.memory
  public static let card = Card(
    id: "titans-block", name: "Titans block", family: .memory,
    paper: Titans.card.paper,
    summary: "Attention over what is near, a memory that learns while it reads for what is far, and "
      + "learned tokens for what never changes; the memory as context, as gate or as a layer before.",
    verification:
      "its memory against titans-pytorch; its attention against the formula written out; causality and carried state"
  )

  public static var trials: [Trial<Settings>] {
    var gate = Settings(), layer = Settings(), context = Settings()
    (gate.form, gate.heads, gate.window, gate.memory.expansion, gate.kernel) = (.gate, 1, 3, 1, 1)
    (layer.form, layer.heads, layer.window, layer.persistent) = (.layer, 3, 4, 0)
    (layer.memory.depth, layer.memory.chunk) = (1, 3)
    (context.heads, context.memory.chunk, context.memory.expansion, context.kernel) = (2, 3, 2, 2)
    return [
      Trial(gate, in: Slot(width: 5, tokens: 7)), Trial(layer, in: Slot(width: 6, tokens: 5)),
      Trial(context, in: Slot(width: 4, tokens: 7)),
    ]
  }

  /// Learned tokens before every sequence.
  public final class PersistentMemory: Module {
    @Parameter public var tokens: Tensor
    init(_ tokens: Tensor) { self.tokens = tokens }
    /// [batch, count, width]
    func batch(_ count: Int) -> Tensor {
      tokens.expandedDimensions(axis: 0).broadcast(to: [count] + tokens.shape)
    }
  }

  public let persistent: PersistentMemory?
  public let attention: SlidingAttention
  public let memory: Titans
  public let query, output: Linear?
  public let attentionNorm, memoryNorm: RMSNorm?
  private let form: Form

  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    let width = slot.width
    try require(
      width % settings.heads == 0, "titans-block: width \(width) does not divide into \(settings.heads) heads"
    )
    form = settings.form
    persistent =
      settings.persistent > 0
      ? PersistentMemory(generator.normal([settings.persistent, width], standardDeviation: 0.02)) : nil
    attention = SlidingAttention(
      width, heads: settings.heads, window: settings.window, kernel: settings.kernel, using: &generator)
    memory = try Titans(settings.memory, in: slot, using: &generator)
    query = form == .context ? Linear(width, width, bias: false, using: &generator) : nil
    let isGated = form != .layer
    output = isGated ? Linear(width, width, bias: false, using: &generator) : nil
    (attentionNorm, memoryNorm) = isGated ? (RMSNorm(width), RMSNorm(width)) : (nil, nil)
  }

  // MARK: State

  public func initialState(batch: Int) -> State {
    var remembered = memory.initialState(batch: batch)
    if form != .context, let persistent {
      remembered = memory(persistent.batch(batch), remembered).state
    }
    let near =
      form == .context
      ? attention.segmentState(batch: batch, segment: memory.settings.chunk)
      : attention.initialState(batch: batch)
    return joined(near, remembered)
  }

  private func joined(_ near: State, _ remembered: State) -> State {
    var all: [String: Tensor] = [:]
    for (name, tensor) in near.tensors { all["attention.\(name)"] = tensor }
    for (name, tensor) in remembered.tensors { all["memory.\(name)"] = tensor }
    return State(all)
  }

  private func part(_ prefix: String, of state: State) -> State {
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in state.tensors where name.hasPrefix(prefix + ".") {
      tensors[String(name.dropFirst(prefix.count + 1))] = tensor
    }
    return State(tensors)
  }

  // MARK: Forms

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    var near = part("attention", of: state), remembered = part("memory", of: state)
    let y: Tensor
    switch form {
    case .context: y = withContext(x, &near, &remembered)
    case .gate:
      let recalled = learned(x, &remembered)
      y = gated(attended(x, persistent?.batch(1), &near), recalled)
    case .layer:
      // What the memory makes of the learned tokens does not depend on the sequence.
      let before = persistent.map { memory($0.batch(1), memory.initialState(batch: 1)).output }
      y = attended(learned(x, &remembered), before, &near)
    }
    return (y, joined(near, remembered))
  }

  private func learned(_ x: Tensor, _ state: inout State) -> Tensor {
    let (y, after) = memory(x, state)
    state = after
    return y
  }

  private func attended(_ x: Tensor, _ prefix: Tensor?, _ state: inout State) -> Tensor {
    let (y, after) = attention.attend(x, prefix: prefix, state)
    state = after
    return y
  }

  private func gated(_ y: Tensor, _ recalled: Tensor) -> Tensor {
    guard let output, let attentionNorm, let memoryNorm else { return y }
    return output(attentionNorm(y) * silu(memoryNorm(recalled)))
  }

  /// Segment by segment, each beginning with what the memory knew before it; rows that are at different places
  /// of their segments apart.
  private func withContext(_ x: Tensor, _ near: inout State, _ remembered: inout State) -> Tensor {
    let (outputs, after) = memory.byPlace([x], joined(near, remembered), place: "memory.place") {
      inputs, state, place in
      var near = part("attention", of: state), remembered = part("memory", of: state)
      let y = inStep(inputs[0], &near, &remembered, place: place - 1)
      return ([y], joined(near, remembered))
    }
    (near, remembered) = (part("attention", of: after), part("memory", of: after))
    return outputs[0]
  }

  private func inStep(
    _ x: Tensor, _ near: inout State, _ remembered: inout State, place first: Int
  ) -> Tensor {
    guard let query else { return x }
    let segment = memory.settings.chunk
    var outputs: [Tensor] = []
    var done = 0, place = first
    while done < x.dim(1) {
      let count = min(segment - place, x.dim(1) - done)
      let piece = x.sliced(axis: 1, from: done, to: done + count)
      let recalled = memory.readOrigin(memory.normalised(query(piece)), from: remembered, place: place + 1)
      let (y, after) = attention.attendInSegment(
        piece, recalled: recalled, prefix: persistent?.batch(1), place: place, segment: segment, near)
      near = after
      outputs.append(gated(y, learned(y, &remembered)))
      done += count
      place = (place + count) % segment
    }
    return outputs.isEmpty ? x : concatenated(outputs, axis: 1)
  }
}
