import XCTest

@testable import Tensors

/// Every derivative rule against central differences along random directions, first and second order.
final class DerivativeTests: XCTestCase {
    typealias Function = ([Tensor]) throws -> Tensor

    private struct Case {
        let name: String
        let shapes: [[Int]]
        /// Values are drawn from low ... high, so that domains (log) and kinks (relu) can be respected.
        var low: Float = -1.5
        var high: Float = 1.5
        var secondOrder = true
        let function: Function
    }

    private func random(_ shape: [Int], _ low: Float, _ high: Float, _ seed: UInt64) throws -> Tensor {
        try Tensor.random(.uniform(low: low, high: high), shape, from: RandomState(seed: seed))
    }

    /// <f(x), r> for a fixed random r: turns any result into one number whose gradient is a full vector-Jacobian product.
    private func project(_ y: Tensor, _ seed: UInt64) throws -> Tensor {
        try (y * random(y.shape, -1, 1, seed)).sum()
    }

    /// Σ <gradient, direction>; a gradient that is nil is zero.
    private func along(_ gradients: [Tensor?], _ directions: [Tensor]) throws -> Tensor {
        var total = try Tensor.scalar(0)
        for (gradient, direction) in zip(gradients, directions) {
            if let gradient { total = try total + (gradient * direction).sum() }
        }
        return total
    }

    private func check(_ item: Case, file: StaticString = #filePath, line: UInt = #line) throws {
        let inputs = try item.shapes.enumerated().map { try random($1, item.low, item.high, UInt64($0) + 11) }
        let directions = try item.shapes.enumerated().map { try random($1, -1, 1, UInt64($0) + 101) }
        func value(_ at: [Tensor]) throws -> Tensor { try project(item.function(at), 7) }
        /// Directional derivative by the rules, with history.
        func slope(_ at: [Tensor], graph: Bool) throws -> Tensor {
            let leaves = try at.map { try $0.detach().clone().requireGrad() }
            let gradients = try Gradient.compute(of: [try value(leaves)], with: leaves, createGraph: graph)
            return try along(gradients, directions)
        }
        func move(_ step: Float) throws -> [Tensor] { try zip(inputs, directions).map { try $0 + $1 * step } }
        func difference(_ f: ([Tensor]) throws -> Double) throws -> Double {
            // Two step sizes, extrapolated: truncation falls from h² to h⁴.
            let h: Float = 2e-2
            let coarse = try (f(move(h)) - f(move(-h))) / Double(2 * h)
            let fine = try (f(move(h / 2)) - f(move(-h / 2))) / Double(h)
            return (4 * fine - coarse) / 3
        }
        let expected = try difference { try value($0).item() }
        let found = try slope(inputs, graph: false).item()
        XCTAssertEqual(found, expected, accuracy: 4e-3 * max(1, abs(expected)), "\(item.name): first derivative", file: file, line: line)

        guard item.secondOrder else { return }
        let leaves = try inputs.map { try $0.clone().requireGrad() }
        let first = try Gradient.compute(of: [try value(leaves)], with: leaves, createGraph: true)
        let rate = try along(first, directions)
        let second = rate.requiresGrad ? try Gradient.compute(of: [rate], with: leaves) : leaves.map { _ in nil }
        let curvature = try along(second, directions).item()
        let expectedCurvature = try difference { try slope($0, graph: false).item() }
        XCTAssertEqual(
            curvature, expectedCurvature, accuracy: 1e-2 * max(1, abs(expectedCurvature)), "\(item.name): second derivative", file: file, line: line)
    }

    func testElementwise() throws {
        for f in UnaryFunction.allCases where f.derivative != nil {
            let positive = [.log, .sqrt, .rsqrt, .reciprocal, .abs, .relu].contains(f)
            try check(Case(name: f.name, shapes: [[3, 5]], low: positive ? 0.6 : -1.5, high: 1.7) { try $0[0].unary(f) })
        }
        try check(Case(name: "relu below 0", shapes: [[9]], low: -2, high: -0.5) { try $0[0].unary(.relu) })
        for f in [BinaryFunction.add, .sub, .mul, .div, .pow] {
            try check(Case(name: f.name, shapes: [[3, 4], [3, 4]], low: 0.6, high: 1.6) { try $0[0].binary(f, $0[1]) })
            try check(Case(name: "\(f) broadcast", shapes: [[2, 1, 4], [3, 1]], low: 0.6, high: 1.6) { try $0[0].binary(f, $0[1]) })
            try check(Case(name: "\(f) scalar", shapes: [[5]], low: 0.6, high: 1.6) { try $0[0].scalar(f, 1.7) })
            try check(Case(name: "scalar \(f)", shapes: [[5]], low: 0.6, high: 1.6) { try $0[0].scalar(f, 1.7, scalarFirst: true) })
        }
        for f in [BinaryFunction.max, .min] {
            try check(Case(name: f.name, shapes: [[4], [4]]) { try $0[0].binary(f, $0[1] + Tensor([3, -3, 3, -3])) })
            try check(Case(name: "\(f) scalar", shapes: [[4]], low: 0.5, high: 1) { try $0[0].scalar(f, 0.2) })
        }
        try check(Case(name: "gate", shapes: [[6], [6]], low: 0.3, high: 1) { try $0[0].binary(.gate, $0[1]) })
        try check(Case(name: "where", shapes: [[4], [2, 4]]) { try Tensor.select(Tensor([1, 0, 1, 0]), $0[0].unary(.square), $0[1].unary(.exp)) })
    }

