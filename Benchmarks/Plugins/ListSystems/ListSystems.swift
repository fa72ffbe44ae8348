import Foundation
import PackagePlugin

/// Makes `systems`, the list of the types that the files in Systems/ extend, each of which is called after its
/// type: a new system is a new file and nothing else.
@main struct ListSystems: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let files = target.sourceModule?.sourceFiles(withSuffix: ".swift") else { return [] }
    let systems = files.map(\.url).filter { $0.deletingLastPathComponent().lastPathComponent == "Systems" }
    let names = systems.map { $0.deletingPathExtension().lastPathComponent }.sorted()
    let list = context.pluginWorkDirectoryURL.appendingPathComponent("SystemList.swift")
    let text = """
      import Callosum

      /// Every file of Systems/.
      let systems: [any Benchmarked.Type] = [\(names.map { "\($0).self" }.joined(separator: ", "))]

      """
    return [
      .buildCommand(
        displayName: "Listing \(names.count) systems", executable: URL(fileURLWithPath: "/bin/sh"),
        arguments: ["-c", #"printf %s "$1" > "$2""#, "list", text, list.path], outputFiles: [list])
    ]
  }
}
