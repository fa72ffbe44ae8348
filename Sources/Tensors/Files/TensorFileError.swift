/// A file of tensors that cannot be used; described in one line.
public struct TensorFileError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let problem: String
  package init(path: String, _ problem: String) {
    self.path = path
    self.problem = problem.asOneLine
  }
  public var description: String { "\(path) \(problem)" }
}
