import XCTest
@testable import Kernels

/// Batch normalisation, pooling and resizing against their definitions in Double.
final class PlaneTests: XCTestCase {
    // MARK: Batch normalisation

    /// Image strides larger than the planes, accumulation, ReLU, sizes that are not whole vectors, and channels that are cut
    /// into stretches.
    func testNormalisationOfChannelSlices() {
        let shapes = [(1, 1, 1, 0), (2, 3, 37, 5), (3, 2, 1000, 0), (2, 1, 70_000, 3), (1, 5, 2049, 0)]
        var noise = Noise(11)
        for (batch, channels, size, gap) in shapes {
            let s = PlaneShape(batch: batch, channels: channels, size: size, batchStride: channels * size + gap)
            let xs = noise.floats(batch * s.batchStride, scale: 2, shift: 30), gs = noise.floats(batch * s.batchStride)
            let gamma = noise.floats(channels, shift: 1.5), beta = noise.floats(channels), before = noise.floats(xs.count)
            let e = NormalisationOracle(s, xs, gs, gamma)
            onEveryLevel { level in
                let x = Floats(xs), g = Floats(gs), w = Floats(gamma), b = Floats(beta)
                let stats = (0..<4).map { _ in Floats(count: channels) }
                let y = Floats(before), relu = Floats(count: xs.count, 7), dx = Floats(before), separate = Floats(before)
                Normalisation.forward(
                    s, x.data, mean: stats[0].data, variance: stats[1].data, gamma: w.data, beta: b.data, epsilon: 1e-3,
                    output: y.data, outBatchStride: s.batchStride, accumulate: true)
                Normalisation.apply(
                    s, x.data, mean: stats[0].data, variance: stats[1].data, gamma: nil, beta: nil, epsilon: 1e-3,
                    output: relu.data, outBatchStride: s.batchStride, relu: true)
                Normalisation.backward(
                    s, x.data, g.data, gBatchStride: s.batchStride, mean: stats[0].data, variance: stats[1].data, gamma: w.data,
                    epsilon: 1e-3, sumG: stats[2].data, sumGX: stats[3].data, output: dx.data, outBatchStride: s.batchStride,
                    accumulate: true)
                Normalisation.inputGradient(
                    s, x.data, g.data, gBatchStride: s.batchStride, mean: stats[0].data, variance: stats[1].data, gamma: w.data,
                    epsilon: 1e-3, sumG: stats[2].data, sumGX: stats[3].data, output: separate.data,
                    outBatchStride: s.batchStride, accumulate: true)
                let name = "\(s) \(level)"
                self.assertClose(stats[0].values(), e.mean, 1e-7, name)
                self.assertClose(stats[1].values(), e.variance, 2e-6, name)
                // Terms of both signs cancel: the error is that of what is added up.
                let many = max(1, Double(batch * size).squareRoot() / 50)
                self.assertClose(stats[2].values(), e.sumG, 1e-6 * many, name)
                self.assertClose(stats[3].values(), e.sumGX, 4e-6 * many, name)
                var expected = before.map { Double($0) }, rectified = [Double](repeating: 7, count: xs.count)
                var gradient = expected
                e.each { channel, i, hat, input in
                    expected[i] += hat * Double(gamma[channel]) + Double(beta[channel])
                    rectified[i] = max(hat, 0)
                    gradient[i] += input
                }
                self.assertClose(y.values(), expected, 1e-5, name)
                self.assertClose(relu.values(), rectified, 1e-5, name)
                self.assertClose(dx.values(), gradient, 1e-5, name)
                XCTAssertEqual(dx.values(), separate.values(), "\(name): one pass differs from two")
                return [y.values(), dx.values()] + stats.map { $0.values() }
            }
        }
    }

    private struct NormalisationOracle {
        let s: PlaneShape, x: [Float], g: [Float], gamma: [Float]
        var mean: [Double] = [], variance: [Double] = [], sumG: [Double] = [], sumGX: [Double] = []

