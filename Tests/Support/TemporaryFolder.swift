import Foundation

/// Runs `body` with a folder that is removed afterwards; with `inMemory`, one that no disk is asked for,
/// where the system has such.
package func inTemporaryFolder(inMemory: Bool = false, _ body: (String) throws -> Void) throws {
  let memory = "/dev/shm"
  let parent =
    inMemory && access(memory, W_OK) == 0
    ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
  let folder =
    parent
    .appendingPathComponent("callosum-" + UUID().uuidString).path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try body(folder)
}
