import Callosum

/// What 16 heads look at in 128 prompts of 64 tokens while they write four.
private struct Looks {
  private let door: Door
  private let inputs: [String: Tensor]

  init() throws {
    var random = generator()
    let tokens = patternOfLabels([128, 64], below: 48, 1)
    // The needle stands at places 20 to 23, and all of it is written but every fifth token.
    let needle = Tensor((0..<128 * 64).map { Int32(20..<24 ~= $0 % 64 ? 1 : 0) }, [128, 64])
    let errors = (patternOfLabels([128, 4], below: 5, 2) .== 0).asType(.int32)
    let written = tokens.sliced(axis: 1, from: 20, to: 24) * (1 - errors)
    // A third of the looks is at the needle.
    let weights = pattern([128, 2, 8, 4, 64], 3) * 0.25 + 0.25
    let places = patternOfLabels([128, 2, 8, 4], below: 12, 4).expandedDimensions(axis: -1) + 20
    let looks = which(Tensor.arange(64) .== places, Tensor(Float(1)), weights)
    door = try RetrievalHead.door(.init(), in: Slot(width: 48, tokens: 64), using: &random)
    inputs = ["weights": looks, "tokens": tokens, "needle": needle, "written": written]
  }

  func scores() throws -> [String: Tensor] {
    var random = generator()
    return try door(inputs, using: &random)
  }
}

extension RetrievalHead: Benchmarked {
  static let workloads: [Workload] = [
    Workload(
      name: "retrieval_head_scores",
      prepare: {
        let looks = try Looks()
        return { _ = try? looks.scores() }
      },
      compared: {
        let found = try Looks().scores()
        return ["scores", "recall"].compactMap { found[$0]?.sum().item() }
      })
  ]
}