        init(_ s: PlaneShape, _ x: [Float], _ g: [Float], _ gamma: [Float]) {
            (self.s, self.x, self.g, self.gamma) = (s, x, g, gamma)
            let count = Double(s.batch * s.size)
            for channel in 0..<s.channels {
                let at = places(channel)
                let m = at.reduce(0) { $0 + Double(x[$1]) } / count
                let v = at.reduce(0) { $0 + (Double(x[$1]) - m) * (Double(x[$1]) - m) } / count
                mean.append(m)
                variance.append(v)
                sumG.append(at.reduce(0) { $0 + Double(g[$1]) })
                sumGX.append(at.reduce(0) { $0 + Double(g[$1]) * (Double(x[$1]) - m) / (v + 1e-3).squareRoot() })
            }
        }

        func places(_ channel: Int) -> [Int] {
            (0..<s.batch).flatMap { image in (0..<s.size).map { image * s.batchStride + channel * s.size + $0 } }
        }

        func each(_ body: (_ channel: Int, _ place: Int, _ hat: Double, _ gradient: Double) -> Void) {
            let count = Double(s.batch * s.size)
            for channel in 0..<s.channels {
                let inverse = 1 / (variance[channel] + 1e-3).squareRoot()
                for i in places(channel) {
                    let hat = (Double(x[i]) - mean[channel]) * inverse
                    let rest = Double(g[i]) - sumG[channel] / count - hat * sumGX[channel] / count
                    body(channel, i, hat, Double(gamma[channel]) * inverse * rest)
                }
            }
        }
    }

    // MARK: Pooling

    private struct Window { var places: [Int], area: Double }

    private func windows(_ s: PoolShape, image: Int, channel: Int) -> [Window] {
        (0..<s.outHeight * s.outWidth).map { o in
            var w = Window(places: [], area: Double(s.kernelHeight * s.kernelWidth))
            for r in 0..<s.kernelHeight {
                for c in 0..<s.kernelWidth {
                    let y = o / s.outWidth * s.strideHeight - s.padHeight + r, x = o % s.outWidth * s.strideWidth - s.padWidth + c
                    guard (0..<s.inHeight).contains(y), (0..<s.inWidth).contains(x) else { continue }
                    w.places.append(image * s.inBatchStride + (channel * s.inHeight + y) * s.inWidth + x)
                }
            }
            return w
        }
    }

    /// First maximum in scan order; the last NaN.
    private func best(_ w: Window, _ x: [Float]) -> Int {
        w.places.reduce(w.places[0]) { x[$1].isNaN || x[$1] > x[$0] ? $1 : $0 }
    }

    func testPooling() {
        var shapes: [PoolShape] = []
        for (h, w) in [(1, 1), (2, 1), (1, 40), (5, 17), (19, 33), (40, 81)] {
            for (kernel, stride, pad) in [(3, 1, 1), (3, 2, 1), (2, 2, 0), (1, 1, 0), (5, 1, 2), (5, 3, 2)]
            where h + 2 * pad >= kernel && w + 2 * pad >= kernel {
                var s = PoolShape(
                    batch: 2, channels: 2, inHeight: h, inWidth: w, kernelHeight: kernel, kernelWidth: kernel,
                    strideHeight: stride, strideWidth: stride, padHeight: pad, padWidth: pad)
                s.inBatchStride += 3
                s.outBatchStride += 2
                shapes.append(s)
            }
        }
        shapes.append(PoolShape(batch: 1, channels: 1, inHeight: 9, inWidth: 20, kernelHeight: 9, kernelWidth: 20))
        shapes.append(PoolShape(
            batch: 1, channels: 3, inHeight: 9, inWidth: 20, kernelHeight: 2, kernelWidth: 4, strideHeight: 3, strideWidth: 1,
            padWidth: 2))
        var noise = Noise(12)
        for (i, s) in shapes.enumerated() {
            // Many ties in some, infinities in some, NaN in some.
            var xs = i % 3 == 0 ? noise.integers(s.batch * s.inBatchStride, 3) : noise.floats(s.batch * s.inBatchStride)
            if i % 4 == 1 { xs = xs.map { $0 < 0.3 ? -.infinity : $0 } }
            if i % 5 == 4 { xs = xs.map { $0 > 0.9 ? .nan : $0 } }
            checkPool(s, xs, noise.floats(xs.count), noise.floats(s.batch * s.outBatchStride))
        }
    }

