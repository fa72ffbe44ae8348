import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of windows, in float64.
  @Suite struct Windows {
    private func normal(_ shape: [Int], seed: UInt64) -> Tensor {
      var random = RandomGenerator(seed: seed)
      return random.normal(shape).asType(.float64)
    }

    private func expectClose(_ a: Tensor, _ b: Tensor) {
      #expect(Comparison(a, b, within: Tolerance(relative: 1e-11, absolute: 1e-11)).problem == nil)
    }

    /// <conv x, y> = <x, transposed y>, in one to three dimensions with every option.
    @Test func transposedConvolutionIsTheAdjoint() {
      for axes in 1...3 {
        let stride = Array([2, 1, 3].prefix(axes)), dilation = Array([1, 2, 1].prefix(axes))
        let before = Array([1, 2, 0].prefix(axes)), after = Array([2, 0, 1].prefix(axes))
        let kernel = Array([3, 2, 2].prefix(axes)), spatial = Array([8, 6, 7].prefix(axes))
        let padding = zip(before, after).map { (before: $0, after: $1) }
        let x = normal([2] + spatial + [4], seed: 1), w = normal([6] + kernel + [2], seed: 2)
        let y = convolution(x, weight: w, stride: stride, padding: padding, dilation: dilation, groups: 2)
        let g = normal(y.shape, seed: 3)
        // Of the sizes with as many windows, ours is larger than the smallest by what no window reached.
        let excess = (0..<axes).map { (axis: Int) -> Int in
          let span = (kernel[axis] - 1) * dilation[axis] + 1
          return (spatial[axis] + before[axis] + after[axis] - span) % stride[axis]
        }
        // [outputs, kernel..., inputs / groups], seen from the other side.
        let parts: [Int] = [2, 3] + kernel + [2]
        let turned = w.reshaped(parts).swappedAxes(1, -1).reshaped([4] + kernel + [3])
        let back = convolutionTransposed(
          g, weight: turned, stride: stride, padding: padding, outputPadding: excess, dilation: dilation,
          groups: 2)
        #expect(back.shape == x.shape)
        expectClose((y * g).sum(), (x * back).sum())
      }
    }

    /// Folding what was unfolded multiplies every element by the number of windows that hold it.
    @Test func foldingCountsWindows() {
      let x = normal([2, 6, 7, 3], seed: 1)
      func roundTrip(_ x: Tensor) -> Tensor {
        fold(
          unfold(x, kernel: [3, 2], stride: [1, 2], padding: [1, 0], dilation: [2, 1]), to: [6, 7],
          kernel: [3, 2], stride: [1, 2], padding: [1, 0], dilation: [2, 1])
      }
      expectClose(roundTrip(x), x * roundTrip(.ones(x.shape, dtype: .float64)))
      let patches = unfold(x, kernel: [2, 7], stride: [2, 7])
      #expect(patches.shape == [2, 3, 1, 42])
      expectClose(fold(patches, to: [6, 7], kernel: [2, 7], stride: [2, 7]), x)
    }

    /// A convolution is a linear map of unfolded windows.
    @Test func convolutionIsLinearInColumns() {
      let x = normal([2, 5, 6, 3], seed: 1), w = normal([4, 3, 2, 3], seed: 2)
      let columns = unfold(x, kernel: [3, 2], stride: [2, 1], padding: [1, 1])
      expectClose(
        linear(columns, weight: w.reshaped([4, -1])), conv2d(x, weight: w, stride: (2, 1), padding: (1, 1)))
    }

    @Test func pixelUnshuffleInvertsPixelShuffle() {
      let x = normal([2, 3, 2, 2, 16], seed: 1)
      let y = pixelShuffle(x, factor: 2)
      #expect(y.shape == [2, 6, 4, 4, 2])
      expectClose(pixelUnshuffle(y, factor: 2), x)
    }

    /// Bins that divide evenly are regular windows; one bin is all.
    @Test func adaptivePoolingEndsInRegularAndGlobal() {
      let x = normal([2, 6, 9, 5], seed: 1)
      expectClose(adaptiveAveragePool(x, to: [3, 3]), averagePool2d(x, kernel: (2, 3)))
      expectClose(adaptiveMaxPool(x, to: [2, 9]), maxPool2d(x, kernel: (3, 1)))
      expectClose(adaptiveAveragePool(x, to: [1, 1]).reshaped([2, 5]), globalAveragePool(x))
      expectClose(globalMaxPool(x), x.max(axes: [1, 2]))
    }

    /// Sampling at the centres of the cells of another size is resizing.
    @Test func samplingAtCentresIsResizing() {
      let x = normal([2, 5, 7, 3], seed: 1)
      let rows = (Tensor.arange(4, dtype: .float64) * 2 + 1) / 4 - 1
      let columns = (Tensor.arange(9, dtype: .float64) * 2 + 1) / 9 - 1
      let grid = stacked(
        [rows.reshaped([4, 1]).broadcast(to: [4, 9]), columns.broadcast(to: [4, 9])], axis: -1
      ).reshaped([1, 4, 9, 2]).broadcast(to: [2, 4, 9, 2])
      for interpolation in [Interpolation.linear, .cubic] {
        expectClose(
          gridSample(x, at: grid, by: interpolation, mode: .replicate),
          resized(x, axes: [1, 2], to: [4, 9], by: interpolation))
      }
    }

    /// Far places, and places that are none, by kernel and by reference.
    @Test func samplingSurvivesAnyCoordinate() {
      let x = Tensor.ones([1, 4, 2])
      let places: [Float] = [.infinity, -.infinity, 1e30, -1e30, .nan, 0]
      let at = Tensor(places).reshaped([1, 6, 1])
      for prefersReference in [false, true] {
        let setting = Setting(threadsTinyArrays: false, prefersReference: prefersReference)
        for kind in [Interpolation.nearest, .linear, .cubic] {
          let zeros = setting.run { gridSample(x, at: at, by: kind).doubles }
          #expect(zeros.prefix(8).allSatisfy { $0 == 0 } && zeros[8].isNaN && zeros[9].isNaN)
          #expect(zeros.suffix(2).allSatisfy { abs($0 - 1) < 1e-6 })
          let border = setting.run { gridSample(x, at: at, by: kind, mode: .replicate).doubles }
          #expect(border.prefix(8).allSatisfy { abs($0 - 1) < 1e-6 } && border[8].isNaN)
        }
      }
    }

    @Test func paddingModesOfSeveralAxes() {
      let x = normal([1, 3, 4, 2], seed: 1)
      let widths = [(before: 0, after: 0), (1, 2), (2, 1), (0, 0)]
      for mode in [PaddingMode.zeros, .reflect, .circular, .replicate] {
        let both = x.padded(axis: 1, before: 1, after: 2, mode: mode)
          .padded(axis: 2, before: 2, after: 1, mode: mode)
        expectClose(x.padded(widths, mode: mode), both)
      }
    }
  }
}
