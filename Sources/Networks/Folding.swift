import CallosumTensors

/// A layer that ends in y = w x + b for each of its outputs: `weight` [outputs, ...], `bias` [outputs].
public protocol AffineLayer: Layer {
  var weight: Tensor { get set }
  var bias: Tensor? { get set }
  /// False where something follows w x + b inside the layer, such as an activation.
  var endsAffine: Bool { get }
}

extension AffineLayer {
  public var endsAffine: Bool { true }

  /// Takes a batch normalisation that follows this layer directly into the weights, as evaluation uses it
  /// (its running averages); `norm` passes its input on from then on. A layer without a bias gets one.
  /// What else reads this layer's result must be folded or gone.
  public func fold(_ norm: BatchNorm) {
    precondition(!norm.isFolded, "fold", "this BatchNorm has been folded already")
    precondition(endsAffine, "fold", "a BatchNorm cannot pass the activation of \(type(of: self))")
    let (scale, shift) = norm.affineForm
    precondition(
      weight.dim(0) == scale.dim(0), "fold",
      "\(scale.dim(0)) channels of a BatchNorm do not fit a weight of shape \(weight.shape)")
    weight = weight * scale.reshaped([-1] + [Int](repeating: 1, count: weight.ndim - 1))
    bias = bias.map { $0 * scale + shift } ?? shift
    norm.becomeIdentity()
  }
}

extension Linear: AffineLayer {
  public var endsAffine: Bool { activation == .none }
}
extension ConvolutionLayer: AffineLayer {}
extension TransposedConvolutionLayer: AffineLayer {}