    private func checkPool(_ s: PoolShape, _ xs: [Float], _ vs: [Float], _ gs: [Float]) {
        let outCount = s.batch * s.outBatchStride
        var top = [Double](repeating: 7, count: outCount), picked = top
        var means = [[Double]](repeating: top, count: 2)
        var topGradient = vs.map { Double($0) }
        var meanGradients = [topGradient, topGradient]
        for image in 0..<s.batch {
            for channel in 0..<s.channels {
                for (o, w) in windows(s, image: image, channel: channel).enumerated() {
                    let at = image * s.outBatchStride + channel * s.outHeight * s.outWidth + o, place = best(w, xs)
                    top[at] = Double(xs[place])
                    picked[at] = Double(vs[place])
                    topGradient[place] += Double(gs[at])
                    let sum = w.places.reduce(0) { $0 + Double(vs[$1]) }
                    for (k, area) in [w.area, Double(w.places.count)].enumerated() {
                        means[k][at] = sum / area
                        for place in w.places { meanGradients[k][place] += Double(gs[at]) / area }
                    }
                }
            }
        }
        onEveryLevel { level in
            let x = Floats(xs), v = Floats(vs), g = Floats(gs)
            let y = (0..<4).map { _ in Floats(count: outCount, 7) }, dx = (0..<3).map { _ in Floats(vs) }
            Pooling.maxForward(s, x.data, y[0].data)
            Pooling.maxPick(s, x.data, v.data, y[1].data)
            Pooling.maxBackward(s, x.data, g.data, dx[0].data, accumulate: true)
            for (k, padding) in [true, false].enumerated() {
                Pooling.averageForward(s, v.data, y[2 + k].data, countPadding: padding)
                Pooling.averageBackward(s, g.data, dx[1 + k].data, countPadding: padding, accumulate: true)
            }
            let name = "\(s) \(level)"
            self.assertClose(y[0].values(), top, 0, "max " + name)
            self.assertClose(y[1].values(), picked, 0, "pick " + name)
            self.assertClose(dx[0].values(), topGradient, 2e-6, "max gradient " + name)
            for k in 0..<2 {
                self.assertClose(y[2 + k].values(), means[k], 1e-6, "average \(k) " + name)
                self.assertClose(dx[1 + k].values(), meanGradients[k], 2e-6, "average gradient \(k) " + name)
            }
            return (y + dx).map { $0.values().map { $0.isNaN ? .nan : $0 } }
        }
    }

    // MARK: Resizing

    /// The backward pass is the transpose of the forward one (<y, R x> = <Rᵀ y, x>), for sizes far apart in both
    /// directions, channel slices and accumulation; values themselves are PyTorch's (GoldenTests).
    func testResizeBackwardIsTheTranspose() {
        var noise = Noise(13)
        let sizes = [
            (1, 1, 1, 1), (1, 1, 7, 33), (9, 40, 1, 1), (41, 41, 81, 81), (21, 21, 11, 11), (120, 200, 20, 7), (5, 6, 90, 210),
        ]
        for (h, w, oh, ow) in sizes {
            var s = ResizeShape(batch: 2, channels: 3, inHeight: h, inWidth: w, outHeight: oh, outWidth: ow)
            s.inBatchStride += 5
            s.outBatchStride += 7
            let xs = noise.floats(2 * s.inBatchStride), gs = noise.floats(2 * s.outBatchStride)
            onEveryLevel { level in
                (0..<3).flatMap { mode in
                    let x = Floats(xs), g = Floats(gs), y = Floats(count: gs.count, 0), dx = Floats(count: xs.count, 0)
                    if mode == 2 {
                        Resize.nearest(s, x.data, y.data)
                        Resize.nearestBackward(s, g.data, dx.data, accumulate: true)
                    } else {
                        Resize.bilinear(s, x.data, y.data, alignCorners: mode == 1)
                        Resize.bilinearBackward(s, g.data, dx.data, alignCorners: mode == 1, accumulate: true)
                    }
                    let forward = zip(y.values(), gs).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                    let backward = zip(dx.values(), xs).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                    XCTAssertEqual(forward, backward, accuracy: 1e-6 * Double(gs.count), "\(s) mode \(mode) \(level)")
                    return [y.values(), dx.values()]
                }
            }
        }
    }
}
