import CallosumTestSupport
import Foundation
import Testing

/// A command line that makes no sense, and the line that the program answers with.
private let mistakes: [(arguments: String, line: String)] = [
  ("compare --parts poolin", "unknown part 'poolin'; did you mean 'average-pooling'?"),
  ("compare --parts softmax-atention", "unknown part 'softmax-atention'; did you mean 'softmax-attention'?"),
  ("compare --parts ,", "name at least one part to compare"),
  ("compare --parts spatial-mlp,spatial-mlp", "--parts names 'spatial-mlp' twice"),
  (
    "compare --task chess",
    "unknown task 'chess'; there are: associative-recall, bit-pattern-bags, copy, cumulative-parity, darcy, fashion-mnist, modular-arithmetic, n-delayed-match, n-parity, needle, spike-adding"
  ),
  ("compare --task fashion-mnis", "unknown task 'fashion-mnis'; did you mean 'fashion-mnist'?"),
  ("compare --steps 0", "steps must be from 1 to 100000000, is 0"),
  ("compare --steps -3", "steps must be from 1 to 100000000, is -3"),
  ("compare --seeds 0", "seeds must be from 1 to 100000, is 0"),
  ("compare --seeds -1", "seeds must be from 1 to 100000, is -1"),
  ("compare --batch 0", "batchSize must be from 1 to 100000, is 0"),
  ("compare --batch -128", "batchSize must be from 1 to 100000, is -128"),
  ("compare --width 0", "width must be from 1 to 100000, is 0"),
  ("compare --width -64", "width must be from 1 to 100000, is -64"),
  ("compare --depth 0", "depth must be from 1 to 100000, is 0"),
  ("compare --width 9223372036854775807", "width must be from 1 to 100000, is 9223372036854775807"),
  ("compare --steps 9223372036854775807", "steps must be from 1 to 100000000, is 9223372036854775807"),
  ("compare --patch 0", "patch must be from 1 to 100000, is 0"),
  ("compare --patch -4", "patch must be from 1 to 100000, is -4"),
  ("compare --patch 5", "patches of side 5 do not tile images of 28 x 28; patch 4 would"),
  ("compare --patch 56", "patches of side 56 do not tile images of 28 x 28; patch 28 would"),
  ("compare --learning-rate 0", "learningRate must be above 0, is 0.0"),
  ("compare --learning-rate -1", "learningRate must be above 0, is -1.0"),
  ("compare --learning-rate inf", "learningRate must be above 0, is inf"),
  ("compare --match size", "unknown --match 'size'; there are: macs, none, parameters, seconds"),
  ("compare --tune rate", "unknown setting in --tune 'rate'; did you mean 'learning-rate'?"),
  ("compare --tune learning-rate --seeds 200", "seeds must be from 1 to 99, is 200"),
  ("compare --task ,", "--task names no task; see 'callosum list --tasks'"),
  (
    "compare --parts delta-net{heads:4",
    "--parts opens and closes different numbers of braces: delta-net{heads:4"
  ),
  ("compare --task copy,copy", "--task names 'copy' twice"),
  ("compare --skeleton {\"spine\":{}}", "unknown skeleton 'spine'; there are: backbone, taught, whole"),
  (
    "compare --task needle --parts spatial-mlp",
    "spatial-mlp lets a token see later ones, where Needle in a haystack has the answers; a causal part would do"
  ),
  (
    "compare --task copy --parts average-pooling",
    "average-pooling needs tokens in a grid, but Copy gives a sequence; images would do"
  ),
  ("compare --task copy --parts fno", "fno takes numbers, but Copy gives tokens of a vocabulary"),
  (
    "compare --parts noprop",
    "noprop teaches a network of its own, which is put to work in its claim; a learning rule for any layer, "
      + "such as feedback-alignment, would do"
  ),
  (
    "compare --parts delta-rule",
    "delta-rule: only the layer below the readout can learn by it; --skeleton '{\"taught\": {\"depth\": 1}}' would do"
  ),
  ("compare --parts router", "router is a tract; nothing puts one to work on a task by itself"),
  ("compare --width 30", "softmax-attention: width 30 does not divide into 4 heads"),
  (
    "compare --config {",
    "--config needs JSON such as '{\"softmax-attention\": {\"heads\": 8}}', but this is not JSON: {"
  ),
  (
    "describe spatial-mlp --config {\"hidden\":2,}",
    "--config needs JSON such as '{\"hidden\":0}', but a comma stands before '}': {\"hidden\":2,}"
  ),
  (
    "describe delta-net --config {\"streams\":{\"heads\":2,\"heads\":4}}",
    "--config needs JSON such as '{\"rule\":\"delta\"}', but the key 'heads' is given twice: "
      + "{\"streams\":{\"heads\":2,\"heads\":4}}"
  ),
  (
    "describe delta-net --config {\"streams\":{\"head\":2}}",
    "configuration of delta-net: unknown key 'streams.head'; did you mean 'streams.heads'?"
  ),
  (
    "compare --parts delta-net{\"head\":1}",
    "configuration of delta-net: unknown key 'head'; did you mean 'heads'?"
  ),
  (
    "describe delta-net --config {\"heads\":2,\"streams\":{\"heads\":4}}",
    "configuration of delta-net: 'heads' is said twice, by itself and in 'streams'"
  ),
  (
    "describe brain.yaml",
    "brain.yaml is a brain, not a part: 'callosum show' draws it, 'callosum train' trains it"
  ),
  (
    "show small.yaml --output wiring.png",
    "--output writes svg, which wiring.png does not sound like; call it wiring.svg"
  ),
  (
    "compare --report out.pdf --steps 1",
    "--report writes html, which out.pdf does not sound like; call it out.html"
  ),
  (
    "train weights.safetensors",
    "weights.safetensors is no plan of a brain, which is a YAML file such as Examples/two-hemispheres.yaml"
  ),
  (
    "compare --parts ncap",
    "ncap takes 10 bends and 0 numbers that it is told, not 1"
  ),
  ("compare --config []", "--config needs a JSON object with the ids of parts as keys"),
  (
    "compare --config {\"softmax-attention\":{\"head\":2}}",
    "configuration of softmax-attention: unknown key 'head'; did you mean 'heads'?"
  ),
  (
    "compare --config {\"softmax-attention\":{\"heads\":0.5}}",
    "configuration of softmax-attention: 'heads' must be a whole number"
  ),
  ("compare --config {\"softmax-attention\":{\"heads\":0}}", "heads must be at least 1, is 0"),
  (
    "compare --config {\"softmax-attention\":3}",
    "the configuration of softmax-attention must be a JSON object, such as {}"
  ),
  (
    "compare --parts spatial-mlp --config {\"spatial-mpl\":{}}",
    "unknown part in --config 'spatial-mpl'; did you mean 'spatial-mlp'?"
  ),
  ("compare --steps x", "The value 'x' is invalid for '--steps <steps>'; see 'callosum compare --help'"),
  ("compare --steps", "Missing value for '--steps <steps>'; see 'callosum compare --help'"),
  (
    "compare --stepz 3", "Unknown option '--stepz'. Did you mean '--steps'?; see 'callosum compare --help'"
  ),
  ("compare more", "Unexpected argument 'more'; see 'callosum compare --help'"),
  ("compete", "Unexpected argument 'compete'. Did you mean 'compare'?; see 'callosum --help'"),
  ("runs exprot", "Unexpected argument 'exprot'. Did you mean 'export'?; see 'callosum runs --help'"),
  ("describe", "Missing expected argument '<id>'; see 'callosum describe --help'"),
  ("describe mlp", "unknown part 'mlp'; did you mean 'channel-mlp'?"),
  ("describe average-pooling --config {\"window\":2}", "window must be odd and positive, is 2"),
  (
    "describe average-pooling --grid 7",
    "--grid must be rows x columns such as 7x7, is '7'"
  ),
  ("compare --resume 7 --steps 3", "--resume takes all settings from the run; leave out the others"),
  ("runs show x", "The value 'x' is invalid for '<id>'; see 'callosum runs show --help'"),
  ("runs list --kind clam", "unknown kind 'clam'; did you mean 'claim'?"),
  (
    "runs list --status done",
    "unknown status 'done'; there are: complete, diverged, failed, interrupted, running"
  ),
  ("runs list --limit 0", "--limit must be at least 1, is 0"),
  ("runs delete", "Missing expected argument '<runs> ...'; see 'callosum runs delete --help'"),
  ("list --family mixer", "unknown family 'mixer'; did you mean 'mixers'?"),
  ("data get fashion", "unknown data set 'fashion'; did you mean 'fashion-mnist'?"),
  ("train small.yaml --steps", "Missing value for '--steps <steps>'; see 'callosum train --help'"),
  ("show oja", "oja has no picture; 'callosum list --claims' shows what has one"),
  ("show delta-nett", "unknown part 'delta-nett'; did you mean 'delta-net'?"),
]

