/// Looks into something trained: a finding about a subject. Probes judge on other samples than those they
/// select with.
public protocol Probe: Mechanism {
  associatedtype Subject
  associatedtype Finding
  func examine(_ subject: Subject) throws -> Finding
}

extension Probe {
  public static var kind: Kind { .probe }
}

/// A computation with a beginning and an end: a clustering, a search, the check of a theorem.
public protocol Procedure: Mechanism {
  associatedtype Input
  associatedtype Outcome
  func run(_ input: Input) throws -> Outcome
}

extension Procedure {
  public static var kind: Kind { .procedure }
}
