import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// The networks u_t of a ``NoProp``, all at once: every parameter has a leading axis of blocks, and block t
/// computes slice t with weights of its own. Nothing but the axis connects them.
///
///     features  h = relu(input · (convolutions of) x),  g = relu(code · z),  r = g + relu(codeResidual · g)
///     logits    output · relu(joint · [h, r])   and, with a clock,  [h, r, relu(clock · code of the time)]
public final class NoPropBlocks: Module {
  public let convolutions: [Conv2d]
  public let input: Linear
  public let code, codeResidual: Linear?
  /// For blocks that are told the time.
  public let clock: Linear?
  public let joint, output: Linear
  private let grid: Slot.Grid?
  private let timeWidth: Int

  init(
    _ count: Int, _ settings: NoProp.Settings, slot: Slot, codeWidth: Int,
    using generator: inout RandomGenerator
  ) {
    var size = slot.tokens * slot.width
    grid = settings.channels.isEmpty ? nil : slot.grid
    var layers: [Conv2d] = []
    if var grid {
      var channels = slot.width
      for next in settings.channels {
        layers.append(Conv2d(channels, next, kernel: (3, 3), padding: (1, 1), using: &generator))
        channels = next
        grid = Slot.Grid(rows: (grid.rows + 1) / 2, columns: (grid.columns + 1) / 2)
      }
      size = channels * grid.rows * grid.columns
    }
    convolutions = layers
    let hidden = settings.hidden
    timeWidth = settings.timeWidth
    input = Linear(size, hidden, activation: .relu, using: &generator)
    var joined = hidden
    if settings.seesCode {
      code = Linear(codeWidth, hidden, activation: .relu, using: &generator)
      codeResidual = Linear(hidden, hidden, activation: .relu, using: &generator)
      joined += hidden
    } else {
      (code, codeResidual) = (nil, nil)
    }
    if settings.variant == .discrete {
      clock = nil
    } else {
      clock = Linear(timeWidth, hidden, activation: .relu, using: &generator)
      joined += hidden
    }
    joint = Linear(joined, hidden, activation: .relu, using: &generator)
    output = Linear(hidden, slot.outputWidth, using: &generator)

    // Each block starts from numbers of its own, as if it had been made alone.
    var sets = [parameters().map(\.value)]
    for _ in 1..<count {
      let next = NoPropBlocks(1, settings, slot: slot, codeWidth: codeWidth, using: &generator)
      sets.append(next.parameters().map { $0.value.squeezed(axis: 0) })
    }
    for (place, parameter) in parameters().enumerated() {
      parameter.value = stacked(sets.map { $0[place] })
    }
  }

  /// What all blocks see of x [batch, tokens, width]: [blocks, batch, hidden], the same at every step.
  public func features(_ x: Tensor) -> Tensor {
    running {
      let blocks = input.weight.dim(0), batch = x.dim(0)
      guard let grid else {
        let flat = x.flattened(start: 1)
        return input(flat.broadcast(to: [blocks] + flat.shape))
      }
      let picture = x.reshaped(batch, grid.rows, grid.columns, -1)
      var seen = picture.broadcast(to: [blocks] + picture.shape)
      for convolution in convolutions {
        let filtered = relu(convolution(seen)).flattened(start: 0, end: 1)
        // Windows at an odd border hold what there is.
        let (rows, columns) = (filtered.dim(1) % 2, filtered.dim(2) % 2)
        let pooled = maxPool2d(
          filtered.padded([(0, 0), (0, rows), (0, columns), (0, 0)]), kernel: (2, 2))
        seen = pooled.reshaped([blocks, batch] + pooled.shape.dropFirst())
      }
      return input(seen.flattened(start: 2))
    }
  }

  /// Logits [blocks, batch, classes] from features, codes z [blocks, batch, d] and, for blocks that are told
  /// the time, times [batch] from 0 to 1.
  public func callAsFunction(_ features: Tensor, _ z: Tensor, at times: Tensor? = nil) -> Tensor {
    running {
      var parts = [features]
      if let code, let codeResidual {
        let first = code(z)
        parts.append(first + codeResidual(first))
      }
      if let clock, let times {
        let told = NoPropBlocks.timeCode(times, width: timeWidth).expandedDimensions(axis: 0)
        parts.append(clock(told.broadcast(to: [features.dim(0)] + told.shape.dropFirst())))
      }
      return output(joint(concatenated(parts, axis: -1)))
    }
  }

  /// sin(f t) and cos(f t), [batch, width], with frequencies f from 1 down to 1/10,000 in equal ratios.
  package static func timeCode(_ times: Tensor, width: Int) -> Tensor {
    let half = width / 2
    let frequencies = (0..<half).map { pow(10_000, -Double($0) / Double(half - 1)) }
    let angles = times.expandedDimensions(axis: 1) * Tensor(frequencies).asType(times.dtype)
    return concatenated([sin(angles), cos(angles)], axis: 1)
  }
}