@Suite(.serialized) struct MistakeTests {
  /// One line on standard error, nothing on standard output, exit code 2.
  @Test func senselessCommandLines() throws {
    try withDataSet { folder in
      for (arguments, line) in mistakes {
        let outcome = try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
        #expect(outcome.code == 2 && !outcome.wasKilled, "\(arguments)")
        #expect(
          outcome.errors.replacing(folder, with: "F") == "callosum: \(line)\n", "\(arguments)")
        #expect(outcome.output == "", "\(arguments)")
      }
      // Of many names the first eight.
      let unknown = try Program.run(["compare", "--parts", "retina"], in: folder)
      let listed = /^callosum: unknown part 'retina'; there are: ([a-z0-9-]+, ){8}and \d+ others\n$/
      #expect(unknown.code == 2 && unknown.errors.contains(listed), "\(unknown.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/comparison.html"))
    }
  }

  /// A command line that makes sense where what it speaks of is not there: one line, exit code 1.
  @Test(arguments: [
    ("compare --resume 7", "there are no runs in F/.store/runs.sqlite yet"),
    ("runs show 7", "there are no runs in F/.store/runs.sqlite yet"),
    ("report", "there are no runs in F/.store/runs.sqlite yet"),
    ("docs", "there is no folder ./Results; 'callosum reproduce ID --record' makes it"),
    (
      "train nothing.yaml", "nothing.yaml cannot be read; check that it exists and that you may read it"
    ),
    (
      "apply softmax-attention --input none --output out",
      "none cannot be read; check that it exists and that you may read it"
    ),
  ]) func whatIsNotThere(_ arguments: String, _ line: String) throws {
    try withDataSet { folder in
      let outcome = try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
      #expect(outcome.code == 1 && outcome.output == "" && !outcome.wasKilled)
      #expect(outcome.errors.replacing(folder, with: "F") == "callosum: \(line)\n")
    }
  }

  /// A report that cannot be written is noticed before training, not after it.
  @Test func unwritableReport() throws {
    try withDataSet { folder in
      for (path, reason) in [
        ("/no/where/comparison.html", "its folder does not exist"), (folder, "it is a folder"),
        ("/dev/full", "it is not a regular file"),
      ] {
        let outcome = try Program.run(["compare", "--steps", "1000000", "--report", path], in: folder)
        #expect(outcome.code == 1 && outcome.output == "")
        #expect(outcome.errors == "callosum: cannot write \(path): \(reason)\n")
      }
    }
  }

  @Test func noData() throws {
    try inTemporaryFolder { folder in
      let outcome = try Program.run(["compare"], in: folder)
      #expect(outcome.code == 1 && outcome.output == "" && outcome.complainsInOneLine)
      let missing = "callosum: Fashion-MNIST is not on this machine; get it with: callosum data get"
      #expect(outcome.errors.hasPrefix(missing))
      let list = try Program.run(["data", "list"], in: folder)
      #expect(list.code == 0 && list.output.contains("not on this machine; get it with: "))
      let doctor = try Program.run(["doctor"], in: folder)
      #expect(doctor.code == 0 && doctor.output.contains("Warning: Fashion-MNIST is not on this machine"))
    }
  }

  @Test(arguments: Damage.all) func damagedData(_ damage: Damage) throws {
    try withDataSet { folder in
      try damage.apply(folder)
      let outcome = try Program.run(["compare", "--steps", "1000000", "--json"], in: folder)
      #expect(outcome.code == 1 && outcome.output == "" && !outcome.wasKilled)
      #expect(
        outcome.errors.replacing(folder, with: "F").replacing("/private", with: "")
          == "callosum: \(damage.line)\n")
    }
  }
}

