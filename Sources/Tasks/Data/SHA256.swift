import CallosumCrypto
import CallosumTensors
import Foundation

/// The checksum SHA-256 of bytes that come piece by piece (FIPS 180-4), by OpenSSL.
package struct SHA256: ~Copyable {
  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("SHA256", "OpenSSL offers no SHA-256, or there is no memory left")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: some ContiguousBytes) {
    _ = bytes.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
  }

  /// The checksum of all that came, as 64 hexadecimal digits.
  package consuming func digest() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &digest, nil)
    return digest.map { String(format: "%02x", $0) }.joined()
  }
}
