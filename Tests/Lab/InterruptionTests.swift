import CallosumLab
import Foundation
import Testing

@Suite struct InterruptionTests {
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func theFirstSignalAsks(number: Int32) async {
    await #expect(processExitsWith: .success) { [number] in
      // Who runs the tests may have made them ignore it.
      signal(number, SIG_DFL)
      Interruption.listen()
      #expect(!Interruption.requested && Interruption.exitCode == nil)
      send(number, until: { Interruption.requested })
      #expect(Interruption.exitCode == 128 + number)
    }
  }

  /// As under nohup.
  @Test func aHangUpThatIsIgnoredStaysSo() async {
    await #expect(processExitsWith: .success) {
      signal(SIGHUP, SIG_IGN)
      Interruption.listen()
      send(SIGHUP, until: { false })
      #expect(!Interruption.requested)
    }
  }

  @Test func theSecondSignalEnds() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      Interruption.listen()
      send(SIGINT, until: { Interruption.requested })
      send(SIGINT, until: { false })
    }
  }
}

/// Sends a signal to this process and waits until `isHandled`, a second at most. Tests run on threads
/// that block signals, so `raise` would reach nobody.
private func send(_ number: Int32, until isHandled: () -> Bool) {
  kill(getpid(), number)
  for _ in 0..<1000 where !isHandled() { usleep(1000) }
}
