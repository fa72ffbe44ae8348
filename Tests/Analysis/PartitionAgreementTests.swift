import CallosumAnalysis
import CallosumTestSupport
import Testing

/// scikit-learn's adjusted_rand_score and normalized_mutual_info_score: Tests/Fixtures/analysis/agreement.py.
@Suite struct PartitionAgreementTests {
  @Test(
    arguments: [
      "random", "near", "renamed", "finer", "against", "singles", "one and singles", "one",
    ]) func agreesWithScikitLearn(_ name: String) throws
  {
    let golden = try Golden.tensors("analysis/agreement").group("\(name).")
    let a = try #require(golden["a"]).doubles.map { Int($0) }
    let b = try #require(golden["b"]).doubles.map { Int($0) }
    let scores = try #require(golden["scores"]).doubles
    for (a, b) in [(a, b), (b, a)] {
      #expect(abs(adjustedRandIndex(a, b) - scores[0]) < 1e-12)
      #expect(abs(normalisedMutualInformation(a, b) - scores[1]) < 1e-12)
    }
  }

  @Test func nothingAgrees() {
    #expect(adjustedRandIndex([], []) == 1)
    #expect(normalisedMutualInformation([], []) == 1)
  }
}
