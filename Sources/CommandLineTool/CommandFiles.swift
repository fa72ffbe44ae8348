import CallosumLab
import CallosumTasks
import CallosumTensors
import Foundation

/// A file that the command line names, and by which option.
typealias NamedFile = (option: String, path: String)

/// Refuses a name that promises another format than is written.
/// - Throws: `UsageError` with a name that does not.
func checkFormat(of path: String, by option: String, _ format: String) throws {
  let others: Set = [
    "png", "jpg", "jpeg", "gif", "pdf", "svg", "html", "htm", "json", "csv", "yaml", "yml", "safetensors",
    "npy", "npz", "pt", "pth", "swift", "txt", "md",
  ]
  let file = URL(fileURLWithPath: path), promised = file.pathExtension.lowercased()
  guard others.contains(promised), promised != format, (promised, format) != ("htm", "html") else { return }
  throw UsageError(
    "\(option) writes \(format), which \(path) does not sound like; call it "
      + "\(file.deletingPathExtension().lastPathComponent).\(format)")
}

/// Looks at all files of a command before it begins: each that it is to write can be written, is none that it
/// reads or keeps runs in, and is no other that it writes, whatever links and folders lead there.
/// - Parameters:
///   - reading: What it reads besides data sets, which nobody overwrites.
///   - writing: What it writes.
///   - inFolder: Whether the folder of what it writes is made when that is written.
///   - store: Where it keeps runs.
/// - Throws: `UsageError` that names both options, or `FileError`.
func checkFiles(
  reading: [NamedFile] = [], writing: [NamedFile], inFolder: Bool = false, keeping store: StoreOption? = nil
) throws {
  guard !writing.isEmpty else { return }
  let data = DataSet.all.flatMap { set -> [NamedFile] in
    guard let folder = set.folder else { return [] }
    // Compressed as they are fetched, or not.
    let names = set.files.flatMap { file in
      [file.name, file.name.hasSuffix(".gz") ? String(file.name.dropLast(3)) : file.name]
    }
    return names.map { ("the data set \(set.id)", "\(folder)/\($0)") }
  }
  let read = (reading + data).map { (by: $0.option, place: FilePlace($0.path)) }
  let kept = store.map { RunStore.places(path: $0.store) }
  var written: [(option: String, place: FilePlace)] = []
  for (option, path) in writing {
    let place = FilePlace(path)
    func refuse(_ reason: String) -> UsageError {
      UsageError("\(option) would write \(path), \(reason); choose another place for it")
    }
    if let reader = read.first(where: { $0.place.isSame(as: place) }) {
      throw refuse("which \(reader.by) needs")
    }
    if let kept {
      if kept.files.contains(where: { $0.isSame(as: place) }) { throw refuse("where the store keeps runs") }
      if kept.checkpoints.isSame(as: place) || place.isInside(kept.checkpoints) {
        throw refuse("where the store keeps checkpoints")
      }
    }
    if let other = written.first(where: { $0.place.isSame(as: place) }) {
      throw refuse(other.option == option ? "twice" : "which \(other.option) writes too")
    }
    written.append((option, place))
    if !inFolder { try AtomicFile.checkWritable(path) }
  }
}
