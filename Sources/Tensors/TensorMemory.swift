import CallosumKernels

/// The memory of tensors. Freed blocks are kept for reuse, because a page that the system hands out anew
/// costs more than most operations spend on it; those that nobody asked for longest are given up first.
///
/// All numbers are bytes of the blocks of 64 KiB and more, of all threads.
public enum TensorMemory {
  /// What tensors hold now.
  public static var activeMemory: Int { callosum_bytes_in_use() }

  /// The most that they held, since ``resetPeakMemory()`` if that was called.
  public static var peakMemory: Int { callosum_most_bytes_in_use() }

  /// What is kept for reuse.
  public static var cacheMemory: Int { callosum_bytes_kept() }

  /// How much may be kept for reuse, 0 for nothing. Nil, the default: as much as makes 5/4 of ``peakMemory``
  /// and 64 MiB together with ``activeMemory``.
  public static var cacheLimit: Int? {
    get {
      let bytes = callosum_cache_limit()
      return bytes < 0 ? nil : bytes
    }
    set {
      precondition(newValue ?? 0 >= 0, "TensorMemory", "a limit is 0 or more bytes, got \(newValue ?? 0)")
      callosum_set_cache_limit(newValue ?? -1)
    }
  }

  /// Gives all that is kept back to the system.
  public static func clearCache() { callosum_release_cache() }

  /// Lets ``peakMemory`` begin anew at ``activeMemory``.
  public static func resetPeakMemory() { callosum_reset_most_bytes_in_use() }
}
