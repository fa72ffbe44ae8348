import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct AtomicFileTests {
  @Test func writesAndReplaces() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a.txt"
      try AtomicFile.write("first", to: path)
      try AtomicFile.write("zweite Fassung, größer", to: path)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "zweite Fassung, größer")
      #expect(try files(in: folder) == ["a.txt"])
    }
  }

  @Test func keepsPermissionsAndLinks() throws {
    try inTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/real")
      chmod(folder + "/real", 0o600)
      symlink(folder + "/real", folder + "/link")
      try AtomicFile.write("new", to: folder + "/link")
      #expect(try String(contentsOfFile: folder + "/real", encoding: .utf8) == "new")
      var status = stat()
      #expect(lstat(folder + "/link", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
      #expect(stat(folder + "/real", &status) == 0 && status.st_mode & 0o777 == 0o600)
    }
  }

  @Test func aFailureInTheMiddleLeavesTheOldFile() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/a"
      try AtomicFile.write("old", to: path)
      let error = #expect(throws: FileError.self) {
        try AtomicFile.write(to: path) { sink in
          try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try sink.write($0) }
          throw FileError(path: path, reason: "the cable was cut")
        }
      }
      #expect(error?.description == "cannot write \(path): the cable was cut")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
      #expect(try files(in: folder) == ["a"])
    }
  }

  @Test func missingFolder() {
    #expect(
      message("/nowhere/at/all.html")
        == "cannot write /nowhere/at/all.html: its folder does not exist")
  }

  @Test func folderAndDevice() throws {
    try inTemporaryFolder { folder in
      #expect(message(folder) == "cannot write \(folder): it is a folder")
      #expect(message(folder + "/new/") == "cannot write \(folder)/new/: its folder does not exist")
    }
    #expect(message("/dev/null") == "cannot write /dev/null: it is not a regular file")
    #expect(message("") == "cannot write a file without a name: its folder does not exist")
  }

  @Test(.enabled(if: getuid() != 0, "root may write everywhere"))
  func noPermission() throws {
    try inTemporaryFolder { folder in
      chmod(folder, 0o500)
      defer { chmod(folder, 0o700) }
      #expect(
        message(folder + "/a") == "cannot write \(folder)/a: no permission to write there")
    }
  }

  /// A limit on the size of files stands in for a full disk: both refuse in the middle of a write.
  @Test func whatTheSystemCutsOffLeavesNothing() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 5000, rlim_max: 5000)
      #if canImport(Darwin)
        setrlimit(RLIMIT_FSIZE, &limit)
      #else
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #endif
      try inTemporaryFolder { folder in
        let path = folder + "/a"
        let error = #expect(throws: FileError.self) {
          try AtomicFile.write(String(repeating: "x", count: 20_000), to: path)
        }
        #expect(error?.description == "cannot write \(path): file too large")
        let left = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(left.isEmpty)
      }
    }
  }

  private func message(_ path: String) -> String {
    do {
      try AtomicFile.write("text", to: path)
      return "written"
    } catch { return "\(error)" }
  }

  private func files(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
  }
}
