import CallosumContracts

/// The parts of this family, a line each.
public let mixers: [Part] = [
  Part(AveragePooling.self),
  Part(ChannelMLP.self),
  Part(DepthwiseConvolution.self),
  Part(GatedChannelMLP.self),
  Part(SoftmaxAttention.self),
  Part(SpatialMLP.self),
]
