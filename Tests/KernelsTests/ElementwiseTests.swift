import Foundation
import XCTest
@testable import Kernels

final class ElementwiseTests: XCTestCase {
    private typealias Program = ElementwiseProgram

    /// What an operation is, in Double.
    private func oracle(_ op: Program.Opcode, _ a: Double, _ b: Double, _ c: Double) -> Double {
        func larger(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }
        switch op {
        case .add: return a + b
        case .sub: return a - b
        case .mul: return a * b
        case .div: return a / b
        case .pow: return Foundation.pow(a, b)
        case .max: return larger(a, b)
        case .min: return -larger(-a, -b)
        case .eq: return a == b ? 1 : 0
        case .ne: return a != b ? 1 : 0
        case .lt: return a < b ? 1 : 0
        case .le: return a <= b ? 1 : 0
        case .gt: return a > b ? 1 : 0
        case .ge: return a >= b ? 1 : 0
        case .neg: return -a
        case .abs: return abs(a)
        case .sign: return a > 0 ? 1 : a < 0 ? -1 : a
        case .exp: return Foundation.exp(a)
        case .log: return Foundation.log(a)
        case .sqrt: return a.squareRoot()
        case .rsqrt: return 1 / a.squareRoot()
        case .reciprocal: return 1 / a
        case .square: return a * a
        case .relu: return a < 0 ? 0 : a
        case .sigmoid: return 1 / (1 + Foundation.exp(-a))
        case .tanh: return Foundation.tanh(a)
        case .step: return a > 0 ? 1 : 0
        case .sin: return Foundation.sin(a)
        case .cos: return Foundation.cos(a)
        case .floor: return a.rounded(.down)
        case .ceil: return a.rounded(.up)
        case .round: return a.rounded(.toNearestOrEven)
        case .erf: return Foundation.erf(a)
        case .copy: return a
        case .select: return a != 0 ? b : c
        case .fma: return a * b + c
        }
    }

    /// Units in the last place by which `got` is off.
    private func error(_ got: Float, _ exact: Double) -> Double {
        if exact.isNaN { return got.isNaN ? 0 : .infinity }
        let rounded = Float(exact)
        if rounded.isInfinite || got.isInfinite || got.isNaN { return got == rounded ? 0 : .infinity }
        return abs(Double(got) - exact) / Double(max(rounded.ulp, .leastNonzeroMagnitude))
    }

    /// Every exponent, both signs, and the values where functions change their minds.
    private let arguments: [Float] = {
        var noise = Noise(1)
        var all: [Float] = [
            0, -0.0, 1, -1, 2, 0.5, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
            .leastNormalMagnitude, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 88.72283, 88.72284, -87.33655, -103.27893,
            -103.97208, -104, 0.625, 0.62499994, 1.5, 2.5, -0.5, 8192, 8193, 1e9, 8388607.5,
        ]
        for exponent in -149...127 {
            for _ in 0..<12 {
                all.append(Float(sign: .plus, exponent: exponent, significand: 1) * (1 + noise.floats(1)[0].magnitude))
            }
        }
        all += all.map { -$0 }
        for _ in 0..<20 { all += noise.floats(100, scale: 100) + noise.floats(100, scale: 2) }
        return all
    }()

    func testEveryOperationOverTheRangeOfFloat() {
        let a = arguments
        var noise = Noise(2)
        let b = a.map { _ in a[Int(noise.integers(1, a.count)[0])] }
        let c = noise.floats(a.count)
        // Units in the last place; what is not listed is exact to rounding.
        let allowed: [Program.Opcode: Double] = [
            .exp: 1.5, .log: 1.2, .sigmoid: 2.5, .tanh: 2.5, .erf: 2.5, .sin: 2, .cos: 2, .pow: 1, .rsqrt: 1.5,
        ]
        onEveryLevel { level in
            Program.Opcode.allCases.map { op in
                let inputs = [a, b, c].prefix(op.arity).map { Floats($0) }
                let y = Floats(count: a.count)
                Elementwise.run(
                    Program(op), shape: [a.count], inputs: inputs.map { UnsafePointer($0.data) },
                    inputStrides: inputs.map { _ in [1] }, outputs: [y.data], outputStrides: [[1]])
                let got = y.values()
                var worst = 0.0, place = 0
                for i in a.indices where !(op == .fma && !(abs(a[i] * b[i]) < 1e30)) {
                    let exact = self.oracle(op, Double(a[i]), Double(b[i]), Double(c[i]))
                    // Without FMA the product is rounded first.
                    let scale = op == .fma ? max(1, abs(Double(a[i]) * Double(b[i]) / max(abs(exact), 1e-38))) : 1
                    let off = self.error(got[i], exact) / scale
                    if off > worst { (worst, place) = (off, i) }
                }
                XCTAssertLessThanOrEqual(
                    worst, allowed[op] ?? (op == .fma ? 2 : 0.5000001),
                    "\(op) \(level): of \(a[place]), \(b[place]) got \(got[place])")
                return got.map { $0.isNaN ? .nan : $0 }
            }
        }
    }

