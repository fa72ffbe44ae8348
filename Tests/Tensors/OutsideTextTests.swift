import CallosumTensors
import Testing

@Suite struct OutsideTextTests {
  @Test(arguments: [
    ("plain, Łukasz 注意 🧠 e\u{301} 👩‍🔬", "plain, Łukasz 注意 🧠 e\u{301} 👩‍🔬"), ("", ""),
    ("\u{1b}[31m", "\\u{1b}[31m"), ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
    ("\0\u{7f}\u{9b}", "\\0\\u{7f}\\u{9b}"),
    ("\u{202e}x\u{2066}\u{200f}\u{61c}\u{2028}", "\\u{202e}x\\u{2066}\\u{200f}\\u{61c}\\u{2028}"),
    ("\u{fffe}", "\\u{fffe}"),
  ]) func showsWhatTerminalsObey(_ text: String, _ shown: String) {
    #expect(text.printable() == shown && text.printable().printable() == shown)
  }

  @Test func keepsLinesOnRequest() {
    #expect("a\n\tb\u{1b}".printable(keepingLines: true) == "a\n\tb\\u{1b}")
  }

  /// Both ends of what is too long remain.
  @Test func longMessagesAreCutInTheMiddle() {
    let long = "bad value '" + String(repeating: "x\u{1b}", count: 100_000) + "'; leave it out"
    let line = InvalidInput(long).description
    #expect(
      line.hasPrefix("bad value 'x\\u{1b}x") && line.hasSuffix("'; leave it out") && line.contains(" … "))
    #expect(line.count < 4000)
    let short = String(repeating: "y", count: 800)
    #expect(short.asOneLine == short)
  }
}
