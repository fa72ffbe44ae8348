import Callosum

/// One thing to time: `prepare` makes data and networks once and returns a step.
struct Workload: Sendable {
  let name: String
  let prepare: @Sendable () throws -> () -> Void
  /// Numbers that the other side must find too, from data and weights that both make alike; for systems.
  var compared: (@Sendable () throws -> [Double])?

  static let all: [Workload] =
    operations + networks + recurrent + sequences + fields + systems.flatMap { $0.workloads }
}

/// A workload at many sizes: `prepare` makes that of size x. Benchmarks/curves.py says which x.
struct Curve: Sendable {
  let name: String
  let prepare: @Sendable (_ x: Double) -> () -> Void

  static let all: [Curve] = sequenceCurves + recurrentCurves + systems.flatMap { $0.curves }
}

/// Random numbers for data and weights; every workload starts its own.
func generator() -> RandomGenerator { RandomGenerator(seed: 1) }
