// Two hemispheres with a corpus callosum against one of equal size: the brains of two-hemispheres.yaml and
// one-hemisphere.yaml, in Swift.
//
//   swift run -c release TwoHemispheres [STEPS]

import Callosum

let gelu = Choice("units", ["activation": "gelu"])
let leftField = Region("left-field", part: Choice("input", ["columns": [0, 14]]))
let rightField = Region("right-field", part: Choice("input", ["columns": [14, 28]]))

let two = BrainPlan(
  "Two hemispheres with a corpus callosum", task: "fashion-mnist", steps: 2, output: "motor"
) {
  leftField
  rightField
  Region("right-hemisphere", part: gelu, width: 64)
  Region("left-hemisphere", part: gelu, width: 64)
  Region("motor", part: "units")
  Tract("left-field", to: "right-hemisphere")
  Tract("right-field", to: "left-hemisphere")
  Tract("right-hemisphere", to: "motor")
  Tract("left-hemisphere", to: "motor")
  Tract("right-hemisphere", to: "left-hemisphere", through: "corpus-callosum", delay: 1)
  Tract("left-hemisphere", to: "right-hemisphere", through: "corpus-callosum", delay: 1)
}

let one = BrainPlan("One hemisphere", task: "fashion-mnist", output: "motor") {
  leftField
  rightField
  Region("hemisphere", part: gelu, width: 65)
  Region("motor", part: "units")
  Tract("left-field", to: "hemisphere")
  Tract("right-field", to: "hemisphere")
  Tract("hemisphere", to: "motor")
}

let task = try FashionMNISTTask()
var settings = TrainingSettings()
settings.steps = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 300
settings.batchSize = 64
for plan in [two, one] {
  var weights = RandomGenerator(seed: 1).stream("weights")
  let brain = try Brain(plan, for: task, parts: .all, using: &weights)
  let outcome = try Trainer(settings: settings, task: task).train(try BrainLearner(brain), seed: 1)
  print(plan.name ?? "", brain.parameterCount, "parameters, accuracy", outcome.score ?? 0)
}
