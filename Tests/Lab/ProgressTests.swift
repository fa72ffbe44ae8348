import CallosumLab
import Foundation
import Testing

@Suite struct ProgressTests {
  /// A bar with a clock of its own; returns what it wrote.
  private func written(
    _ style: ProgressBar.Style, label: String = "attention", finishes: Bool = true,
    _ body: (ProgressBar, _ pass: (Double) -> Void) -> Void
  ) -> [String] {
    final class Desk {
      var time = 100.0
      var texts: [String] = []
    }
    let desk = Desk()
    let bar = ProgressBar(
      label: label, total: 1000, unit: "images", style: style, seconds: { desk.time },
      write: { desk.texts.append($0) })
    body(bar) { desk.time += $0 }
    if finishes { bar.finish() }
    return desk.texts
  }

  @Test func showsBarSpeedAndTimeLeft() {
    let texts = written(.terminal(columns: 80)) { bar, pass in
      pass(2)
      bar.advance(by: 250)
    }
    #expect(
      texts == [
        "\rattention  ███████░░░░░░░░░░░░░░░░░░░░░░░  25 %  125 images/s  0:06 left\u{1B}[K",
        "\r\u{1B}[K",
      ])
  }

  @Test func saysWhatGoesOnMeanwhile() {
    let texts = written(.terminal(columns: 80)) { bar, pass in
      pass(2)
      bar.advance(by: 1000)
      pass(1)
      bar.show("judged examples 500 of 10,000")
    }
    #expect(
      texts.dropFirst().first
        == "\rattention  ██████████████████████████████ 100 %  judged examples 500 of 10,000\u{1B}[K")
    let lines = written(.lines) { bar, pass in
      bar.advance(by: 500)
      pass(6)
      bar.show("judged examples 500 of 10,000")
      pass(6)
      bar.advance(by: 1)
    }
    #expect(lines.first == "attention: 50 %, judged examples 500 of 10,000\n")
    #expect(lines.count == 2 && !lines[1].contains("judged"))
  }

  @Test func redrawsTenTimesASecondAtMost() {
    let texts = written(.terminal(columns: 80)) { bar, pass in
      for _ in 0..<1000 {
        pass(0.001)
        bar.advance(by: 1)
      }
    }
    #expect((9...12).contains(texts.count))
  }

  @Test(arguments: [1, 10, 20, 40, 60, 200]) func neverFillsTheLine(columns: Int) {
    let texts = written(.terminal(columns: columns), label: "注意, seed 1 of 3") { bar, pass in
      for _ in 0..<50 {
        pass(1)
        bar.advance(by: 20)
      }
    }
    for text in texts {
      let line = text.dropFirst().replacingOccurrences(of: "\u{1B}[K", with: "")
      #expect(DisplayWidth.of(line) < max(columns, 1))
    }
  }

  @Test func plainLinesEveryFiveSeconds() {
    let texts = written(.lines) { bar, pass in
      for _ in 0..<12 {
        pass(1)
        bar.advance(by: 50)
      }
    }
    #expect(
      texts == [
        "attention: 25 %, 50.0 images/s, 0:15 left\n",
        "attention: 50 %, 50.0 images/s, 0:10 left\n",
      ])
  }

  @Test func silenceIsSilent() {
    let texts = written(.silent) { bar, pass in
      pass(60)
      bar.advance(by: 500)
      bar.say("hello")
    }
    #expect(texts.isEmpty)
  }

  @Test func linesOfTheirOwnDoNotMixWithTheBar() {
    let texts = written(.terminal(columns: 80)) { bar, pass in
      pass(1)
      bar.advance(by: 10)
      bar.say("hello")
    }
    #expect(texts.suffix(2) == ["\r\u{1B}[K", "hello\n"])
  }

  @Test func aBarThatIsDroppedCleansUp() {
    let texts = written(.terminal(columns: 80), finishes: false) { bar, pass in
      pass(1)
      bar.advance(by: 10)
    }
    #expect(texts.last == "\r\u{1B}[K")
  }

  @Test func moreThanPlannedStaysAtHundredPercent() {
    let texts = written(.lines) { bar, pass in
      pass(6)
      bar.advance(by: 5000)
    }
    #expect(texts == ["attention: 100 %, 833 images/s, 0:00 left\n"])
  }
}
