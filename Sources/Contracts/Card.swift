/// What a part is and where it comes from.
public struct Card: Codable, Sendable, Equatable {
  /// Short name on the command line, such as `softmax-attention`.
  public let id: String
  public let name: String
  public let family: Family
  /// Title of the paper that introduced it.
  public let paper: String
  public let year: Int
  /// What it does and what it is for, in a few sentences.
  public let summary: String
  /// What its numbers were checked against.
  public let verification: String

  public init(
    id: String, name: String, family: Family, paper: String, year: Int, summary: String,
    verification: String
  ) {
    self.id = id
    self.name = name
    self.family = family
    self.paper = paper
    self.year = year
    self.summary = summary
    self.verification = verification
  }
}

/// The rooms that parts live in.
public enum Family: String, Codable, Sendable, CaseIterable {
  case mixers, neurons, learning, memory, fields, modularity, recordings, insight
}
