import CallosumTensors

// What every operation does with element types that it is not made for: the result for the same values in its
// own type, to the bit, or a refusal that names the type. Never memory read as what it is not.

extension Operation {
  /// What is wrong when all floating-point inputs of a sample are whole numbers or truth values, and when each
  /// input alone has each other type.
  public func typeProblems() throws -> [String] {
    try samples(upTo: 400).prefix(6).flatMap { sample -> [String] in
      let names = sample.inputs.keys.sorted()
      let real = names.filter { sample.inputs[$0]?.dtype.isFloatingPoint ?? false }
      var problems: [String] = []
      for type in [DType.int32, .bool] where !real.isEmpty {
        problems += self.problems(sample, of: real, in: type) { result in
          // What whole numbers divide to is float32; what stays whole is exact in float64.
          result.dtype == .float32 ? .float32 : .float64
        }
      }
      for name in names where !readsByType.contains(name) {
        guard let own = sample.inputs[name]?.dtype else { continue }
        for type in DType.allCases where type != own {
          // The only real input may be of either type; golden values hold both.
          if own.isFloatingPoint && type.isFloatingPoint && real.count == 1 { continue }
          problems += self.problems(sample, of: [name], in: type) { _ in own }
        }
      }
      return problems
    }
  }

  private func problems(
    _ sample: Sample, of names: [String], in type: DType, meant: (_ result: Tensor) -> DType
  ) -> [String] {
    let what = "\(self.name), \(sample.name): \(names.joined(separator: ", ")) as \(type)"
    var given = sample
    for name in names { given.inputs[name] = sample.inputs[name]?.small(type) }
    let result: Tensor
    do {
      result = try withErrors { self(given) }
    } catch {
      let said = "\(error)"
      return said.contains(": ") && said.contains("\(type)") ? [] : ["\(what) is refused with: \(said)"]
    }
    var plain = given
    for name in names { plain.inputs[name] = given.inputs[name]?.asType(meant(result)) }
    do {
      let expected = try withErrors { self(plain) }
      // Sums of truth values are counts, and their sum by + is whether any is true.
      let wanted = result.dtype == .bool ? expected.asType(.bool) : expected
      let isSame =
        result.shape == wanted.shape
        && zip(result.doubles, wanted.doubles).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
      return isSame ? [] : ["\(what) gives \(result), not \(wanted)"]
    } catch {
      return ["\(what) gives \(result), but of \(meant(result)) it says: \(error)"]
    }
  }
}

extension Tensor {
  /// Like this, with values that the type can hold and products of many too: of real numbers whole ones from
  /// -1 to 1, or whether they are above 0.
  fileprivate func small(_ type: DType) -> Tensor {
    switch type {
    case .bool: dtype.isFloatingPoint ? self .> 0 : self .!= 0
    case .int32 where dtype.isFloatingPoint: clip(round(self * 3.0), min: -1, max: 1).asType(.int32)
    default: asType(type)
    }
  }
}
