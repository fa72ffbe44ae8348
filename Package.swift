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
  products: [
    .library(name: "Callosum", targets: ["Callosum"]),
    .executable(name: "callosum", targets: ["CallosumTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .target(
      name: "CallosumKernels", path: "Sources/Kernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("openblas")]),
    .systemLibrary(name: "CallosumZlib", path: "Sources/Zlib", providers: [.apt(["zlib1g-dev"])]),
    room("Tensors", sees: ["Kernels", "Zlib"]),
    room("Networks", sees: ["Kernels", "Tensors"]),
    room("Contracts", sees: ["Tensors", "Networks"]),
    room("Mixers", sees: ["Tensors", "Networks", "Contracts"]),
    room("Tasks", sees: ["Zlib", "Tensors", "Contracts"]),
    room("Lab", sees: ["Kernels", "Tensors", "Networks", "Contracts", "Mixers"]),
    .target(
      name: "Callosum",
      dependencies: [
        "CallosumTensors", "CallosumNetworks", "CallosumContracts", "CallosumMixers", "CallosumTasks",
        "CallosumLab",
      ],
      path: "Sources/Callosum"),
    .executableTarget(
      name: "CallosumTool",
      dependencies: [
        "Callosum", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/CommandLineTool"),
    .executableTarget(
      name: "FirstNetwork", dependencies: ["Callosum"], path: "Examples/FirstNetwork"),

    .target(
      name: "CallosumTestSupport", dependencies: ["CallosumKernels", "CallosumTensors"],
      path: "Tests/Support"),
    tests("Tensors", see: ["Kernels", "Tensors", "TestSupport"]),
    tests("Networks", see: ["Tensors", "Networks", "Contracts", "Mixers", "TestSupport"]),
    tests("Contracts", see: ["Tensors", "Networks", "Contracts"]),
    tests("Mixers", see: ["Tensors", "Networks", "Contracts", "TestSupport"], and: ["Callosum"]),
    tests("Tasks", see: ["Tasks", "Zlib", "TestSupport"]),
    tests("Lab", see: ["Lab", "Contracts", "Networks", "Tensors", "TestSupport"]),
    tests("Fuzzing", see: ["Tensors", "Contracts", "Mixers", "Tasks", "TestSupport"]),
    tests("CommandLine", see: ["TestSupport"]),
  ])
