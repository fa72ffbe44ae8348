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

  /// Titles above numbers make room before words are broken.
  @Test func foldsTitlesBeforeItBreaksWords() {
    var table = Table([("arm", .left), ("test accuracy, 95 % interval", .right)])
    table.add(["Softmax self-attention", "83.20 ± 0.46 %"])
    #expect(
      table.lines(columns: 32) == [
        "arm               test accuracy,",
        "                   95 % interval",
        "───────────────  ───────────────",
        "Softmax           83.20 ± 0.46 %",
        "self-attention",
      ])
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

  /// Digits of a mean go as far as the error lets them; an error that is one of rounding is 0.
  @Test(arguments: [
    (0.4523, 1.69e-16, "0.4523 ± 0"), (0.4523, 0, "0.4523 ± 0"), (0.951234, 0.01234, "0.951 ± 0.012"),
    (0.951234, 0.0996, "0.95 ± 0.10"), (0.951234, 0.09949, "0.951 ± 0.099"), (12.3456, 34.6, "12 ± 35"),
    (1234.56, 78.9, "1,235 ± 79"), (1234.56, 0.789, "1234.56 ± 0.79"), (0, 0.25, "0.00 ± 0.25"),
    (-0.5, 0.25, "-0.50 ± 0.25"), (1.2345e-5, 3e-6, "(1.23 ± 0.30)e-5"),
    (3.14159e9, 2.5e7, "(3.142 ± 0.025)e9"),
    (0.452312345, 1e-9, "0.452312 ± 1.0e-9"), (Double.nan, 0.1, "not a number ± 0.1"),
    (0.5, Double.infinity, "0.5 ± not a number"),
  ]) func digitsFollowTheError(_ mean: Double, _ error: Double, _ text: String) {
    #expect(Format.estimate(mean: mean, halfWidth: error) == text)
  }

  @Test func numbersWithoutEnd() {
    #expect(Format.significant(1e-12) == "1.00e-12" && Format.significant(-2.5e300) == "-2.50e300")
    #expect(Format.significant(0.0000001234) == "0.000000123")
    #expect(Format.compact(1e30) == "1.00e18 T")
  }

  /// Cells are one line of text and nothing else.
  @Test func cellsAreText() {
    var table = Table([("a\u{1b}[2J", .left), ("n", .right)])
    table.add(["x\ny\u{202e}", "1"])
    #expect(table.lines.count == 3 && table.lines[0].hasPrefix("a\\u{1b}[2J  "))
    #expect(table.lines[2].hasPrefix("x\\ny\\u{202e}"))
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
