import ArgumentParser
import Callosum
import Foundation

/// The `callosum` program.
@main
struct Program: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "callosum",
    abstract: "Compare, compose, inspect and re-check brain-inspired networks.",
    version: Version.current,
    subcommands: [Compare.self, List.self, Describe.self, DataCommand.self, Doctor.self])

  /// Exit code 2 for a command line that makes no sense, 1 for what goes wrong afterwards.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch let mistake as Mistake {
      end("callosum: \(mistake.description)", code: 2)
    } catch {
      switch exitCode(for: error) {
      case .success: exit(withError: error)  // help and version
      case .validationFailure: end(fullMessage(for: error), code: 2)
      default: end("callosum: \(message(of: error))", code: 1)
      }
    }
  }

  private static func end(_ line: String, code: Int32) -> Never {
    FileHandle.standardError.write(Data((line + "\n").utf8))
    Foundation.exit(code)
  }

  private static func message(of error: any Error) -> String {
    "\(error)".split(separator: "\n").joined(separator: " ")
  }
}

/// Options that several commands share.
struct JSONOption: ParsableArguments {
  @Flag(help: "Print one JSON document and nothing else on standard output.")
  var json = false

  func print(_ value: some Encodable) throws {
    Swift.print(try JSONValue(encoding: value).text())
  }
}

/// JSON that was given on the command line.
func parsedJSON(_ text: String, option: String) throws -> JSONValue {
  guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else {
    throw Mistake("\(option) needs JSON such as '{\"width\": 64}', got: \(text)")
  }
  return value
}
