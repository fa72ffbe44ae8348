import Callosum

/// One thing to time: `prepare` makes data and networks once and returns a step.
struct Workload: Sendable {
  let name: String
  let prepare: @Sendable () -> () -> Void

  static let all: [Workload] = operations + networks + recurrent + fields
}

/// Random numbers for data and weights; every workload starts its own.
func generator() -> RandomGenerator { RandomGenerator(seed: 1) }
