import CallosumLab
import Testing

@Suite struct TableTests {
  @Test func alignsNumbersRightAndWordsLeft() {
    var table = Table([("arm", .left), ("accuracy", .right)])
    table.add(["pooling", "86.1"])
    table.add(["a", "100.0 ± 0.2"])
    #expect(
      table.lines == [
        "arm         accuracy",
        "───────  ───────────",
        "pooling         86.1",
        "a        100.0 ± 0.2",
      ])
  }

  @Test func measuresTextAsTheTerminalDoes() {
    #expect(DisplayWidth.of("") == 0)
    #expect(DisplayWidth.of("±−–█") == 4)
    #expect(DisplayWidth.of("e\u{301}") == 1)
    #expect(DisplayWidth.of("注意") == 4)
    #expect(DisplayWidth.of("🧠") == 2)
    #expect(DisplayWidth.of("a\u{200B}b") == 2)
    #expect(DisplayWidth.clip("a注意", to: 4) == "a注")
  }

  @Test func wideLettersStayInTheirColumn() {
    var table = Table([("", .left), ("n", .right)])
    table.add(["注意", "1"])
    table.add(["tanh", "22"])
    #expect(table.lines == ["       n", "────  ──", "注意   1", "tanh  22"])
  }

  @Test func foldsColumnsOfWordsBetweenWords() {
    var table = Table([("id", .left), ("claim", .left), ("n", .right)])
    table.add(["a-rather-long-name", "A memory recalls what attention no longer sees.", "1234"])
    table.add(["b", "Short.", "5"])
    #expect(
      table.lines(columns: 44) == [
        "id                  claim                  n",
        "──────────────────  ──────────────────  ────",
        "a-rather-long-name  A memory recalls    1234",
        "                    what attention no",
        "                    longer sees.",
        "b                   Short.                 5",
      ])
    #expect(table.lines(columns: 44).allSatisfy { DisplayWidth.of($0) <= 44 })
    #expect(table.lines(columns: 400) == table.lines && table.lines(columns: nil) == table.lines)
    // Numbers are never folded, and words not to nothing.
    #expect(table.lines(columns: 5).first { $0.hasPrefix("a-rather") } == "a-rather-lon  A memory      1234")
  }

  @Test func foldsWordsThatAreLongerThanALine() {
    #expect(DisplayWidth.folded("abcdefgh ij", to: 3) == ["abc", "def", "gh", "ij"])
    #expect(DisplayWidth.folded("注意注意", to: 5) == ["注意", "注意"])
    #expect(DisplayWidth.folded("", to: 5) == [""])
  }

  @Test func advisesFewerThreadsOnABusyMachine() {
    #expect(BusyMachine.advice(threads: 2, cores: 2, atWork: 0.2) == nil)
    #expect(BusyMachine.advice(threads: 1, cores: 2, atWork: 2) == nil)
    #expect(BusyMachine.advice(threads: 4, cores: 8, atWork: 4.2) == nil)
    #expect(
      BusyMachine.advice(threads: 2, cores: 2, atWork: 1.06)?.hasPrefix(
        "Other programs keep 1.1 of 2 cores busy; with OMP_NUM_THREADS=1") == true)
    #if os(Linux)
      #expect(BusyMachine.coresAtWork().map { (0...1024).contains($0) } == true)
    #endif
  }

  @Test func summarisesAComparison() {
    #expect(
      SampleComparison.make().table.lines == [
        "arm                        test accuracy, 95 % interval  parameters  MACs/example  examples/s"
          + "  seconds",
        "─────────────────────────  ────────────────────────────  ──────────  ────────────  ──────────"
          + "  ───────",
        "Average pooling                          86.13 ± 0.45 %     204,426        9.65 M      11,752"
          + "     15.2",
        "Softmax self-attention                   88.24 ± 0.11 %     270,986        14.0 M       6,269"
          + "     28.8",
        "Spatial MLP                              87.59 ± 0.15 %     223,912        10.9 M       8,302"
          + "     21.5",
        "Depthwise 7x7 convolution                88.50 ± 0.22 %     217,226        10.2 M       7,087"
          + "     25.1",
      ])
  }

  @Test func oneSeedHasNoInterval() {
    let lines = SampleComparison.make(seeds: [1], arms: 1).table.lines
    #expect(lines[0].contains("test accuracy  "))
    #expect(!lines.joined().contains("±"))
  }

  @Test func fewerSeedsThanPlannedAreSaid() {
    let lines = SampleComparison.make(stopsEarly: true).table.lines
    #expect(lines[4].contains("(n = 2)"))
    #expect(lines[5].split(separator: " ").suffix(2) == ["–", "–"])
  }

  @Test func numbers() {
    #expect(Format.count(1_234_567) == "1,234,567")
    #expect(Format.count(-1000) == "−1,000")
    #expect(Format.count(999) == "999")
    #expect(Format.compact(999_600) == "1.00 M")
    #expect(Format.compact(12_345_678) == "12.3 M")
    #expect(Format.compact(0) == "0")
    #expect(Format.significant(0.01234) == "0.0123")
    #expect(Format.significant(1234) == "1234")
    #expect(Format.duration(59.6) == "1:00")
    #expect(Format.duration(3723) == "1:02:03")
    #expect(Format.duration(.infinity) == "a long time")
    #expect(Format.percent(.nan) == "not a number %")
    #expect(Format.list(["a", "b", "c"]) == "a, b and c")
  }
}
