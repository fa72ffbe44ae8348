import CallosumContracts
import Foundation
import Testing

@Suite struct JSONDocumentTests {
  /// JSON has no number for what is none: whoever prints one prints a document all the same.
  @Test func everyNumberMakesADocument() throws {
    struct Result: Encodable {
      let loss: [Double]
      let score: Float?
    }
    let value = try JSONValue(encoding: Result(loss: [.nan, .infinity, -.infinity, 0.5], score: .nan))
    let expected: JSONValue = ["loss": ["nan", "inf", "-inf", 0.5], "score": "nan"]
    #expect(value == expected)
    let direct = JSONValue.array([.number(.nan), .number(-.infinity), .number(1e300)])
    for text in [try value.text(), try direct.text(), try direct.line()] {
      _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
    }
    #expect(try direct.line() == #"["nan","-inf",1e+300]"#)
  }

  @Test func escapesWhatMarkupMayNotHold() {
    #expect(
      "a<b>&\"'\u{1b}[0m\u{0}\u{9b}\u{202e}\u{fffe}\n".xmlEscaped
        == "a&lt;b&gt;&amp;&quot;&#39;\\u{1b}[0m\\0\\u{9b}\\u{202e}\\u{fffe}\n")
  }
}
