import Foundation
import Synchronization

/// A request to stop: Ctrl-C (SIGINT), SIGTERM, or a terminal that went away (SIGHUP).
///
/// The training loop polls ``requested`` between steps and ends in good order; the handler does no
/// more than set a flag. The same signal a second time ends the program at once, because the system
/// restores the default action when it calls the handler.
package enum Interruption {
  /// The signal that asked to stop, 0 while none has.
  private static let received = Atomic<Int32>(0)

  private static let signals = [SIGINT, SIGTERM, SIGHUP]

  /// Listens from now on. A hang-up that whoever started this program made it ignore, as nohup does, stays
  /// ignored.
  package static func listen() {
    // A global is made at its first use, which must not happen inside a handler.
    received.store(0, ordering: .relaxed)
    for number in signals where !(number == SIGHUP && isIgnored(number)) {
      var action = sigaction()
      #if canImport(Darwin)
        action.__sigaction_u.__sa_handler = { Interruption.receive($0) }
      #else
        action.__sigaction_handler.sa_handler = { Interruption.receive($0) }
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
    var unblocked = sigset_t()
    sigemptyset(&unblocked)
    for number in signals { sigaddset(&unblocked, number) }
    pthread_sigmask(SIG_UNBLOCK, &unblocked, nil)
  }

  private static func receive(_ number: Int32) {
    received.store(number, ordering: .relaxed)
    // Nobody reads any more; what is still printed must not end the program before its checkpoint.
    if number == SIGHUP { signal(SIGPIPE, SIG_IGN) }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    #if canImport(Darwin)
      let handler = action.__sigaction_u.__sa_handler
    #else
      let handler = action.__sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
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
