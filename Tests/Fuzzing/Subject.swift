import CallosumContracts
import CallosumExperiments
import CallosumMixers
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation

/// A reader of files from outside, and whole files to start from.
struct Subject: Sendable {
  let name: String
  let seeds: [[UInt8]]
  /// Wraps mutated bytes in a file whose outer layers are sound, so that the inner ones are reached.
  var wrapped: @Sendable ([UInt8], _ path: String) throws -> Void = { try write($0, to: $1) }
  /// Reads the file and everything in it.
  let read: @Sendable (_ path: String) throws -> Void

  static func all() throws -> [Subject] {
    let arrays = try fixtures(".npy")
    return [
      Subject(name: "npy", seeds: arrays) { touch(try NumPy.load($0)) },
      Subject(name: "npz", seeds: try fixtures(".npz")) { try readArchive($0) },
      Subject(
        name: "array in npz", seeds: arrays,
        wrapped: { bytes, path in
          try AtomicFile.write(to: path) { sink in
            var writer = ZipWriter(sink: sink, path: path)
            try bytes.withUnsafeBytes {
              try writer.append("a.npy", [$0], compressed: bytes.count % 2 == 0)
            }
            try writer.finish()
          }
        }
      ) { try readArchive($0) },
      Subject(name: "safetensors", seeds: try fixtures(".safetensors")) { path in
        for tensor in try Safetensors.load(path).tensors.values { touch(tensor) }
      },
      Subject(name: "idx", seeds: indexFiles) { path in
        for rank in [1, 3] { _ = try? IDXFile(path: path, rank: rank) }
        _ = try IDXFile(path: path, rank: 3)
      },
      Subject(name: "configuration", seeds: configurations.map { Array($0.utf8) }) { path in
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        // As the command line does: what is no JSON is refused there.
        guard let value = try? JSONValue(parsing: String(decoding: data, as: UTF8.self)) else { return }
        let problems = [
          caught { _ = try Backbone.Settings.decoded(from: value, for: "backbone") },
          caught { _ = try SoftmaxAttention.Settings.decoded(from: value, for: "attention") },
          caught { _ = try DepthwiseConvolution.Settings.decoded(from: value, for: "convolution") },
        ]
        for problem in problems { if let problem { throw problem } }
      },
    ]
  }

  /// Whether an error is one of those that readers may throw, in one line.
  static func isProper(_ error: any Error) -> Bool {
    (error is TensorFileError || error is IDXError || error is InvalidInput)
      && !"\(error)".unicodeScalars.contains { $0.value < 0x20 } && "\(error)".utf8.count < 2000
  }

  private static func caught(_ body: () throws -> Void) -> (any Error)? {
    do {
      try body()
      return nil
    } catch { return error }
  }

  private static func fixtures(_ suffix: String) throws -> [[UInt8]] {
    let folder = Golden.folder.appendingPathComponent("files")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(suffix)
    }
    return try names.sorted().map { [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))) }
      .filter { $0.count < 20_000 }
  }

  private static let indexFiles: [[UInt8]] = [
    idx([7], [1, 2, 3, 4, 5, 6, 7]), idx([2, 4, 3], (0..<24).map { $0 }), idx([0, 28, 28], []),
  ]

  private static let configurations = [
    "{}", #"{"patch": 4, "width": 64, "depth": 4, "mlpRatio": 4}"#, #"{"heads": 8, "causal": true}"#,
    #"{"kernel": 3, "a": {"b": [1, 2.5, null, "text", {"c": false}]}}"#,
    String(repeating: "[", count: 300) + String(repeating: "]", count: 300),
  ]

  private static func readArchive(_ path: String) throws {
    for array in try NumPy.loadArchive(path).values { touch(array) }
  }

  /// Reads all elements, of arrays that are not too large to wait for.
  private static func touch(_ tensor: Tensor) {
    if tensor.size < 1 << 20 { _ = tensor.doubles.reduce(0, +) }
  }
}
