import XCTest
@testable import Kernels

/// Convolution against its definition in double precision, at every instruction-set level of this machine.
final class ConvolutionTests: XCTestCase {
    struct Numbers {
        var state: UInt64 = 88_172_645_463_325_252
        mutating func next() -> Float {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
        }
        mutating func array(_ n: Int) -> [Float] { (0..<n).map { _ in next() } }
    }

    /// Elements from the first image's first to the last image's last.
    func inSize(_ s: ConvShape) -> Int { (s.batch - 1) * s.inBatchStride + s.inChannels * s.inHeight * s.inWidth }
    func outSize(_ s: ConvShape) -> Int { (s.batch - 1) * s.outBatchStride + s.outChannels * s.outHeight * s.outWidth }
    func weightSize(_ s: ConvShape) -> Int { s.outChannels * s.inChannels / s.groups * s.kernelHeight * s.kernelWidth }

    /// Calls `body` with (input index, weight index, output index) of every product.
    func eachProduct(_ s: ConvShape, _ body: (Int, Int, Int) -> Void) {
        let inC = s.inChannels / s.groups, outC = s.outChannels / s.groups
        for n in 0..<s.batch { for o in 0..<s.outChannels { for i in 0..<inC {
            for oy in 0..<s.outHeight { for ky in 0..<s.kernelHeight {
                let iy = oy * s.strideHeight + ky * s.dilationHeight - s.padHeight
                guard iy >= 0, iy < s.inHeight else { continue }
                for ox in 0..<s.outWidth { for kx in 0..<s.kernelWidth {
                    let ix = ox * s.strideWidth + kx * s.dilationWidth - s.padWidth
                    guard ix >= 0, ix < s.inWidth else { continue }
                    body(
                        n * s.inBatchStride + ((o / outC * inC + i) * s.inHeight + iy) * s.inWidth + ix,
                        ((o * inC + i) * s.kernelHeight + ky) * s.kernelWidth + kx,
                        n * s.outBatchStride + (o * s.outHeight + oy) * s.outWidth + ox)
                }}
            }}
        }}}
    }

    func compare(_ a: [Float], _ b: [Double], _ scale: [Double], _ what: String, _ tolerance: Double = 2e-6, file: StaticString = #filePath, line: UInt = #line) {
        for i in a.indices where !(abs(Double(a[i]) - b[i]) <= tolerance * (scale[i] + 1)) {
            XCTFail("\(what): element \(i) is \(a[i]), expected \(b[i])", file: file, line: line)
            return
        }
    }

    func check(_ s: ConvShape, relu: Bool = false, mask: Bool = false, accumulate: Bool = false, bias: Bool = false) {
        var numbers = Numbers()
        let x = numbers.array(inSize(s)), w = numbers.array(weightSize(s)), g = numbers.array(outSize(s)), b = numbers.array(s.outChannels)
        let y0 = numbers.array(outSize(s)), dx0 = numbers.array(inSize(s)), dw0 = numbers.array(weightSize(s))
        let m = numbers.array(inSize(s))
        // What must come out; elements between the slices of a batch must stay as they were.
        var y = y0.map(Double.init), dx = dx0.map(Double.init), dw = dw0.map(Double.init)
        if !accumulate {
            for n in 0..<s.batch {
                for i in 0..<s.outChannels * s.outHeight * s.outWidth { y[n * s.outBatchStride + i] = 0 }
                for i in 0..<s.inChannels * s.inHeight * s.inWidth { dx[n * s.inBatchStride + i] = 0 }
            }
            dw = dw.map { _ in 0 }
        }
        if bias {
            for n in 0..<s.batch { for i in 0..<s.outChannels * s.outHeight * s.outWidth {
                y[n * s.outBatchStride + i] += Double(b[i / (s.outHeight * s.outWidth)])
            }}
        }
        var ys = y.map { abs($0) }, dxs = dx.map { abs($0) }, dws = dw.map { abs($0) }
        eachProduct(s) { i, k, o in
            let v = Double(relu ? max(x[i], 0) : x[i])
            y[o] += v * Double(w[k])
            ys[o] += abs(v * Double(w[k]))
            dw[k] += v * Double(g[o])
            dws[k] += abs(v * Double(g[o]))
            if !mask || m[i] > 0 {
                dx[i] += Double(w[k]) * Double(g[o])
                dxs[i] += abs(Double(w[k]) * Double(g[o]))
            }
        }
        let before = InstructionSet.current, threads = ThreadPool.threads
        defer {
            InstructionSet.current = before
            ThreadPool.threads = threads
        }
        for level in 2...before.rawValue {
            InstructionSet.current = InstructionSet(rawValue: level)!
            var first: ([Float], [Float], [Float])?
            for t in [1, 2] {
                ThreadPool.threads = t
                var (yy, dd, ww) = (y0, dx0, dw0)
                Convolution.forward(s, input: x, weight: w, bias: bias ? b : nil, output: &yy, relu: relu, accumulate: accumulate)
                Convolution.inputGradient(s, gradient: g, weight: w, output: &dd, mask: mask ? m : nil, accumulate: accumulate)
                Convolution.weightGradient(s, input: x, gradient: g, output: &ww, relu: relu, accumulate: accumulate)
                let what = "\(s) relu \(relu) mask \(mask) accumulate \(accumulate) level \(level) threads \(t)"
                if let first {
                    XCTAssertTrue(first.0.map(\.bitPattern) == yy.map(\.bitPattern), "forward differs by threads: \(what)")
                    XCTAssertTrue(first.1.map(\.bitPattern) == dd.map(\.bitPattern), "input gradient differs by threads: \(what)")
                    XCTAssertTrue(first.2.map(\.bitPattern) == ww.map(\.bitPattern), "weight gradient differs by threads: \(what)")
                } else {
                    first = (yy, dd, ww)
                    compare(yy, y, ys, "forward \(what)", Convolution.filtersMinimally(s.oneGroup) ? 1e-5 : 2e-6)
                    compare(dd, dx, dxs, "input gradient \(what)", Convolution.filtersMinimally(s.oneGroup.turnedAround) ? 1e-5 : 2e-6)
                    compare(ww, dw, dws, "weight gradient \(what)", Convolution.filtersWeightsMinimally(s.oneGroup) ? 1e-5 : 2e-6)
                }
            }
        }
    }

