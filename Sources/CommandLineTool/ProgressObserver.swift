import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

extension ProgressBar {
  /// Says that examples of a split are answered, of which nothing is learned.
  func show(_ split: Split, _ done: Int, of count: Int) {
    show("\(split.rawValue) examples \(Format.count(done)) of \(Format.count(count))")
  }

  /// Moves this bar, which counts thousandths, by the progress of a run, and ends the run on Ctrl-C. Where
  /// several runs follow each other under one watch, what the first one passed is not passed again.
  func observer() -> ClaimRun.Observer {
    var reached = 0
    return ClaimRun.Observer(
      onEvent: { event in
        guard case .progress(let fraction) = event, Int(fraction * 1000) > reached else { return }
        self.advance(by: Int(fraction * 1000) - reached)
        reached = Int(fraction * 1000)
      },
      isCancelled: { Interruption.requested })
  }
}
