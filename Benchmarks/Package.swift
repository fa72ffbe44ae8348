// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "callosum-benchmarks",
  dependencies: [.package(name: "callosum", path: "..")],
  targets: [
    .executableTarget(
      name: "bench", dependencies: [.product(name: "Callosum", package: "callosum")],
      path: "Sources/bench", plugins: ["ListSystems"]),
    .plugin(name: "ListSystems", capability: .buildTool()),
  ])
