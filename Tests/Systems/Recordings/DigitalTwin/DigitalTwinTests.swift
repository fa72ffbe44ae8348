import CallosumNetworks
import CallosumRecordings
import CallosumTensors
import CallosumTestSupport
import Testing

/// PyTorch in float64: golden.py.
@Suite struct DigitalTwinTests {
  @Test(arguments: ["one", "two"], [DType.float64, .float32])
  func agreesWithPyTorch(_ name: String, _ dtype: DType) throws {
    let golden = try Golden.tensors(beside: #filePath)
    func expected(_ key: String) -> Tensor { golden["\(name).\(key)"] }
    var settings = DigitalTwin.Settings()
    (settings.channels, settings.kernels) = name == "one" ? ([3], [5]) : ([4, 3], [3, 5])
    settings.output = name == "one" ? .elu : .softplus
    let x = expected("x").asType(dtype)
    var random = RandomGenerator(seed: 1)
    let twin = try DigitalTwin(
      settings, rows: x.dim(1), columns: x.dim(2), channels: x.dim(3), cells: expected("rates").dim(1),
      using: &random)
    let parameters = twin.parameters()
    for one in parameters + twin.buffers() {
      #expect(one.value.shape == expected("weight.\(one.name)").shape, "\(one.name)")
      one.value = expected("weight.\(one.name)").asType(dtype)
    }
    let (values, pullback) = valueAndPullback(at: [x] + parameters.map(\.value)) { all in
      withParameters(parameters, as: Array(all.dropFirst())) {
        let rates = twin(all[0])
        return [
          rates, poissonLoss(predictions: rates, targets: expected("counts").asType(dtype)), twin.sparsity,
          twin.roughness,
        ]
      }
    }
    let share = dtype == .float64 ? 1e-11 : 2e-5
    func compare(_ actual: Tensor, _ key: String, absolute: Double = 0) {
      let wrong = CallosumTestSupport.Comparison(
        actual.asType(.float64), expected(key),
        within: Tolerance(relative: share, ofLargest: share, absolute: absolute))
      #expect(wrong.problem == nil, "\(key)")
    }
    for (value, key) in zip(values, ["rates", "loss", "sparsity", "roughness"]) { compare(value, key) }
    let gradients = pullback([nil, Tensor(1, dtype), Tensor(0.1, dtype), Tensor(0.01, dtype)])
    compare(gradients[0], "grad.x")
    for (one, gradient) in zip(parameters, gradients.dropFirst()) { compare(gradient, "grad.\(one.name)") }
  }

  /// With rates to start from, a twin whose core says nothing puts out these.
  @Test(arguments: [DigitalTwin.Output.elu, .softplus]) func startsFromMeans(_ output: DigitalTwin.Output)
    throws
  {
    var settings = DigitalTwin.Settings(), random = RandomGenerator(seed: 3)
    settings.output = output
    let twin = try DigitalTwin(settings, rows: 4, columns: 4, channels: 1, cells: 3, using: &random)
    let means = Tensor([0.2, 1, 3.5] as [Float])
    twin.positions = .zeros(like: twin.positions)
    twin.start(from: means)
    let rates = twin(random.normal([2, 4, 4, 1])).doubles
    for (rate, mean) in zip(rates, means.doubles + means.doubles) { #expect(abs(rate - mean) < 1e-5) }
  }
}
