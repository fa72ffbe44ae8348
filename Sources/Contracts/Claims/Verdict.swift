/// What became of a claim, or of one of its conditions.
public enum Verdict: String, Sendable, Codable, CaseIterable {
  case holds
  /// There is a lead, but it is smaller than the smallest that was said to count.
  case smallerThanClaimed = "smaller than claimed"
  case contradicted
  /// All looks were taken and did not decide, or the run was stopped before they did.
  case undecided
  /// A gate failed: the experiment does not say anything about the claim.
  case notTested = "not tested"

  /// Reads what older versions stored too, which knew only of *inconclusive*.
  public init?(stored word: String) {
    guard let verdict = word == "inconclusive" ? .undecided : Verdict(rawValue: word) else { return nil }
    self = verdict
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let word = try container.decode(String.self)
    guard let verdict = Verdict(stored: word) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "there is no verdict '\(word)'")
    }
    self = verdict
  }

  /// Whether it is one of those that seeds decide.
  public var isDecided: Bool { self == .holds || self == .smallerThanClaimed || self == .contradicted }
}