    func shape(
        _ n: Int, _ c: Int, _ h: Int, _ w: Int, _ o: Int, k: Int, stride: Int = 1, pad: Int? = nil, dilation: Int = 1, groups: Int = 1
    ) -> ConvShape {
        let p = pad ?? dilation * (k / 2)
        return ConvShape(
            batch: n, inChannels: c, inHeight: h, inWidth: w, outChannels: o, kernelHeight: k, kernelWidth: k, strideHeight: stride,
            strideWidth: stride, padHeight: p, padWidth: p, dilationHeight: dilation, dilationWidth: dilation, groups: groups)
    }

    /// Winograd's form in training: whole tiles and cut ones, one row of tiles and many, rates, no padding and more than the kernel wants, groups.
    func testMinimalFiltering() {
        Convolution.filtering = .wherePossible
        defer { Convolution.filtering = .whereItPays }
        let shapes = [
            shape(2, 3, 21, 17, 9, k: 5, dilation: 2), shape(1, 5, 12, 19, 3, k: 3), shape(3, 2, 9, 9, 4, k: 5, dilation: 2), shape(1, 2, 1, 1, 2, k: 3),
            shape(1, 6, 13, 10, 5, k: 3, pad: 0), shape(1, 3, 7, 8, 3, k: 5, pad: 4), shape(2, 4, 19, 18, 4, k: 3, dilation: 3), shape(1, 3, 5, 4, 2, k: 3, dilation: 6),
            shape(1, 8, 14, 15, 6, k: 5, groups: 2), shape(1, 2, 5, 450, 3, k: 5), shape(1, 2, 9, 8, 3, k: 5, pad: 0, dilation: 2),
        ]
        for s in shapes { variants(s) }
    }

    func testWhereMinimalFilteringPays() {
        XCTAssertTrue(Convolution.filtersMinimally(shape(6, 16, 41, 41, 80, k: 5, dilation: 2)))
        XCTAssertTrue(Convolution.filtersMinimally(shape(2, 32, 65, 65, 32, k: 3)))
        XCTAssertFalse(Convolution.filtersMinimally(shape(4, 64, 11, 11, 320, k: 3, dilation: 2)))
        XCTAssertTrue(Convolution.filtersWeightsMinimally(shape(8, 304, 33, 33, 256, k: 3)))
        XCTAssertFalse(Convolution.filtersWeightsMinimally(shape(8, 8, 33, 33, 8, k: 3)))
        XCTAssertFalse(Convolution.filtersWeightsMinimally(shape(1, 256, 5, 5, 256, k: 3)))
        XCTAssertFalse(Convolution.filtersMinimally(shape(2, 64, 41, 41, 64, k: 3, stride: 2)))
    }

