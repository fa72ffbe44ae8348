import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Testing

@Suite struct NearestNameTests {
  @Test(arguments: [
    ("softmax-atention", "softmax-attention"), ("Pooling", "pooling"), ("poolin", "pooling"),
    ("spatialmlp", "spatial-mlp"), ("a", "b"), ("mlp", "spatial-mlp"), ("Attention", "softmax-attention"),
  ]) func finds(_ name: String, _ nearest: String) {
    #expect(nearestName(to: name, in: ["softmax-attention", "pooling", "spatial-mlp", "b"]) == nearest)
  }

  @Test func givesUpOnWhatIsFar() {
    #expect(nearestName(to: "retina", in: ["softmax-attention", "pooling"]) == nil)
    #expect(nearestName(to: "x", in: []) == nil)
  }

  @Test func equalDistancesGoByName() { #expect(nearestName(to: "cat", in: ["hat", "bat"]) == "bat") }

  @Test func theMessageListsWhatThereIs() {
    #expect(
      unknownName("task", "chess", in: ["fashion-mnist", "digits"]).description
        == "unknown task 'chess'; there are: digits, fashion-mnist")
  }
}

/// A mixer that does nothing.
private final class Idle: TokenMixer {
  struct Settings: Configuration { var count = 1 }
  static let card = Card(
    id: "idle", name: "Idle", family: .mixers, paper: Paper("None", by: ["Nobody"], year: 2000, link: nil),
    summary: "", verification: "")
  static let needsGrid = true
  static let trials: [Trial<Settings>] = []
  init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {}
  func forward(_ x: Tensor) -> Tensor { x }
}

@Suite struct CatalogueTests {
  @Test func findsByID() throws {
    let catalogue = Catalogue([Part(Idle.self)])
    #expect(try catalogue.part("idle").card.name == "Idle")
    #expect(throws: InvalidInput("unknown part 'idel'; did you mean 'idle'?")) { try catalogue.part("idel") }
  }

  @Test func twoPartsWithOneID() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Catalogue([Part(Idle.self)], [Part(Idle.self)])
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("two parts have the id idle"))
  }

  @Test func anEntryChecksBeforeItBuilds() throws {
    let part = Part(Idle.self)
    #expect(part.needsGrid && part.kind == .tokenMixer)
    var random = RandomGenerator(seed: 1)
    #expect(throws: InvalidInput("idle needs tokens in a grid, but this slot holds a sequence")) {
      try part.tokenMixer(in: Slot(width: 3, tokens: 5), using: &random)
    }
    #expect(throws: InvalidInput("configuration of idle: unknown key 'cont'; did you mean 'count'?")) {
      try part.unit(
        .object(["cont": .integer(1)]), in: Slot(width: 3, rows: 1, columns: 5), using: &random)
    }
    #expect(Part(Idle.self).defaults == .object(["count": .integer(1)]))
  }
}
