import CallosumContracts
import CallosumNetworks
import CallosumNeurons
import CallosumTensors
import CallosumTestSupport
import Testing

/// Neurons of snnTorch and SpikingJelly, and the adaptive ones' equations: spikes, last states, gradients of input and
/// every constant (lif.py).
@Suite struct LIFTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let width: Int
    var neurons: @Sendable (inout LIF.Settings) -> Void
    var adapts = false

    init(
      _ name: String, width: Int = 5, adapts: Bool = false,
      _ neurons: @escaping @Sendable (inout LIF.Settings) -> Void
    ) {
      (testDescription, self.width, self.adapts, self.neurons) = (name, width, adapts, neurons)
    }

    static let all = [
      Case("snntorch subtract") {
        ($0.spikes.timing, $0.spikes.strict) = (.nextStep, true)
      },
      Case("snntorch zero") {
        ($0.spikes.strict, $0.spikes.reset) = (true, .zero)
        ($0.spikes.derivative.surrogate, $0.spikes.derivative.slope, $0.bias, $0.eachNeuron) = (
          .sigmoid, 5, false, true
        )
      },
      Case("snntorch synaptic", width: 3) {
        ($0.spikes.timing, $0.spikes.strict, $0.synapseLeak) = (.nextStep, true, 0.5)
        ($0.spikes.derivative.surrogate, $0.spikes.derivative.slope) = (.arctangent, 2)
      },
      Case("snntorch recurrent") {
        ($0.spikes.timing, $0.spikes.strict, $0.spikes.derivative.slope, $0.recurrent) = (
          .nextStep, true, 10, true
        )
      },
      Case("spikingjelly") {
        ($0.scalesInput, $0.spikes.reset, $0.spikes.derivative.detachesReset) = (true, .zero, false)
        ($0.spikes.derivative.surrogate, $0.spikes.derivative.slope) = (.sigmoid, 4)
      },
      Case("spikingjelly soft") { $0.spikes.derivative.surrogate = .arctangent },
      Case("alif", adapts: true) { $0.scalesInput = true },
      Case("alif each", adapts: true) {
        ($0.recurrent, $0.spikes.refractory, $0.eachNeuron) = (false, 0, true)
      },
    ]

    func door() throws -> Door {
      var random = RandomGenerator(seed: 1)
      let slot = Slot(width: width, outputWidth: 4, tokens: 11)
      if adapts {
        var settings = ALIF.Settings()
        neurons(&settings.lif)
        return try ALIF.door(settings, in: slot, using: &random)
      }
      var settings = LIF.Settings()
      neurons(&settings)
      return try LIF.door(settings, in: slot, using: &random)
    }
  }

  @Test(arguments: Case.all) func agreesWithTheirs(_ one: Case) throws {
    let golden = try Golden.tensors("lif", beside: #filePath)
    let problems = try goldenProblems(one.door(), one.testDescription, in: golden)
    #expect(problems.isEmpty, "\(problems)")
  }
}
