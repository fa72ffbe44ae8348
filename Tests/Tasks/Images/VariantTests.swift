import CallosumContracts
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct VariantTests {
  /// Pictures that all differ: 200 to learn from and 60 to judge by, labels in turn.
  private func withData(_ body: (FashionMNIST) throws -> Void) throws {
    try inTemporaryFolder { folder in
      var generator = RandomGenerator(seed: 1)
      for (split, count) in [("train", 200), ("t10k", 60)] {
        let pixels = (0..<count * 784).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try write(idx([count, 28, 28], pixels), to: folder + "/\(split)-images-idx3-ubyte")
        try write(
          idx([count], (0..<count).map { UInt8($0 % 10) }), to: folder + "/\(split)-labels-idx1-ubyte")
      }
      try body(try FashionMNIST(folder: folder))
    }
  }

  @Test func transformsAgreeWithPyTorchAndSciPy() throws {
    let file = try Golden.tensors("tasks/images")
    let image = GreyImage(rows: 28, columns: 28, pixels: file["image"].floats)
    var generator = RandomGenerator(seed: 0)
    for (name, transform) in [
      ("rotated30", .rotated(degrees: 30)), ("rotated-100", .rotated(degrees: -100)), ("halved", .halved),
      ("blurred1", .corrupted(.blur, severity: 3)), ("blurred2", .corrupted(.blur, severity: 5)),
      ("patches", .patches(side: 7)),
    ] as [(String, ImageTransform)] {
      let result = transform(image, using: &generator)
      let tensor = Tensor(result.pixels, [result.rows, result.columns])
      let comparison = Comparison(tensor, file[name], within: Tolerance(relative: 0, absolute: 2e-6))
      #expect(comparison.problem == nil, "\(name)")
    }
  }

  @Test func corruptionsAreWhatTheySay() {
    var generator = RandomGenerator(seed: 0)
    let grey = GreyImage(rows: 28, columns: 28, pixels: [Float](repeating: 0.5, count: 784))
    func corrupted(_ corruption: Corruption, _ severity: Int) -> [Float] {
      ImageTransform.corrupted(corruption, severity: severity)(grey, using: &generator).pixels
    }
    for severity in 1...5 {
      let noise = Tensor(corrupted(.gaussianNoise, severity))
      let deviation = [0.08, 0.12, 0.18, 0.26, 0.38][severity - 1]
      if severity < 3 { #expect(abs(noise.variance().item().squareRoot() / deviation - 1) < 0.1) }
      let share = Double(corrupted(.impulseNoise, severity).count { $0 != 0.5 }) / 784
      #expect(Swift.abs(share - [0.01, 0.03, 0.06, 0.1, 0.17][severity - 1]) < 0.04)
      #expect(corrupted(.contrast, severity).allSatisfy { Swift.abs($0 - 0.5) < 1e-6 })
      #expect(corrupted(.pixelate, severity).allSatisfy { Swift.abs($0 - 0.5) < 1e-6 })
      let side = [4, 7, 10, 13, 16][severity - 1]
      #expect(corrupted(.occlusion, severity).count { $0 == 0 } == side * side)
      for corruption in Corruption.allCases {
        #expect(corrupted(corruption, severity).allSatisfy { (0...1).contains($0) })
      }
    }
    #expect(corrupted(.brightness, 2).allSatisfy { Swift.abs($0 - 0.7) < 1e-6 })
  }

  @Test func subsetsAndClasses() throws {
    try withData { data in
      var settings = FashionVariant.Settings()
      (settings.training, settings.validation, settings.test) = (30, 10, 12)
      settings.classes = [7, 2, 5]
      let task = try FashionVariant(settings, data: data)
      #expect(Split.allCases.map { task.count($0) } == [30, 10, 12])
      expectLawful(task)
      for split in Split.allCases {
        let labels = task.batch(split, Array(0..<10)).targets.doubles
        #expect(
          labels == (0..<10).map { Double([7, 2, 5].firstIndex(of: task.fashionClass(split, $0)) ?? -1) })
        #expect(Set(labels).count > 1)
      }
      settings.classes = [3, 3]
      #expect(throws: InvalidInput("classes must be different numbers from 0 to 9, are [3, 3]")) {
        try FashionVariant(settings, data: data)
      }
    }
  }

  @Test func permutationIsOneForAllAndKeepsPixels() throws {
    try withData { data in
      var settings = FashionVariant.Settings()
      settings.validation = 20
      let plain = try FashionVariant(settings, data: data)
      settings.transforms = [.permuted(seed: 3)]
      let task = try FashionVariant(settings, data: data)
      let (a, b) = (plain.image(.test, 4), task.image(.test, 4))
      #expect(a.pixels != b.pixels && a.pixels.sorted() == b.pixels.sorted())
      // Where a pixel goes, it goes in each: found by a picture in which all pixels differ.
      let numbered = GreyImage(rows: 28, columns: 28, pixels: (0..<784).map { Float($0) })
      var generator = RandomGenerator(seed: 9)
      let order = ImageTransform.permuted(seed: 3)(numbered, using: &generator).pixels.map { Int($0) }
      #expect(b.pixels == order.map { a.pixels[$0] })
      // Standardised.
      let all = plain.batch(.training, Array(0..<180)).inputs
      #expect(Swift.abs(all.mean().item()) < 0.02 && Swift.abs(all.variance().item() - 1) < 0.02)
    }
  }

  @Test func transformsOfWhatIsJudgedOnly() throws {
    try withData { data in
      var settings = FashionVariant.Settings()
      settings.validation = 20
      settings.transforms = [.halved]
      let plain = try FashionVariant(settings, data: data)
      settings.testTransforms = [.corrupted(.occlusion, severity: 2)]
      let task = try FashionVariant(settings, data: data)
      #expect(task.imageShape == [14, 14, 1])
      expectLawful(task)
      #expect(task.image(.training, 3) == plain.image(.training, 3))
      #expect(task.image(.test, 3) != plain.image(.test, 3))
      settings.testTransforms = [.halved]
      #expect(throws: InvalidInput("testTransforms must keep the shape of pictures")) {
        try FashionVariant(settings, data: data)
      }
      settings.transforms = [.patches(side: 5)]
      #expect(throws: InvalidInput("28 x 28 pixels cannot be cut into squares of 5")) {
        try FashionVariant(settings, data: data)
      }
    }
  }

  @Test(arguments: FashionPairs.Arrangement.allCases, FashionPairs.Question.allCases)
  func pairs(_ arrangement: FashionPairs.Arrangement, _ question: FashionPairs.Question) throws {
    try withData { data in
      var settings = FashionVariant.Settings()
      settings.validation = 40
      let pictures = try FashionVariant(settings, data: data)
      let task = try FashionPairs(pictures, arrangement: arrangement, question: question)
      expectLawful(task, limit: 60)
      let batch = task.batch(.training, Array(0..<200))
      switch question {
      case .same: #expect((0.35...0.65).contains(batch.targets.asType(.float32).mean().item()))
      case .both:
        #expect(batch.targets.sum(axis: 1).doubles.allSatisfy { $0 == 1 || $0 == 2 })
      }
      #expect(batch.inputs.shape == [200, 28, arrangement == .sideBySide ? 56 : 28, 1])
    }
  }
}
