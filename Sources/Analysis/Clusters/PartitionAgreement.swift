import CallosumTensors
import Foundation

// How far two partitions of the same items agree, whatever their groups are called. A partition gives each
// item the label of its group; labels may be any integers.

/// The adjusted Rand index (Hubert and Arabie 1985): the share of pairs of items on which both agree,
/// together or apart, stretched so that partitions drawn at random (with their group sizes) score 0 on
/// average and equal ones 1. It may be negative. Nothing to disagree about, such as no item, scores 1.
public func adjustedRandIndex(_ a: [Int], _ b: [Int]) -> Double {
  let table = Contingency(a, b, "adjustedRandIndex")
  func pairs(_ counts: some Sequence<Int>) -> Double {
    counts.reduce(0) { $0 + Double($1) * Double($1 - 1) / 2 }
  }
  let together = pairs(table.cells.values)
  let first = pairs(table.rows.values), second = pairs(table.columns.values)
  let all = pairs([a.count])
  if first == together && second == together { return 1 }
  let expected = first * second / all
  return (together - expected) / ((first + second) / 2 - expected)
}

/// Mutual information over the mean of both entropies: 0 for independent partitions, 1 for equal ones. Two
/// partitions into one group score 1.
public func normalisedMutualInformation(_ a: [Int], _ b: [Int]) -> Double {
  let table = Contingency(a, b, "normalisedMutualInformation")
  if table.rows.count <= 1 && table.columns.count <= 1 { return 1 }
  let count = Double(a.count)
  func entropy(_ counts: some Sequence<Int>) -> Double {
    counts.reduce(0) { $0 - Double($1) / count * log(Double($1) / count) }
  }
  let both = entropy(table.rows.values) + entropy(table.columns.values)
  // What rounding leaves below 0 is 0.
  let shared = max(both - entropy(table.cells.values), 0)
  return 2 * shared / both
}

/// How many items have each pair of labels.
private struct Contingency {
  struct Pair: Hashable {
    let a, b: Int
  }
  var cells: [Pair: Int] = [:]
  var rows: [Int: Int] = [:]
  var columns: [Int: Int] = [:]

  init(_ a: [Int], _ b: [Int], _ name: StaticString) {
    precondition(
      a.count == b.count, name, "partitions of \(a.count) and \(b.count) items are not of the same items")
    for (a, b) in zip(a, b) {
      cells[Pair(a: a, b: b), default: 0] += 1
      rows[a, default: 0] += 1
      columns[b, default: 0] += 1
    }
  }
}
