import CallosumContracts

/// The parts of this family, a line each.
public let mixers: [Part] = [
  .tokenMixer(AveragePooling.self),
  .tokenMixer(DepthwiseConvolution.self),
  .tokenMixer(SoftmaxAttention.self),
  .tokenMixer(SpatialMLP.self),
]
