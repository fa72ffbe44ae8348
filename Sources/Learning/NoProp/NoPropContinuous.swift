import CallosumNetworks
import CallosumTensors

// Losses of the variants of NoProp in continuous time.

extension NoProp {
  /// NoProp-CT, equation 9 of the paper, with normal numbers `last` for z_1 and `noise` for z_t, [batch, d],
  /// and `times` [batch] from 0 to 1.
  package func continuousLosses(
    _ x: Tensor, _ labels: Tensor, last: Tensor, noise: Tensor, times: Tensor
  ) -> Tensor {
    guard let schedule = self.noise else { return .zeros([x.dim(0)], dtype: x.dtype) }
    let codes = table(x.dtype).take(labels)
    let ends = schedule(Tensor([0.0, 1]).asType(x.dtype)).level
    let sides = endLosses(
      codes, labels, first: ends.mapped { $0[0] }, last: ends.mapped { $0[1] }, noise: last)
    let (level, gain) = schedule(times)
    let z = level.mapped { $0.expandedDimensions(axis: 1) }.noisy(codes, noise)
    let guess = mixed(softmax(answer(blocks.features(x), z, at: times)))
    return sides + square(guess - codes).sum(axis: 1) * gain * (settings.eta / 2)
  }

  /// NoProp-FM, equations 11 and 13, with `start` for z_0, [batch, d], `around` for the noise about the
  /// path, and `times` [batch].
  package func flowLosses(
    _ x: Tensor, _ labels: Tensor, start: Tensor, around: Tensor? = nil, times: Tensor
  ) -> Tensor {
    let codes = table(x.dtype).take(labels)
    let t = times.expandedDimensions(axis: 1)
    var z = codes * t + start * (1 - t)
    if let around { z = z + around }
    let velocity = mixed(answer(blocks.features(x), z, at: times))
    let losses = square(velocity - (codes - start)).sum(axis: 1)
    // What keeps learned codes apart: the class that the rest of the way, straight on, would lead to.
    guard let head else { return losses }
    return losses
      + crossEntropy(logits: head(z + velocity * (1 - t)), targets: labels, reduction: .none)
  }
}
