import CallosumTestSupport
import Foundation
import Testing

/// A brain for the small data set.
private let brain = """
  name: Small
  output: motor
  regions:
    - {name: eye, part: {input: {patchRows: 14, patchColumns: 14}}}
    - {name: retina, part: {linear: {bias: false}}, width: 6, rule: oja}
    - {name: motor, part: units, tokens: 1}
  tracts:
    - {from: eye, to: retina, through: direct}
    - {from: retina, to: motor}
  """

@Suite struct BrainCommandTests {
  private func withBrain(_ text: String = brain, _ body: (String) throws -> Void) throws {
    try withDataSet { folder in
      try text.write(toFile: folder + "/small.yaml", atomically: true, encoding: .utf8)
      try body(folder)
    }
  }

  @Test func trainsAndStores() throws {
    try withBrain { folder in
      let outcome = try Program.run(
        ["train", "small.yaml", "--steps", "6", "--batch", "8", "--json", "--quiet"], in: folder)
      #expect(outcome.code == 0, "\(outcome.errors)")
      #expect(outcome.errors.isEmpty)
      let json = try #require(outcome.json as? [String: Any])
      #expect(json["steps"] as? Int == 6)
      #expect(json["isComplete"] as? Bool == true)
      #expect(json["metric"] as? String == "accuracy")
      #expect(json["score"] as? Double != nil)
      #expect((json["losses"] as? [Any])?.count == 6)
      #expect(FileManager.default.fileExists(atPath: folder + "/small.safetensors"))
    }
  }

  /// Ctrl-C in the middle, then --resume: the same file as from a run without a break.
  @Test func resumesToTheSameBits() throws {
    try withBrain { folder in
      func train(_ output: String, _ more: [String] = [], _ body: ((Int32) -> Void)? = nil) throws -> Outcome
      {
        try Program.run(
          ["train", "small.yaml", "--steps", "3000", "--batch", "8", "--quiet", "--output", output] + more,
          in: folder, whileRunning: body)
      }
      let broken = try train("a") { number in
        kill(number, SIGINT)
      }
      #expect(broken.code == 130, "\(broken.errors)")
      #expect(broken.errors.contains("with --resume goes on with run 1 after step "))
      #expect(try train("a", ["--resume"]).code == 0)
      #expect(try train("b").code == 0)
      let files = ["a", "b"].map { FileManager.default.contents(atPath: "\(folder)/\($0)") }
      #expect(files[0] != nil)
      #expect(files[0] == files[1])
    }
  }

  @Test func drawsTheWiring() throws {
    try withBrain { folder in
      let outcome = try Program.run(["show", "small.yaml", "--output", "w.svg"], in: folder)
      #expect(outcome.code == 0, "\(outcome.errors)")
      let svg = try String(contentsOfFile: folder + "/w.svg", encoding: .utf8)
      #expect(svg.hasPrefix("<svg") && svg.contains("learns by oja"))
    }
  }

  @Test(arguments: [
    (
      "train small.yaml --steps 0", "steps must be from 1 to 100000000, is 0"
    ),
    ("train small.yaml --task darci", "unknown task 'darci'; did you mean 'darcy'?"),
    ("show small.yaml --task fashion-mnis", "unknown task 'fashion-mnis'; did you mean 'fashion-mnist'?"),
  ]) func mistakesAreOneLine(_ arguments: String, _ line: String) throws {
    try withBrain { folder in
      let outcome = try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
      #expect(outcome.code == 2)
      #expect(outcome.errors == "callosum: \(line)\n")
    }
  }

  @Test func mistakesOfThePlanHaveALine() throws {
    try withBrain(brain.replacingOccurrences(of: "width: 6", with: "widht: 6")) { folder in
      let outcome = try Program.run(["train", "small.yaml"], in: folder)
      #expect(outcome.code == 1)
      #expect(
        outcome.errors == "callosum: small.yaml, line 5: unknown word 'widht'; did you mean 'width'?\n")
    }
    try withBrain("task: needl\n" + brain) { folder in
      let outcome = try Program.run(["train", "small.yaml"], in: folder)
      #expect(outcome.code == 1)
      #expect(
        outcome.errors == "callosum: small.yaml, line 1: unknown task 'needl'; did you mean 'needle'?\n")
    }
    try withBrain(brain.replacingOccurrences(of: "rule: oja", with: "rule: oya")) { folder in
      let outcome = try Program.run(["show", "small.yaml"], in: folder)
      #expect(outcome.code == 1)
      #expect(
        outcome.errors
          == "callosum: small.yaml, line 5: region 'retina' [batch, 4, 196] -> [batch, 4, 6]: unknown learning"
          + " rule 'oya'; did you mean 'oja'?\n")
    }
  }
}
