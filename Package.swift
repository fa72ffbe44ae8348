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

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// What every family of parts sees: the engine, methods of analysis and the contracts, never another family.
let foundation = ["Tensors", "Analysis", "Networks", "Contracts"]
let families = [
  "Mixers", "Neurons", "Learning", "Memory", "Fields", "Modularity", "Recordings", "Insight",
]
let library = foundation + families + ["Tasks", "Lab", "Claims"]

let package = Package(
  name: "callosum",
  products: [
    .library(name: "Callosum", targets: ["Callosum"]),
    .executable(name: "callosum", targets: ["CallosumTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    .target(
      name: "CallosumKernels", path: "Sources/Kernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("openblas")]),
    .systemLibrary(name: "CallosumZlib", path: "Sources/Zlib", providers: [.apt(["zlib1g-dev"])]),
    room("Tensors", sees: ["Kernels", "Zlib"]),
    room("Analysis", sees: ["Tensors"]),
    room("Networks", sees: ["Kernels", "Tensors"]),
    room("Contracts", sees: ["Tensors", "Networks"]),
  ]
    + families.map { room($0, sees: foundation, and: $0 == "Modularity" ? [yams] : []) } + [
      room("Tasks", sees: ["Zlib", "Tensors", "Contracts"]),
      room("Lab", sees: ["Kernels", "Mixers"] + foundation, and: [grdb]),
      room("Claims", sees: foundation + families + ["Tasks", "Lab"]),
      .target(
        name: "Callosum", dependencies: library.map { .init(stringLiteral: "Callosum\($0)") },
        path: "Sources/Callosum"),
      .executableTarget(
        name: "CallosumTool", dependencies: ["Callosum", argumentParser], path: "Sources/CommandLineTool"),
      .executableTarget(
        name: "FirstNetwork", dependencies: ["Callosum"], path: "Examples/FirstNetwork"),
      .executableTarget(
        name: "TwoHemispheres", dependencies: ["Callosum"], path: "Examples/TwoHemispheres"),

      .target(
        name: "CallosumTestSupport",
        dependencies: ["CallosumKernels", "CallosumTensors", "CallosumNetworks"],
        path: "Tests/Support"),
      tests("Tensors", see: ["Kernels", "Tensors", "TestSupport"]),
      tests("Analysis", see: ["Tensors", "Analysis", "TestSupport"]),
      tests("Networks", see: foundation + ["Mixers", "TestSupport"]),
      tests("Contracts", see: foundation + ["TestSupport"]),
      tests("Catalogue", see: foundation + ["TestSupport"], and: ["Callosum"]),
      tests("Tasks", see: ["Tasks", "Zlib", "Tensors", "Contracts", "TestSupport"]),
      tests("Lab", see: foundation + ["Mixers", "Lab", "TestSupport"]),
      tests("Fuzzing", see: ["Tensors", "Contracts", "Mixers", "Tasks", "TestSupport"]),
      tests("CommandLine", see: ["TestSupport"]),
    ]
    + families.map {
      tests($0, see: foundation + [$0, "TestSupport"], and: ["Callosum"])
    })
