import CallosumTestSupport
import Foundation
import Testing

@Suite(.serialized) struct DataTests {
  @Test func listSaysWhereEachComesFrom() throws {
    try inTemporaryFolder { folder in
      let outcome = try Program.run(["data", "list"], in: folder)
      #expect(outcome.code == 0 && outcome.errors == "")
      let home = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
      #expect(outcome.output.contains("\n  4 files, 30.9 MB, from \(home)\n"))
      let rows = try Program.run(["data", "list", "--json"], in: folder).json as? [[String: Any]]
      #expect(rows?.map { $0["id"] as? String } == ["fashion-mnist", "tiny-shakespeare"])
      #expect(rows?.first?["bytes"] as? Int == 30_878_645)
    }
  }

  @Test func whatIsThereIsNotFetched() throws {
    try inTemporaryFolder { folder in
      try writeFashionMNIST(to: folder)
      let server = try FileServer([:])
      defer { server.stop() }
      let outcome = try Program.run(
        ["data", "get", "fashion-mnist"], in: folder, with: ["CALLOSUM_MIRROR": server.address])
      #expect(outcome.code == 0 && outcome.errors == "")
      #expect(outcome.output == "Fashion-MNIST is in \(folder); there was nothing to fetch\n")
      #expect(server.requests == [])
    }
  }

  @Test func whatCannotBeFetchedIsSaidInOneLine() throws {
    try inTemporaryFolder { folder in
      let path = "/tiny-shakespeare/input.txt"
      let server = try FileServer([path: [UInt8](repeating: 65, count: 1_115_394)])
      defer { server.stop() }
      let mirror = ["CALLOSUM_MIRROR": server.address]
      let wrong = try Program.run(["data", "get", "tiny-shakespeare"], in: folder, with: mirror)
      #expect(wrong.code == 1 && wrong.output == "" && wrong.complainsInOneLine)
      #expect(wrong.errors.hasPrefix("callosum: \(server.address)\(path): is not the file that it should be"))
      let missing = try Program.run(["data", "get", "fashion-mnist"], in: folder, with: mirror)
      #expect(missing.code == 1 && missing.complainsInOneLine)
      #expect(missing.errors.contains("train-images-idx3-ubyte.gz: the server answered 404"))
      let left = try FileManager.default.subpathsOfDirectory(atPath: folder)
      let parts = left.filter { $0.hasSuffix(".txt") || $0.hasSuffix(".gz") }
      #expect(parts == [])
      let unknown = try Program.run(["data", "get", "fashion"], in: folder)
      #expect(unknown.code == 2)
      #expect(unknown.errors == "callosum: unknown data set 'fashion'; did you mean 'fashion-mnist'?\n")
    }
  }
}
