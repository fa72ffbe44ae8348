import Foundation

/// Where data sets lie.
public enum DataFolder {
  /// The folder that data sets are fetched to: what `CALLOSUM_DATA` names, or else `callosum` in the user's
  /// data folder (`XDG_DATA_HOME`, ~/.local/share; ~/Library/Application Support on a Mac).
  public static func own(environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let named = value("CALLOSUM_DATA") { return named }
    #if os(macOS)
      let usual = "Library/Application Support"
    #else
      let usual = ".local/share"
    #endif
    return (value("XDG_DATA_HOME") ?? NSHomeDirectory() + "/" + usual) + "/callosum"
  }

  /// The folder that packages of the system put data sets into; `CALLOSUM_SYSTEM_DATA` stands in for it.
  public static func system(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    environment["CALLOSUM_SYSTEM_DATA"] ?? "/usr/share/datasets"
  }
}
