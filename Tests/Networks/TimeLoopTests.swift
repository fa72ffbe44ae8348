import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Time loops of modules: steps that are computed again meet the same weights and random numbers.
@Suite struct TimeLoopsOfModules {
  private final class Cell: Module {
    let input, hidden: Linear
    let dropout = Dropout(0.5)
    init(using random: inout RandomGenerator) {
      input = Linear(3, 6, using: &random)
      hidden = Linear(6, 6, using: &random)
    }
    func callAsFunction(_ x: Tensor, _ h: Tensor) -> Tensor { tanh(input(x) + hidden(dropout(h))) }
  }

  /// Loss and gradients by all parameters, in training or not.
  private func solve(trains: Bool, _ loss: @escaping (Cell, Tensor) -> Tensor) -> [Tensor] {
    var random = RandomGenerator(seed: 1)
    let cell = Cell(using: &random), x = random.normal([2, 13, 3])
    let run = {
      let (value, gradients) = valueAndGradient(by: cell.parameters()) { loss(cell, x) }
      return [value] + gradients
    }
    return trains ? training(using: &random, run) : run()
  }

  private func expectSame(_ found: [Tensor], _ wanted: [Tensor]) {
    #expect(found[0].item() == wanted[0].item())
    for (a, b) in zip(found, wanted) {
      #expect(b.doubles.contains { $0 != 0 })
      #expect(Comparison(a, b, within: Tolerance(relative: 1e-6, ofLargest: 1e-6)).problem == nil)
    }
  }

  @Test(arguments: [false, true]) func checkpointsChangeNothing(trains: Bool) {
    func loss(_ cell: Cell, _ x: Tensor, every: Int?) -> Tensor {
      let (outputs, last) = scan(
        over: [x], initial: Tensor.ones([2, 6]), by: cell.parameters(), checkpointEvery: every
      ) { x, h in
        let h = cell(x[0], h)
        return ([h], h)
      }
      return square(outputs[0]).sum() + last.sum()
    }
    let plain = solve(trains: trains) { loss($0, $1, every: nil) }
    expectSame(solve(trains: trains) { loss($0, $1, every: 4) }, plain)
    let different = solve(trains: !trains) { loss($0, $1, every: nil) }
    #expect(different[0].item() != plain[0].item())
  }
}