    func testPowersThatHaveSimplerForms() {
        let a = arguments.filter { abs($0) < 1e9 && abs($0) > 1e-9 }
        onEveryLevel { level in
            ([0, 1, 2, 3, 0.5, -0.5, -1, -2, 5, -3] as [Float]).map { exponent in
                let x = Floats(a), y = Floats(count: a.count), e = Floats([exponent])
                Elementwise.run(
                    Program(.pow), shape: [a.count], inputs: [UnsafePointer(x.data), UnsafePointer(e.data)],
                    inputStrides: [[1], [0]], outputs: [y.data], outputStrides: [[1]])
                let got = y.values()
                for i in a.indices {
                    let exact = Foundation.pow(Double(a[i]), Double(exponent))
                    XCTAssertLessThanOrEqual(self.error(got[i], exact), 1.6, "\(a[i])^\(exponent) \(level)")
                }
                return got
            }
        }
    }

    /// (x·2 + y > 0 ? x·y : tanh(x)) with x broadcast and transposed, results also stored of the middle.
    private let program = Program(
        inputs: 2, constants: [2, 0],
        code: [
            .init(.fma, 0, 8, 1), .init(.gt, 2, 9), .init(.mul, 0, 1), .init(.tanh, 0), .init(.select, 3, 4, 5), .init(.abs, 6),
        ],
        outputs: [6, 4, 0])

    private func expected(_ x: Float, _ y: Float) -> [Double] {
        let product = Double(x) * Double(y)
        return [x * 2 + y > 0 ? product : Foundation.tanh(Double(x)), product, Double(x)]
    }

    func testProgramsOverBroadcastAndStridedSpaces() {
        // Shape, strides of x, y and of the outputs.
        let cases: [([Int], [Int], [Int], [Int])] = [
            ([1000], [1], [1], [1]), ([5000], [1], [0], [1]), ([3, 4, 121], [0, 1, 0], [484, 121, 1], [484, 121, 1]),
            ([7, 5], [1, 7], [5, 1], [5, 1]), ([70, 90], [1, 70], [90, 1], [90, 1]),
            ([2, 3, 4, 5], [0, 20, 0, 1], [60, 0, 5, 0], [60, 20, 5, 1]),
            ([100, 3], [3, 1], [0, 1], [1, 100]), ([33, 65], [65, 1], [65, 1], [130, 2]), ([1, 1], [0, 0], [0, 0], [0, 0]),
            ([20, 1000], [1000, 1], [1, 0], [1000, 1]), ([0, 3], [3, 1], [3, 1], [3, 1]), ([], [], [], []),
        ]
        var noise = Noise(3)
        let xs = noise.floats(20_000), ys = noise.floats(20_000)
        for (shape, xStrides, yStrides, outStrides) in cases {
            let count = shape.reduce(1, *)
            let reach = zip(shape, outStrides).reduce(1) { $0 + max(0, $1.0 - 1) * $1.1 }
            var index = [Int](repeating: 0, count: shape.count)
            var expected = Array(repeating: [Double](repeating: 7, count: max(reach, 1)), count: 3)
            for _ in 0..<count {
                func at(_ strides: [Int]) -> Int { zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } }
                for (k, v) in self.expected(xs[at(xStrides)], ys[at(yStrides)]).enumerated() { expected[k][at(outStrides)] = v }
                for d in shape.indices.reversed() {
                    index[d] += 1
                    if index[d] < shape[d] { break }
                    index[d] = 0
                }
            }
            onEveryLevel { level in
                let x = Floats(xs), y = Floats(ys), out = (0..<3).map { _ in Floats(count: max(reach, 1), 7) }
                Elementwise.run(
                    self.program, shape: shape, inputs: [UnsafePointer(x.data), UnsafePointer(y.data)],
                    inputStrides: [xStrides, yStrides], outputs: out.map(\.data), outputStrides: out.map { _ in outStrides })
                for k in 0..<3 { self.assertClose(out[k].values(), expected[k], 5e-7, "\(shape) output \(k) \(level)") }
                let sum = Elementwise.sum(
                    Program(inputs: 2, code: [.init(.mul, 0, 1)], outputs: [2]), shape: shape,
                    inputs: [UnsafePointer(x.data), UnsafePointer(y.data)], inputStrides: [xStrides, yStrides])
                if shape != [] && count > 0 && reach == count {
                    // Relative to what is added up, which mostly cancels here.
                    let size = expected[1].reduce(0) { $0 + abs($1) }
                    XCTAssertEqual(sum, expected[1].reduce(0, +), accuracy: 1e-7 * size, "\(shape) sum \(level)")
                }
                return out.map { $0.values() } + [[Float(sum)]]
            }
        }
    }

    /// x is output too: instructions after the one that overwrites it still see the old x.
    func testInPlace() {
        var noise = Noise(4)
        let xs = noise.floats(3000), ys = noise.floats(3000)
        onEveryLevel { level in
            let x = Floats(xs), y = Floats(ys)
            Elementwise.run(
                Program(inputs: 2, code: [.init(.add, 0, 1), .init(.mul, 0, 2)], outputs: [2, 3]), shape: [3000],
                inputs: [UnsafePointer(x.data), UnsafePointer(y.data)], inputStrides: [[1], [1]], outputs: [x.data, y.data],
                outputStrides: [[1], [1]])
            self.assertClose(x.values(), zip(xs, ys).map { Double($0 + $1) }, 1e-7, level)
            self.assertClose(y.values(), zip(xs, ys).map { Double($0 * ($0 + $1)) }, 1e-7, level)
            return [x.values(), y.values()]
        }
    }
}
