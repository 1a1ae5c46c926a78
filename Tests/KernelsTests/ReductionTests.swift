import Foundation
import XCTest
@testable import Kernels

/// Reductions, random numbers and copies.
final class ReductionTests: XCTestCase {
    func testReductionsOfEveryView() {
        var noise = Noise(21)
        let views = [
            (1, 1, 1), (3, 17, 1), (5, 1, 33), (2, 7, 65), (4, 300, 3), (1, 200_000, 1), (1, 9000, 30), (2, 3, 5000), (1, 0, 4),
            (0, 3, 3),
        ]
        for (outer, n, inner) in views {
            var xs = noise.floats(outer * n * inner, shift: 0.3)
            if xs.count > 100 && inner < 10 { xs[xs.count / 2] = .nan }
            var sums: [Double] = [], tops: [Double] = [], lows: [Double] = [], places: [Float] = []
            for o in 0..<outer * inner {
                let line = (0..<n).map { xs[(o / max(1, inner) * n + $0) * inner + o % max(1, inner)] }
                sums.append(line.reduce(0) { $0 + Double($1) })
                let nan = line.firstIndex { $0.isNaN }
                tops.append(nan != nil ? .nan : Double(line.max() ?? -.infinity))
                lows.append(nan != nil ? .nan : Double(line.min() ?? .infinity))
                places.append(Float(nan ?? line.firstIndex(of: line.max() ?? 0) ?? 0))
            }
            onEveryLevel { level in
                let x = Floats(xs), y = (0..<3).map { _ in Floats(count: outer * inner) }
                Reduction.sum(outer: outer, n: n, inner: inner, x.data, y[0].data)
                Reduction.max(outer: outer, n: n, inner: inner, x.data, y[1].data)
                Reduction.min(outer: outer, n: n, inner: inner, x.data, y[2].data)
                let name = "\(outer) \(n) \(inner) \(level)"
                self.assertClose(y[0].values(), sums, 2e-7, name)
                self.assertClose(y[1].values(), tops, 0, name)
                self.assertClose(y[2].values(), lows, 0, name)
                if n > 0 {
                    var best = [Int32](repeating: -1, count: outer * inner)
                    Reduction.argmax(outer: outer, n: n, inner: inner, x.data, &best)
                    XCTAssertEqual(best.map { Float($0) }, places, name)
                }
                return y.map { $0.values().map { $0.isNaN ? .nan : $0 } }
            }
        }
    }

    func testDotAndSumOfSquares() {
        var noise = Noise(22)
        for count in [0, 1, 15, 16, 1000, 100_003] {
            let xs = noise.floats(count), ys = noise.floats(count)
            onEveryLevel { level in
                let x = Floats(xs), y = Floats(ys)
                let dot = Reduction.dot(x.data, y.data, count: count), squares = Reduction.sumOfSquares(x.data, count: count)
                let exact = zip(xs, ys).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                self.assertClose([dot], [exact], 1e-6 * max(1, Double(count).squareRoot() / 10), level)
                let exactSquares = xs.reduce(0) { $0 + Double($1) * Double($1) }
                XCTAssertEqual(squares, exactSquares, accuracy: 1e-7 * Double(count) + 1e-12, level)
                return [[dot, Float(squares)]]
            }
        }
    }

    func testSoftmaxOfExtremeLogits() {
        let x = Floats([1e4, 0, -1e4, -.infinity, -.infinity, 3]), y = Floats(count: 6)
        onEveryLevel { level in
            Softmax.forward(outer: 2, n: 3, inner: 1, x.data, y.data)
            self.assertClose(y.values(), [1, 0, 0, 0, 0, 1], 0, level)
            Softmax.forward(outer: 1, n: 2, inner: 3, x.data, y.data, log: true)
            self.assertClose(y.values(), [0, 0, -10003, -.infinity, -.infinity, 0], 0, level)
            return [y.values()]
        }
    }

    func testFirstBadLabel() {
        XCTAssertEqual(CrossEntropy.firstBadLabel([0, 255, 4, 5, -1], count: 5, classes: 5, ignore: 255), 3)
        XCTAssertEqual(CrossEntropy.firstBadLabel([0, 255, -1], count: 3, classes: 5, ignore: 255), 2)
        XCTAssertNil(CrossEntropy.firstBadLabel([], count: 0, classes: 5, ignore: 255))
    }

    // MARK: Random numbers

