import CallosumContracts

extension Catalogue {
  /// The ways to mix tokens: a line for each part, with its claim.
  public static let mixers: [Part] = [
    Part(AveragePooling.self),
    Part(ChannelMLP.self),
    Part(DeltaNet.self, claim: .deltaNet),
    Part(DepthwiseConvolution.self),
    Part(GatedMLP.self),
    Part(IdentityMixer.self),
    Part(MetaFormer.self, claim: .metaFormer),
    Part(RandomMixing.self),
    Part(SoftmaxAttention.self),
    Part(SpatialLinear.self),
    Part(SpatialMLP.self),
  ]
}