    func variants(_ s: ConvShape) {
        check(s)
        var sliced = s
        sliced.inBatchStride += 7 * s.inHeight * s.inWidth
        sliced.outBatchStride += 5
        check(sliced, relu: true, mask: true, accumulate: true, bias: true)
    }

    func testPointwise() {
        for (c, o) in [(1, 1), (3, 8), (8, 8), (17, 9), (16, 40)] {
            for (h, w) in [(1, 1), (2, 2), (5, 3), (11, 11), (9, 37)] { variants(shape(2, c, h, w, o, k: 1)) }
        }
        check(shape(1, 64, 21, 21, 64, k: 1), relu: true)
        variants(shape(2, 8, 7, 9, 12, k: 1, stride: 2))
        variants(shape(2, 8, 7, 9, 12, k: 1, pad: 1))
    }

    func testDense() {
        for k in [2, 3, 5] { for d in [1, 2, 3] {
            for (h, w) in [(1, 1), (2, 2), (3, 5), (11, 11), (6, 50)] { variants(shape(2, 5, h, w, 9, k: k, dilation: d)) }
        }}
        // 64 taps, and more than a word has bits.
        variants(shape(2, 9, 4, 5, 20, k: 8, pad: 4))
        variants(shape(2, 9, 4, 5, 20, k: 9))
        // Blocks of channels of every kind, several taps' runs side by side, planes smaller than an atrous kernel.
        for (c, o) in [(8, 8), (24, 40), (64, 16)] { for side in [2, 4, 7] { variants(shape(2, c, side, side, o, k: 3)) } }
        variants(shape(3, 64, 4, 4, 64, k: 5, dilation: 2))
        variants(shape(2, 64, 8, 4, 32, k: 3, stride: 2))
        variants(shape(1, 3, 33, 35, 16, k: 3, stride: 2))
        variants(shape(3, 8, 9, 9, 8, k: 3))
        variants(shape(1, 16, 21, 21, 16, k: 5, dilation: 2))
        variants(shape(2, 64, 2, 2, 64, k: 3, dilation: 2))
        // Weight gradients in several bands of rows and pieces of a block.
        check(shape(2, 8, 37, 41, 20, k: 3, dilation: 2), relu: true, accumulate: true)
        check(shape(1, 9, 30, 26, 17, k: 5))
        variants(shape(1, 40, 9, 9, 33, k: 3, dilation: 24))
        variants(shape(2, 32, 4, 4, 32, k: 5, dilation: 1))
    }

    func testStridesAndUnevenShapes() {
        for stride in [2, 3] { for k in [1, 3, 5] { for pad in [0, 1, 3] {
            variants(shape(2, 4, 11, 14, 6, k: k, stride: stride, pad: pad))
        }}}
        // Channels enough for the form whose lanes are channels.
        for (c, o) in [(24, 40), (16, 70), (33, 16)] {
            variants(shape(2, c, 9, 8, o, k: 3, stride: 2))
            variants(shape(2, c, 5, 7, o, k: 5, dilation: 2))
        }
        var s = shape(2, 6, 9, 17, 10, k: 3)
        s.kernelWidth = 5
        s.strideHeight = 2
        s.padWidth = 4
        s.dilationWidth = 2
        s.outBatchStride = s.outChannels * s.outHeight * s.outWidth
        variants(s)
    }

    func testEdges() {
        // A kernel that does not fit leaves no output and zero gradients; one that only meets padding leaves the bias.
        check(shape(1, 2, 2, 2, 3, k: 5, pad: 0), bias: true)
        check(shape(1, 20, 2, 2, 20, k: 5, pad: 0), accumulate: true)
        check(shape(1, 2, 2, 2, 3, k: 1, stride: 7, pad: 3), bias: true)
        check(shape(1, 1, 1, 1, 1, k: 1))
    }

    func testGroups() {
        variants(shape(2, 8, 9, 9, 12, k: 3, groups: 4))
        variants(shape(2, 6, 7, 7, 12, k: 3, stride: 2, groups: 6))
        variants(shape(2, 6, 7, 7, 6, k: 1, groups: 3))
    }

