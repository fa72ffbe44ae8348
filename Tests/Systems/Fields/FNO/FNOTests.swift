import CallosumContracts
import CallosumFields
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct FNOTests {
  private func network(
    _ change: (inout FNO.Settings) -> Void, inputs: Int, outputs: Int, rows: Int,
    columns: Int
  ) throws -> FNO {
    var settings = FNO.Settings(), random = RandomGenerator(seed: 1)
    change(&settings)
    return try FNO(
      settings, in: Slot(width: inputs, outputWidth: outputs, rows: rows, columns: columns), using: &random)
  }

  /// golden.py, by torch.fft.
  @Test func agreesWithPyTorch() throws {
    let golden = try Golden.tensors(beside: #filePath)
    let padded = try network(
      { ($0.channels, $0.layers, $0.modes, $0.padding, $0.hidden) = (4, 2, 3, 3, 5) }, inputs: 2, outputs: 3,
      rows: 7, columns: 6)
    #expect(goldenProblems(padded, "padded", in: golden) == [])
    let ring = try network(
      { ($0.channels, $0.layers, $0.modes, $0.hidden) = (3, 3, 4, 4) }, inputs: 1, outputs: 1, rows: 8,
      columns: 9)
    #expect(goldenProblems(ring, "ring", in: golden) == [])
    let uneven = try network(
      { ($0.channels, $0.layers, $0.modes, $0.columnModes, $0.hidden) = (3, 2, 4, 2, 4) }, inputs: 2,
      outputs: 1,
      rows: 10, columns: 6)
    #expect(goldenProblems(uneven, "uneven", in: golden) == [])
  }

  /// A wave that is kept comes back times its number, on any grid; others vanish.
  @Test(arguments: [(8, 8), (9, 12), (20, 7)]) func wavesAreMultiplied(_ rows: Int, _ columns: Int) {
    var random = RandomGenerator(seed: 1)
    let layer = SpectralConv2d(1, 1, modes: (3, 4), using: &random)
    layer.weight = .full(layer.weight.shape, 0, dtype: .float64)
    // Wave (-2, 3) times 2 i.
    layer.weight = Tensor(
      (0..<6 * 4 * 2).map { $0 == ((6 - 2) * 4 + 3) * 2 + 1 ? 2 : 0 } as [Double], [6, 4, 1, 1, 2])
    func wave(_ k: Int, _ l: Int, shift: Double) -> Tensor {
      let values = (0..<rows * columns).map { place -> Double in
        let (row, column) = (Double(place / columns), Double(place % columns))
        return cos(
          2 * Double.pi * (Double(k) * row / Double(rows) + Double(l) * column / Double(columns)) + shift)
      }
      return Tensor(values, [1, rows, columns, 1])
    }
    let kept = layer(wave(-2, 3, shift: 0.3)), expected = wave(-2, 3, shift: 0.3 + Double.pi / 2) * 2
    let allowed = Tolerance(relative: 0, absolute: 1e-12)
    #expect(CallosumTestSupport.Comparison(kept, expected, within: allowed).problem == nil)
    let others = layer(wave(2, 3, shift: 0.3) + wave(1, 0, shift: 0) + 5)
    #expect(CallosumTestSupport.Comparison(others, .zeros(like: others), within: allowed).problem == nil)
  }

  /// Functions of a batch do not hear each other.
  @Test func rowsAreIndependent() throws {
    let network = try network(
      { ($0.channels, $0.layers, $0.modes, $0.padding) = (3, 2, 2, 2) }, inputs: 1, outputs: 2, rows: 5,
      columns: 5)
    var random = RandomGenerator(seed: 2)
    let x = random.normal([3, 5, 5, 1]), together = network(x)
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
    for row in 0..<3 {
      let alone = network(x.sliced(axis: 0, from: row, to: row + 1))
      let other = together.sliced(axis: 0, from: row, to: row + 1)
      #expect(CallosumTestSupport.Comparison(other, alone, within: allowed).problem == nil)
    }
  }

  @Test func modesThatAGridLacksAreLeftOut() throws {
    let small = try network({ ($0.channels, $0.layers) = (2, 1) }, inputs: 1, outputs: 1, rows: 5, columns: 4)
    #expect(small.layers[0].spectral.weight.shape == [4, 3, 2, 2, 2])
    #expect(throws: InvalidInput.self) {
      try network({ $0.modes = 0 }, inputs: 1, outputs: 1, rows: 4, columns: 4)
    }
    #expect(throws: InvalidInput.self) { try network({ _ in }, inputs: 1, outputs: 1, rows: 1, columns: 4) }
  }
}
