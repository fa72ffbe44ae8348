import Foundation
import PackagePlugin

/// Has FieldDocumenter read a target before it is compiled.
@main struct DocumentFields: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let sources = target.sourceModule?.sourceFiles(withSuffix: ".swift").map(\.url) else { return [] }
    let output = context.pluginWorkDirectoryURL.appending(path: "\(target.name)Fields.swift")
    return [
      .buildCommand(
        displayName: "Reading what the settings of \(target.name) mean",
        executable: try context.tool(named: "FieldDocumenter").url,
        arguments: [output.path] + sources.map(\.path), inputFiles: sources, outputFiles: [output])
    ]
  }
}
