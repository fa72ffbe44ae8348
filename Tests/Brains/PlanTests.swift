import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLearning
import CallosumMixers
import CallosumModularity
import CallosumNetworks
import CallosumNeurons
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Examples/<name>.yaml
func exampleFile(_ name: String) -> String {
  Golden.folder.appendingPathComponent("../../Examples/\(name).yaml").standardizedFileURL.path
}

let exampleNames = ["two-hemispheres", "one-hemisphere", "local-eye", "memory-loop"]

@Suite struct PlanTests {
  /// The same words in Swift and in YAML.
  @Test func swiftAndYAMLAgree() throws {
    let yaml = """
      name: Everything
      steps: 3
      output: motor
      regions:
        - {name: eye, part: {input: {patchRows: 2, patchColumns: 3}}}
        - {name: left, part: {units: {activation: tanh}}, width: 5}
        - {name: right, part: depthwise-convolution, width: 5, norm: true, residual: true}
        - {name: store, part: {associative-memory: {size: 3}}, width: 4}
        - {name: focus, part: {mlp: {hidden: 7}}, tokens: 1}
        - {name: motor, part: {linear: {activation: sigmoid}}}
      tracts:
        - {from: eye, to: [left, right], through: {router: {k: 1}}}
        - {from: left, to: right, through: corpus-callosum}
        - {from: right, to: left, through: corpus-callosum}
        - {from: right, to: store, through: {gate: {openness: 1.0}}, weights: orthogonal, gain: 2}
        - {from: store, to: focus, weights: xavierNormal}
        - {from: focus, to: left, weights: kaimingUniform}
        - {from: focus, to: motor, through: direct}
        - {from: eye, to: motor, delay: 2, learnable: false, weights: kaimingNormal}
      """
    #expect(try BrainPlan(yaml: yaml) == everything)
  }

  private var memoryLoop: BrainPlan {
    BrainPlan(
      "A loop through a memory", task: "fashion-mnist", presentation: .tokenByToken, output: "motor",
      readout: .last
    ) {
      Region("eye", part: Choice("input", ["patchRows": 1]))
      Region("cortex", part: Choice("units", ["activation": "tanh"]), width: 32)
      Region("hippocampus", part: Choice("associative-memory", ["size": 16, "decay": 0.95]), width: 32)
      Region("motor", part: "units")
      Tract("eye", to: "cortex")
      Tract("cortex", to: "hippocampus", through: "direct")
      Tract("hippocampus", to: "cortex", through: Choice("gate", ["openness": 1]))
      for source in ["cortex", "hippocampus"] { Tract(source, to: "motor") }
    }
  }

  @Test func theExampleInSwiftIsTheOneInYAML() throws {
    #expect(try BrainFile(path: exampleFile("memory-loop")).plan == memoryLoop)
  }

  @Test(arguments: exampleNames) func examplesSurviveTheJourney(_ name: String) throws {
    let plan = try BrainFile(path: exampleFile(name)).plan
    #expect(try BrainPlan(yaml: try plan.yaml()) == plan)
    #expect(try JSONDecoder().decode(BrainPlan.self, from: JSONEncoder().encode(plan)) == plan)
  }

  @Test func oddPlansSurviveTheJourney() throws {
    var plan = everything
    plan.name = "no: \"quotes\", # and\nlines"
    plan.task = "true"
    plan.readout = .last
    plan.presentation = .tokenByToken
    plan.optimiser = Choice("sgd", ["learningRate": 1e-7, "momentum": 0.5])
    plan.regions[1].name = "12"
    plan.regions[2].grid = [2, 2]
    plan.regions[2].passesGradient = false
    plan.regions[2].rule = Choice("soft-hebb", ["temperature": 0.25])
    plan.regions[3].optimiser = "adam"
    #expect(try BrainPlan(yaml: try plan.yaml()) == plan)
    #expect(try JSONDecoder().decode(BrainPlan.self, from: JSONEncoder().encode(plan)) == plan)
  }

  @Test(arguments: [
    ("output: a\nregions: []\ntract: []", "the plan, line 3: unknown word 'tract'; did you mean 'tracts'?"),
    (
      "output: a\nregions:\n  - name: a\n    part: input\n    widht: 3\ntracts: []",
      "the plan, line 5: unknown word 'widht'; did you mean 'width'?"
    ),
    (
      "output: a\nregions: []\ntracts:\n  - {from: a, too: b}",
      "the plan, line 4: unknown word 'too'; did you mean 'to'?"
    ),
    (
      "output: a\nregions:\n  - {name: a, part: input}\n  - {name: b, part: mlp, width: wide}\ntracts: []",
      "the plan, line 4: regions.1.width must be a whole number"
    ),
    ("output: a\nregions:\n  - {name: a}\ntracts: []", "the plan, line 3: regions.0 lacks 'part'"),
    (
      "output: a\nreadout: lst\nregions: []\ntracts: []",
      "the plan, line 2: readout must be one of mean, last; did you mean 'last'?"
    ),
    ("output: a\ntracts: []", "the plan, line 1: the plan lacks 'regions'"),
    (
      "output: a\nregions: []\ntracts:\n  - {from: a, to: b, weights: random}",
      "the plan, line 4: tracts.0.weights must be one of fanInUniform, xavierUniform, xavierNormal,"
        + " kaimingUniform, kaimingNormal, orthogonal, identity, zeros"
    ),
    (
      "output: a\nregions:\n  - {name: a, part: {mlp: 3}}\ntracts: []",
      "the plan, line 3: regions.0.part must be a name, or a name with settings such as {mlp: {hidden: 64}}"
    ),
    ("- a\n- b", "the plan must hold the words of a brain: "),
    ("", "the plan must hold the words of a brain: "),
    ("output: [a", "the plan, line "),
    ("output: a\noutput: b\nregions: []\ntracts: []", "the plan, line "),
  ]) func mistakesHaveALine(_ yaml: String, _ line: String) throws {
    let error = #expect(throws: InvalidInput.self) { try BrainPlan(yaml: yaml) }
    let text = error?.description ?? ""
    #expect(line.hasSuffix(" ") ? text.hasPrefix(line) : text == line, "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func mistakesOfTheBrainHaveALineToo() throws {
    let yaml = """
      output: b
      regions:
        - {name: a, part: input}
        - name: b
          part: {softmax-attention: {head: 2}}
          width: 8
      tracts:
        - {from: a, to: b}
      """
    let file = try BrainFile(yaml: yaml, path: "brain.yaml")
    let error = #expect(throws: InvalidInput.self) {
      try file.located { try Brain(file.plan, Numbers(width: 8)) }
    }
    #expect(
      error?.description
        == "brain.yaml, line 4: region 'b' [batch, 1, 8] -> [batch, 1, 8]: configuration of"
        + " softmax-attention: unknown key 'head'; did you mean 'heads'?")
  }
}
