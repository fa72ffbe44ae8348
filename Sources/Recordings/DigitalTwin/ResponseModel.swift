import CallosumNetworks
import CallosumTensors

/// A population of cells whose responses to stimuli are differentiable: a network trained on recordings, or
/// cells of which all is known.
public struct ResponseModel {
  public let cells: Int
  /// Of one stimulus, channels last: [height, width, channels] or [frames, height, width, channels].
  public let stimulusShape: [Int]
  /// Stimuli [batch, stimulusShape...] -> responses [batch, cells].
  public let responses: (Tensor) -> Tensor

  /// Of the stimuli that it takes.
  public var dtype = DType.float32
  /// Subtracted from responses and divided by before they are compared between cells, [cells]: for cells that
  /// answer on different scales.
  public var subtracted: Tensor?
  public var divisor: Tensor?

  public init(cells: Int, stimulusShape: [Int], responses: @escaping (Tensor) -> Tensor) {
    (self.cells, self.stimulusShape, self.responses) = (cells, stimulusShape, responses)
  }

  /// (r - subtracted) / (max(divisor, least) + 1e-6), [..., cells]; each where it is given.
  func normalised(_ responses: Tensor, leastDivisor: Double) -> Tensor {
    var r = responses
    if let subtracted { r = r - subtracted.asType(r.dtype) }
    if let divisor { r = r / (maximum(divisor.asType(r.dtype), leastDivisor) + 1e-6) }
    return r
  }
}
