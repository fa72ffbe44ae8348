import CallosumContracts
import Testing

@Suite struct PaperTests {
  private let paper = Paper(
    "On the \"what\" of A & B", by: ["Ámbar Schölkopf", "Ida B. Wells"], year: 1999,
    link: "https://doi.org/10.1000/a_b")

  @Test func isAnEntryOfABibliography() {
    #expect(
      paper.bibTeX == """
        @misc{scholkopf1999what,
          title = {{On the "what" of A \\& B}},
          author = {Ámbar Schölkopf and Ida B. Wells},
          year = {1999},
          url = {https://doi.org/10.1000/a_b}
        }
        """)
    #expect(paper.citation == "Ámbar Schölkopf, Ida B. Wells: On the \"what\" of A & B, 1999")
    let other = Paper("All", by: ["Nobody"], year: 1, link: nil)
    #expect(other.bibTeX == "@misc{nobody1,\n  title = {{All}},\n  author = {Nobody},\n  year = {1}\n}")
    #expect(Paper.bibliography([paper, other, paper]) == [other, paper])
  }

  /// A card's JSON has the paper's fields among its own, as it had before it knew authors.
  @Test func isPartOfItsCard() throws {
    let card = Card(
      id: "a", name: "A", family: .mixers, paper: paper, summary: "It is A.", verification: "seen")
    #expect(
      try JSONValue(encoding: card) == [
        "id": "a", "name": "A", "family": "mixers", "paper": "On the \"what\" of A & B",
        "authors": ["Ámbar Schölkopf", "Ida B. Wells"], "year": 1999, "link": "https://doi.org/10.1000/a_b",
        "summary": "It is A.", "verification": "seen",
      ])
  }
}
