import Foundation
import Networks
import Tensors
import XCTest

@testable import Search

/// Eigenvalues by products: against matrices whose spectrum is known, and Hessians against differences of gradients.
final class CurvatureTests: XCTestCase {
    private static func product(_ m: [[Double]], _ v: [Double]) -> [Double] {
        m.map { row in
            var sum = 0.0
            for (a, b) in zip(row, v) { sum += a * b }
            return sum
        }
    }

    /// A symmetric matrix with given eigenvalues: reflections of a diagonal one.
    private func matrix(_ values: [Double], _ generator: inout SplitMix64) -> [[Double]] {
        var m = values.indices.map { i in values.indices.map { $0 == i ? values[i] : 0 } }
        for _ in 0..<3 {
            let u = values.map { _ in Double.random(in: -1...1, using: &generator) }
            let square = u.map { $0 * $0 }.reduce(0, +)
            for _ in 0..<2 {
                // M is symmetric, so M u is its row; then (M - 2 u uᵀ M / uᵀu) transposed: H M H in the end.
                let transposed: [[Double]] = values.indices.map { i in m.map { $0[i] } }
                let row = Self.product(transposed, u)
                m = values.indices.map { i in values.indices.map { j in m[j][i] - 2 * u[j] * row[i] / square } }
            }
        }
        return m
    }

    func testLanczosFindsTheEnds() throws {
        var generator = SplitMix64(seed: 4)
        for n in 1...24 {
            for kind in 0..<4 {
                let values: [Double] = (0..<n).map { i in
                    switch kind {
                    case 0: Double.random(in: -3...3, using: &generator)
                    case 1: Double(i % 3) - 1
                    case 2: 0
                    default: i == 0 ? -100 : Double.random(in: 0...1, using: &generator)
                    }
                }
                let m = matrix(values, &generator)
                var products = 0
                let ends = Lanczos.ends(rows: n, tolerance: 1e-8) { v in
                    products += 1
                    return Self.product(m, v)
                }
                let (least, most) = (try XCTUnwrap(values.min()), try XCTUnwrap(values.max()))
                XCTAssertEqual(ends.smallest, least, accuracy: 1e-6 * max(1, -least), "\(n) \(kind)")
                XCTAssertEqual(ends.largest, most, accuracy: 1e-6 * max(1, -least), "\(n) \(kind)")
                XCTAssertEqual(abs(ends.dominant), max(abs(least), abs(most)), accuracy: 1e-6 * max(1, -least))
                XCTAssertLessThanOrEqual(products, n)
            }
        }
        // Ends that stand apart are found early.
        var products = 0
        let values = [-5.0, 9.0] + (0..<198).map { Double($0) / 200 }
        let ends = Lanczos.ends(rows: 200) { v in
            products += 1
            return zip(values, v).map { $0 * $1 }
        }
        XCTAssertEqual(ends.dominant, 9, accuracy: 1e-3)
        XCTAssertEqual(ends.smallest, -5, accuracy: 1e-3)
        XCTAssertLessThan(products, 40)
    }

    private final class Nothing: Module {
        override func forward(_ x: Tensor) throws -> Tensor { x }
    }

