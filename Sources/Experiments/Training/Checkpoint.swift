import CallosumContracts
import CallosumTensors
import Foundation

/// Everything that a training needs to go on to the same bits as if it had never stopped, in one
/// safetensors file: `weights.NAME`, `learner.NAME`, `order` (int32) and, in the metadata, the rest.
struct Checkpoint {
  /// Where a training is.
  struct Progress: Codable, Equatable {
    /// Steps done.
    var step = 0
    /// Of training, evaluation left out.
    var seconds = 0.0
    /// Since the point before.
    var losses: [Double] = []
    /// What was measured so far.
    var points: [RunPoint] = []
    var order: BatchOrder.Place
    var dropout: RandomGenerator
    var mirrors: RandomGenerator
  }

  /// What is trained how, from which seed, so that nothing else is continued by mistake.
  var identity: String
  var weights: [String: Tensor]
  var learner: [String: Tensor]
  var order: Tensor
  var progress: Progress

  /// Replaces the file at `path`, whole or not at all.
  func write(to path: String) throws {
    var tensors = ["order": order]
    for (name, tensor) in weights { tensors["weights." + name] = tensor }
    for (name, tensor) in learner { tensors["learner." + name] = tensor }
    try Safetensors.save(
      tensors, metadata: ["identity": identity, "progress": try ResultCoding.text(progress)], to: path)
  }

  /// What to do about a checkpoint that is damaged.
  static func refusal(_ path: String, _ reason: String) -> InvalidInput {
    InvalidInput(
      "the checkpoint \(path) cannot be used: \(reason); delete it, and the training begins anew and comes to the same"
    )
  }

  /// The checkpoint at `path`; nil if there is none.
  /// - Throws: `InvalidInput` that says what to do if it cannot be used.
  static func read(from path: String) throws -> Checkpoint? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let tensors: [String: Tensor], metadata: [String: String]
    do { (tensors, metadata) = try Safetensors.load(path) } catch let error as TensorFileError {
      throw refusal(path, "it \(error.problem)")
    }
    guard let identity = metadata["identity"], let order = tensors["order"],
      let progress = try? ResultCoding.value(metadata["progress"] ?? "", as: Progress.self)
    else { throw refusal(path, "it is none of a training") }
    func those(_ prefix: String) -> [String: Tensor] {
      let found = tensors.filter { $0.key.hasPrefix(prefix) }
      return Dictionary(
        uniqueKeysWithValues: found.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
    return Checkpoint(
      identity: identity, weights: those("weights."), learner: those("learner."), order: order,
      progress: progress)
  }
}

/// Where a training leaves checkpoints and how often.
public struct CheckpointPlace {
  public let path: String
  /// Between two of them; one more is left when a training is stopped.
  public let seconds: Double

  public init(path: String, every seconds: Double = 30) {
    self.path = path
    self.seconds = seconds
  }
}
