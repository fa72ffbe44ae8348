import CallosumContracts
import CallosumNetworks
import CallosumNeurons
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Spikes and states of Brian2 (of SciPy where they turn), and gradients of the same equations in PyTorch (point_neurons.py).
@Suite struct PointNeuronTests {
  private static let golden = try? Golden.tensors("point-neurons", beside: #filePath)

  private func check<Neuron: NeuronModel>(
    _ name: String, _ type: Neuron.Type, _ change: (inout Neuron.Settings) -> Void
  ) throws {
    var settings = Neuron.Settings(), random = RandomGenerator(seed: 1)
    change(&settings)
    let golden = try #require(Self.golden)
    let door = try Neuron.door(settings, in: Slot(width: 5, outputWidth: 3, tokens: 8), using: &random)
    let problems = try goldenProblems(door, name, in: golden, float32: 2e-3)
    #expect(problems.isEmpty, "\(problems)")
  }

  @Test func izhikevich() throws {
    try check("izhikevich", Izhikevich.self) { _ in }
    try check("izhikevich chattering", Izhikevich.self) {
      ($0.kind, $0.scale, $0.time.timeStep, $0.time.substeps) = (.chattering, 20, 2, 5)
      $0.derivative.detachesReset = false
    }
  }

  @Test func adaptiveExponential() throws {
    try check("adex", AdEx.self) { $0.scale = 1000 }
    try check("adex bursting", AdEx.self) {
      ($0.adaptationTau, $0.coupling, $0.reset, $0.time.substeps, $0.scale) = (20, 6, -48, 4, 1000)
      $0.derivative.detachesReset = false
    }
  }

  @Test func hodgkinHuxley() throws { try check("hodgkin-huxley", HodgkinHuxley.self) { _ in } }

  @Test func resonateAndFire() throws {
    try check("resonate-and-fire", ResonateAndFire.self) { _ in }
    try check("resonate-and-fire fine", ResonateAndFire.self) {
      ($0.time.timeStep, $0.time.substeps, $0.derivative.detachesReset) = (2, 4, false)
    }
  }

  /// Spikes in 500 ms under a constant current.
  private func rate<Neuron: NeuronModel>(_ type: Neuron.Type, _ current: Double) throws -> Double {
    var random = RandomGenerator(seed: 1)
    let neuron = try Neuron(Neuron.Settings(), in: Slot(width: 1, tokens: 500), using: &random)
    for one in neuron.parameters() where one.name.hasPrefix("weights") {
      one.value = one.name.hasSuffix("bias") ? .zeros([1]) : .ones([1, 1])
    }
    return neuron(.full([1, 500, 1], current), neuron.initialState(batch: 1)).output.sum().item()
  }

  /// What the papers say of each kind: thresholds, and frequencies that rise from them.
  @Test func firesMoreUnderMoreCurrent() throws {
    // Regular spiking needs about 4; 10 gives some 20 spikes a second.
    let simple = try [0.3, 0.5, 1, 2].map { try rate(Izhikevich.self, $0) }
    #expect(simple[0] == 0 && simple[1] > 0 && (8...16).contains(simple[2]) && simple[3] > simple[2])
    // The rheobase of the paper's neuron is some 650 pA.
    let exponential = try [0.25, 0.4, 0.6, 1].map { try rate(AdEx.self, $0) }
    #expect(exponential[0] == 0 && exponential[1] > 0)
    #expect(zip(exponential, exponential.dropFirst()).allSatisfy { $0 < $1 })
    // The squid's axon jumps from rest to some 50 spikes a second, at 6 to 7 µA/cm².
    let axon = try [0.25, 0.5, 1].map { try rate(HodgkinHuxley.self, $0) }
    #expect(axon[0] <= 2 && (25...40).contains(axon[1]) && axon[2] > axon[1])
  }

  /// A neuron that rings answers to a weak wave of its own frequency, and to no other.
  @Test func resonates() throws {
    var settings = ResonateAndFire.Settings(), random = RandomGenerator(seed: 1)
    (settings.lowestFrequency, settings.highestFrequency, settings.damping) = (20, 80, 0.01)
    let neuron = try ResonateAndFire(
      settings, in: Slot(width: 1, outputWidth: 3, tokens: 400), using: &random)
    for one in neuron.parameters() where one.name.hasPrefix("weights") {
      one.value = one.name.hasSuffix("bias") ? .zeros([3]) : .ones([3, 1])
    }
    for (place, frequency) in [20.0, 40, 80].enumerated() {
      let wave = Tensor(
        (0..<400).map { Float(0.03 * sin(2 * .pi * frequency * Double($0) / 1000)) }, [1, 400, 1])
      let counts = neuron(wave, neuron.initialState(batch: 1)).output.sum(axis: 1).squeezed(axis: 0).doubles
      #expect(counts.enumerated().allSatisfy { ($1 > 0) == ($0 == place) }, "\(frequency) Hz: \(counts)")
    }
  }
}
