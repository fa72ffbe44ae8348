import Foundation

/// An IDX file of bytes.
package func idx(_ shape: [Int], _ elements: [UInt8]) -> [UInt8] {
  let sizes = shape.flatMap { size in (0..<4).reversed().map { UInt8(size >> (8 * $0) & 0xFF) } }
  return [0, 0, 8, UInt8(shape.count)] + sizes + elements
}

package func write(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// The four files of a tiny Fashion-MNIST, with these labels and images of no meaning.
package func writeFashionMNIST(
  training: [UInt8] = [9, 0, 4], test: [UInt8] = [1], to folder: String
) throws {
  for (split, labels) in [("train", training), ("t10k", test)] {
    let images = (0..<labels.count * 784).map { UInt8(truncatingIfNeeded: $0) }
    try write(idx([labels.count, 28, 28], images), to: folder + "/\(split)-images-idx3-ubyte")
    try write(idx([labels.count], labels), to: folder + "/\(split)-labels-idx1-ubyte")
  }
}
