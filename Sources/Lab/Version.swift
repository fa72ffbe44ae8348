import CallosumKernels

/// The version of this library.
public enum Version {
  public static let current = "0.2.0"
}

extension Machine {
  /// This machine as the engine sees it.
  public static var thisOne: Machine {
    let sets = ["baseline", "AVX2", "AVX-512"]
    let version = Int(callosum_onednn_version())
    return .current(
      threads: Int(callosum_thread_count()), instructionSet: sets[Int(callosum_instruction_set())],
      libraries: ["oneDNN": "\(version / 10000).\(version / 100 % 100).\(version % 100)"],
      callosumVersion: Version.current)
  }
}
