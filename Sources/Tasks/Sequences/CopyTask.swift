import CallosumContracts
import CallosumTensors

/// Copying: symbols, a pause, a signal, and then the symbols are wanted in their order.
///
///     s1 s2 s3 . . . go . .        wanted from the signal on: s1, s2, s3
///
/// Tokens 0..<symbols are symbols, then come the blank and the signal. With `scattered` the symbols stand
/// at random places of the first `copied` + `delay` tokens, in order (selective copying, Gu and Dao 2023).
public struct CopyTask: DrawnSequences {
  public let id = "copy"
  public let name = "Copy"
  public let seed: UInt64
  public let symbols: Int
  /// Symbols in a sequence.
  public let copied: Int
  /// Blanks before the signal.
  public let delay: Int
  public let isScattered: Bool

  public init(symbols: Int = 64, copied: Int = 12, delay: Int = 0, scattered: Bool = false, seed: UInt64 = 0)
    throws
  {
    try require(symbols > 1, "copying needs at least 2 symbols, got \(symbols)")
    try require(copied > 0, "at least 1 symbol must be copied, not \(copied)")
    try require(delay >= 0, "delay must be at least 0, is \(delay)")
    (self.symbols, self.copied, self.delay) = (symbols, copied, delay)
    (isScattered, self.seed) = (scattered, seed)
  }

  public var vocabulary: Int { symbols + 2 }
  public var lengths: ClosedRange<Int> { 2 * copied + delay...2 * copied + delay }

  public func example(length: Int, using generator: inout RandomGenerator) -> TokenExample {
    let blank = Int32(symbols), signal = Int32(symbols + 1)
    let source = (0..<copied).map { _ in Int32.random(in: 0..<Int32(symbols), using: &generator) }
    let places = isScattered ? generator.distinct(copied, of: copied + delay).sorted() : Array(0..<copied)
    var first = [Int32](repeating: blank, count: copied + delay)
    for (place, symbol) in zip(places, source) { first[place] = symbol }
    var example = TokenExample(tokens: [], targets: [], isScored: [])
    for token in first { example.append(token) }
    for (place, symbol) in source.enumerated() {
      example.append(place == 0 ? signal : blank, wanting: symbol)
    }
    return example
  }
}