    func testShapes() throws {
        try check(Case(name: "reshape", shapes: [[2, 6]]) { try $0[0].unary(.square).reshape([3, 4]) })
        try check(Case(name: "permute", shapes: [[2, 3, 4]]) { try $0[0].unary(.square).permute([2, 0, 1]) })
        try check(Case(name: "slice", shapes: [[5, 7]]) { try $0[0].unary(.square).slice(starts: [1, 0], sizes: [2, 3], steps: [2, 3]) })
        try check(Case(name: "pad", shapes: [[2, 3]]) { try $0[0].unary(.square).pad(before: [1, 0], after: [0, 2], value: 3) })
        try check(Case(name: "concat", shapes: [[2, 3], [2, 1]]) { try Tensor.concat([$0[0].unary(.square), $0[1], $0[0]], 1) })
        try check(Case(name: "stack", shapes: [[2, 3], [2, 3]]) { try Tensor.stack([$0[0].unary(.square), $0[1]], 1) })
        try check(Case(name: "expand", shapes: [[3, 1]]) { try $0[0].unary(.square).expand([2, 3, 4]) })
        try check(Case(name: "gather", shapes: [[3, 4]]) { try $0[0].unary(.square).gather(1, Tensor(ints: [0, 3, 2, 2, 1, 1], shape: [3, 2])) })
        try check(Case(name: "sort", shapes: [[3, 4]]) { try $0[0].unary(.square).sort(1).values })
        try check(Case(name: "max along", shapes: [[3, 4]]) { try $0[0].unary(.square).extremum(0).values })
    }

    func testReductions() throws {
        for axes in [[0], [1], [2], [0, 2], [0, 1, 2], [1, 2]] {
            try check(Case(name: "sum \(axes)", shapes: [[2, 3, 4]]) { try $0[0].unary(.square).sum(axes) })
            try check(Case(name: "mean keep \(axes)", shapes: [[2, 3, 4]]) { try $0[0].unary(.square).mean(axes, keep: true) })
        }
        try check(Case(name: "variance", shapes: [[3, 5]]) { try $0[0].variance([1]) })
        for (a, b) in [([2, 3], [3, 4]), ([5, 2, 3], [3, 4]), ([5, 2, 3], [5, 3, 4]), ([2, 1, 2, 3], [3, 3, 2]), ([3], [3, 4]), ([2, 3], [3]), ([3], [3])] {
            try check(Case(name: "matmul \(a) \(b)", shapes: [a, b]) { try $0[0].matmul($0[1]) })
        }
        try check(Case(name: "matmul transposed", shapes: [[3, 2], [4, 3]]) { try $0[0].transpose(0, 1).matmul($0[1].transpose(0, 1)) })
        for axis in 0..<3 {
            try check(Case(name: "softmax \(axis)", shapes: [[2, 3, 4]]) { try $0[0].softmax(axis) })
            try check(Case(name: "log_softmax \(axis)", shapes: [[2, 3, 4]]) { try $0[0].softmax(axis, logarithm: true) })
        }
    }

    func testConvolutions() throws {
        let forms: [(ConvOptions, [Int], [Int])] = [
            (ConvOptions(padding: (1, 1)), [2, 3, 5, 4], [4, 3, 3, 3]),
            (ConvOptions(stride: (2, 2), padding: (1, 1)), [1, 2, 7, 5], [3, 2, 3, 3]),
            (ConvOptions(padding: (2, 2), dilation: (2, 2)), [2, 2, 6, 5], [2, 2, 3, 3]),
            (ConvOptions(padding: (4, 4), dilation: (2, 2), groups: 3), [1, 3, 5, 6], [3, 1, 5, 5]),
            (ConvOptions(stride: (2, 1), padding: (1, 0), groups: 2), [2, 4, 5, 5], [6, 2, 3, 2]),
            (ConvOptions(), [1, 4, 1, 1], [5, 4, 1, 1]),
            (ConvOptions(padding: (1, 1), groups: 9, repeats: 3), [2, 3, 4, 5], [9, 1, 3, 3]),
            (ConvOptions(groups: 4, repeats: 2), [3, 4, 3, 3], [8, 2, 1, 1]),
        ]
        for (i, (options, x, w)) in forms.enumerated() {
            try check(Case(name: "conv \(i)", shapes: [x, w, [w[0]]]) { try $0[0].conv2d($0[1], bias: $0[2], options) })
        }
    }

