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
import Testing

/// A plan of two regions and an input, changed by whoever asks.
private func plan(
  steps: Int = 1, _ change: (inout BrainPlan) -> Void = { _ in }
) -> BrainPlan {
  var plan = BrainPlan(steps: steps, output: "motor") {
    Region("eye", part: "input")
    Region("cortex", part: "units", width: 4)
    Region("motor", part: "units")
    Tract("eye", to: "cortex")
    Tract("cortex", to: "motor")
  }
  change(&plan)
  return plan
}

@Suite struct WiringTests {
  @Test func theOrderFollowsTheTracts() throws {
    let brain = try Brain(
      BrainPlan(steps: 2, output: "c") {
        Region("c", part: "units")
        Region("b", part: "units", width: 4)
        Region("a", part: "input")
        Tract("b", to: "c")
        Tract("a", to: "b")
        Tract("c", to: "b")
        Tract("b", to: "b")
        Tract("a", to: "c", delay: 1)
      }, Numbers())
    #expect(brain.wiring.order.map { brain.plan.regions[$0].name } == ["a", "b", "c"])
    #expect(brain.wiring.lags == [0, 0, 1, 1, 1])
    #expect(brain.wiring.activities.map(\.width) == [3, 4, 5])
  }

  /// What a mistake says: where, both shapes, and what would do.
  @Test func errorsSayWhatWouldFit() {
    let cases: [(BrainPlan, any LearningTask, String)] = [
      (
        plan { $0.tracts[1].through = "direct" }, Numbers(),
        "tract 'cortex-motor' brings [batch, 1, 4] to region 'motor', which takes [batch, 1, 3]; a projection"
          + " would fit (through: projection), or a width of 3 in region 'cortex'"
      ),
      (
        plan { $0.regions[2].width = 4 }, Numbers(),
        "region 'motor' puts out [batch, 1, 4], but the task wants 3 numbers; width: 3 would fit, or none said"
      ),
      (
        plan { $0.regions[1].tokens = 3 }, Numbers(shape: [6, 5]),
        "tract 'eye-cortex' brings [batch, 6, 4] to region 'cortex', which takes [batch, 3, 4]; tokens: 1 in"
          + " region 'cortex' would take their mean, tokens: 6 all of them"
      ),
      (
        plan(), Numbers(shape: [6, 5], positions: [2]),
        "region 'motor' puts out [batch, 6, 3], but the task wants an answer at [2] positions; 2 tokens would"
          + " fit"
      ),
      (
        plan { $0.regions[1].part = "softmax-atention" }, Numbers(),
        "region 'cortex' [batch, 1, 4] -> [batch, 1, 4]: unknown part 'softmax-atention'; did you mean"
          + " 'softmax-attention'?"
      ),
      (
        plan { $0.regions[1].part = "average-pooling" }, Numbers(),
        "region 'cortex' [batch, 1, 4] -> [batch, 1, 4]: average-pooling needs tokens in a grid, but this slot"
          + " holds a sequence"
      ),
      (
        plan { $0.regions[1].part = "soft-hebb" }, Numbers(),
        "region 'cortex' [batch, 1, 4] -> [batch, 1, 4]: soft-hebb is a learning rule, which cannot be a layer"
          + " of a network"
      ),
      (
        plan { $0.tracts[0].to = ["cortx"] }, Numbers(),
        "tract 'eye-cortx': unknown region 'cortx'; did you mean 'cortex'?"
      ),
      (
        plan { $0.tracts[0].through = "gait" }, Numbers(),
        "tract 'eye-cortex': unknown way for a tract 'gait'; did you mean 'gate'?"
      ),
      (
        plan { $0.tracts[0].through = "delay" }, Numbers(),
        "tract 'eye-cortex': a delay is a word of its own, such as delay: 3"
      ),
      (
        plan { $0.tracts.append(Tract("motor", to: "cortex")) }, Numbers(),
        "tract 'motor-cortex' closes a loop, so it carries what its source did 1 step before, but there is"
          + " only 1; steps: 2 or more would do, or presentation: tokenByToken"
      ),
      (
        plan(steps: 3) { $0.tracts[1].delay = 3 }, Numbers(),
        "tract 'cortex-motor' carries what its source did 3 steps before, but there are only 3; steps: 4 or"
          + " more would do, or presentation: tokenByToken"
      ),
      (
        plan { $0.tracts[0].to = ["cortex", "motor"] }, Numbers(),
        "tract 'eye-cortex+motor': only a router leads to several regions (through: router); write a tract"
          + " for each instead"
      ),
      (
        plan {
          $0.tracts[0].to = ["cortex", "motor"]
          $0.tracts[0].through = Choice("router", ["k": 3])
        }, Numbers(),
        "tract 'eye-cortex+motor': a router to 2 regions cannot send a token to 3 of them; k can be up to 2"
      ),
      (plan { $0.tracts.removeFirst() }, Numbers(), "region 'cortex' gets nothing; a tract must lead to it"),
      (
        plan { $0.tracts.append(Tract("motor", to: "eye")) }, Numbers(),
        "tract 'motor-eye': region 'eye' shows the input, and nothing leads into it"
      ),
      (plan { $0.output = "moter" }, Numbers(), "output: unknown region 'moter'; did you mean 'motor'?"),
      (plan { $0.regions[1].name = "eye" }, Numbers(), "two regions are called 'eye'"),
      (
        plan { $0.regions[1].name = "a.b" }, Numbers(),
        "a region is called 'a.b'; names are letters, digits, _ and -"
      ),
      (
        plan { $0.regions[1].rule = "oja" }, Numbers(),
        "tract 'eye-cortex' cannot learn: region 'cortex' lets no derivative through to it; learnable: false,"
          + " through: direct, or passesGradient: true there would do"
      ),
      (
        plan {
          $0.regions.append(Region("side", part: "mlp", width: 4))
          $0.tracts.append(Tract("eye", to: "side"))
        }, Numbers(),
        "region 'side' cannot learn: no derivative of the answer of 'motor' reaches it; a tract that leads"
          + " there, or a rule that needs none, would do"
      ),
      (
        plan { $0.regions[1].rule = "ojaa" }, Numbers(),
        "region 'cortex' [batch, 1, 4] -> [batch, 1, 4]: unknown learning rule 'ojaa'; did you mean 'oja'?"
      ),
      (
        plan { $0.regions[0].width = 9 }, Numbers(),
        "region 'eye': input shows 5 numbers per token, not 9; leave the width out, and let the tracts from it"
          + " change it"
      ),
      (
        plan { $0.regions[0].part = Choice("input", ["patchRows": 3]) }, Numbers(shape: [4, 6, 1]),
        "region 'eye': patchRows 3 does not divide the 4 that are seen"
      ),
      (
        plan { $0.regions[0].part = Choice("input", ["columns": [4, 9]]) }, Numbers(shape: [4, 6, 1]),
        "region 'eye': columns must be [from, upTo] within 0 and 6, is [4, 9]"
      ),
      (
        plan {
          $0.tracts[0].weights = .zeros; $0.tracts[0].through = "direct"
        }, Numbers(shape: [4]),
        "tract 'eye-cortex': direct has no weights to start with; only projection, gate and router have"
      ),
    ]
    for (plan, task, expected) in cases {
      #expect(problem(plan, task) == expected)
    }
    #expect(problem(plan(), Numbers()) == nil)
  }
}
