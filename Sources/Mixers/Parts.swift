import CallosumContracts

/// The parts of this family, a line each.
public let mixers: [Part] = [
  Part(AveragePooling.self),
  Part(DepthwiseConvolution.self),
  Part(SoftmaxAttention.self),
  Part(SpatialMLP.self),
]