    func testDepthwise() {
        for k in [3, 5, 7] { for d in [1, 2] { for stride in [1, 2] {
            for (h, w) in [(1, 1), (2, 3), (5, 5), (11, 11), (9, 41), (7, 65)] {
                variants(shape(2, 3, h, w, 3, k: k, stride: stride, dilation: d, groups: 3))
            }
        }}}
        // Planes whose lanes are channels, in groups of images and of channels.
        for (n, c) in [(1, 19), (2, 8), (3, 40), (5, 19)] {
            for side in [1, 2, 4, 7] { variants(shape(n, c, side, side + 1, c, k: 5, groups: c)) }
        }
        variants(shape(2, 24, 8, 8, 24, k: 3, stride: 2, dilation: 2, groups: 24))
        variants(shape(1, 9, 21, 21, 9, k: 3, pad: 0, groups: 9))
        variants(shape(1, 9, 21, 21, 9, k: 2, groups: 9))
        variants(shape(1, 2, 12, 12, 2, k: 3, pad: 3, dilation: 5, groups: 2))
    }

    /// Depthwise convolutions of one input in one call, beside one call for each: planes that are copied once for all of them, small and strided ones.
    func testDepthwiseSetsOfOneInput() {
        let before = InstructionSet.current, threads = ThreadPool.threads
        defer {
            InstructionSet.current = before
            ThreadPool.threads = threads
        }
        let repeats = 3
        let shapes = [
            shape(2, 3, 17, 41, 3, k: 3, groups: 3), shape(4, 2, 33, 19, 2, k: 5, dilation: 2, groups: 2), shape(1, 5, 26, 26, 5, k: 7, groups: 5),
            shape(2, 8, 4, 4, 8, k: 3, groups: 8), shape(2, 3, 21, 21, 3, k: 3, stride: 2, groups: 3),
        ]
        for one in shapes {
            var all = one
            all.inChannels *= repeats
            all.outChannels *= repeats
            all.groups *= repeats
            all.outBatchStride *= repeats
            var each = one
            each.outBatchStride = all.outBatchStride
            for level in 2...before.rawValue { for accumulate in [false, true] { for through in [false, true] {
                InstructionSet.current = InstructionSet(rawValue: level)!
                var numbers = Numbers()
                let x = numbers.array(inSize(one)), w = numbers.array(weightSize(all)), g = numbers.array(outSize(all))
                let y0 = numbers.array(outSize(all)), dx0 = numbers.array(inSize(one)), dw0 = numbers.array(weightSize(all))
                var (y, dx, dw) = (y0, dx0, dw0)
                let outStep = one.outChannels * one.outHeight * one.outWidth
                x.withUnsafeBufferPointer { x in w.withUnsafeBufferPointer { w in g.withUnsafeBufferPointer { g in
                    y.withUnsafeMutableBufferPointer { y in dx.withUnsafeMutableBufferPointer { dx in dw.withUnsafeMutableBufferPointer { dw in
                        for i in 0..<repeats {
                            let weight = w.baseAddress! + i * one.weights
                            Convolution.forward(
                                each, input: x.baseAddress!, weight: weight, output: y.baseAddress! + i * outStep, relu: through, accumulate: accumulate)
                            Convolution.inputGradient(
                                each, gradient: g.baseAddress! + i * outStep, weight: weight, output: dx.baseAddress!,
                                mask: through ? x.baseAddress! : nil, accumulate: accumulate || i > 0)
                            Convolution.weightGradient(
                                each, input: x.baseAddress!, gradient: g.baseAddress! + i * outStep, output: dw.baseAddress! + i * one.weights,
                                relu: through, accumulate: accumulate)
                        }
                    }}}
                }}}
                let sets = ConvolutionSets(all, repeats: repeats)
                for t in [1, 2] {
                    ThreadPool.threads = t
                    var (yy, dd, ww) = (y0, dx0, dw0)
                    sets.forward(input: x, weight: w, bias: nil, output: &yy, relu: through, accumulate: accumulate)
                    sets.inputGradient(
                        gradient: g, weight: w, output: &dd, mask: through ? x : nil, maskBatchStride: one.inBatchStride, accumulate: accumulate)
                    sets.weightGradient(input: x, gradient: g, output: &ww, relu: through, accumulate: accumulate)
                    let what = "\(one) level \(level) threads \(t) accumulate \(accumulate) through ReLU \(through)"
                    XCTAssertEqual(yy, y, "forward \(what)")
                    // Small planes go image by image where all sets add to one gradient: a form of their own may be the cheaper one then.
                    XCTAssert(zip(dd, dx).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }, "input gradient \(what)")
                    XCTAssertEqual(ww, dw, "weight gradient \(what)")
                }
            }}}
        }
    }
}
