import CallosumContracts
import CallosumTensors
import Foundation

/// Spikes of leaky integrate-and-fire cells with known wiring: a few hubs each drive cells of their own.
///
///     dV_i = (I_i - V_i) dt / tau + noise sqrt(2 / tau) dW
///
/// V_i at 1 is a spike; V_i is 0 then for a refractory time. A spike of a hub adds `kick` to the V of each cell
/// it drives after a delay that is the pair's own. I_i and delays are uniform. By Euler and Maruyama's method.
public struct HubRecording: Sendable {
  public struct Settings: Configuration {
    public var hubs = 3
    public var drivenPerHub = 7
    /// tau, the step, the refractory time and the delays (ms).
    public var timeConstant = 10.0
    public var step = 0.5
    public var refractory = 2.0
    public var shortestDelay = 15.0
    public var longestDelay = 35.0
    public var kick = 0.45
    public var noise = 0.2
    public var leastDrive = 0.55
    public var largestDrive = 0.6
    /// Seconds of each split, one after the other.
    public var training = 200.0
    public var validation = 20.0
    public var test = 40.0
    public init() {}

    public func validate() throws {
      try require(hubs > 0 && drivenPerHub > 0, "there must be hubs and cells that they drive")
      for (name, value) in [
        ("timeConstant", timeConstant), ("step", step), ("training", training), ("validation", validation),
        ("test", test),
      ] { try require(value > 0 && value.isFinite, "\(name) must be above 0, is \(value)") }
      try require(step <= timeConstant / 2, "step must be at most half the timeConstant, is \(step)")
      try require(refractory >= 0 && noise >= 0, "refractory and noise must be at least 0")
      try require(
        step <= shortestDelay && shortestDelay <= longestDelay, "delays must be at least a step and in order")
      try require(leastDrive <= largestDrive, "leastDrive must be at most largestDrive")
    }
  }

  public struct Spike: Sendable, Equatable {
    /// Seconds from the beginning.
    public let time: Double
    public let cell: Int
  }

  public let settings: Settings
  /// In order of time.
  public let spikes: [Spike]
  /// The cells that each cell drives; the hubs come first.
  public let driven: [[Int]]
  /// I
  public let drives: [Double]
  /// A behaviour that follows the first hub: its rate (Hz) behind a low-pass of 200 ms, every 10 ms.
  public let behaviour: [Double]

  public var cells: Int { driven.count }

  public init(_ settings: Settings = Settings(), seed: UInt64 = 0) throws {
    try settings.validate()
    let random = RandomGenerator(seed: seed)
    var wiring = random.stream("hub-recording/wiring"), noise = random.stream("hub-recording/noise")
    let cells = settings.hubs * (1 + settings.drivenPerHub), step = settings.step
    driven = (0..<cells).map { cell in
      cell < settings.hubs
        ? (0..<settings.drivenPerHub).map { settings.hubs + cell * settings.drivenPerHub + $0 } : []
    }
    drives = (0..<cells).map { _ in
      settings.leastDrive + (settings.largestDrive - settings.leastDrive) * wiring.uniform()
    }
    let delays = driven.map { targets in
      targets.map { _ -> Int in
        let delay =
          settings.shortestDelay + (settings.longestDelay - settings.shortestDelay) * wiring.uniform()
        return Int((delay / step).rounded())
      }
    }

    // Kicks that are under way stand in a ring, by the step that they arrive in.
    let ring = Int(settings.longestDelay / step) + 2
    var arriving = [Double](repeating: 0, count: ring * cells)
    var potential = [Double](repeating: 0, count: cells)
    var pause = [Int](repeating: 0, count: cells)
    let rest = Int((settings.refractory / step).rounded())
    let leak = step / settings.timeConstant, jitter = settings.noise * (2 * leak).squareRoot()
    let steps = Int((1000 * (settings.training + settings.validation + settings.test) / step).rounded())
    var spikes: [Spike] = []
    var behaviour: [Double] = []
    var rate = 0.0
    let perSample = max(Int((10 / step).rounded()), 1), decay = step / 200
    let chunk = 4096
    for start in stride(from: 0, to: steps, by: chunk) {
      let draws = noise.normal([chunk, cells]).floats
      for now in start..<min(start + chunk, steps) {
        let slot = now % ring * cells
        rate -= decay * rate
        for cell in 0..<cells {
          let kick = arriving[slot + cell]
          arriving[slot + cell] = 0
          if pause[cell] > 0 {
            pause[cell] -= 1
            continue
          }
          let draw = Double(draws[(now - start) * cells + cell])
          potential[cell] += (drives[cell] - potential[cell]) * leak + jitter * draw + kick
          guard potential[cell] >= 1 else { continue }
          potential[cell] = 0
          pause[cell] = rest
          spikes.append(Spike(time: Double(now + 1) * step / 1000, cell: cell))
          if cell == 0 { rate += decay * 1000 / step }
          for (target, delay) in zip(driven[cell], delays[cell]) {
            arriving[(now + delay) % ring * cells + target] += settings.kick
          }
        }
        if now % perSample == perSample - 1 { behaviour.append(rate) }
      }
    }
    self.settings = settings
    self.spikes = spikes
    self.behaviour = behaviour
  }

  /// The seconds that a split has; splits follow one another, so that no moment is in two.
  public func seconds(of split: Split) -> Range<Double> {
    let validation = settings.training + settings.validation
    switch split {
    case .training: return 0..<settings.training
    case .validation: return settings.training..<validation
    case .test: return validation..<validation + settings.test
    }
  }

  /// Spikes counted in bins of `width` seconds: [bins, cells] (float32).
  public func counts(_ split: Split, width: Double) -> Tensor {
    precondition(width > 0, "counts", "bins must have a width above 0, not \(width)")
    let seconds = seconds(of: split)
    let bins = Int((seconds.upperBound - seconds.lowerBound) / width + 1e-9)
    var counts = [Float](repeating: 0, count: bins * cells)
    for spike in spikes where seconds.contains(spike.time) {
      let bin = Int((spike.time - seconds.lowerBound) / width)
      if bin < bins { counts[bin * cells + spike.cell] += 1 }
    }
    return Tensor(counts, [bins, cells])
  }
}
