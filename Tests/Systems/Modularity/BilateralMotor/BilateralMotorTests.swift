import CallosumContracts
import CallosumExperiments
import CallosumModularity
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The authors' Cerenaut/bilateral-motor-control, commit 5167c5f, in float64 with random weights: excitations
/// y of senses x, and gradients by every weight of sum(y g).
private struct Reference {
  let tensors: [String: Tensor]

  init() throws {
    let file = Golden.path(beside: #filePath)
    tensors = try Safetensors.load(file).tensors
  }

  func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "\(name)") }

  /// What of theirs is our parameter; Keras keeps weights as [inputs, outputs].
  func tensor(_ kind: String, _ what: String, _ name: String) throws -> Tensor {
    func get(_ place: String) throws -> Tensor { try self("\(kind).\(what).\(place)") }
    if name == "join" {
      return concatenated([try get("join.0"), try get("join.1")].map { $0.reshaped([1]) })
    }
    let parts = name.split(separator: ".").map(String.init)
    let place =
      switch parts[0] {
      case "left": "hidden_l_\(parts[1]).\(parts[2])"
      case "right": "hidden_r_\(parts[1]).\(parts[2])"
      case "hidden": "hidden_layer_\(parts[1]).\(parts[2])"
      default: "output_layer.\(parts[1])"
      }
    let tensor = try get(place)
    return parts.last == "weight" ? tensor.swappedAxes(0, 1) : tensor
  }

  func check(_ kind: String, _ module: any Layer, _ dtype: DType, _ tolerance: Double) throws {
    let parameters = module.parameters()
    for one in parameters { one.value = try tensor(kind, "weight", one.name).asType(dtype) }
    let x = try self("x").asType(dtype), g = try self("g").asType(dtype)
    let (outputs, pullback) = valueAndPullback(at: parameters.map(\.value)) { values in
      withParameters(parameters, as: values) { [module(x)] }
    }
    var allowed = Tolerance(relative: tolerance, ofLargest: tolerance)
    func compare(_ actual: Tensor, _ expected: Tensor, _ what: String) {
      let found = CallosumTestSupport.Comparison(actual.asType(.float64), expected, within: allowed)
      #expect(found.problem == nil, "\(kind): \(what) \(dtype)")
    }
    compare(outputs[0], try self("\(kind).y"), "y")
    let gradients = pullback([g])
    let largest = gradients.flatMap(\.doubles).map(abs).max() ?? 0
    allowed = Tolerance(relative: tolerance, absolute: tolerance * largest)
    for (one, gradient) in zip(parameters, gradients) {
      compare(gradient, try tensor(kind, "grad", one.name), one.name)
    }
  }
}

private let slot = Slot(width: 16, outputWidth: 6, tokens: 1)

private func controller(
  units: Int = 5, layers: Int = 2, callosum: Bool = true, seed: UInt64 = 1
) throws -> BilateralMotor {
  var settings = BilateralMotor.Settings(), random = RandomGenerator(seed: seed)
  (settings.units, settings.layers, settings.callosum) = (units, layers, callosum)
  return try BilateralMotor(settings, in: slot, using: &random)
}

@Suite struct BilateralMotorTests {
  private let lesions: [(theirs: String, ours: Set<BilateralMotor.Lesion>)] = [
    ("highleft", [.leftInput]), ("lowleft", [.leftOutput]), ("lowright", [.rightOutput]),
    ("cc", [.callosum]), ("ccl", [.callosum, .leftInput]),
  ]

