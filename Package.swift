// swift-tools-version: 6.1
import Foundation
import PackageDescription

// The house, from the ground up: Sources/<Room> becomes the module Callosum<Room>, which sees the rooms that
// are named beside it and no others. Arrows point down only; a family never sees another family.
// Tests/Architecture holds all imports against this table.

let foundation = ["Tensors", "Analysis", "Networks", "Contracts"]
let workshop = foundation + ["Tasks", "Experiments", "Brains"]
let families = [
  "Mixers", "Neurons", "Learning", "Memory", "Fields", "Modularity", "Recordings", "Insight",
]

typealias Row = (name: String, sees: [String])

let lower: [Row] = [
  ("Tensors", ["Kernels", "Zlib"]),
  ("Analysis", ["Tensors"]),
  ("Networks", ["Kernels", "Tensors"]),
  ("Contracts", ["Tensors", "Networks"]),
  ("Tasks", ["Zlib", "Crypto", "Tensors", "Contracts"]),
  ("Experiments", foundation + ["Tasks"]),
  ("Brains", foundation + ["Tasks", "Experiments"]),
]
let upper: [Row] = [
  ("Lab", ["Kernels", "Zlib"] + workshop),
  ("CommandLineTool", ["Lab"] + workshop),
]
let rooms: [Row] = lower + families.map { ($0, workshop) } + upper

/// The tests of a room are Tests/<Room>, those of a family Tests/Systems/<Family>.
let tests: [Row] = [
  ("Tensors", ["Kernels", "Tensors", "TestSupport"]),
  ("Analysis", ["Tensors", "Analysis", "TestSupport"]),
  ("Networks", ["Tensors", "Networks", "TestSupport"]),
  ("Contracts", ["Tensors", "Networks", "Contracts"]),
  ("Tasks", ["Zlib", "Tensors", "Contracts", "Tasks", "TestSupport"]),
  ("Experiments", ["Tensors", "Networks", "Contracts", "Tasks", "Experiments", "Mixers", "TestSupport"]),
  (
    "Brains",
    [
      "Tensors", "Networks", "Contracts", "Tasks", "Experiments", "Brains", "Mixers", "Neurons", "Learning",
      "Memory", "Modularity", "TestSupport",
    ]
  ),
  ("Lab", ["Zlib"] + foundation + ["Experiments", "Mixers", "Lab", "TestSupport"]),
  ("Catalogue", ["", "TestSupport"]),
  ("Fuzzing", ["Tensors", "Contracts", "Tasks", "Experiments", "Mixers", "TestSupport"]),
  ("CommandLine", ["Tensors", "TestSupport"]),
  ("Architecture", []),
]
let systemTests: [Row] = families.map { ("Systems/\($0)", workshop + [$0, "TestSupport"]) }

// MARK: Targets

/// What rooms use that is not ours.
let libraries: [String: [Target.Dependency]] = [
  "Brains": [.product(name: "Yams", package: "Yams")],
  "Lab": [.product(name: "GRDB", package: "GRDB.swift")],
  "CommandLineTool": [.product(name: "ArgumentParser", package: "swift-argument-parser")],
]

/// Rooms whose settings are shown with what the comments above them say.
let documented = ["Networks", "Brains"] + families

func modules(_ rooms: [String]) -> [Target.Dependency] { rooms.map { .init(stringLiteral: "Callosum\($0)") } }

func room(_ row: Row) -> Target {
  .target(
    name: "Callosum\(row.name)", dependencies: modules(row.sees) + libraries[row.name, default: []],
    path: "Sources/\(row.name)", plugins: documented.contains(row.name) ? ["DocumentFields"] : [])
}

func testTarget(_ row: Row) -> Target {
  let name = row.name.split(separator: "/").last ?? ""
  return .testTarget(
    name: "\(name)Tests", dependencies: modules(row.sees), path: "Tests/\(row.name)",
    exclude: goldenFiles("Tests/\(row.name)"))
}

/// Golden numbers and the scripts that made them, which lie beside the tests.
func goldenFiles(_ folder: String) -> [String] {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(folder)
  let names = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
  return names.filter { name in
    [".safetensors", ".py", ".md", ".json"].contains { name.hasSuffix($0) }
  }.sorted()
}

let ourTargets: [Target] = [
  .target(
    name: "CallosumKernels", path: "Sources/Kernels",
    linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("openblas")]),
  .systemLibrary(name: "CallosumZlib", path: "Sources/Zlib", providers: [.apt(["zlib1g-dev"])]),
  .systemLibrary(name: "CallosumCrypto", path: "Sources/Crypto", providers: [.apt(["libssl-dev"])]),
  .target(name: "Callosum", dependencies: modules(workshop + families + ["Lab"]), path: "Sources/Callosum"),
  .executableTarget(
    name: "CallosumProgram", dependencies: ["Callosum", "CallosumCommandLineTool"], path: "Sources/Program"),
  .plugin(
    name: "DocumentFields", capability: .buildTool(), dependencies: ["FieldDocumenter"],
    path: "Plugins/DocumentFields"),
  .executableTarget(name: "FieldDocumenter", path: "Plugins/FieldDocumenter"),
  .executableTarget(name: "FirstNetwork", dependencies: ["Callosum"], path: "Examples/FirstNetwork"),
  .executableTarget(name: "TwoHemispheres", dependencies: ["Callosum"], path: "Examples/TwoHemispheres"),
  .target(
    name: "CallosumTestSupport",
    dependencies: modules(["Kernels", "Tensors", "Networks", "Contracts", "Experiments"]),
    path: "Tests/Support"),
]

let roomLibraries: [Product] = rooms.map {
  .library(name: "Callosum\($0.name)", targets: ["Callosum\($0.name)"])
}

let package = Package(
  name: "callosum",
  products: roomLibraries + [
    .library(name: "Callosum", targets: ["Callosum"]),
    .plugin(name: "DocumentFields", targets: ["DocumentFields"]),
    .executable(name: "callosum", targets: ["CallosumProgram"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: ourTargets + rooms.map(room) + (tests + systemTests).map(testTarget))
