import XCTest
@testable import Kernels

/// Convolutions with their surroundings, in every form and at every instruction-set level, against `forward`.
final class InferenceTests: XCTestCase {
    /// Square kernels with 'same' padding unless told otherwise.
    private func shape(
        _ inChannels: Int, _ outChannels: Int, _ height: Int, _ width: Int, kernel: Int, stride: Int = 1, rate: Int = 1, pad: Int? = nil, groups: Int = 1,
        batch: Int = 1, gap: Int = 0
    ) -> ConvShape {
        var s = ConvShape(
            batch: batch, inChannels: inChannels, inHeight: height, inWidth: width, outChannels: outChannels, kernelHeight: kernel, kernelWidth: kernel,
            strideHeight: stride, strideWidth: stride, padHeight: pad ?? rate * (kernel / 2), padWidth: pad ?? rate * (kernel / 2), dilationHeight: rate,
            dilationWidth: rate, groups: groups)
        s.inBatchStride += gap
        s.outBatchStride += 2 * gap
        return s
    }

    /// Elements from the first image's first to the last image's last.
    private func inSize(_ s: ConvShape) -> Int { (s.batch - 1) * s.inBatchStride + s.inChannels * s.inHeight * s.inWidth }
    private func outSize(_ s: ConvShape) -> Int { (s.batch - 1) * s.outBatchStride + s.outChannels * s.outHeight * s.outWidth }

    private struct Case {
        var relu = false, accumulate = false, rectify = false, scaled = true
    }

    /// What must come out by `forward`, which is tested against the definition, and the size of the largest result.
    private func expected(_ s: ConvShape, _ c: Case, _ x: [Float], _ w: [Float], _ y: [Float], _ scale: [Float], _ shift: [Float]) -> ([Double], Double) {
        let input = Floats(x), weight = Floats(w), sums = Floats(y)
        Convolution.filtering = .never
        Convolution.forward(s, input: input.data, weight: weight.data, output: sums.data, relu: c.relu)
        Convolution.filtering = .whereItPays
        let total = sums.values(), plane = s.outHeight * s.outWidth
        var result = y.map(Double.init)
        var largest = 0.0
        for n in 0..<s.batch {
            for i in 0..<s.outChannels * plane {
                let at = n * s.outBatchStride + i
                let v = Double(total[at]) * (c.scaled ? Double(scale[i / plane]) : 1) + Double(shift[i / plane]) + (c.accumulate ? result[at] : 0)
                result[at] = c.rectify ? max(v, 0) : v
                largest = max(largest, abs(v))
            }
        }
        return (result, largest)
    }

    private func check(_ s: ConvShape, _ c: Case, tolerance: Double = 3e-5, file: StaticString = #filePath, line: UInt = #line) {
        var noise = Noise(UInt64(s.inChannels * 1000 + s.outChannels))
        let x = noise.floats(inSize(s)), w = noise.floats(s.outChannels * s.inChannels / s.groups * s.kernelHeight * s.kernelWidth), y = noise.floats(outSize(s))
        let scale = noise.floats(s.outChannels, shift: 1.5), shift = noise.floats(s.outChannels)
        let (wanted, largest) = expected(s, c, x, w, y, scale, shift)
        let level = InstructionSet.current, threads = ThreadPool.threads
        defer {
            InstructionSet.current = level
            ThreadPool.threads = threads
        }
        for set in [InstructionSet.v2, .v3, .v4] where set.rawValue <= level.rawValue {
            InstructionSet.current = set
            var first: [Float]?
            for count in [1, 2, 3] {
                ThreadPool.threads = count
                let input = Floats(x), weight = Floats(w), output = Floats(y), factors = Floats(scale), terms = Floats(shift)
                var around = Convolution.Surroundings()
                (around.relu, around.accumulate, around.rectify) = (c.relu, c.accumulate, c.rectify)
                if c.scaled { around.scale = UnsafePointer(factors.data) }
                around.shift = UnsafePointer(terms.data)
                Convolution.infer(s, input: input.data, weight: weight.data, output: output.data, around)
                let values = output.values(file: file, line: line)
                if let first { XCTAssertEqual(values.map(\.bitPattern), first.map(\.bitPattern), "\(count) threads change bits", file: file, line: line) }
                first = values
                for i in values.indices where !(abs(Double(values[i]) - wanted[i]) <= tolerance * largest) {
                    XCTFail("\(set), \(s), \(c): element \(i) is \(values[i]), expected \(wanted[i])", file: file, line: line)
                    return
                }
            }
        }
    }

