// swift-tools-version: 6.1
import PackageDescription

/// A room of the house: Sources/<name> becomes the module Callosum<name>, which sees the rooms below it.
func room(_ name: String, sees rooms: [String], and others: [Target.Dependency] = []) -> Target {
  .target(
    name: "Callosum\(name)",
    dependencies: rooms.map { .init(stringLiteral: "Callosum\($0)") } + others,
    path: "Sources/\(name)")
}

/// The tests of a room: Tests/<name>.
func tests(_ name: String, see rooms: [String], and others: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: rooms.map { .init(stringLiteral: "Callosum\($0)") } + others,
    path: "Tests/\(name)")
}

let package = Package(
  name: "callosum",
  targets: [
    .systemLibrary(name: "CallosumZlib", path: "Sources/Zlib", providers: [.apt(["zlib1g-dev"])]),
    room("Tasks", sees: ["Zlib"]),
    room("Lab", sees: []),

    tests("Tasks", see: ["Tasks", "Zlib"]),
    tests("Lab", see: ["Lab"]),
  ])
