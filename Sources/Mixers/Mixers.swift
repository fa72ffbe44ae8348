import CallosumContracts

/// The parts of this family, a line each.
public let mixers: [Part] = [
  Part(AveragePooling.self),
  Part(ChannelMLP.self),
  Part(DeltaNet.self),
  Part(DepthwiseConvolution.self),
  Part(GatedChannelMLP.self),
  Part(IdentityMixer.self),
  Part(RandomMixing.self),
  Part(SoftmaxAttention.self),
  Part(SpatialLinear.self),
  Part(SpatialMLP.self),
  Part(StagedMetaFormer.self),
]