    func testPoolingAndResize() throws {
        let same = PoolOptions(kernel: (3, 3), stride: (1, 1), padding: (1, 1))
        let strided = PoolOptions(kernel: (2, 3), stride: (2, 1), padding: (1, 1))
        for (i, o) in [same, strided].enumerated() {
            // Values far enough apart that a small step changes no maximum.
            let spread = try Tensor.permutation(80, from: RandomState(seed: 3)).cast(.float32).reshape([2, 2, 5, 4])
            try check(Case(name: "max pool \(i)", shapes: [[2, 2, 5, 4]], low: -0.4, high: 0.4) { try ($0[0].unary(.square) + spread).maxPool2d(o) })
            for padding in [true, false] {
                try check(Case(name: "avg pool \(i) \(padding)", shapes: [[2, 2, 5, 4]]) { try $0[0].unary(.square).averagePool2d(o, countPadding: padding) })
            }
        }
        for mode in [ResizeMode.bilinearAlignCorners, .bilinearHalfPixel, .nearest] {
            for (h, w) in [(7, 9), (2, 3), (1, 1), (4, 5)] {
                try check(Case(name: "resize \(mode) \(h)x\(w)", shapes: [[2, 2, 4, 5]]) { try $0[0].unary(.square).resize(mode, height: h, width: w) })
            }
        }
    }

    func testNormalisationAndLoss() throws {
        try check(Case(name: "batch norm", shapes: [[3, 2, 4, 3]]) { try $0[0].batchNorm() })
        try check(Case(name: "batch norm affine", shapes: [[3, 2, 4, 3], [2], [2]]) { try $0[0].batchNorm(gamma: $0[1], beta: $0[2]) })
        let running = try Tensor([0.1, -0.2, 0.7, 1.3], shape: [2, 2])
        try check(Case(name: "batch norm eval", shapes: [[3, 2, 4], [2], [2]]) { try $0[0].batchNorm(statistics: running, gamma: $0[1], beta: $0[2]) })
        let weights3 = [[4, 2, 3, 2], [6], [6]]
        try check(Case(name: "stacked norm", shapes: [[4, 3, 3, 2]]) { try $0[0].stackedNorm(groups: 2) })
        try check(Case(name: "stacked norm repeated", shapes: weights3) { try $0[0].stackedNorm(groups: 2, repeats: 3, gamma: $0[1], beta: $0[2]) })
        let stacked = try Tensor([0.1, -0.2, 0.7, 1.3, 0.3, 0.2, 0.9, 2], shape: [2, 2, 2])
        try check(Case(name: "stacked norm eval", shapes: weights3) {
            try $0[0].stackedNorm(groups: 2, repeats: 3, statistics: stacked, gamma: $0[1], beta: $0[2])
        })
        try check(Case(name: "scaled channels", shapes: [[2, 2, 3, 1], [6]]) { try $0[0].scaledChannels($0[1], repeats: 3, unit: .unitMoments()) })
        try check(Case(name: "weight groups", shapes: [[6, 2, 2], [3]]) { try $0[0].weightGroups($0[1]) })
        try check(Case(name: "spread groups", shapes: [[2, 2, 2]]) { try $0[0].unary(.square).spreadGroups(3) })
        try check(Case(name: "spread groups weighted", shapes: [[2, 2, 2], [3]]) { try Operation.spreadGroups(groups: 3, weighted: true)($0[0], $0[1]) })
        try check(Case(name: "group products", shapes: [[4, 3], [2, 3]]) { try Operation.groupProducts(groups: 2)($0[0], $0[1]) })
        let labels = try Tensor(ints: [0, 2, 255, 1, 1, 0, 2, 2], shape: [2, 2, 2])
        let weights = try Tensor([0.5, 2, 1])
        try check(Case(name: "cross entropy", shapes: [[2, 3, 2, 2]]) { try $0[0].crossEntropy(labels) })
        try check(Case(name: "cross entropy weighted", shapes: [[2, 3, 2, 2]]) { try $0[0].crossEntropy(labels, weights: weights) })
    }

    func testGradientsAddUpAndStop() throws {
        let x = try Tensor([1, 2, 3]).requireGrad()
        try x.unary(.square).sum().backward()
        try x.unary(.square).sum().backward()
        XCTAssertEqual(try x.grad?.floats(), [4, 8, 12])
        XCTAssertThrowsError(try x.detach().sum().backward())
        XCTAssertThrowsError(try (x * 2).backward(), "not one number")
        let y = try GradientMode.disabled { try x * 2 }
        XCTAssertFalse(y.requiresGrad)
    }

    func testChangedValueIsNoticed() throws {
        let x = try Tensor([1, 2, 3]).requireGrad()
        let y = try x * 2
        let z = try y.unary(.square).sum()
        try y.detach().assign(Tensor.zeros([3]))
        XCTAssertThrowsError(try z.backward()) { XCTAssertTrue("\($0)".contains("changed in place"), "\($0)") }
    }

    func testLongHistoriesAreReleased() throws {
        var total = try Tensor.scalar(0).requireGrad()
        for _ in 0..<100_000 { total = try total + 1 }
        XCTAssertEqual(try total.item(), 100_000)
    }
}
