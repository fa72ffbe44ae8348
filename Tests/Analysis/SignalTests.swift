import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

/// scipy.signal, pandas and scikit-learn: Tests/Fixtures/analysis.py.
@Suite struct SignalTests {
  private let rate = 128.0
  private func golden() throws -> (all: [String: Tensor], x: Tensor, y: Tensor) {
    let all = try Golden.tensors("analysis/signals").group("")
    return (all, try tensor(all, "x"), try tensor(all, "y"))
  }

  // MARK: Filters

  @Test(
    arguments: [
      ("lowpass", Band.below(20)), ("highpass", .above(5)), ("bandpass", .between(8, 12.5)),
      ("bandstop", .outside(10, 30)),
    ], [1, 2, 3, 4, 7])
  func butterworthAgrees(_ kind: (name: String, band: Band), _ order: Int) throws {
    let (golden, x, _) = try golden()
    let filter = try SectionFilter.butterworth(order: order, kind.band, rate: rate)
    let frequencies = try tensor(golden, "frequencies").doubles
    let gains = try tensor(golden, "\(kind.name)\(order).gains").doubles
    let found = filter.gains(at: frequencies, rate: rate)
    #expect(zip(found, gains).allSatisfy { abs($0 - $1) < 1e-9 }, "\(found)")
    expectClose(try filter.filter(x), try tensor(golden, "\(kind.name)\(order).forward"), 1e-8)
    expectClose(try filter.filterZeroPhase(x), try tensor(golden, "\(kind.name)\(order).both"), 1e-7)
    // √½ at every edge, for any order.
    let edges: [Double] =
      switch kind.band {
      case .below(let edge), .above(let edge): [edge]
      case .between(let low, let high), .outside(let low, let high): [low, high]
      }
    #expect(filter.gains(at: edges, rate: rate).allSatisfy { abs($0 - 0.5.squareRoot()) < 1e-9 })
  }

  @Test func notchAgrees() throws {
    let (golden, x, _) = try golden()
    let filter = try SectionFilter.notch(50, quality: 25, rate: rate)
    let gains = filter.gains(at: try tensor(golden, "frequencies").doubles, rate: rate)
    #expect(zip(gains, try tensor(golden, "notch.gains").doubles).allSatisfy { abs($0 - $1) < 1e-12 })
    expectClose(try filter.filter(x), try tensor(golden, "notch.forward"))
  }

  @Test func fourierFilterAgrees() throws {
    let (golden, x, _) = try golden()
    let found = try fourierFiltered(x, .between(8, 12.5), rate: rate)
    expectClose(found, try tensor(golden, "fourier"))
    // Again changes nothing; what is let through and what is not make the whole.
    expectClose(try fourierFiltered(found, .between(8, 12.5), rate: rate), found)
    expectClose(found + (try fourierFiltered(x, .outside(8, 12.5), rate: rate)), x)
    expectClose(
      try fourierFiltered(x, .below(20.1), rate: rate) + fourierFiltered(x, .above(20.1), rate: rate), x)
  }

