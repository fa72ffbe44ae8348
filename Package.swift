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
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    .target(
      name: "CallosumKernels", path: "Sources/Kernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("openblas")]),
    .systemLibrary(name: "CallosumZlib", path: "Sources/Zlib", providers: [.apt(["zlib1g-dev"])]),
    room("Tensors", sees: ["Kernels"]),
    room("Networks", sees: ["Kernels", "Tensors"]),
    room("Contracts", sees: ["Tensors", "Networks"]),
    room("Mixers", sees: ["Tensors", "Networks", "Contracts"]),
    room("Learning", sees: ["Tensors", "Networks", "Contracts"]),
    room("Memory", sees: ["Tensors", "Networks", "Contracts"]),
    room(
      "Modularity", sees: ["Tensors", "Networks", "Contracts"],
      and: [.product(name: "Yams", package: "Yams")]),
    room("Tasks", sees: ["Zlib", "Tensors", "Contracts"]),
    room("Lab", sees: ["Kernels", "Tensors", "Networks", "Contracts", "Mixers"]),
    .target(
      name: "Callosum",
      dependencies: [
        "CallosumTensors", "CallosumNetworks", "CallosumContracts", "CallosumMixers", "CallosumLearning",
        "CallosumMemory", "CallosumModularity", "CallosumTasks", "CallosumLab",
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
    .executableTarget(
      name: "TwoHemispheres", dependencies: ["Callosum"], path: "Examples/TwoHemispheres"),

    .target(
      name: "CallosumTestSupport", dependencies: ["CallosumKernels", "CallosumTensors"],
      path: "Tests/Support"),
    tests("Tensors", see: ["Kernels", "Tensors", "TestSupport"]),
    tests("Networks", see: ["Tensors", "Networks", "Contracts", "Mixers", "TestSupport"]),
    tests("Contracts", see: ["Tensors", "Networks", "Contracts"]),
    tests("Catalogue", see: ["Tensors", "Networks", "Contracts", "TestSupport"], and: ["Callosum"]),
    tests("Learning", see: ["Learning", "Tensors", "Networks", "Contracts", "TestSupport"]),
    tests("Memory", see: ["Memory", "Tensors", "Networks", "Contracts", "TestSupport"]),
    tests("Modularity", see: ["TestSupport"], and: ["Callosum"]),
    tests("Tasks", see: ["Tasks", "Zlib", "Tensors", "Contracts", "TestSupport"]),
    tests("Lab", see: ["Lab", "Contracts", "Networks", "Tensors", "TestSupport"]),
    tests("CommandLine", see: ["TestSupport"]),
  ])
