/// An open .npz file: a zip archive of .npy files, of which only the headers are read until one is asked for.
public struct NumPyArchive: Sendable {
  /// What the header says of an array.
  public struct Entry: Sendable, Equatable {
    /// NumPy's name of the type, such as <f4 (float32), or <U5 (text, which cannot be read).
    public let type: String
    public let shape: [Int]
  }

  /// The arrays by name, without the ending .npy.
  public let entries: [String: Entry]
  /// The members that are no plain arrays, by their whole names, in alphabetic order.
  public let others: [String]
  /// All members by their whole names.
  private let members: [String: ZipArchive.Member]
  private let file: TensorFile

  /// Opens the file at `path` and reads what is in it.
  /// - Parameter mapping: whether arrays that are not deflated stay in the file: see
  ///   ``NumPy/load(_:mapping:)``.
  /// - Throws: ``TensorFileError``.
  public init(path: String, mapping: Bool = false) throws {
    let file = try TensorFile(path: path, mapping: mapping)
    var (entries, members, others) = ([String: Entry](), [String: ZipArchive.Member](), [String]())
    for member in try ZipArchive.members(of: file) {
      members[member.name] = member
      // What is wrong with one that cannot be listed shows when it is asked for.
      if let name = Self.arrayName(member.name), let entry = try? Self.entry(member, file) {
        entries[name] = entry
      } else {
        others.append(member.name)
      }
    }
    (self.entries, self.members, self.others, self.file) = (entries, members, others.sorted(), file)
  }

  /// An array by name, converted as ``NumPy/load(_:mapping:)`` does.
  /// - Throws: ``TensorFileError`` for an absent name, a damaged member, or a type that is not supported.
  public func array(_ name: String) throws -> Tensor {
    guard let member = members[name + ".npy"] else {
      throw TensorFileError(path: file.path, "has no array \(name)")
    }
    return try NumPy.array(in: member.unpacked(from: file), name)
  }

  /// All arrays by name.
  /// - Throws: ``TensorFileError``, also where a member is none.
  func arrays() throws -> [String: Tensor] {
    var arrays: [String: Tensor] = [:]
    for member in members.keys.sorted() {
      guard let name = Self.arrayName(member) else {
        throw TensorFileError(
          path: file.path, "holds \(member), which is not an array; NumPyArchive reads the members that are")
      }
      arrays[name] = try array(name)
    }
    return arrays
  }

  private static func arrayName(_ member: String) -> String? {
    member.hasSuffix(".npy") ? String(member.dropLast(4)) : nil
  }

  private static func entry(_ member: ZipArchive.Member, _ file: TensorFile) throws -> Entry? {
    let start = try member.beginning(NumPyHeader.fixedSize, from: file)
    let header = try NumPyHeader(start, fileSize: member.size)
    let text = try member.beginning(header.end, from: file)
    return header.description(in: text).map { Entry(type: $0.type, shape: $0.shape) }
  }
}
