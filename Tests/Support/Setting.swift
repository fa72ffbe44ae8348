import CallosumKernels
import CallosumTensors
import Foundation

/// How kernels run. The instruction set and the grain belong to the whole process, so only one
/// setting rules at a time: whoever compares bits runs under one, and others wait.
public struct Setting: Sendable, CustomStringConvertible {
  /// As in CallosumKernels.h: 0 baseline, 1 AVX2, 2 AVX-512; nil for the best.
  public var instructionSet: Int?
  /// Tiny arrays take the threaded paths too.
  public var threadsTinyArrays = false
  /// Fused operations use their readable reference.
  public var prefersReference = false

  public init(
    instructionSet: Int? = nil, threadsTinyArrays: Bool = false, prefersReference: Bool = false
  ) {
    self.instructionSet = instructionSet
    self.threadsTinyArrays = threadsTinyArrays
    self.prefersReference = prefersReference
  }

  /// Every instruction set of this machine, with and without threads on tiny arrays.
  public static var ofKernels: [Setting] {
    (0...Int(callosum_best_instruction_set())).flatMap { level in
      [false, true].map { Setting(instructionSet: level, threadsTinyArrays: $0) }
    }
  }

  public var description: String {
    let level = instructionSet.map { "instruction set \($0)" } ?? "best instruction set"
    return level + (threadsTinyArrays ? ", threads" : "") + (prefersReference ? ", reference" : "")
  }

  private static let turn = NSRecursiveLock()

  /// Runs `body` under this setting and restores the usual one.
  public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    Setting.turn.lock()
    defer { Setting.turn.unlock() }
    let best = callosum_best_instruction_set()
    callosum_set_instruction_set(instructionSet.map(Int32.init) ?? best)
    callosum_set_grain_divisor(threadsTinyArrays ? 1 << 40 : 1)
    ThreadState.current.prefersReference = prefersReference
    defer {
      callosum_set_instruction_set(best)
      callosum_set_grain_divisor(1)
      ThreadState.current.prefersReference = false
    }
    return try body()
  }
}
