import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite(.serialized) struct ApplyTests {
  /// y of average pooling is the mean of a window minus the token, linear in x: its derivative is the same
  /// map the other way, and sum(y * g) is sum(x * grad).
  @Test func runsAPartOnAFile() throws {
    try inTemporaryFolder { folder in
      var random = RandomGenerator(seed: 1)
      let x = random.normal([2, 15, 3], dtype: .float64), g = random.normal([2, 15, 3], dtype: .float64)
      try Safetensors.save(["x": x, "g": g], to: folder + "/in")
      let outcome = try Program.run(
        words(
          "apply average-pooling --width 3 --grid 3x5 --input in --output out --gradients --dtype float64"),
        in: folder)
      #expect(outcome.code == 0 && outcome.output == "grad.x [2, 15, 3]\ny [2, 15, 3]\n")
      let results = try Safetensors.load(folder + "/out").tensors
      let y = try #require(results["y"]), slope = try #require(results["grad.x"])
      let image = x.reshaped(2, 3, 5, 3)
      let expected =
        averagePool2d(
          image, kernel: (3, 3), stride: (1, 1), padding: (1, 1), countPadding: false) - image
      #expect(abs(y - expected.reshaped(2, 15, 3)).max().item() < 1e-12)
      #expect(abs((y * g).sum().item() - (x * slope).sum().item()) < 1e-10)
    }
  }

  @Test func weightsGoOutAndIn() throws {
    try inTemporaryFolder { folder in
      try Safetensors.save(["x": Tensor.ones([1, 4, 8])], to: folder + "/in")
      let base = "apply softmax-attention --width 8 --tokens 4 --input in"
      _ = try Program.run(words(base + " --seed 3 --save-weights w --output a"), in: folder)
      _ = try Program.run(words(base + " --weights w --output b"), in: folder)
      _ = try Program.run(words(base + " --output c"), in: folder)
      func y(_ name: String) throws -> [Float]? {
        try Safetensors.load(folder + "/" + name).tensors["y"]?.floats
      }
      #expect(try y("a") == y("b"))
      #expect(try y("a") != y("c"))
    }
  }

  @Test(
    arguments: [
      ("--input in --output out --gradients", "--gradients needs a tensor 'g' in in, of the shape of the", 1),
      ("--input g --output out", "g holds 'g', which is for --gradients only", 1),
      ("--input wrong --output out", "unknown input 'xx'; did you mean 'x'?", 1),
      ("--input narrow --output out", "'x' must have the shape [batch, tokens, 8], has [1, 4, 7]", 1),
      ("--input in --output out --dtype float16", "--dtype must be float32 or float64, is 'float16'", 2),
      ("--input none --output out", "none cannot be read", 1),
      ("--input in --output out --weights in", "in: weights lack", 1),
      ("--input whole --output out --gradients", "'g' must be float32 or float64, is int32", 1),
      ("--input torch.pt --output out", "torch.pt is a file of PyTorch's own format", 1),
      ("--input in --output out --weights torch.pt", "torch.pt is a file of PyTorch's own format", 1),
    ] as [(String, String, Int32)])
  func mistakes(_ options: String, _ line: String, _ code: Int32) throws {
    try inTemporaryFolder { folder in
      let x = Tensor.ones([1, 4, 8])
      try Safetensors.save(["x": x], to: folder + "/in")
      try Safetensors.save(["x": x, "g": x], to: folder + "/g")
      try Safetensors.save(["x": x, "g": x.asType(.int32)], to: folder + "/whole")
      let pickle: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
      try Data(pickle).write(to: URL(fileURLWithPath: folder + "/torch.pt"))
      try Safetensors.save(["xx": x], to: folder + "/wrong")
      try Safetensors.save(["x": Tensor.ones([1, 4, 7])], to: folder + "/narrow")
      let outcome = try Program.run(
        words("apply softmax-attention --width 8 --tokens 4 " + options), in: folder)
      #expect(outcome.code == code && outcome.output.isEmpty && outcome.complainsInOneLine)
      #expect(outcome.errors.hasPrefix("callosum: " + line), "\(outcome.errors)")
    }
  }
}