  @Test func filtersNameMistakes() {
    #expect(
      throws: InvalidInput(
        "the edges [30.0, 70.0] of a band must rise and lie between 0 and half the rate, 64.0")
    ) { try SectionFilter.butterworth(order: 2, .between(30, 70), rate: 128) }
    #expect(throws: InvalidInput("the order of a filter must be from 1 to 50, is 0")) {
      try SectionFilter.butterworth(order: 0, .below(3), rate: 128)
    }
    #expect(throws: InvalidInput("filtering forward and backward needs more than 15 samples, got 15")) {
      try SectionFilter.butterworth(order: 4, .below(3), rate: 128).filterZeroPhase(Tensor.ones([15]))
    }
    #expect(throws: InvalidInput("SectionFilter: signals hold numbers that are not finite")) {
      try SectionFilter.butterworth(order: 2, .below(3), rate: 128).filter(Tensor([1.0, .nan]))
    }
  }

  /// Leading axes are a batch, none of whose rows knows the others.
  @Test func batchesAreRows() throws {
    var random = RandomGenerator(seed: 1)
    let x = random.normal([2, 3, 40], dtype: .float64)
    let filter = try SectionFilter.butterworth(order: 3, .above(9), rate: rate)
    let all = try filter.filterZeroPhase(x)
    #expect(all.shape == [2, 3, 40])
    expectClose(all[1][2], try filter.filterZeroPhase(x[1][2]))
    #expect(try filter.filter(.zeros([0, 40])).shape == [0, 40])
    #expect(try resampledPolyphase(.zeros([0, 40]), up: 1, down: 2).shape == [0, 20])
  }

  // MARK: Spectra

  @Test(arguments: [
    ("even", Segments(length: 64)), ("odd", Segments(length: 51, overlap: 20)),
    ("whole", Segments(length: 301, overlap: 0)),
  ])
  func spectraAgree(_ name: String, _ segments: Segments) throws {
    let (golden, x, y) = try golden()
    let (frequencies, density) = try welchSpectrum(x, rate: rate, segments: segments)
    expectClose(frequencies, try tensor(golden, "welch.\(name).frequencies").doubles, 1e-14)
    expectClose(density, try tensor(golden, "welch.\(name)"))
    let shared = try coherence(x, y, rate: rate, segments: segments).coherence
    if name == "whole" {
      // One segment always agrees with itself; what is taken out has nothing to agree.
      #expect(shared.sliced(axis: 1, from: 1).doubles.allSatisfy { abs($0 - 1) < 1e-6 })
    } else {
      expectClose(shared, try tensor(golden, "coherence.\(name)"), 1e-8)
    }
  }

  @Test func spectraFollowTheirLaws() throws {
    let (golden, x, _) = try golden()
    let raw = try welchSpectrum(x, rate: rate, segments: Segments(length: 64, centres: false))
    expectClose(raw.density, try tensor(golden, "welch.raw"))
    // A sine's power lies at its frequency, and is its variance.
    let times = Tensor.arange(1024, dtype: .float64) / rate
    let sine = sin(times * (2 * Double.pi * 16)) * 3
    let (frequencies, density) = try welchSpectrum(sine, rate: rate)
    let at = Int(density.argMax(axis: 0).item())
    #expect(frequencies[at] == 16)
    #expect(abs(density.sum().item() * frequencies[1] - 4.5) < 1e-6)
    #expect(throws: InvalidInput("segments of 256 samples that share 128 do not fit signals of 40")) {
      try welchSpectrum(Tensor.ones([40]), rate: 1)
    }
  }

  @Test(arguments: [300, 301]) func analyticSignalsAgree(_ length: Int) throws {
    let (golden, x, _) = try golden()
    let short = x.sliced(axis: 1, to: length)
    expectClose(try analyticSignal(short), try tensor(golden, "analytic\(length)"))
    expectClose(realPart(try analyticSignal(short)), short)
    // The envelope of a slow change of a fast wave is that change.
    let times = Tensor.arange(length, dtype: .float64) * (2 * Double.pi / Double(length))
    let slow = 2 + cos(times)
    expectClose(try envelope(slow * sin(times * 40)), slow, 1e-10)
  }

  // MARK: Other rates

  @Test(arguments: [300, 301], [1, 7, 100, 151, 299, 300, 301, 302, 450, 601])
  func fourierResamplingAgrees(_ length: Int, _ count: Int) throws {
    let (golden, x, _) = try golden()
    let found = try resampledByFourier(x.sliced(axis: 1, to: length), count: count)
    expectClose(found, try tensor(golden, "fourier\(length)to\(count)"))
  }

  @Test(arguments: [(1, 2), (3, 1), (2, 3), (5, 4), (7, 10), (6, 9), (160, 147), (4, 4)])
  func polyphaseResamplingAgrees(_ up: Int, _ down: Int) throws {
    let (golden, x, _) = try golden()
    expectClose(try resampledPolyphase(x, up: up, down: down), try tensor(golden, "polyphase\(up)to\(down)"))
  }

  @Test func linearResamplingAgrees() throws {
    let (golden, x, _) = try golden()
    let times = try tensor(golden, "linear.times").doubles
    let found = try resampledLinearly(x, times: times, at: try tensor(golden, "linear.places").doubles)
    expectClose(found, try tensor(golden, "linear"), 1e-12)
    #expect(try resampledLinearly(x, times: times, at: times).doubles == x.doubles)
    #expect(throws: InvalidInput.self) { try resampledLinearly(Tensor([1.0, 2]), times: [1, 1], at: [0]) }
    #expect(throws: InvalidInput("resampling needs rates above 0, got 0 to 2")) {
      try resampledPolyphase(x, up: 0, down: 2)
    }
  }

  // MARK: Noise, memory, scale

  /// Power falls as 1 / f above the corner and is flat below.
  @Test func pinkNoiseIsPink() throws {
    var random = RandomGenerator(seed: 2)
    let noise = pinkNoise([64, 4096], rate: rate, corner: 4, using: &random)
    let deviations = sqrt(noise.variance(axis: -1)).doubles
    #expect(deviations.allSatisfy { abs($0 - 1) < 1e-12 })
    let (f, density) = try welchSpectrum(noise, rate: rate, segments: Segments(length: 512))
    let mean = density.mean(axis: 0).doubles
    func power(_ range: Range<Double>) -> [(Double, Double)] {
      zip(f, mean).filter { range.contains($0.0) }
    }
    let falling = power(8..<60)
    let curve = try PowerLawCurve(x: falling.map(\.0), y: falling.map(\.1))
    #expect(abs(curve.exponent - 1) < 0.03, "\(curve.exponent)")
    let flat = try PowerLawCurve(x: power(0.6..<3.4).map(\.0), y: power(0.6..<3.4).map(\.1))
    #expect(abs(flat.exponent) < 0.05, "\(flat.exponent)")
    // Odd lengths too.
    #expect(pinkNoise([7], rate: 2, using: &random).shape == [7])
  }

  @Test func autocorrelationAgrees() throws {
    let (golden, x, _) = try golden()
    expectClose(try autocorrelation(x, lags: 20), try tensor(golden, "autocorrelation"))
    #expect(try autocorrelation(Tensor.ones([5]), lags: 2).doubles == [0, 0, 0])
    #expect(throws: InvalidInput("autocorrelation up to lag 5 needs more samples, got 5")) {
      try autocorrelation(Tensor.ones([5]), lags: 5)
    }
  }

  @Test func exponentialMomentsAgree() throws {
    let (golden, x, _) = try golden()
    let means = try tensor(golden, "moving.means"), variances = try tensor(golden, "moving.variances")
    var moments = try ExponentialMoments(weight: 0.07)
    let samples = x.swappedAxes(0, 1).doubles
    for t in 0..<301 {
      let sample = Array(samples[2 * t..<2 * t + 2])
      moments.update(sample)
      if t % 50 == 0 || t == 300 {
        expectClose(moments.means, means.sliced(axis: 1, from: t, to: t + 1).doubles, 1e-12)
        expectClose(moments.variances, variances.sliced(axis: 1, from: t, to: t + 1).doubles, 1e-12)
      }
    }
    expectClose(
      moments.standardised([1, 2]),
      (0...1).map { (Double($0 + 1) - moments.means[$0]) / moments.variances[$0].squareRoot() }, 1e-14)
    #expect(throws: InvalidInput.self) { try ExponentialMoments(weight: 0) }
  }

  @Test func robustScalingAgrees() throws {
    let (golden, x, _) = try golden()
    let scaled = try robustlyScaled(x)
    expectClose(scaled, try tensor(golden, "robust"), 1e-12)
    let cut = try robustlyScaled(x, limit: 0.5)
    #expect(cut.doubles == scaled.doubles.map { min(max($0, -0.5), 0.5) })
    #expect(try robustlyScaled(Tensor([3.0, 3, 3])).doubles == [0, 0, 0])
  }

  // MARK: Images

  private func energy(_ u: Tensor, _ image: Tensor, _ isotropic: Bool) -> Double {
    totalVariation(u, isotropic: isotropic) + 2 * square(u - image).sum().item()
  }

  @Test(arguments: [true, false]) func totalVariationAgrees(_ isotropic: Bool) throws {
    let golden = try Golden.tensors("analysis/statistics").group("")
    let image = try tensor(golden, "image")
    let expected = try tensor(golden, isotropic ? "image.isotropic" : "image.anisotropic")
    let found = try totalVariationDenoised(
      image, fidelity: 4, isotropic: isotropic, tolerance: 1e-10, limit: 20_000)
    #expect(abs(found - expected).max().item() < (isotropic ? 1e-3 : 1e-6))
    #expect(energy(found, image, isotropic) <= energy(expected, image, isotropic) + 1e-7)
    // Nearer to the minimum with every stretch of steps, and soon near it.
    let energies = try [1, 4, 16, 64, 256].map { limit in
      energy(
        try totalVariationDenoised(image, fidelity: 4, isotropic: isotropic, tolerance: 0, limit: limit),
        image,
        isotropic)
    }
    #expect(zip(energies, energies.dropFirst()).allSatisfy { $0 >= $1 - 1e-9 }, "\(energies)")
    #expect(energies[0] < energy(image, image, isotropic))
    // The mean stays, channels do not know each other, flat images stay as they are.
    #expect(abs(found.mean().item() - image.mean().item()) < 1e-10)
    let two = try totalVariationDenoised(
      stacked([image, image * 0], axis: 2), fidelity: 4, isotropic: isotropic, tolerance: 0, limit: 9)
    let one = try totalVariationDenoised(image, fidelity: 4, isotropic: isotropic, tolerance: 0, limit: 9)
    expectClose(two, stacked([one, image * 0], axis: 2))
    let line = try totalVariationDenoised(image.sliced(axis: 0, to: 1), fidelity: 4, isotropic: isotropic)
    #expect(line.shape == [1, 12])
  }

  @Test func totalVariationNamesMistakes() {
    #expect(throws: InvalidInput("fidelity to an image must be above 0, is 0.0")) {
      try totalVariationDenoised(Tensor.ones([2, 2]), fidelity: 0)
    }
  }
}
