import CallosumTensors
import Foundation

// Signals [..., time] at another rate. Linear for uneven needs and few samples, Fourier for periodic ones,
// polyphase for long recordings.

/// Signals [..., time] of values at `times` read at other times by straight lines, as `numpy.interp` does;
/// before the first and after the last time their values stay.
/// - Throws: `InvalidInput` if times do not rise, or for numbers that are not finite.
public func resampledLinearly(_ signals: Tensor, times: [Double], at places: [Double]) throws -> Tensor {
  let x = try signals.observedSignal("resampledLinearly")
  precondition(
    x.dim(-1) == times.count, "resampledLinearly", "\(times.count) times do not belong to signals \(x.shape)")
  try require(
    !times.isEmpty && zip(times, times.dropFirst()).allSatisfy { $0 < $1 }
      && times.allSatisfy(\.isFinite) && places.allSatisfy(\.isFinite),
    "times to resample at must be finite, and those of the samples must rise")
  // The sample before each place, and how far beyond it the place lies.
  let read = places.map { place -> (at: Int, part: Double) in
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= place { low = middle + 1 } else { high = middle }
    }
    if low == 0 { return (0, 0) }
    if low == times.count { return (times.count - 1, 0) }
    return (low - 1, (place - times[low - 1]) / (times[low] - times[low - 1]))
  }
  return x.mappedRows { row in
    read.map { at, part in part == 0 ? row[at] : row[at] + (row[at + 1] - row[at]) * part }
  }
}

/// Signals [..., time] with `count` samples in the same span by Fourier transform (`scipy.signal.resample`):
/// the frequencies that both rates know stay. Takes the signal to be periodic.
/// - Throws: `InvalidInput` for numbers that are not finite, or without samples.
public func resampledByFourier(_ signals: Tensor, count: Int) throws -> Tensor {
  let x = try signals.observedSignal("resampledByFourier")
  let length = x.dim(-1)
  try require(count > 0 && length > 0, "resampling needs samples, got \(length) to be made into \(count)")
  if x.size == 0 { return .zeros(x.shape.dropLast() + [count], dtype: .float64) }
  let shared = min(length, count)
  var weights = [Double](repeating: Double(count) / Double(length), count: shared / 2 + 1)
  // The highest of an even number stands for itself and its mirror, of which the other rate has both.
  if shared.isMultiple(of: 2) && count != length { weights[shared / 2] *= count < length ? 2 : 0.5 }
  let kept = rfft(x).sliced(axis: -2, to: shared / 2 + 1) * Tensor(weights, [weights.count, 1])
  let missing = count / 2 - shared / 2
  let none: [(before: Int, after: Int)] = kept.shape.map { _ in (0, 0) }
  let widths = none.dropLast(2) + [(before: 0, after: missing), (before: 0, after: 0)]
  return irfft(missing > 0 ? kept.padded(Array(widths)) : kept, length: count)
}

/// Signals [..., time] at up / down times the rate (`scipy.signal.resample_poly`): zeros between samples, a
/// low-pass filter without delay (a sinc of 20 · max(up, down) + 1 taps under Kaiser's window, β 5), every
/// `down`-th sample; only what is kept is computed. Beyond its ends a signal is 0. Gives ⌈time · up / down⌉
/// samples.
/// - Throws: `InvalidInput` if up or down is not above 0, or for numbers that are not finite.
public func resampledPolyphase(_ signals: Tensor, up: Int, down: Int) throws -> Tensor {
  let x = try signals.observedSignal("resampledPolyphase")
  try require(up > 0 && down > 0, "resampling needs rates above 0, got \(up) to \(down)")
  let divisor = greatestCommonDivisor(up, down)
  let (up, down) = (up / divisor, down / divisor)
  if up == 1 && down == 1 { return x }
  let most = max(up, down), half = 10 * most
  let taps = lowPass(half: half, edge: 1 / Double(most)).map { $0 * Double(up) }
  let length = x.dim(-1), count = (length * up + down - 1) / down
  return x.mappedRows { row in
    (0..<count).map { index in
      // Sample j lies at j · up on the fine grid, this one at `place`.
      let place = index * down
      let first = max((place - half + up - 1) / up, 0), last = min((place + half) / up, length - 1)
      var sum = 0.0
      for j in stride(from: first, through: last, by: 1) { sum += row[j] * taps[half + place - j * up] }
      return sum
    }
  }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }

/// A low-pass filter of 2 half + 1 taps that add up to 1; `edge` is a share of half the rate.
private func lowPass(half: Int, edge: Double) -> [Double] {
  let taps = (-half...half).map { t -> Double in
    let angle = Double.pi * edge * Double(t), place = Double(t) / Double(half)
    let sinc = t == 0 ? 1 : sin(angle) / angle
    return sinc * besselI0(5 * max(1 - place * place, 0).squareRoot())
  }
  let sum = taps.reduce(0, +)
  return taps.map { $0 / sum }
}

/// The modified Bessel function I0 by its power series, for the small arguments of a window.
private func besselI0(_ x: Double) -> Double {
  var term = 1.0, sum = 1.0, index = 1.0
  while term > sum * 1e-17 {
    term *= (x / 2 / index) * (x / 2 / index)
    sum += term
    index += 1
  }
  return sum
}
