import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// The `callosum` program for any catalogue: an outside package that calls it with its own parts gets all of it.
public enum CommandLineTool {
  /// Reads the command line, does what it says, and ends the process.
  public static func run(_ catalogue: Catalogue) -> Never {
    Program.$catalogue.withValue(catalogue) { Program.main() }
    exit(0)
  }
}

struct Program: ParsableCommand {
  /// What there is to choose from.
  @TaskLocal static var catalogue = Catalogue()

  static let configuration = CommandConfiguration(
    commandName: "callosum",
    abstract: "Compare brain-inspired and modular neural networks on equal terms.",
    version: Version.current,
    subcommands: [
      Compare.self, Reproduce.self, Train.self, Show.self, ReportCommand.self, Runs.self, List.self,
      Describe.self, Apply.self, DataCommand.self, Docs.self, Doctor.self, RunClaim.self,
    ])

  /// The command as somebody would type it again.
  static var commandLine: String {
    let words = CommandLine.arguments.dropFirst().map { argument in
      argument.contains { " '\"{}$&|;<>()*".contains($0) }
        ? "'\(argument.replacingOccurrences(of: "'", with: "'\\''"))'" : argument
    }
    return (["callosum"] + words).joined(separator: " ")
  }

  /// Exit code 2 for a command line that makes no sense, 1 for what goes wrong afterwards.
  static func main() {
    // A file that may not grow is an error like any other, not the end of the program.
    signal(SIGXFSZ, SIG_IGN)
    holdStandardStreams()
    do {
      // A mistake to which data led ends like any other error. The scope has a thread of its own, which does not
      // see the catalogue of this one.
      let catalogue = catalogue
      try withErrors {
        try Program.$catalogue.withValue(catalogue) {
          var command = try parseAsRoot()
          try command.run()
        }
      }
      // What was printed may still be in a buffer, and the disk behind it full.
      if fflush(nil) != 0 { throw FileError(path: "standard output") }
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch let error as UsageError {
      end(error.description, code: 2)
    } catch {
      switch exitCode(for: error) {
      case .success: exit(withError: error)  // help and version
      case .validationFailure: end(usage(of: error), code: 2)
      default: end("\(error)", code: 1)
      }
    }
  }

  /// A standard stream that is closed would be the next file that is opened, and what is printed go there. In
  /// its place stands one that refuses what the stream is for, as a closed one does.
  private static func holdStandardStreams() {
    for (stream, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(stream, F_GETFD) == -1 {
      // The lowest number that is free is this one.
      _ = open("/dev/null", mode)
    }
  }

  private static func end(_ line: String, code: Int32) -> Never {
    Terminal.complain(line)
    Foundation.exit(code)
  }

  /// What is wrong with a command line, and where to read on.
  private static func usage(of error: any Error) -> String {
    let help = fullMessage(for: error).firstMatch(of: /See '(.*)' for more information/)?.output.1
    let message = Self.message(for: error), path = help ?? "callosum --help"
    // The parser knows nearest names of options, not of commands.
    let word = message.firstMatch(of: /^Unexpected argument '(.*)'$/)?.output.1
    let nearest = word.flatMap { nearestName(to: String($0), in: subcommands(at: String(path))) }
    return "\(message)\(nearest.map { ". Did you mean '\($0)'?" } ?? ""); see '\(path)'"
  }

  /// The commands that may follow in `path`, such as `callosum runs --help`.
  private static func subcommands(at path: String) -> [String] {
    var types = configuration.subcommands
    for word in path.split(separator: " ").dropFirst().dropLast() {
      types = types.first { $0._commandName == word }?.configuration.subcommands ?? []
    }
    return types.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
  }
}

/// Options that several commands share.
struct JSONOption: ParsableArguments {
  @Flag(help: "Print one JSON document and nothing else on standard output.")
  var json = false

  func print(_ value: some Encodable) throws {
    Terminal.say(json: try JSONValue(encoding: value).text())
  }
}

/// Where runs are kept.
struct StoreOption: ParsableArguments {
  @Option(
    help: """
      The file that keeps runs. Without it: CALLOSUM_STORE, else callosum/runs.sqlite in XDG_DATA_HOME or \
      ~/.local/share.
      """)
  var store: String?

  /// Opens it, and makes it if need be.
  func open() throws -> RunStore { try RunStore(path: store) }

  /// Opens it if it is there.
  func existing() throws -> RunStore? { try RunStore.existing(path: store) }

  /// Opens it for somebody who knows a run in it.
  func holdingRuns() throws -> RunStore {
    guard let found = try existing() else {
      throw InvalidInput("there are no runs in \(store ?? RunStore.defaultPath()) yet")
    }
    return found
  }
}

/// JSON that was given on the command line, and what would have done in its place.
func parsedJSON(_ text: String, option: String, example: String) throws -> JSONValue {
  do { return try JSONValue(parsing: text) } catch let error as InvalidInput {
    throw UsageError(
      "\(option) needs JSON such as '\(example)', but \(error.description): \(text.clipped)")
  }
}
