import CallosumContracts
import CallosumTasks
import CallosumTensors
import Testing

@Suite struct FittingTests {
  @Test func allAreLawful() throws {
    var generator = RandomGenerator(seed: 2)
    expectLawful(try FunctionFitting.sines())
    expectLawful(try FunctionFitting.picture(toyPicture(size: 32, using: &generator)))
    for kind in 0..<4 {
      expectLawful(try FunctionFitting.solid(.random(kind: kind, using: &generator)))
    }
  }

  @Test func sinesHaveTheirFrequenciesOnly() throws {
    let task = try FunctionFitting.sines(waves: 4, cycles: 12, count: 32)
    #expect(Split.allCases.map { task.count($0) } == [64, 32, 32])
    // All points in order again: 128 on a period.
    let pairs = Split.allCases.flatMap { split in
      zip(task.points[split]?.doubles ?? [], task.values[split]?.doubles ?? [])
    }.sorted { $0.0 < $1.0 }
    let power = square(complexMagnitude(rfft(Tensor(pairs.map(\.1))))).doubles
    for k in 0...64 { #expect((power[k] > 1e-6) == [3, 6, 9, 12].contains(k)) }
    #expect(abs(pairs.reduce(0) { $0 + $1.1 * $1.1 } / 128 - 1) < 1e-5)
    #expect(throws: InvalidInput("20 points cannot tell 40 cycles; take 40 at least")) {
      try FunctionFitting.sines(count: 20)
    }
  }

  @Test func picturesAreKnownAtEverySecondPixel() throws {
    let picture = Tensor((0..<96).map { Float($0) }, [4, 8, 3])
    let task = try FunctionFitting.picture(picture)
    #expect(task.count(.training) == 8)
    #expect(Split.allCases.reduce(0) { $0 + (task.count($1) ?? 0) } == 32)
    let batch = task.batch(.training, [5])
    // The pixel in row 2, column 2.
    #expect(batch.inputs.doubles == [2.5 / 8, 2.5 / 4])
    #expect(batch.targets.doubles == [54, 55, 56])
    #expect(abs(FunctionFitting.peakSignalToNoise(0.001) - 30) < 1e-12)
  }

  @Test func toyPicturesHaveEdgesAndStayInRange() {
    var generator = RandomGenerator(seed: 4)
    let picture = toyPicture(size: 64, using: &generator)
    #expect(picture.shape == [64, 64, 3])
    #expect(picture.min().item() >= 0 && picture.max().item() <= 1)
    let steps = abs(picture.sliced(axis: 1, from: 1) - picture.sliced(axis: 1, to: 63))
    #expect((steps .> 0.2).sum().item() > 100)
    #expect((steps .< 0.02).sum().item() > 3000)
  }

  /// At points that a pencil can check, and by laws of distances everywhere.
  @Test func distancesAreExact() {
    #expect(Solid(.ball(radius: 0.5)).distance(SIMD3(0, 0, 2)) == 1.5)
    #expect(Solid(.box(SIMD3(1, 2, 3))).distance(SIMD3(4, 6, 3)) == 5)
    #expect(Solid(.box(SIMD3(1, 2, 3))).distance(SIMD3(0.5, 0, 0)) == -0.5)
    #expect(Solid(.torus(radius: 3, thickness: 1)).distance(SIMD3(0, 0, 4)) == 4)
    #expect(Solid(.cylinder(radius: 1, halfHeight: 2)).distance(SIMD3(4, 0, 6)) == 5)
    var generator = RandomGenerator(seed: 6)
    for index in 0..<400 {
      let solid = Solid.random(kind: index, using: &generator)
      let numbers = generator.uniform([6], low: -1, high: 1, dtype: .float64).doubles
      let p = SIMD3(numbers[0], numbers[1], numbers[2]), q = SIMD3(numbers[3], numbers[4], numbers[5])
      let apart = ((p - q) * (p - q)).sum().squareRoot()
      // No steeper than 1; and from outside, a walk along the gradient by the distance meets the surface.
      #expect(abs(solid.distance(p) - solid.distance(q)) <= apart + 1e-12)
      if solid.distance(p) > 0.01 {
        let surface = p - solid.distance(p) * solid.normal(p)
        #expect(abs(solid.distance(surface)) < 1e-5)
      }
    }
  }
}
