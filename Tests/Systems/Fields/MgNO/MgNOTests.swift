import CallosumContracts
import CallosumFields
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// xlliu2017/MgNO at 3a68a90, models.py: `MgNO_DC` and `MgConv_DC` with random weights, in float64.
@Suite struct MgNOTests {
  private func network(
    _ change: (inout MgNO.Settings) -> Void, inputs: Int, rows: Int, columns: Int
  ) throws -> MgNO {
    var settings = MgNO.Settings(), random = RandomGenerator(seed: 1)
    change(&settings)
    return try MgNO(
      settings, in: Slot(width: inputs, outputWidth: 1, rows: rows, columns: columns), using: &random)
  }

  private func cycle(
    _ inputs: Int, _ outputs: Int, _ sweeps: [(Int, Int)], _ padding: PaddingMode,
    useResidual: Bool = true
  ) -> MultigridConv {
    var random = RandomGenerator(seed: 1)
    return MultigridConv(
      inputs, outputs, sweeps: sweeps.map { .init($0.0, $0.1) }, padding: padding, useResidual: useResidual,
      using: &random)
  }

  @Test func networksAgreeWithTheAuthors() throws {
    let golden = try Golden.tensors(beside: #filePath)
    let plain = try network(
      { ($0.channels, $0.layers, $0.levels) = (4, 2, 3) }, inputs: 1, rows: 8, columns: 12)
    #expect(goldenProblems(plain, "plain", in: golden) == [])
    let swept = try network(
      {
        ($0.channels, $0.layers, $0.levels, $0.pre, $0.post, $0.coarsest) = (3, 2, 4, 2, 1, 3)
        $0.padding = .reflect
      }, inputs: 2, rows: 16, columns: 16)
    #expect(goldenProblems(swept, "swept", in: golden) == [])
    // darcy.py: two sweeps on each of the two coarsest levels.
    let darcy = try network(
      { ($0.channels, $0.layers, $0.sweepsDown) = (2, 2, [1, 1, 1, 2, 2]) }, inputs: 1, rows: 16, columns: 32)
    #expect(goldenProblems(darcy, "darcy", in: golden) == [])
  }

  @Test func cyclesAgreeWithTheAuthors() throws {
    let golden = try Golden.tensors(beside: #filePath)
    let residual = cycle(2, 3, [(2, 1), (1, 2), (0, 1), (1, 0)], .zeros)
    #expect(goldenProblems(residual, "residual", in: golden) == [])
    #expect(goldenProblems(cycle(3, 2, [(1, 2), (3, 0)], .circular), "circular", in: golden) == [])
    let replicate = cycle(1, 2, [(1, 1), (1, 0), (1, 0)], .replicate)
    #expect(goldenProblems(replicate, "replicate", in: golden) == [])
  }

  @Test(arguments: [false, true]) func aCycleIsLinear(_ useResidual: Bool) {
    let cycle = cycle(2, 3, [(1, 1), (1, 1), (2, 0)], .reflect, useResidual: useResidual)
    for one in cycle.parameters() { one.value = one.value.asType(.float64) }
    var random = RandomGenerator(seed: 2)
    let a = random.normal([2, 8, 16, 2], dtype: .float64), b = random.normal([2, 8, 16, 2], dtype: .float64)
    let apart = cycle(a) * 3 - cycle(b) * 0.5
    let together = cycle(a * 3 - b * 0.5)
    let allowed = Tolerance(relative: 0, ofLargest: 1e-13)
    #expect(CallosumTestSupport.Comparison(together, apart, within: allowed).problem == nil)
  }

  // MARK: Poisson's equation

  private func problem(size: Int) -> (cycle: MultigridConv, system: (Tensor) -> Tensor, f: Tensor) {
    let stencil = MultigridConv.poissonStencil(size: size)
    var random = RandomGenerator(seed: 3)
    return (
      MultigridConv.poisson(size: size), { conv2d($0, weight: stencil, padding: (1, 1)) },
      random.normal([1, size, size, 1], dtype: .float64)
    )
  }

  private func norm(_ x: Tensor) -> Double { sqrt(square(x).sum()).item() }

  /// From a random right-hand side the residual shrinks more than threefold a cycle, on average over four, at
  /// every size: the fourth is what smoothing cannot do, which shrinks it less than threefold in all. Under
  /// zeros the grids of a V-cycle do not nest at the border, so later cycles shrink it less.
  @Test(arguments: [16, 32, 64, 128]) func cyclesSolvePoissonsEquation(_ size: Int) {
    let (cycle, system, f) = problem(size: size)
    var u = Tensor.zeros(like: f), smoothed = Tensor.zeros(like: f)
    let jacobi = 0.8 / 4 / Double((size + 1) * (size + 1))
    var sizes = [norm(f)], plain = [norm(f)]
    for _ in 0..<4 {
      u = u + cycle(f - system(u))
      for _ in 0..<4 { smoothed = smoothed + (f - system(smoothed)) * jacobi }
      sizes.append(norm(f - system(u)))
      plain.append(norm(f - system(smoothed)))
    }
    let factor = pow(sizes[0] / sizes[4], 0.25)
    #expect(factor > 3, "\(size): \(sizes)")
    #expect(sizes[4] < plain[4] / 3, "\(size): \(sizes[4]) against \(plain[4])")
  }

  /// The same cycle written out with loops over the points.
  @Test(arguments: [8, 16]) func theCycleWrittenOut(_ size: Int) {
    func at(_ x: [[Double]], _ row: Int, _ column: Int) -> Double {
      x.indices ~= row && x.indices ~= column ? x[row][column] : 0
    }
    func residual(_ f: [[Double]], _ u: [[Double]]) -> [[Double]] {
      let scale = Double((f.count + 1) * (f.count + 1))
      return f.indices.map { i in
        f.indices.map { j in
          let around = at(u, i - 1, j) + at(u, i + 1, j) + at(u, i, j - 1) + at(u, i, j + 1)
          return f[i][j] - scale * (4 * u[i][j] - around)
        }
      }
    }
    func smoothed(_ f: [[Double]], _ u: [[Double]], times: Int) -> [[Double]] {
      let step = 0.2 / Double((f.count + 1) * (f.count + 1))
      return (0..<times).reduce(u) { u, _ in
        let rest = residual(f, u)
        return u.indices.map { i in u.indices.map { u[i][$0] + step * rest[i][$0] } }
      }
    }
    func cycle(_ f: [[Double]]) -> [[Double]] {
      let n = f.count, nothing = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
      guard n > 2 else { return smoothed(f, nothing, times: 4) }
      var u = smoothed(f, nothing, times: 2)
      let rest = residual(f, u)
      let coarse = cycle(
        (0..<n / 2).map { i in
          (0..<n / 2).map { j in
            var sum = 0.0
            for p in -1...1 {
              for q in -1...1 { sum += Double((2 - p * p) * (2 - q * q)) * at(rest, 2 * i + p, 2 * j + q) }
            }
            return sum / 16
          }
        })
      // A fine point lies a quarter of a coarse step from its nearest coarse point.
      func near(_ i: Int) -> [(Int, Double)] { [(i / 2, 0.75), (i % 2 == 0 ? i / 2 - 1 : i / 2 + 1, 0.25)] }
      for i in 0..<n {
        for j in 0..<n {
          for (p, a) in near(i) { for (q, b) in near(j) { u[i][j] += a * b * at(coarse, p, q) } }
        }
      }
      return smoothed(f, u, times: 2)
    }
    let (layer, _, f) = problem(size: size)
    let numbers = f.doubles
    let rows = (0..<size).map { Array(numbers[$0 * size..<($0 + 1) * size]) }
    let expected = Tensor(cycle(rows).flatMap { $0 }, f.shape)
    let allowed = Tolerance(relative: 0, ofLargest: 1e-13)
    #expect(CallosumTestSupport.Comparison(layer(f), expected, within: allowed).problem == nil)
  }

  // MARK: Grids

  @Test func gridsThatDoNotHalveAreRefused() throws {
    func mistake(_ rows: Int, _ columns: Int, _ change: (inout MgNO.Settings) -> Void = { _ in }) -> String? {
      let error = #expect(throws: InvalidInput.self) {
        try network(change, inputs: 1, rows: rows, columns: columns)
      }
      return error?.description
    }
    #expect(
      mistake(7, 7)
        == "mgno: a grid of 7 x 7 does not halve once, as 2 levels need; 6 x 6 or 8 x 8 would fit")
    #expect(
      mistake(30, 32) { $0.levels = 4 }
        == "mgno: a grid of 30 x 32 does not halve 3 times, as 4 levels need; 24 x 32 or 32 x 32 would fit, "
        + "or at most 2 levels")
    #expect(
      mistake(4, 8) {
        $0.levels = 3
        $0.padding = .reflect
      }
        == "mgno: a grid of 4 x 8 does not halve 2 times to no less than 2, as 3 levels need; 8 x 8 would fit, "
        + "or at most 2 levels")
    #expect(mistake(8, 8) { $0.pre = 0 } == "pre must be from 1 to 10000, is 0")
    #expect(
      mistake(8, 8) { ($0.sweepsDown, $0.sweepsUp) = ([1, 2], [1, 1]) }
        == "mgno: sweepsUp must list 1 numbers for 2 levels, lists 2")
    // Grids of which nothing is said get as many levels as they allow, at most 5.
    for (rows, columns, levels) in [(4, 4, 2), (12, 8, 3), (64, 64, 5)] {
      let network = try network({ $0.layers = 1 }, inputs: 1, rows: rows, columns: columns)
      #expect(network.layers[0].multigrid.levels.count == levels, "\(rows) x \(columns)")
    }
  }

  /// A network takes other grids than its own.
  @Test func othersGridsFit() throws {
    let network = try network(
      { ($0.channels, $0.layers, $0.levels) = (3, 2, 3) }, inputs: 1, rows: 8, columns: 8)
    #expect(network(Tensor.ones([2, 12, 20, 1])).shape == [2, 12, 20, 1])
  }
}
