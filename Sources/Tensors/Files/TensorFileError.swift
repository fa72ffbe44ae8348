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

extension String {
  /// For messages that quote what came from outside: control characters are replaced, and what is
  /// longer than anybody reads is cut off.
  package var asOneLine: String {
    let most = 1000
    var scalars = String.UnicodeScalarView()
    for scalar in unicodeScalars.prefix(most) {
      scalars.append(scalar.value < 0x20 || scalar.value == 0x7f ? "\u{fffd}" : scalar)
    }
    return String(scalars) + (unicodeScalars.count > most ? " …" : "")
  }
}
