/// The checksum SHA-256 of bytes that come piece by piece (FIPS 180-4).
package struct SHA256 {
  private var state: [UInt32]
  private var rest: [UInt8] = []
  private var length = 0

  package init() {
    state = SHA256.fractions(of: 8) { $0.squareRoot() }
  }

  /// The first 32 bits behind the point of a root of each of the first primes.
  private static func fractions(of count: Int, _ root: (Double) -> Double) -> [UInt32] {
    var primes: [Int] = []
    var candidate = 2
    while primes.count < count {
      if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
      candidate += 1
    }
    return primes.map { prime in
      let value = root(Double(prime))
      return UInt32((value - value.rounded(.down)) * 4_294_967_296)
    }
  }

  /// Cube roots: those of 64 primes fit a Double well enough for their first 32 bits, once refined.
  private static let constants = fractions(of: 64) { prime in
    (0..<60).reduce(prime / 2) { root, _ in root - (root * root * root - prime) / (3 * root * root) }
  }

  package mutating func update(_ bytes: some Sequence<UInt8>) {
    let before = rest.count
    rest += bytes
    length += rest.count - before
    let whole = rest.count / 64 * 64
    guard whole > 0 else { return }
    rest.withUnsafeBufferPointer { bytes in
      for start in stride(from: 0, to: whole, by: 64) { SHA256.mix(&state, bytes, start) }
    }
    rest.removeFirst(whole)
  }

  /// The checksum of all that came, as 64 hexadecimal digits.
  package var digest: String {
    var copy = self
    let zeros = (119 - length % 64) % 64
    let bits = UInt64(length) * 8
    copy.update([0x80] + [UInt8](repeating: 0, count: zeros))
    copy.update((0..<8).reversed().map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) })
    return copy.state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private static func mix(_ state: inout [UInt32], _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) {
    func rotated(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
      for t in 0..<16 {
        let place = start + 4 * t
        let high = UInt32(bytes[place]) << 24 | UInt32(bytes[place + 1]) << 16
        words[t] = high | UInt32(bytes[place + 2]) << 8 | UInt32(bytes[place + 3])
      }
      for t in 16..<64 {
        let (x, y) = (words[t - 15], words[t - 2])
        let s0 = rotated(x, 7) ^ rotated(x, 18) ^ x >> 3, s1 = rotated(y, 17) ^ rotated(y, 19) ^ y >> 10
        words[t] = words[t - 16] &+ s0 &+ words[t - 7] &+ s1
      }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      var (e, f, g, h) = (state[4], state[5], state[6], state[7])
      constants.withUnsafeBufferPointer { constants in
        for t in 0..<64 {
          let s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25), choice = (e & f) ^ (~e & g)
          let first = h &+ s1 &+ choice &+ constants[t] &+ words[t]
          let s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22), majority = (a & b) ^ (a & c) ^ (b & c)
          (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ s0 &+ majority)
        }
      }
      for (place, word) in [a, b, c, d, e, f, g, h].enumerated() { state[place] &+= word }
    }
  }
}
