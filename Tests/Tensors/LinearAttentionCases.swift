import CallosumTensors
import CallosumTestSupport

// Linear attention; outputs and the last state are joined along time, as in
// Tests/Fixtures/cases/linear_attention.py.

extension Operation {
  static let linearAttentions: [Operation] = [
    Operation("linearAttention", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let (output, state) = linearAttention(
        queries: x["0 q"], keys: x["1 k"], values: x["2 v"], logDecay: x[optional: "4 decay"],
        scale: a[number: "scale"], initial: x["3 state"])
      return concatenated([output, state], axis: 2)
    },
    Operation("deltaRule", tolerance: Tolerance(relative: 5e-6, ofLargest: 5e-6)) { x, a in
      let (output, state) = deltaRule(
        queries: x["0 q"], keys: x["1 k"], values: x["2 v"], beta: x["5 beta"],
        logDecay: x[optional: "4 decay"], scale: a[number: "scale"], initial: x["3 state"])
      return concatenated([output, state], axis: 2)
    },
  ]
}
