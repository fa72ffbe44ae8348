import CallosumContracts
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct CharacterTextTests {
  @Test func windowsAndTheirContinuations() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/text"
      // 400 characters, all different from their neighbours in a known way.
      let text = (0..<400).map { Character(UnicodeScalar(UInt8(97 + $0 * 7 % 26))) }
      try write(Array(String(text).utf8), to: path)
      let task = try CharacterText(path: path, length: 5)
      #expect(task.vocabulary == 27)
      #expect(Split.allCases.map { task.count($0) } == [355, 15, 15])
      let batch = task.batch(.validation, [0, 14])
      let (x, y) = (batch.inputs.asArray(Int32.self), batch.targets.asArray(Int32.self))
      #expect(task.text(Array(x[..<5])) == String(text[360..<365]))
      #expect(task.text(Array(y[..<5])) == String(text[361..<366]))
      #expect(task.text(Array(y[5...])) == String(text[375..<380]))
      #expect(task.sideBySide(.validation) == [0, 5, 10])
      let bytes = try CharacterText(path: path, length: 5, unit: .byte)
      #expect(bytes.batch(.training, [2]).inputs.doubles == text[2..<7].map { Double($0.asciiValue ?? 0) })
      #expect(bytes.vocabulary == 256)
    }
  }

  @Test func whatTrainingNeverSawIsUnknown() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/text"
      try write(Array((String(repeating: "ab", count: 50) + "ü€").utf8), to: path)
      let task = try CharacterText(path: path, length: 2)
      #expect(task.characters == ["a", "b"])
      let last = task.batch(.test, [(task.count(.test) ?? 1) - 1]).targets
      #expect(last.doubles == [2, 2])
      #expect(task.text([0, 1, 2]) == "ab\u{FFFD}")
    }
  }

  @Test func whatCannotBeReadIsSaid() throws {
    try inTemporaryFolder { folder in
      func problem(_ bytes: [UInt8]?, _ unit: CharacterText.Unit = .character) throws -> String {
        if let bytes { try write(bytes, to: folder + "/text") }
        let error = #expect(throws: TextError.self) {
          try CharacterText(path: folder + "/text", length: 10, unit: unit)
        }
        return (error?.description ?? "").replacingOccurrences(of: folder, with: "F")
      }
      let missing = try problem(nil), garbled = try problem([0xC3, 0x28])
      #expect(missing == "F/text: no such file, or it cannot be read; check the path and its permissions")
      #expect(garbled == "F/text: is not text in UTF-8; convert it, or read it as bytes")
      let letters = [UInt8](repeating: 65, count: 200)
      let shorts = [try problem(letters, .byte), try problem(letters)]
      let short = "F/text: has 200 tokens, windows of this length need about 220; take a longer text or"
      #expect(shorts == [String](repeating: short + " shorter windows", count: 2))
    }
  }
}
