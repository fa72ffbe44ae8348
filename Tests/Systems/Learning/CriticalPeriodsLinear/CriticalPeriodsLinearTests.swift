import CallosumContracts
import CallosumLearning
import CallosumNetworks
import CallosumTensors
import Testing

@Suite struct CriticalPeriodsLinearTests {
  /// Shares computed by an independent program with the same step of time.
  @Test(arguments: [(1, 0.4523), (2, 0.1302), (3, 0.0379), (4, 0.0228)])
  func anEarlyDeficitCostsTheFeature(_ depth: Int, _ expected: Double) {
    var early = MultiPathEquation(depth: depth, target: 10, strengths: [0.01, 0.01])
    var late = early
    for step in 0..<1000 {
      early.step(open: [true, step >= 10])
      late.step(open: [true, !(750..<760).contains(step)])
    }
    #expect(abs(early.shares[1] - expected) < 5e-5)
    #expect(abs(late.shares[1] - 0.5) < 1e-6)
    #expect(abs(early.strengths.reduce(0, +) - 10) < 1e-3)
  }

  /// With a step short enough, p_a / p_b (depth 2) and p_a^(2-D) - p_b^(2-D) stay what they were.
  @Test(arguments: [2, 3, 4, 6]) func invariants(_ depth: Int) throws {
    var equation = MultiPathEquation(depth: depth, target: 3, strengths: [0.02, 0.01], timeStep: 1e-5)
    let before = try #require(equation.invariant)
    for _ in 0..<300_000 { equation.step(open: [true, true]) }
    #expect(abs(try #require(equation.invariant) / before - 1) < 1e-3)
    #expect(equation.strengths.reduce(0, +) > 0.05)
    #expect(MultiPathEquation(depth: 1, target: 3, strengths: [1, 1]).invariant == nil)
  }

  /// A network that starts balanced and aligned with its target learns each mode as the equation says.
  @Test(arguments: [1, 2, 3]) func networksFollowTheEquation(_ depth: Int) throws {
    var random = RandomGenerator(seed: 3)
    let target = random.normal([6, 4])
    let (u, s, vt) = svd(target)
    let v = vt.swappedAxes(0, 1)
    var settings = CriticalPeriodsLinear.Settings()
    (settings.depth, settings.hidden) = (depth, 9)
    let network = try CriticalPeriodsLinear(
      settings, in: Slot(width: 4, outputWidth: 6, tokens: 4), using: &random)
    let starts = [Tensor([0.01, 0.02, 0.03, 0.04] as [Float]), Tensor.full([4], 0.02)]
    for (path, modes) in zip(network.paths, starts) {
      let matrices = CriticalPeriodsLinear.balanced(
        modes, output: u, input: v, depth: depth, hidden: 9, using: &random)
      for (one, matrix) in zip(path.parameters(), matrices) { one.value = matrix }
    }
    for place in network.parameters() { place.value = place.value.asType(.float64) }
    var equations = s.doubles.enumerated().map { mode, strength in
      MultiPathEquation(depth: depth, target: strength, strengths: starts.map { $0.doubles[mode] })
    }
    let items = Tensor.eye(4, dtype: .float64).reshaped(1, 4, 4)
    let wanted = target.asType(.float64).swappedAxes(0, 1).reshaped(1, 4, 6)
    for step in 0..<400 {
      network.isOpen = [true, step > 30]
      let parameters = network.parameters()
      let (_, gradients) = valueAndGradient(by: parameters) { square(network(items) - wanted).sum() * 0.5 }
      for (one, gradient) in zip(parameters, gradients) { one.value = one.value - gradient * 0.01 }
      for mode in equations.indices { equations[mode].step(open: network.isOpen) }
    }
    for (path, part) in network.paths.enumerated() {
      let strengths = matmul(matmul(u.asType(.float64).swappedAxes(0, 1), part.product), v.asType(.float64))
      for mode in 0..<4 {
        let found = strengths.doubles[mode * 4 + mode]
        #expect(abs(found - equations[mode].strengths[path]) < 1e-4, "path \(path), mode \(mode)")
      }
    }
  }

  @Test func aClosedPathStays() throws {
    var random = RandomGenerator(seed: 4)
    let network = try CriticalPeriodsLinear(
      CriticalPeriodsLinear.Settings(), in: Slot(width: 3, outputWidth: 5, tokens: 2), using: &random)
    network.isOpen = [false, true]
    let (_, gradients) = valueAndGradient(by: network.parameters()) {
      square(network(Tensor.ones([1, 2, 3])) - 1).sum()
    }
    #expect(gradients.map { $0.floats.contains { $0 != 0 } } == [false, false, true, true])
  }

  @Test func depthOneNeverLearnsWhatIsHidden() throws {
    var random = RandomGenerator(seed: 5)
    let mask = DeepMatrixCompletion.mask(size: 6, count: 20, using: &random)
    #expect(mask.sum().item() == 20 && mask.max().item() == 1)
    let target = DeepMatrixCompletion.target(size: 6, rank: 1, using: &random)
    #expect(abs(square(target).sum().item() - 36) < 1e-3 && svd(target).s.doubles[1] < 1e-5)
    let shallow = DeepMatrixCompletion(size: 6, depth: 1, using: &random)
    let before = shallow.product
    try shallow.descend(to: target, mask: mask, rate: 0.5, steps: 200)
    #expect(abs((shallow.product - before) * (1 - mask)).max().item() == 0)
    let deep = DeepMatrixCompletion(size: 6, depth: 3, using: &random)
    try deep.descend(to: target, mask: mask, rate: 0.5, steps: 3000)
    #expect(deep.error(to: target, hiddenBy: mask) < 0.1 * shallow.error(to: target, hiddenBy: mask))
  }
}
