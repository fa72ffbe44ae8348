import CallosumLab
import Foundation
import Testing

@Suite struct FindingTests {
  @Test func aLeadThatMayBeChanceIsNoVictory() {
    let finding = Finding(SampleComparison.make())
    #expect(
      finding.headline
        == "No clear winner on Fashion-MNIST: Depthwise 7x7 convolution came first,"
        + " 88.50 ± 0.22 %, but its lead over Softmax self-attention may be chance.")
    #expect(finding.detail.hasSuffix("Clearly behind: Spatial MLP and Average pooling."))
  }

  @Test func separateIntervalsAreAVictory() {
    #expect(
      Finding(SampleComparison.make(gap: 0.03)).headline
        == "Depthwise 7x7 convolution did best on Fashion-MNIST: 91.50 ± 0.22 %,"
        + " ahead of every other by more than the seeds vary.")
  }

  @Test func oneSeedProvesNothing() {
    #expect(
      Finding(SampleComparison.make(seeds: [1])).headline.hasSuffix(
        "; one seed cannot tell that from luck."))
  }

  @Test func oneArmIsNoComparison() {
    #expect(
      Finding(SampleComparison.make(arms: 1)).headline
        == "Average pooling reached 86.13 ± 0.45 % test accuracy on Fashion-MNIST.")
  }

  @Test func nothingCompleted() {
    #expect(
      Finding(SampleComparison.make(seeds: [])).headline
        == "No run was completed on Fashion-MNIST.")
  }

  @Test func armsThatNeverFinishedAreNotBeaten() {
    #expect(
      Finding(SampleComparison.make(stopsEarly: true)).headline
        == "Softmax self-attention did best on Fashion-MNIST, among the arms that"
        + " finished: 88.24 ± 0.11 %, ahead of every other by more than the seeds vary.")
  }

  @Test func twoEqualArms() {
    var result = SampleComparison.make(arms: 2)
    result.arms[1].runs = result.arms[0].runs
    let finding = Finding(result)
    #expect(finding.headline.contains("may be chance"))
    #expect(finding.detail.contains("an interval that includes zero"))
  }

  @Test func anAccuracyThatIsNoNumberDoesNotCount() {
    var result = SampleComparison.make(gap: 0.03)
    result.arms[0].runs[0].testScore = .nan
    #expect(Finding(result).headline.contains("Depthwise 7x7 convolution"))
  }

  @Test func resultSurvivesJSON() throws {
    var result = SampleComparison.make(stopsEarly: true)
    #expect(try Comparison(json: result.json()) == result)
    result.arms[0].runs[0].curve[3].trainingLoss = .infinity
    #expect(try Comparison(json: result.json()) == result)
    result.arms[0].runs[0].curve[3].trainingLoss = .nan
    #expect(try result.json().contains("\"trainingLoss\" : \"nan\""))
  }

  /// Means and intervals are those of the table.
  @Test func jsonHoldsMeansAndIntervals() throws {
    let result = SampleComparison.make(gap: 0.03)
    let json = try JSONSerialization.jsonObject(with: Data(result.json().utf8)) as? [String: Any]
    let summary = try #require(json?["summary"] as? [String: Any])
    #expect(summary["finding"] as? String == Finding(result).headline)
    let arms = try #require(summary["arms"] as? [[String: Any]])
    #expect(arms.count == 4)
    for (arm, entry) in zip(result.arms, arms) {
      let estimate = try #require(Estimate(of: arm.runs.compactMap(\.testScore)))
      let accuracy = try #require(entry["testScore"] as? [String: Double])
      #expect(entry["id"] as? String == arm.id && entry["completeRuns"] as? Int == 3)
      #expect(accuracy["seeds"] == 3)
      // Reading JSON may round the last digit differently.
      for (name, value) in [
        ("mean", estimate.mean), ("low", estimate.interval?.lowerBound),
        ("high", estimate.interval?.upperBound),
      ] {
        let read = try #require(accuracy[name]), expected = try #require(value)
        #expect(abs(read - expected) < 1e-14)
      }
    }
    let lead = try #require(arms[0]["againstTheBest"] as? [String: Double])
    #expect((lead["mean"] ?? 0) < 0)
    let none = try Comparison(json: SampleComparison.make(seeds: [], arms: 1).json()).json()
    #expect(none.contains("\"completeRuns\" : 0"))
  }

  @Test func thisMachineIsDescribed() {
    let machine = Machine.current(
      threads: 2, instructionSet: "AVX2", libraries: ["b": "2", "a": "1"], callosumVersion: "0.1.0")
    #expect(machine.cores > 0 && machine.memory > 0)
    #expect(machine.rows.contains { $0.name == "Libraries" && $0.value == "a 1, b 2" })
  }
}
