import Foundation
import Synchronization

/// A request to stop: Ctrl-C (SIGINT) or SIGTERM.
///
/// The training loop polls ``requested`` between steps and ends in good order; the handler does no
/// more than set a flag. The same signal a second time ends the program at once, because the system
/// restores the default action when it calls the handler.
package enum Interruption {
  /// The signal that asked to stop, 0 while none has.
  private static let received = Atomic<Int32>(0)

  /// Listens from now on.
  package static func listen() {
    // A global is made at its first use, which must not happen inside a handler.
    received.store(0, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      #if canImport(Darwin)
        action.__sigaction_u.__sa_handler = { Interruption.received.store($0, ordering: .relaxed) }
      #else
        action.__sigaction_handler.sa_handler = {
          Interruption.received.store($0, ordering: .relaxed)
        }
      #endif
      // SA_RESTART: reads and writes in progress go on rather than fail.
      #if canImport(Darwin)
        action.sa_flags = SA_RESTART | SA_RESETHAND
      #else
        action.sa_flags = SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND))
      #endif
      sigaction(number, &action, nil)
    }
    // Who started this program may have left it with these signals blocked.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Whether to stop.
  package static var requested: Bool { received.load(ordering: .relaxed) != 0 }

  /// What the program should exit with after stopping in good order: 128 plus the signal, as shells
  /// do; nil while nothing asked to stop.
  package static var exitCode: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : 128 + number
  }
}