/// What can be wrong with the files of a data set, and the line that says so.
struct Damage: Sendable, CustomStringConvertible {
  let line: String
  let apply: @Sendable (_ folder: String) throws -> Void
  var description: String { line }

  static let all = [
    Damage(line: "F/train-images-idx3-ubyte: ends after 31353 of 31360 bytes; get the file again") {
      let path = $0 + "/train-images-idx3-ubyte"
      try write(Array(try bytes(path).dropLast(7)), to: path)
    },
    Damage(
      line: "F/train-images-idx3-ubyte.gz: is named .gz but is not gzip data; get the file again, or drop"
        + " .gz from its name"
    ) {
      let path = $0 + "/train-images-idx3-ubyte"
      try FileManager.default.moveItem(atPath: path, toPath: path + ".gz")
    },
    Damage(
      line: "F/train-labels-idx1-ubyte: begins with 89 50 4e 47, not with 00 00 08 01; it is not an IDX file"
        + " of bytes, get the right file"
    ) {
      try write(
        [0x89, 0x50, 0x4E, 0x47] + [UInt8](repeating: 0, count: 44), to: $0 + "/train-labels-idx1-ubyte")
    },
    Damage(
      line: "F/t10k-labels-idx1-ubyte: holds 3 labels for the 20 images of F/t10k-images-idx3-ubyte; get both"
        + " files from the same source"
    ) { try write(idx([3], [1, 2, 3]), to: $0 + "/t10k-labels-idx1-ubyte") },
    Damage(line: "F/t10k-labels-idx1-ubyte.gz: no such file; check the path or get the data set again") {
      try FileManager.default.removeItem(atPath: $0 + "/t10k-labels-idx1-ubyte")
    },
    Damage(line: "F/t10k-images-idx3-ubyte: holds no images; get the file again") {
      try write(idx([0, 28, 28], []), to: $0 + "/t10k-images-idx3-ubyte")
      try write(idx([0], []), to: $0 + "/t10k-labels-idx1-ubyte")
    },
  ]

  private static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
  }
}

@Suite struct ClosedStreamTests {
  /// Closed standard streams are an error to write to, and no place for the files that are opened next.
  @Test(arguments: ["0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
  func closedStreams(_ closing: String) throws {
    try inTemporaryFolder { folder in
      for command in ["list", "runs list", "nonsense"] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "exec \"$0\" \(command) \(closing)", try Program.path()]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.merging(
          ["CALLOSUM_STORE": folder + "/runs.sqlite"]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit, "\(command) \(closing)")
        let code: Int32 = command == "nonsense" ? 2 : closing.contains("1>") ? 1 : 0
        #expect(process.terminationStatus == code, "\(command) \(closing)")
      }
    }
  }
}