    /// L = ½ zᵀ H z over the logits of two decisions together.
    func testAKnownHessian() throws {
        var generator = SplitMix64(seed: 9)
        for values in [[3.0, 1, 0.5, -1, 0.2, 0.1, 0], [0.3, -4, 0.5, -1, 0.2, 0.1, 2]] {
            let m = matrix(values, &generator), n = values.count
            let space = try ModuleSpace { _ in
                let construction = try Construction.required(for: "test")
                _ = try construction.decide("a.x", .choice(Choice(options: ["p", "q", "r"])))
                _ = try construction.decide("a.y", .subset(Subset(options: ["p", "q", "r", "s"], least: 0)))
                return Nothing()
            }
            let net = try space.supernet(seed: 1, relax: Relaxations())
            let h = try Tensor(m.flatMap { $0 }.map(Float.init), shape: [n, n])
            let loss = Supernet.Loss(id: 0) { net, _ in
                let z = try Tensor.concat([net.logits("a.x"), net.logits("a.y")], 0).reshape([n, 1])
                return try (z * h.matmul(z)).sum() * 0.5
            }
            let found = try net.curvature("a.*", [Tensor.zeros([1])], loss)
            XCTAssertEqual(found.largest, try XCTUnwrap(values.max()), accuracy: 1e-4)
            XCTAssertEqual(found.smallest, try XCTUnwrap(values.min()), accuracy: 1e-4)
            XCTAssertEqual(found.dominant, try XCTUnwrap(values.max { abs($0) < abs($1) }), accuracy: 1e-4)
            // One decision's block.
            let block = try net.curvature("a.x", [Tensor.zeros([1])], loss)
            let corner = m.prefix(3).map { Array($0.prefix(3)) }
            let own = Lanczos.ends(rows: 3) { Self.product(corner, $0) }
            XCTAssertEqual(block.largest, own.largest, accuracy: 1e-4)
            XCTAssertEqual(block.smallest, own.smallest, accuracy: 1e-4)
            XCTAssertEqual(net.recordingCount, 2)
            XCTAssertThrowsError(try net.curvature("b", [Tensor.zeros([1])], loss)) { XCTAssertTrue("\($0)".contains("a.x"), "\($0)") }
        }
    }

    /// Random smooth spaces, norms included, against differences of exact gradients.
    func testHessiansAgainstDifferencesOfGradients() throws {
        for seed in 400...UInt64(406) {
            let space = try RandomSpaces.space(seed, allowsMany: true, isSmooth: true)
            let net = try space.supernet(seed: seed, relax: Relaxations(space.decisions.decisions.filter(\.domain.isSet).map { ($0.name, try Sigmoid()) }))
            for (i, (_, logits)) in net.architecture().enumerated() {
                try GradientMode.disabled { try logits.assign(Tensor.random(.normal(mean: 0, deviation: 0.7), logits.shape, from: RandomState(seed: seed * 3 + UInt64(i)))) }
            }
            let batch = [try RandomSpaces.input(seed), try RandomSpaces.labels(seed)]
            let step = try Optimiser(.sgd, [ParameterGroup(net.architecture(), rate: 1)])
            let before = try net.state().map { ($0.name, try $0.tensor.floats()) }
            let found = try net.curvature("*", batch)
            for ((name, tensor), old) in zip(net.state(), before) { XCTAssertEqual(try tensor.floats(), old.1, name) }

            let logits = net.architecture().map(\.tensor), n = logits.reduce(0) { $0 + $1.count }
            func gradient() throws -> [Double] {
                _ = try net.gradients(step, batch)
                return try logits.flatMap { try ($0.grad?.floats() ?? [Float](repeating: 0, count: $0.count)).map(Double.init) }
            }
            var rows: [[Double]] = []
            for tensor in logits {
                let here = try tensor.floats()
                for i in here.indices {
                    func moved(_ by: Float) throws -> [Double] {
                        var there = here
                        there[i] += by
                        try GradientMode.disabled { try tensor.assign(Tensor(there, shape: tensor.shape)) }
                        return try gradient()
                    }
                    let (up, down) = (try moved(0.02), try moved(-0.02))
                    rows.append(zip(up, down).map { ($0 - $1) / 0.04 })
                }
                try GradientMode.disabled { try tensor.assign(Tensor(here, shape: tensor.shape)) }
            }
            let symmetric = (0..<n).map { i in (0..<n).map { j in (rows[i][j] + rows[j][i]) / 2 } }
            let ends = Lanczos.ends(rows: n) { v in Self.product(symmetric, v) }
            let scale = abs(ends.dominant)
            XCTAssertEqual(found.largest, ends.largest, accuracy: 0.02 * scale + 2e-4, "seed \(seed)")
            XCTAssertEqual(found.smallest, ends.smallest, accuracy: 0.02 * scale + 2e-4, "seed \(seed)")
        }
    }
}
