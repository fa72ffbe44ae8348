import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// No command writes over what it reads or keeps runs in, whatever the two are called.
@Suite(.serialized) struct FilesTests {
  /// What a command reads or keeps, and the command with OUT for what it is told to write.
  private static let commands: [(file: String, command: String)] = [
    ("own.yaml", "train own.yaml --steps 3 --batch 8 --output OUT"),
    (".store/runs.sqlite", "train own.yaml --steps 3 --batch 8 --output OUT"),
    ("own.yaml", "show own.yaml --output OUT"),
    ("own.yaml", "compare --parts average-pooling,own.yaml --steps 3 --report OUT"),
    (".store/runs.sqlite", "compare --steps 3 --report OUT"),
    ("train-images-idx3-ubyte", "compare --steps 3 --report OUT"),
    (".store/runs.sqlite-wal", "report --output OUT"),
    (".store/runs.sqlite-shm", "report --output OUT"),
    (".store/runs.sqlite", "report --output OUT"),
    (".store/runs.sqlite", "runs export --output OUT"),
    (".store/runs.sqlite", "runs export --json --to OUT"),
    (".store/runs.sqlite", "runs show 1 --report OUT"),
    ("in", "apply average-pooling --width 3 --grid 3x5 --input in --output OUT"),
    ("w", "apply softmax-attention --width 8 --tokens 4 --input in --weights w --output OUT"),
    (
      "w", "apply softmax-attention --width 8 --tokens 4 --input in --weights w --save-weights OUT --output o"
    ),
    ("R/ncap.json", "reproduce ncap --record R --store OUT"),
  ]

  private func fill(_ folder: String) throws {
    let manager = FileManager.default
    for name in [".store", "R", "deep"] {
      try manager.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
    }
    for name in ["own.yaml", ".store/runs.sqlite", ".store/runs.sqlite-wal", ".store/runs.sqlite-shm"] {
      try Data("as it was".utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
    for name in ["in", "w", "R/ncap.json"] {
      try Data("as it was".utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
  }

  /// By its own name, by a way around, through a symbolic and a hard link.
  @Test(arguments: commands.indices) func inputsAreNotOverwritten(_ index: Int) throws {
    let (file, command) = Self.commands[index]
    try withDataSet { folder in
      try fill(folder)
      let before = FileManager.default.contents(atPath: "\(folder)/\(file)")
      symlink("\(folder)/\(file)", folder + "/soft")
      link("\(folder)/\(file)", folder + "/hard")
      for name in [file, "\(folder)/deep/../\(file)", "soft", "hard"] {
        let words = command.split(separator: " ").map { $0 == "OUT" ? name : String($0) }
        let outcome = try Program.run(words, in: folder)
        #expect(outcome.code == 2 && outcome.output == "" && outcome.complainsInOneLine, "\(words)")
        #expect(outcome.errors.contains(" would write "), "\(words): \(outcome.errors)")
        #expect(FileManager.default.contents(atPath: "\(folder)/\(file)") == before, "\(words)")
      }
    }
  }

  /// What is not there yet has no number to be known by.
  @Test(arguments: [
    ("compare --store s --report s", "--report would write s, where the store keeps runs; choose another"),
    ("compare --store s --report ./deep/../s-wal", "where the store keeps runs"),
    ("compare --store s --report s.checkpoints", "where the store keeps checkpoints"),
    ("compare --store dangling --report s", "where the store keeps runs"),
    ("compare --store s --report dangling", "where the store keeps runs"),
    ("report --store s --output s-journal", "where the store keeps runs"),
    (
      "apply softmax-attention --width 8 --tokens 4 --input x --output deep/o --save-weights around/o",
      "--save-weights would write around/o, which --output writes too; choose another place for it"
    ),
  ]) func outputsKeepApart(_ command: String, _ line: String) throws {
    try withDataSet { folder in
      try FileManager.default.createDirectory(atPath: folder + "/deep", withIntermediateDirectories: true)
      symlink("deep", folder + "/around")
      symlink("s", folder + "/dangling")
      try Safetensors.save(["x": Tensor.ones([1, 4, 8])], to: folder + "/x")
      let outcome = try Program.run(command.split(separator: " ").map(String.init), in: folder)
      #expect(
        outcome.code == 2 && outcome.complainsInOneLine && outcome.errors.contains(line), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/s"))
    }
  }
}

/// A store that one may read and not write.
@Suite(.serialized, .enabled(if: Program.canRunAsNobody)) struct ReadOnlyStoreTests {
  private func read(_ folder: String, _ body: (Outcome, String) throws -> Void) throws {
    for command in [
      "runs list --json", "runs show 1 --json", "runs compare 1 --json", "runs export 1 --json",
      "runs list --all --json", "report --output out/page.html",
    ] {
      let words = command.split(separator: " ").map(String.init)
      try body(try Program.run(words, in: folder, asNobody: true), command)
    }
  }

  private func prepare(_ folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: true)
    chmod(folder, 0o755)
    chmod(folder + "/out", 0o777)
  }

  @Test func isRead() throws {
    try withDataSet { folder in
      try prepare(folder)
      #expect(try Program.run(tiny + ["--quiet"], in: folder).code == 0)
      let before = try FileManager.default.contentsOfDirectory(atPath: folder + "/.store")
      try read(folder) { outcome, command in
        #expect(outcome.code == 0 && outcome.errors == "", "\(command): \(outcome.errors)")
      }
      let deleted = try Program.run(["runs", "delete", "1"], in: folder, asNobody: true)
      #expect(deleted.code == 1 && deleted.errors.contains("cannot be written: no permission"))
      let compared = try Program.run(
        tiny + ["--quiet", "--report", "out/r.html"], in: folder, asNobody: true)
      #expect(compared.code == 1 && compared.errors.contains("no permission"), "\(compared.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/.store") == before)
      #expect(try Program.run(["runs", "delete", "1"], in: folder).code == 0)
    }
  }

  /// While its owner writes it.
  @Test func isReadWhileItIsWritten() throws {
    try withDataSet { folder in
      try prepare(folder)
      let outcome = try Program.run(
        tiny + ["--seeds", "3000", "--quiet"], in: folder,
        whileRunning: { number in
          Thread.sleep(forTimeInterval: 0.5)
          do {
            try read(folder) { outcome, command in
              #expect(outcome.code == 0 && outcome.errors == "", "\(command): \(outcome.errors)")
            }
          } catch { Issue.record(error) }
          kill(number, SIGINT)
        })
      #expect(outcome.code == 130, "\(outcome.errors)")
    }
  }
}
