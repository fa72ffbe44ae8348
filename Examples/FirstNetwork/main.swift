// Trains a small network on Fashion-MNIST and stores it: the example of README.md.
//
//   swift run -c release FirstNetwork [STEPS]

import Callosum

let steps = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 500
let task = try FashionMNISTTask()
var random = RandomGenerator(seed: 1)
let model = Sequential(
  Lambda { $0.flattened(start: 1) },
  Linear(784, 256, activation: .gelu, using: &random),
  Dropout(0.1),
  Linear(256, 10, using: &random))
let parameters = model.parameters()
let optimiser = Adam.adamW(parameters, learningRate: 1e-3)

for step in 0..<steps {
  let batch = task.trainingBatch((0..<128).map { _ in .random(in: 0..<task.trainingCount, using: &random) })
  let (loss, gradients) = training(using: &random) {
    valueAndGradient(by: parameters) { crossEntropy(logits: model(batch.inputs), targets: batch.targets) }
  }
  optimiser.update(gradients)
  if step % 100 == 0 { print("step \(step), loss \(loss.item())") }
}

let test = task.testBatch(0..<task.testCount)
let right = model(test.inputs).argMax(axis: -1) .== test.targets
print("accuracy \(right.asType(.float32).mean().item())")
try model.save(to: "model.safetensors")