@Suite(.serialized) struct ClaimCommandTests {
  /// Side by side in processes of their own; the store, the list and the page know of it afterwards.
  @Test func reproducesAndReports() throws {
    try inTemporaryFolder { folder in
      let outcome = try Program.run(
        words("reproduce critical-periods-linear --jobs 2 --quiet --json --record"), in: folder)
      #expect(outcome.code == 0)
      let reports = try #require(outcome.json as? [[String: Any]])
      let judgement = try #require(reports.first?["judgement"] as? [String: Any])
      let verdict = try #require(judgement["verdict"] as? String)

      let path = folder + "/Results/critical-periods-linear.json"
      let recorded = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
      let budgets = try #require((recorded as? [String: Any])?["runs"] as? [String: [String: Any]])
      #expect(budgets.keys.sorted() == ["quick"] && budgets["quick"]?["verdict"] as? String == verdict)
      try "<!-- callosum: results -->\n<!-- callosum: end -->\n".write(
        toFile: folder + "/README.md", atomically: true, encoding: .utf8)
      #expect(try Program.run(words("docs --check"), in: folder).code == 1)
      let list = try Program.run(words("docs"), in: folder)
      #expect(list.code == 0 && list.output == "Made anew: ./README.md\n")
      #expect(
        list.errors.contains("callosum: delta-net has no result; 'callosum reproduce delta-net --record'"))
      let text = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
      #expect(
        text.contains("\n## critical-periods-linear\n")
          && text.contains("\n**\(verdict)** (quick budget): "))

      let runs = try Program.run(words("runs list --json"), in: folder)
      #expect((runs.json as? [Any])?.isEmpty == false)
      let page = try Program.run(words("report"), in: folder)
      #expect(page.code == 0 && page.output == "Report: report.html\n")
      let html = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
      #expect(
        html.contains("1 claim re-checked: 1 \(verdict)")
          && html.contains("A critical period closes") == false)
      #expect(html.contains("The period closes"))
    }
  }

  @Test(
    arguments: [
      ("reproduce", "name claims, or give --family, or --all"),
      ("reproduce --family mixer", "unknown family 'mixer'; did you mean 'mixers'?"),
      ("reproduce --record ncap", "--record takes 'ncap', the word behind it, as its folder; put it last"),
      ("reproduce ncap --jobs 0", "--jobs must be from 1 to 256, is 0"),
      ("reproduce modern-hopfeld", "unknown claim 'modern-hopfeld'; did you mean 'modern-hopfield'?"),
      ("reproduce modern-hopfield --budget long", "unknown budget 'long'"),
      ("reproduce modern-hopfield --seeds 0", "--seeds must be from 7 to 99, is 0"),
      ("show nothing-here", "unknown part 'nothing-here'"),
    ])
  func mistakes(_ command: String, _ line: String) throws {
    try inTemporaryFolder { folder in
      let outcome = try Program.run(words(command), in: folder)
      #expect(outcome.code == 2 && outcome.output.isEmpty && outcome.complainsInOneLine)
      #expect(outcome.errors.hasPrefix("callosum: " + line), "\(outcome.errors)")
    }
  }
}

/// What cannot be judged does not keep the others from being judged.
@Suite struct FailingClaimTests {
  @Test func othersGoOn() throws {
    try inTemporaryFolder { folder in
      // Without its data metaformer cannot run.
      let claims = "reproduce metaformer critical-periods-linear --quiet --record R --json"
      // Half a minute of work, and the machine may be busy.
      let outcome = try Program.run(words(claims), in: folder, patience: 900)
      #expect(outcome.code == 1 && outcome.complainsInOneLine)
      // Arms run side by side; whichever is first says so.
      #expect(outcome.errors.contains(/^callosum: metaformer, arm [a-z-]+, seed \d+: Fashion-MNIST is not/))
      let found = try #require(outcome.json as? [[String: Any]])
      #expect(found.map { $0["id"] as? String } == ["metaformer", "critical-periods-linear"])
      #expect((found[0]["failed"] as? String)?.contains("Fashion-MNIST is not on this machine") == true)
      #expect((found[1]["judgement"] as? [String: Any])?["verdict"] is String)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/R")
      #expect(files == ["critical-periods-linear.json"])

      let table = try Program.run(words("reproduce metaformer noprop --quiet"), in: folder)
      #expect(table.code == 1)
      let rows = table.output.split(separator: "\n").suffix(2).map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(rows == [["metaformer", "failed", "–"], ["noprop", "failed", "–"]])
    }
  }

  @Test(
    arguments: [
      (
        "reproduce ncap --resume",
        "no run of ncap with the budget quick was stopped; leave out --resume"
      ),
      ("reproduce ncap --record /dev/null", "ncap: /dev/null is a file, not a folder"),
    ])
  func whatKeepsAClaimFromRunning(_ command: String, _ line: String) throws {
    try inTemporaryFolder { folder in
      let outcome = try Program.run(words(command + " --json"), in: folder)
      #expect(outcome.code == 1 && outcome.complainsInOneLine)
      #expect(outcome.errors.hasPrefix("callosum: " + line), "\(outcome.errors)")
    }
  }
}

private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }
