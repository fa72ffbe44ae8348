import Foundation
import Testing

/// Scripts/setup on a machine without Swift, with stand-ins for the download and for what it brings.
@Suite struct SetupTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// A machine with the tools that the script uses, and no Swift; `installer` is the swiftly that it downloads.
  private func machine(installer: String?) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("setup-\(UUID())")
    let bin = folder.appendingPathComponent("bin"), package = folder.appendingPathComponent("package")
    for one in [bin, package] {
      try FileManager.default.createDirectory(at: one, withIntermediateDirectories: true)
    }
    for tool in ["bash", "cat", "chmod", "cp", "env", "gzip", "id", "mkdir", "mktemp", "rm", "tar", "uname"] {
      let places = ["/usr/bin/", "/bin/"].map { $0 + tool }
      let place = try #require(places.first { FileManager.default.isExecutableFile(atPath: $0) })
      try FileManager.default.createSymbolicLink(
        at: bin.appendingPathComponent(tool), withDestinationURL: URL(fileURLWithPath: place))
    }
    try write("#!/usr/bin/env bash\nexec \"$@\"\n", to: bin.appendingPathComponent("sudo"))
    try write(
      "#!/usr/bin/env bash\necho \"apt-get $*\" >> \"$STAND_IN_LOG\"\n",
      to: bin.appendingPathComponent("apt-get"))
    try write("#!/usr/bin/env bash\n", to: bin.appendingPathComponent("gpg"))
    // Takes the archive that lies beside it for whatever it is asked for, and fails as curl does without one.
    try write(
      """
      #!/usr/bin/env bash
      echo "curl ${!#}" >> "$STAND_IN_LOG"
      while [ "$1" != --output ]; do shift; done
      cp "${0%/*}/../swiftly.tar.gz" "$2" || exit 22

      """, to: bin.appendingPathComponent("curl"))
    if let installer {
      try write(installer, to: package.appendingPathComponent("swiftly"))
      let tar = Process()
      tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      tar.arguments = [
        "tar", "-czf", folder.appendingPathComponent("swiftly.tar.gz").path, "-C", package.path, "swiftly",
      ]
      try tar.run()
      tar.waitUntilExit()
    }
    return folder
  }

  private func write(_ text: String, to file: URL) throws {
    try text.write(to: file, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
  }

  private let goodInstaller = """
    #!/usr/bin/env bash
    set -eu
    echo "swiftly $*" >> "$STAND_IN_LOG"
    case "$1" in
      init)
        mkdir -p "$SWIFTLY_HOME_DIR/bin"
        cp "$0" "$SWIFTLY_HOME_DIR/bin/swiftly"
        echo 'export PATH="$SWIFTLY_HOME_DIR/bin:$PATH"' > "$SWIFTLY_HOME_DIR/env.sh"
        ;;
      install)
        printf '#!/usr/bin/env bash\\necho Swift of the stand-in\\n' > "$SWIFTLY_HOME_DIR/bin/swift"
        chmod +x "$SWIFTLY_HOME_DIR/bin/swift"
        echo 'echo "as root" >> "$STAND_IN_LOG"' > "${!#}"
        ;;
    esac

    """

  /// Reads the script as the other scripts do, then calls what it should have brought.
  private func setUp(
    _ machine: URL, answer: String?
  ) throws -> (code: Int32, output: String, said: String, log: [String]) {
    let process = Process(), output = Pipe(), errors = Pipe()
    let log = machine.appendingPathComponent("log")
    process.executableURL = machine.appendingPathComponent("bin/bash")
    process.arguments = ["-c", ". Scripts/setup && swift --version"]
    process.currentDirectoryURL = root
    process.environment = [
      "PATH": machine.appendingPathComponent("bin").path, "HOME": machine.path, "STAND_IN_LOG": log.path,
      "SWIFTLY_HOME_DIR": machine.appendingPathComponent("swiftly").path, "CALLOSUM_DATA": machine.path,
      "TMPDIR": machine.path,
    ]
    process.environment?["CALLOSUM_INSTALL_SWIFT"] = answer
    process.standardInput = FileHandle.nullDevice
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let said = try errors.fileHandleForReading.readToEnd() ?? Data()
    let printed = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    let lines = (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n").map(String.init) ?? []
    return (
      process.terminationStatus, String(decoding: printed, as: UTF8.self),
      String(decoding: said, as: UTF8.self),
      lines
    )
  }

  @Test func bringsAToolchainToABareMachine() throws {
    let machine = try machine(installer: goodInstaller)
    defer { try? FileManager.default.removeItem(at: machine) }
    let first = try setUp(machine, answer: "yes")
    #expect(first.code == 0 && first.output == "Swift of the stand-in\n", "\(first.said)")
    let steps = first.log.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    #expect(steps.count == 4 && Array(steps.dropFirst()) == ["swiftly init", "swiftly install", "as root"])
    #expect(first.log.first?.hasPrefix("curl https://download.swift.org/swiftly/linux/swiftly-") == true)
    // What it is going to do is said before.
    #expect(first.said.contains("No Swift toolchain found") && first.said.contains("run 'swiftly init'"))
    // A shell that started before finds what is there, and nothing is done a second time.
    let second = try setUp(machine, answer: nil)
    #expect(second.code == 0 && second.output == first.output && second.said == "" && second.log == first.log)
  }

  @Test(arguments: [nil, "no"]) func doesNothingWithoutAYes(_ answer: String?) throws {
    let machine = try machine(installer: goodInstaller)
    defer { try? FileManager.default.removeItem(at: machine) }
    let outcome = try setUp(machine, answer: answer)
    #expect(outcome.code == 1 && outcome.log == [] && outcome.output == "")
    #expect(outcome.said.contains("https://www.swift.org/install/linux"))
  }

  @Test(arguments: [nil, "#!/usr/bin/env bash\necho broken >&2\nexit 3\n"])
  func saysWhatFailed(_ installer: String?) throws {
    let machine = try machine(installer: installer)
    defer { try? FileManager.default.removeItem(at: machine) }
    let outcome = try setUp(machine, answer: "yes")
    #expect(outcome.code == 1 && outcome.output == "")
    #expect(outcome.said.hasSuffix("The toolchain could not be installed; see above.\n"))
    let left = try FileManager.default.contentsOfDirectory(atPath: machine.path)
    #expect(Set(left).subtracting(["swiftly.tar.gz"]) == ["bin", "package", "log"])
  }
}