  @Test(arguments: [("plain", 5, 2, false), ("callosum", 5, 3, true), ("even", 4, 2, true)])
  func agreesWithTheAuthorsCode(kind: String, units: Int, layers: Int, callosum: Bool) throws {
    let reference = try Reference()
    let ours = try controller(units: units, layers: layers, callosum: callosum)
    try reference.check(kind, ours, .float32, 1e-5)
    try reference.check(kind, ours, .float64, 1e-12)
    let x = try reference("x")
    for (theirs, lesions) in lesions {
      guard let expected = reference.tensors["\(kind)/\(theirs).y"] else { continue }
      ours.lesions = lesions
      let found = CallosumTestSupport.Comparison(
        ours(x), expected, within: Tolerance(relative: 1e-12, ofLargest: 1e-12))
      #expect(found.problem == nil, "\(theirs)")

      // The same from the settings, through the door.
      var settings = BilateralMotor.Settings(), random = RandomGenerator(seed: 9)
      (settings.units, settings.layers, settings.callosum) = (units, layers, callosum)
      settings.lesions = Array(lesions)
      let door = try BilateralMotor.door(settings, in: slot, using: &random)
      for (to, from) in zip(door.module?.parameters() ?? [], ours.parameters()) { to.value = from.value }
      let tokens = x.expandedDimensions(axis: 1)
      let y = try #require(try door(["x": tokens], using: &random)["y"]).squeezed(axis: 1)
      let wrong = CallosumTestSupport.Comparison(
        y, expected, within: Tolerance(relative: 1e-12, ofLargest: 1e-12))
      #expect(wrong.problem == nil, "\(theirs) through the door")
    }
  }

  @Test func theSingleNetworkAgreesToo() throws {
    var settings = BilateralMotor.Settings(), random = RandomGenerator(seed: 1)
    settings.units = 10
    let single = UnilateralController(settings, in: slot, using: &random)
    try Reference().check("single", single, .float64, 1e-12)
  }

  /// With left and right exchanged, so are lesions: also those whose name the authors' code gets wrong.
  @Test func lesionsAreMirrored() throws {
    let one = try controller(), mirrored = try controller()
    let pairs = zip(one.left + one.right, mirrored.right + mirrored.left)
    for (from, to) in pairs { (to.weight, to.bias) = (from.weight, from.bias) }
    (one.join, mirrored.join) = (Tensor([0.3, 0.9] as [Float]), Tensor([0.9, 0.3] as [Float]))
    var random = RandomGenerator(seed: 2)
    let x = random.normal([4, 16])
    typealias Lesion = BilateralMotor.Lesion
    let exchanged: [(Set<Lesion>, Set<Lesion>)] = [
      ([.leftInput], [.rightInput]), ([.leftOutput], [.rightOutput]),
      ([.callosum, .leftInput], [.callosum, .rightInput]),
    ]
    let whole = one(x).floats
    for (left, right) in exchanged {
      (one.lesions, mirrored.lesions) = (left, right)
      let found = one(x).floats
      #expect(zip(found, mirrored(x).floats).allSatisfy { abs($0 - $1) < 1e-6 })
      #expect(found != whole)
    }
  }

  @Test func rectifiedUnitsAreNeverBelowZero() throws {
    var settings = BilateralMotor.Settings(), random = RandomGenerator(seed: 1)
    settings.activation = .rectifiedTanh
    let rectified = try BilateralMotor(settings, in: slot, using: &random)
    let x = random.normal([9, 16])
    let hidden = rectified.excitations(x).hidden
    #expect(hidden.count == 4)
    #expect(hidden.allSatisfy { $0.min().item() == 0 && $0.max().item() > 0 })
    let expected = relu(tanh(linear(x, weight: rectified.left[0].weight, bias: rectified.left[0].bias)))
    #expect(hidden[0].floats == expected.floats)
  }
}

@Suite struct DualLossTests {
  /// A short reach in float64.
  private func reach() throws -> (task: ReachAndHold, inputs: Tensor) {
    let task = try ReachAndHold(.reach, steps: 6)
    return (task, task.batch(.training, [0, 1, 2]).inputs.asType(.float64))
  }

  private func move(_ task: ReachAndHold, _ inputs: Tensor, _ controller: (Tensor) -> Tensor) -> Movement {
    let moved = task.run(inputs) { state, target, _ in
      let senses = task.arm.senses(state)
      return controller(
        concatenated([senses.lengths, senses.velocities, task.arm.hand(state.angles), target], axis: 1))
    }
    return Movement(
      hands: moved.hands, targets: inputs.sliced(axis: 1, from: 2, to: 4), excitations: moved.excitations)
  }

