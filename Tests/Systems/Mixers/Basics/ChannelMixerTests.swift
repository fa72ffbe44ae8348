import CallosumContracts
import CallosumExperiments
import CallosumMixers
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct ChannelMixerTests {
  /// PyTorch's values and gradients in float64; see golden.py.
  @Test(
    arguments: [
      ("mlp-gelu", "channel-mlp", #"{"ratio": 2}"#),
      ("mlp-relu", "channel-mlp", #"{"ratio": 2, "activation": "relu"}"#),
      ("gated-silu", "gated-mlp", #"{"ratio": 2}"#),
      ("gated-gelu", "gated-mlp", #"{"ratio": 2, "gate": "gelu"}"#),
      ("gated-sigmoid", "gated-mlp", #"{"ratio": 2, "gate": "sigmoid"}"#),
    ])
  func agreesWithPyTorch(_ name: String, _ id: String, _ settings: String) throws {
    let file = Golden.path("channel-mixers", beside: #filePath)
    let tensors = try Safetensors.load(file).tensors
    func golden(_ key: String) throws -> Tensor { try #require(tensors["\(name).\(key)"], "\(key)") }
    let json = try JSONDecoder().decode(JSONValue.self, from: Data(settings.utf8))
    var random = RandomGenerator(seed: 1)
    let layer = try #require(
      try Catalogue(Catalogue.mixers).part(id).unit(
        json, in: Slot(width: 6, outputWidth: 4, tokens: 5), using: &random) as? any Layer)
    let parameters = layer.parameters()
    for one in parameters { one.value = try golden(one.name) }
    let (outputs, pullback) = valueAndPullback(at: [try golden("x")] + parameters.map(\.value)) { all in
      withParameters(parameters, as: Array(all.dropFirst())) { [layer(all[0])] }
    }
    #expect(abs(outputs[0] - (try golden("y"))).max().item() < 1e-12)
    let gradients = pullback([try golden("g")])
    for (key, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
      #expect(abs(gradient - (try golden("grad.\(key)"))).max().item() < 1e-11, "\(key)")
    }
  }
}
