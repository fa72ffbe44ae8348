import CallosumContracts

/// What a process that runs a part of a claim tells the one that started it, a line of JSON each.
package enum ClaimMessage: Sendable, Equatable, Codable {
  case progress(Double)
  case point(step: Int, metric: String, value: Double)
  case result(ClaimReport.Run)
  /// Ended without a result, and why.
  case failed(String)

  package var line: String {
    get throws { try ResultCoding.text(self) }
  }

  package init(line: String) throws { self = try ResultCoding.value(line) }
}