  @Test func eachHalfLearnsByItsLoss() throws {
    let (task, inputs) = try reach()
    let ours = try controller()
    for one in ours.parameters() { one.value = one.value.asType(.float64) }
    let trainer = DualLossTrainer(ours)
    let fast = trainer.routed(inputs) { move(task, $0, $1) }
    let slow = trainer.routedByDefinition(inputs) { move(task, $0, $1) }
    func gradients(_ loss: MotorLoss) -> [Tensor] {
      valueAndGradient(by: ours.parameters()) { loss(move(task, inputs) { ours($0) }) }.gradients
    }
    let (byA, byB) = (gradients(.a), gradients(.b))
    let allowed = Tolerance(relative: 1e-9, ofLargest: 1e-9)
    func same(_ x: Tensor, _ y: Tensor) -> Bool {
      CallosumTestSupport.Comparison(x, y, within: allowed).problem == nil
    }
    for (place, one) in ours.parameters().enumerated() {
      let expected =
        switch BilateralMotor.half(of: one.name) {
        case .left: byA[place]
        case .right: byB[place]
        case nil: (byA[place] + byB[place]) * 0.5
        }
      #expect(same(slow.gradients[place], expected), "\(one.name)")
      #expect(same(fast.gradients[place], expected), "\(one.name)")
      #expect(!same(byA[place], byB[place]), "\(one.name)")
    }
    #expect(abs((fast.losses.a - slow.losses.a).item()) < 1e-12)
    #expect(abs((fast.losses.b - slow.losses.b).item()) < 1e-12)
  }

  /// The losses written out with numbers.
  @Test func lossesAreTheirFormulas() {
    let movement = Movement(
      hands: Tensor([0.1, 0.2, 0.3, 0.5] as [Double], [1, 2, 2]),
      targets: Tensor([0.2, 0.1] as [Double], [1, 2]),
      excitations: Tensor([0.5, 1] as [Double], [1, 2, 1]),
      hidden: Tensor([0.5, 0.6] as [Double], [1, 2, 1]))
    #expect(abs(MotorLoss.a(movement).item() - 5 * 0.7 / 4) < 1e-12)
    let squares = (0.01 + 0.01 + 0.01 + 0.16) / 4
    #expect(abs(MotorLoss.b(movement).item() - (5 * squares * 100 / 10 + 2 * 1.25 / 2)) < 1e-12)
    let mean = (MotorLoss.a(movement) + MotorLoss.b(movement)) * 0.5
    #expect(abs((MotorLoss.mean(movement) - mean).item()) < 1e-12)
    // A change of 0.1 in 10 ms is 10 a second.
    let activity = MotorLoss(activity: 0.02)(movement).item()
    #expect(abs(activity - 0.02 * ((0.25 + 0.36) / 2 + 0.05 * 100)) < 1e-12)
  }

  /// A step of one parameter is at most the learning rate, and the say of a half never falls below 0.
  @Test func stepsKeepTheJoinPositive() throws {
    let task = try ReachAndHold(.hold, steps: 4)
    let ours = try controller()
    ours.join = Tensor([1e-5, 0.5] as [Float])
    let trainer = DualLossTrainer(ours, learningRate: 0.01)
    var before = ours.parameters().map(\.value)
    for step in 0..<8 {
      trainer.step(task.batch(.training, [2 * step, 2 * step + 1]).inputs) { move(task, $0, $1) }
      #expect(ours.join.min().item() >= 0)
      for (one, old) in zip(ours.parameters(), before) where step == 0 {
        #expect(abs(one.value - old).max().item() < 0.0101, "\(one.name)")
      }
      before = ours.parameters().map(\.value)
    }
    #expect(ours.join.floats != [1e-5, 0.5])
  }
}
