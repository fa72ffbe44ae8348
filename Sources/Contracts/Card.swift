/// What a part is and where it comes from.
public struct Card: Sendable, Equatable {
  /// Short name on the command line, such as `softmax-attention`.
  public let id: String
  public let name: String
  public let family: Family
  /// What introduced it.
  public let paper: Paper
  /// What it does and what it is for, in a few sentences.
  public let summary: String
  /// What its numbers were checked against.
  public let verification: String

  public init(
    id: String, name: String, family: Family, paper: Paper, summary: String, verification: String
  ) {
    self.id = id
    self.name = name
    self.family = family
    self.paper = paper
    self.summary = summary
    self.verification = verification
  }
}

extension Card: Encodable {
  private enum CodingKeys: String, CodingKey {
    case id, name, family, paper, authors, year, link, summary, verification
  }

  /// In one piece with the paper.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(id, forKey: .id)
    try container.encode(name, forKey: .name)
    try container.encode(family, forKey: .family)
    try container.encode(paper.title, forKey: .paper)
    try container.encode(paper.authors, forKey: .authors)
    try container.encode(paper.year, forKey: .year)
    try container.encodeIfPresent(paper.link, forKey: .link)
    try container.encode(summary, forKey: .summary)
    try container.encode(verification, forKey: .verification)
  }
}

/// The rooms that parts live in.
public enum Family: String, Codable, Sendable, CaseIterable {
  case mixers, neurons, learning, memory, fields, modularity, recordings, insight
}
