// swift-tools-version: 6.1
import PackageDescription

let parser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A room of the house: Sources/<name> becomes the module Callosum<name>, which sees the rooms below it.
func room(_ name: String, sees rooms: [String], and others: [Target.Dependency] = []) -> Target {
  .target(
    name: "Callosum\(name)", dependencies: rooms.map { .init(stringLiteral: "Callosum\($0)") } + others,
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
    .library(name: "Callosum", targets: ["Callosum"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .target(
      name: "CallosumKernels", path: "Sources/Kernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("openblas")]),
    room("Tensors", sees: ["Kernels"]),
    room("Networks", sees: ["Kernels", "Tensors"]),
    room("Contracts", sees: ["Tensors", "Networks"]),
    room("Mixers", sees: ["Tensors", "Networks", "Contracts"]),
    .target(
      name: "Callosum",
      dependencies: ["CallosumTensors", "CallosumNetworks", "CallosumContracts", "CallosumMixers"],
      path: "Sources/Callosum"),

    .target(
      name: "CallosumTestSupport", dependencies: ["CallosumKernels", "CallosumTensors"],
      path: "Tests/Support"),
    tests("Tensors", see: ["Kernels", "Tensors", "TestSupport"]),
  ])