    /// The known answers that Random123 publishes for philox4x32-10 (kat_vectors): counter words, key words, result.
    func testPhiloxKnownAnswers() {
        func words(_ counter: UInt64, _ stream: UInt64, _ key: UInt64) -> [UInt32] {
            let (a, b, c, d) = Random.block(seed: key, stream: stream, counter: counter)
            return [a, b, c, d]
        }
        XCTAssertEqual(words(0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
        XCTAssertEqual(words(.max, .max, .max), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
        XCTAssertEqual(
            words(0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e, 0x299f_31d0_a409_3822),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    /// The same bits on every level; any part of a stream can be drawn by itself; moments as they should be.
    func testUniformAndNormal() {
        var perLevel: [[UInt32]] = []
        onEveryLevel { _ in
            let u = Floats(count: 30_001), z = Floats(count: 30_001), part = Floats(count: 101), partZ = Floats(count: 101)
            Random.uniform(seed: 7, stream: 3, into: u.data, count: u.count, low: -2, high: 5)
            Random.normal(seed: 7, stream: 4, into: z.data, count: z.count, mean: 1, deviation: 3)
            Random.uniform(seed: 7, stream: 3, offset: 1003, into: part.data, count: 101, low: -2, high: 5)
            Random.normal(seed: 7, stream: 4, offset: 1003, into: partZ.data, count: 101, mean: 1, deviation: 3)
            XCTAssertEqual(Array(u.values()[1003..<1104]), part.values())
            XCTAssertEqual(Array(z.values()[1003..<1104]), partZ.values())
            XCTAssert(u.values().allSatisfy { $0 >= -2 && $0 < 5 })
            perLevel.append((u.values() + z.values()).map(\.bitPattern))
            return [u.values(), z.values()]
        }
        XCTAssert(perLevel.allSatisfy { $0 == perLevel[0] })
        let u = perLevel[0][..<30_001].map { Double(Float(bitPattern: $0)) }
        let z = perLevel[0][30_001...].map { (Double(Float(bitPattern: $0)) - 1) / 3 }
        let n = Double(u.count)
        XCTAssertEqual(u.reduce(0, +) / n, 1.5, accuracy: 0.05)
        XCTAssertEqual(z.reduce(0, +) / n, 0, accuracy: 0.03)
        XCTAssertEqual(z.reduce(0) { $0 + $1 * $1 } / n, 1, accuracy: 0.03)
        XCTAssertEqual(z.reduce(0) { $0 + $1 * $1 * $1 * $1 } / n, 3, accuracy: 0.2)
        XCTAssertEqual(Double(z.filter { abs($0) < 1 }.count) / n, 0.6827, accuracy: 0.01)
    }

    func testNormalsAgainstTheFormula() {
        let z = Floats(count: 4000)
        Random.normal(seed: 99, stream: 1, into: z.data, count: 4000)
        let expected = (0..<1000).flatMap { i -> [Double] in
            let (a, b, c, d) = Random.block(seed: 99, stream: 1, counter: UInt64(i))
            return [(a, b), (c, d)].flatMap { a, b -> [Double] in
                let radius = (-2 * log((Double(a) + 1) / 4_294_967_296)).squareRoot()
                let angle = 2 * Double.pi * Double(b) / 4_294_967_296
                return [radius * cos(angle), radius * sin(angle)]
            }
        }
        assertClose(z.values(), expected, 1e-7, "normals")
    }

    func testPermutationAndGenerator() throws {
        let order = Random.permutation(seed: 5, stream: 1, count: 1000)
        XCTAssertEqual(order.sorted(), Array(0..<1000))
        XCTAssertEqual(order, Random.permutation(seed: 5, stream: 1, count: 1000))
        XCTAssertNotEqual(order, Random.permutation(seed: 5, stream: 2, count: 1000))
        XCTAssertEqual(Random.permutation(seed: 5, stream: 1, count: 0), [])
        var counts = [Int](repeating: 0, count: 6)
        for seed in 0..<6000 {
            let p = Random.permutation(seed: UInt64(seed), stream: 0, count: 3)
            counts[Int(p[0]) * 2 + (p[1] > p[2] ? 1 : 0)] += 1
        }
        for count in counts { XCTAssertEqual(Double(count), 1000, accuracy: 150) }
        var generator = Random.Generator(seed: 8, stream: 2)
        _ = (0..<5).map { _ in generator.next() }
        var stored = try JSONDecoder().decode(Random.Generator.self, from: JSONEncoder().encode(generator))
        XCTAssertEqual((0..<9).map { _ in generator.next() }, (0..<9).map { _ in stored.next() })
    }

    // MARK: Copies

    func testCopiesBetweenLayouts() {
        var noise = Noise(23)
        let cases: [([Int], [Int], [Int])] = [
            ([100], [1], [1]), ([100], [0], [1]), ([100], [3], [1]), ([50], [2], [3]), ([37, 53], [1, 37], [53, 1]),
            ([53, 37], [37, 1], [1, 53]), ([2, 19, 5, 7], [665, 35, 7, 1], [665, 1, 133, 19]),
            ([2, 5, 7, 19], [665, 7, 1, 35], [665, 133, 19, 1]), ([3, 4, 5], [0, 5, 1], [20, 5, 1]), ([300, 200], [1, 300], [200, 1]),
            ([2, 3], [1, 2], [3, 1]), ([], [], []), ([4, 0], [1, 1], [1, 1]), ([1, 6, 1], [9, 1, 9], [2, 1, 3]),
            ([64, 1, 33], [1, 0, 64], [33, 5, 1]), ([20, 30], [60, 2], [30, 1]),
        ]
        for (shape, src, dst) in cases {
            let count = shape.reduce(1, *)
            let xs = noise.floats(max(1, zip(shape, src).reduce(1) { $0 + max(0, $1.0 - 1) * $1.1 }))
            var expected = [Double](repeating: 7, count: max(1, zip(shape, dst).reduce(1) { $0 + max(0, $1.0 - 1) * $1.1 }))
            var index = [Int](repeating: 0, count: shape.count)
            for _ in 0..<count {
                func at(_ strides: [Int]) -> Int { zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } }
                expected[at(dst)] = Double(xs[at(src)])
                for d in shape.indices.reversed() {
                    index[d] += 1
                    if index[d] < shape[d] { break }
                    index[d] = 0
                }
            }
            onEveryLevel { level in
                let x = Floats(xs), y = Floats(count: expected.count, 7)
                Layout.copyStrided(shape: shape, src: x.data, srcStrides: src, dst: y.data, dstStrides: dst)
                self.assertClose(y.values(), expected, 0, "\(shape) \(src) \(dst) \(level)")
                return [y.values()]
            }
        }
    }
}
