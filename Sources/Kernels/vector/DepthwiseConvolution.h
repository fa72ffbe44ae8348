// DepthwiseConvolution