    private func form(_ s: ConvShape) -> Convolution.Form {
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: 1)
        defer { memory.deallocate() }
        return Convolution.inferenceForm(s, memory, memory)
    }

    func testWinograd() {
        let shapes = [
            shape(64, 64, 30, 41, kernel: 3), shape(70, 66, 13, 29, kernel: 3, batch: 2, gap: 5), shape(64, 68, 33, 40, kernel: 3, rate: 2),
            shape(64, 72, 25, 23, kernel: 3, rate: 3, batch: 2), shape(40, 40, 29, 31, kernel: 5, rate: 2), shape(64, 64, 17, 19, kernel: 5, batch: 2, gap: 3),
            shape(96, 96, 40, 72, kernel: 3, rate: 12), shape(64, 64, 21, 24, kernel: 3, pad: 0), shape(64, 64, 24, 25, kernel: 5, pad: 4),
        ]
        XCTAssertTrue(shapes.contains { form($0) == .winograd })
        for s in shapes {
            check(s, Case(relu: true))
            check(s, Case(accumulate: true, rectify: true))
        }
    }

    func testPanels() {
        let shapes = [
            shape(300, 20, 9, 13, kernel: 1), shape(48, 66, 11, 17, kernel: 1, batch: 3, gap: 7), shape(560, 24, 5, 9, kernel: 1), shape(3, 64, 40, 61, kernel: 3, stride: 2),
            shape(20, 40, 33, 27, kernel: 3, stride: 2, batch: 2), shape(24, 24, 40, 41, kernel: 3, stride: 2), shape(48, 32, 9, 10, kernel: 1, stride: 2),
        ]
        XCTAssertTrue(shapes.contains { form($0) == .panels })
        for s in shapes {
            check(s, Case(relu: true), tolerance: 3e-6)
            check(s, Case(accumulate: true, rectify: true), tolerance: 3e-6)
            check(s, Case(scaled: false), tolerance: 3e-6)
        }
    }

    func testDirect() {
        let shapes = [
            shape(3, 8, 9, 11, kernel: 3), shape(16, 16, 12, 9, kernel: 5, groups: 16, batch: 2), shape(8, 12, 7, 9, kernel: 3, groups: 4), shape(5, 7, 1, 1, kernel: 1),
            shape(16, 40, 3, 3, kernel: 3, rate: 4), shape(4, 4, 8, 8, kernel: 3, stride: 2, batch: 2, gap: 2),
        ]
        for s in shapes {
            check(s, Case(relu: true, rectify: true), tolerance: 3e-6)
            check(s, Case(accumulate: true, rectify: true), tolerance: 3e-6)
        }
    }

    /// Groups whose own convolutions are wide.
    func testWideGroups() {
        check(shape(128, 128, 20, 21, kernel: 3, groups: 2, batch: 2), Case(accumulate: true, rectify: true))
        check(shape(96, 64, 9, 13, kernel: 1, groups: 2), Case(relu: true))
    }

    func testForms() {
        // The published network's layers at 513x1025.
        XCTAssertEqual(form(shape(256, 256, 129, 257, kernel: 3)), .winograd)
        XCTAssertEqual(form(shape(80, 80, 33, 65, kernel: 5, rate: 2)), .winograd)
        XCTAssertEqual(form(shape(1280, 256, 65, 129, kernel: 1)), .panels)
        XCTAssertEqual(form(shape(64, 128, 257, 513, kernel: 3, stride: 2)), .panels)
        XCTAssertNotEqual(form(shape(200, 256, 65, 129, kernel: 3, rate: 36)), .winograd)
    }
}
