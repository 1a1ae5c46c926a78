import Foundation
import Networks
import Tensors
import XCTest

@testable import Search

/// Steps with the weights one step ahead: against hypergradients known in closed form, against differences in float64, and against what the optimiser really does.
final class SecondOrderTests: XCTestCase {
    private func assertClose(_ a: [Float], _ b: [Double], _ tolerance: Double, _ what: String = "", file: StaticString = #filePath, line: UInt = #line) {
        XCTAssertEqual(a.count, b.count, what, file: file, line: line)
        let scale = b.map(abs).max() ?? 0
        for (p, q) in zip(a, b) where !(abs(Double(p) - q) <= tolerance * scale) { return XCTFail("\(what): \(a) instead of \(b)", file: file, line: line) }
    }

    private func decide(_ name: String, _ count: Int) throws -> BuiltDecision {
        try Construction.required(for: "test").decide(name, .choice(Choice(options: (0..<count).map { "o\($0)" })))
    }

    /// A network of some parameters and one choice, for losses that read those.
    private final class Bowl: Module {
        let weights: Tensor
        init(_ weights: [Float]) throws { self.weights = try Tensor(weights, shape: [weights.count]).requireGrad() }
        override var ownParameters: [Named] { [("w", weights)] }
        override func forward(_ x: Tensor) throws -> Tensor { try x * weights }
    }

    // MARK: A hypergradient in closed form

    /// L_train = Σ_k p_k ½ Σ_j h_kj (w_j - c_kj)², L_val = ½ Σ_j (w_j - t_j)² + Σ_k p_k q_k, p = softmax(α): all in float64.
    private struct Quadratic {
        let h, c: [[Double]]
        let t, q: [Double]

        func gradient(_ w: [Double], _ p: [Double]) -> [Double] { w.indices.map { j in p.indices.reduce(0) { $0 + p[$1] * h[$1][j] * (w[j] - c[$1][j]) } } }

        /// - Parameter slope: d w' / d gradient, but for its sign.
        func hypergradient(_ w: [Double], ahead: [Double], _ p: [Double], slope: [Double]) -> [Double] {
            let d = p.indices.map { k in q[k] - w.indices.reduce(0) { $0 + (ahead[$1] - t[$1]) * slope[$1] * h[k][$1] * (w[$1] - c[k][$1]) } }
            let mean = zip(p, d).reduce(0) { $0 + $1.0 * $1.1 }
            return zip(p, d).map { $0 * ($1 - mean) }
        }

        func trainLoss(_ net: Supernet) throws -> Tensor {
            let p = try net.relaxed("op").weights, w = try XCTUnwrap(net.weights().first).tensor
            let off = try w.reshape([1, w.count]) - Tensor(c.flatMap { $0 }.map(Float.init), shape: [c.count, w.count])
            return try (p.reshape([p.count, 1]) * off.unary(.square) * Tensor(h.flatMap { $0 }.map(Float.init), shape: off.shape) * 0.5).sum()
        }

        func validationLoss(_ net: Supernet) throws -> Tensor {
            let p = try net.relaxed("op").weights, w = try XCTUnwrap(net.weights().first).tensor
            return try (w - Tensor(t.map(Float.init), shape: [t.count])).unary(.square).sum() * 0.5 + (p * Tensor(q.map(Float.init), shape: [q.count])).sum()
        }
    }

    private let quadratic = Quadratic(
        h: [[1, 2, 0.5, 1], [0.3, 1, 2, 1.5], [2, 0.1, 1, 0.7]], c: [[1, -1, 2, 0], [0, 1, -1, 2], [-2, 0.5, 0, 1]], t: [0.5, -0.3, 1, 2], q: [0.1, -0.2, 0.4])

    func testAQuadraticProblem() throws {
        for (momentum, nesterov, decay) in [(0, false, 0), (0.9, false, 0), (0.9, false, 0.03), (0.8, true, 0.03)] as [(Double, Bool, Double)] {
            let space = try ModuleSpace { [self] _ in
                _ = try decide("op", 3)
                return try Bowl([0.2, -0.4, 0.6, 1])
            }
            let net = try space.supernet(seed: 1, relax: Relaxations())
            let alpha = try net.logits("op")
            try GradientMode.disabled { try alpha.assign(Tensor([0.3, -0.2, 0.5], shape: [3])) }
            let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.1, weightDecay: decay, momentum: momentum, nesterov: nesterov)])
            let step = try Optimiser(.sgd, [ParameterGroup(net.architecture(), rate: 0.5)])
            let nothing = try Tensor.zeros([1])
            let training = Supernet.Loss(id: "train") { [quadratic] net, _ in try quadratic.trainLoss(net) }
            let validation = Supernet.Loss(id: "validate") { [quadratic] net, _ in try quadratic.validationLoss(net) }

            // The same in float64.
            var w = [0.2, -0.4, 0.6, 1.0], v = [Double](repeating: 0, count: 4), a = [0.3, -0.2, 0.5]
            a = try alpha.floats().map(Double.init)
            for round in 0..<4 {
                sgd.rate = 0.1 / Double(round + 1)
                let rate = sgd.rate
                let e = a.map { exp($0) }, p = e.map { $0 / e.reduce(0, +) }
                let g = zip(quadratic.gradient(w, p), w).map { $0 + decay * $1 }
                let moved = zip(v, g).map { momentum * $0 + $1 }
                let direction = nesterov ? zip(g, moved).map { $0 + momentum * $1 } : moved
                let ahead = zip(w, direction).map { $0 - rate * $1 }
                let slope = [Double](repeating: rate * (nesterov ? 1 + momentum : 1), count: 4)
                let expected = quadratic.hypergradient(w, ahead: ahead, p, slope: slope)

                let before = try net.weights()[0].tensor.floats()
                let value = try net.step(step, [nothing], validation, ahead: StepAhead(sgd, [nothing], loss: training))
                let loss = zip(ahead, quadratic.t).reduce(0) { $0 + 0.5 * ($1.0 - $1.1) * ($1.0 - $1.1) } + zip(p, quadratic.q).reduce(0) { $0 + $1.0 * $1.1 }
                XCTAssertEqual(Double(try value.item()), loss, accuracy: 1e-5)
                let after = try alpha.floats()
                assertClose(zip(a, after).map { Float(($0 - Double($1)) / 0.5) }, expected, 1e-5, "momentum \(momentum), nesterov \(nesterov), decay \(decay), round \(round)")
                XCTAssertEqual(try net.weights()[0].tensor.floats(), before)
                a = after.map(Double.init)

                // The weights really go there.
                let e2 = a.map { exp($0) }, p2 = e2.map { $0 / e2.reduce(0, +) }
                let real = zip(quadratic.gradient(w, p2), w).map { $0 + decay * $1 }
                v = zip(v, real).map { momentum * $0 + $1 }
                let way = nesterov ? zip(real, v).map { $0 + momentum * $1 } : v
                w = zip(w, way).map { $0 - rate * $1 }
                _ = try net.step(sgd, [nothing], training)
                assertClose(try net.weights()[0].tensor.floats(), w, 1e-5)
            }
            XCTAssertEqual(net.recordingCount, 2, "a rate that changes makes no new recording")
        }
    }

    // MARK: Differences in float64

    /// Scores Σ_i p_i U f_i(W x) of pixels x, f = (tanh, sigmoid, square), and their cross entropy, in float64.
    private struct Small {
        let pixels: [[Double]]
        let labels: [Int]
        static let hidden = 4, classes = 3, inputs = 2

        /// - Parameter w: W row by row, then U row by row.
        func lossAndGradient(_ w: [Double], _ p: [Double]) -> (loss: Double, gradient: [Double]) {
            let (hidden, classes, inputs) = (Self.hidden, Self.classes, Self.inputs)
            var loss = 0.0, gradient = [Double](repeating: 0, count: w.count)
            for (x, label) in zip(pixels, labels) {
                let a = (0..<hidden).map { i in (0..<inputs).reduce(0) { $0 + w[i * inputs + $1] * x[$1] } }
                let s = a.map { 1 / (1 + exp(-$0)) }, t = a.map { tanh($0) }
                let m = a.indices.map { p[0] * t[$0] + p[1] * s[$0] + p[2] * a[$0] * a[$0] }
                let slope = a.indices.map { p[0] * (1 - t[$0] * t[$0]) + p[1] * s[$0] * (1 - s[$0]) + p[2] * 2 * a[$0] }
                let start = hidden * inputs
                let y = (0..<classes).map { c in (0..<hidden).reduce(0) { $0 + w[start + c * hidden + $1] * m[$1] } }
                let e = y.map { exp($0) }, sum = e.reduce(0, +)
                loss += log(sum) - y[label]
                let d = y.indices.map { e[$0] / sum - ($0 == label ? 1 : 0) }
                for i in 0..<hidden {
                    let back = (0..<classes).reduce(0) { $0 + d[$1] * w[start + $1 * hidden + i] } * slope[i]
                    for j in 0..<inputs { gradient[i * inputs + j] += back * x[j] }
                    for c in 0..<classes { gradient[start + c * hidden + i] += d[c] * m[i] }
                }
            }
            let n = Double(pixels.count)
            return (loss / n, gradient.map { $0 / n })
        }
    }

    func testDifferencesInDoublePrecision() throws {
        let space = try ModuleSpace(classes: Small.classes) { [self] _ in
            let d = try decide("op", 3)
            let mix = try Mix(d) { _, i in Lambda("f\(i)") { x, _ in try x.unary([.tanh, .sigmoid, .square][i]) } }
            return Sequential(named: [
                ("w", try Conv2d(Small.inputs, Small.hidden, kernel: (1, 1), bias: false)), ("mix", mix), ("u", try Conv2d(Small.hidden, Small.classes, kernel: (1, 1), bias: false)),
            ])
        }
        func batch(_ seed: UInt64) throws -> (Small, [Tensor]) {
            let x = try Tensor.random(.normal(mean: 0, deviation: 1), [1, Small.inputs, 3, 4], from: RandomState(seed: seed)), numbers = try x.floats().map(Double.init)
            let labels = (0..<12).map { Int($0 * 7 + Int(seed)) % Small.classes }
            return (Small(pixels: (0..<12).map { [numbers[$0], numbers[12 + $0]] }, labels: labels), [x, try Tensor(ints: labels.map(Int32.init), shape: [1, 3, 4])])
        }
        let (train, trainBatch) = try batch(3), (validate, validateBatch) = try batch(4)
        // Rates at which a finite difference of float32 gradients would be rounding.
        for rate in [1.0, 0.05, 1e-3] {
            let net = try space.supernet(seed: 5, relax: Relaxations())
            let alpha = try net.logits("op")
            try GradientMode.disabled { try alpha.assign(Tensor([0.4, -0.3, 0.1], shape: [3])) }
            let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: rate, weightDecay: 1e-2, momentum: 0.9)])
            let step = try Optimiser(.sgd, [ParameterGroup(net.architecture(), rate: 1)])
            let w = try net.weights().flatMap { try $0.tensor.floats().map(Double.init) }, a = try alpha.floats().map(Double.init)
            func share(_ a: [Double]) -> [Double] { a.map { exp($0) / a.reduce(0) { $0 + exp($1) } } }
            func outer(_ a: [Double]) -> Double {
                let g = train.lossAndGradient(w, share(a)).gradient
                return validate.lossAndGradient(zip(w, g).map { $0 - rate * ($1 + 1e-2 * $0) }, share(a)).loss
            }
            let expected = a.indices.map { i -> Double in
                var (up, down) = (a, a)
                up[i] += 1e-5
                down[i] -= 1e-5
                return (outer(up) - outer(down)) / 2e-5
            }
            let first = a.indices.map { i -> Double in
                let (g, h) = (train.lossAndGradient(w, share(a)).gradient, 1e-5)
                let ahead = zip(w, g).map { $0 - rate * ($1 + 1e-2 * $0) }
                var (up, down) = (a, a)
                up[i] += h
                down[i] -= h
                return (validate.lossAndGradient(ahead, share(up)).loss - validate.lossAndGradient(ahead, share(down)).loss) / (2 * h)
            }
            let value = try net.gradients(step, validateBatch, ahead: StepAhead(sgd, trainBatch))
            XCTAssertEqual(Double(try value.item()), outer(a), accuracy: 1e-5)
            let found = try XCTUnwrap(alpha.grad).floats()
            assertClose(found, expected, 1e-4, "rate \(rate)")
            // The part of the second order by itself, which at a small rate is a small part of the whole.
            let none = try net.gradients(step, validateBatch, ahead: StepAhead(sgd, trainBatch, rate: 0))
            XCTAssertEqual(Double(try none.item()), validate.lossAndGradient(w, share(a)).loss, accuracy: 1e-5)
            if rate >= 0.05 { assertClose(zip(found, first).map { Float(Double($0) - $1) }, zip(expected, first).map { $0 - $1 }, 1e-3, "second order, rate \(rate)") }
        }
    }

    // MARK: What the optimiser really does

    /// Random spaces of every kind, norms and pools included: the derivatives against those of weights that were really moved, computed operation by operation.
    func testRandomSpaces() throws {
        for seed in 300...UInt64(315) {
            let space = try RandomSpaces.space(seed, allowsMany: true)
            let sets = space.decisions.decisions.filter(\.domain.isSet).map { ($0.name, $0) }
            // Sparse weights close regions.
            let relax = try Relaxations(sets.map { ($0.0, seed % 2 == 0 ? try Sigmoid() : try Sparsemax()) } + (seed % 3 == 0 ? [("*", try Sparsemax())] : []))
            let net = try space.supernet(seed: seed, relax: relax)
            for (i, (_, logits)) in net.architecture().enumerated() {
                try GradientMode.disabled { try logits.assign(Tensor.random(.normal(mean: 0, deviation: 0.7), logits.shape, from: RandomState(seed: seed * 3 + UInt64(i)))) }
            }
            try compare(
                net, train: [RandomSpaces.input(seed), RandomSpaces.labels(seed)], validate: [RandomSpaces.input(seed + 1), RandomSpaces.labels(seed + 1)], "seed \(seed)")
        }
    }

    /// The stock trellis, whose logits are parts of alpha and beta and whose edges are computed together.
    func testTheStockTrellis() throws {
        let space = try TrellisSpace(
            layers: 2, strides: [4, 8], filters: 2, cell: CellSpace(blocks: 1, operators: ["none", "max_pool_3x3", "skip_connect", "sep_conv_3x3"]), options: SpaceOptions())
        let net = try Supernet(space, classes: 3, seed: 1)
        func batch(_ seed: UInt64) throws -> [Tensor] {
            let count: Int = 2 * 17 * 16, shift = Int(seed)
            let classes: [Int32] = (0..<count).map { (pixel: Int) -> Int32 in Int32((pixel * 7 + shift) % 3) }
            let labels = try Tensor(ints: classes, shape: [2, 17, 16])
            return [try Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, 17, 16], from: RandomState(seed: seed)), labels]
        }
        try compare(net, train: batch(1), validate: batch(2), "stock trellis")
        // A decision's Hessian is a block of that of all; its ends lie between theirs.
        let all = try net.curvature("*", batch(2))
        XCTAssertGreaterThan(abs(all.dominant), 0)
        for name in ["paths", "cell.*"] {
            let part = try net.curvature(name, batch(2)), slack = 1e-3 * abs(all.dominant)
            XCTAssertLessThanOrEqual(part.largest, all.largest + slack, name)
            XCTAssertGreaterThanOrEqual(part.smallest, all.smallest - slack, name)
        }
    }

    /// Steps of the network against its own reference; nothing but the logits has changed.
    private func compare(_ net: Supernet, train: [Tensor], validate: [Tensor], _ what: String) throws {
        let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.2, weightDecay: 1e-2, momentum: 0.9)])
        let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 0.1)])
        for _ in 0..<2 { _ = try net.step(sgd, train) }

        let kept = try net.state().map { ($0.name, try $0.tensor.clone()) }
        let expected = try reference(net, sgd, train, validate)
        try net.load(Dictionary(uniqueKeysWithValues: kept))
        _ = try net.gradients(adam, validate, ahead: StepAhead(sgd, train))
        for (name, logits) in net.architecture() {
            let found = try logits.grad?.floats() ?? [Float](repeating: 0, count: logits.count)
            let wanted = try XCTUnwrap(expected[name]).floats()
            for (p, q) in zip(found, wanted) where !(abs(p - q) <= 1e-4 + 2e-3 * abs(q)) { XCTFail("\(what), \(name): \(found) instead of \(wanted)"); break }
        }
        _ = try net.step(adam, validate, ahead: StepAhead(sgd, train))
        let moving = Set(net.architecture().map { ObjectIdentifier($0.tensor) })
        for ((name, tensor), before) in zip(net.state(), kept) where !moving.contains(ObjectIdentifier(tensor)) {
            XCTAssertEqual(try tensor.floats(), try before.1.floats(), "\(what): \(name) has changed")
        }
    }

    /// Derivatives by the logits, of which the weights are really moved by their optimiser in between.
    private func reference(_ net: Supernet, _ sgd: Optimiser, _ train: [Tensor], _ validate: [Tensor]) throws -> [String: Tensor] {
        let weights = net.weights().map(\.tensor), logits = net.architecture()
        net.train()
        let loss = try net(train[0]).crossEntropy(train[1])
        let slopes = try Gradient.compute(of: [loss], with: weights, createGraph: true)
        let state = sgd.state()
        let moments = try state.tensors.map { ($0.name, try $0.tensor.clone()) }
        let before = try weights.map { try $0.clone().detach() }
        sgd.zeroGrad()
        for (weight, slope) in zip(weights, slopes) { weight.grad = try slope?.detach().clone() }
        try sgd.step()
        sgd.zeroGrad()
        let value = try net(validate[0]).crossEntropy(validate[1])
        let direct = try Gradient.compute(of: [value], with: logits.map(\.tensor) + weights)
        // Back, so that the products are taken where the weights stand.
        try GradientMode.disabled { for (weight, old) in zip(weights, before) { try weight.assign(old) } }
        var again = state
        again.tensors = moments
        try sgd.restore(again)
        let fresh = try Gradient.compute(of: [net(train[0]).crossEntropy(train[1])], with: weights, createGraph: true)
        let pairs = try zip(fresh, direct.dropFirst(logits.count)).compactMap { slope, g -> (Tensor, Tensor)? in
            guard let slope, let g else { return nil }
            return (slope, try -(g.detach() * Float(sgd.rate)))
        }
        let mixed = try Gradient.compute(of: pairs.map(\.0), seeds: pairs.map(\.1), with: logits.map(\.tensor))
        var result: [String: Tensor] = [:]
        for (i, (name, tensor)) in logits.enumerated() {
            var sum = try Tensor.zeros(tensor.shape)
            for part in [direct[i], mixed[i]].compactMap({ $0 }) { sum = try sum + part.detach() }
            result[name] = sum
        }
        return result
    }

    // MARK: Errors

    func testErrorsSayWhatToDo() throws {
        let space = try ModuleSpace { [self] _ in
            _ = try decide("op", 3)
            return try Bowl([1, 2, 3, 4])
        }
        let net = try space.supernet(seed: 1, relax: Relaxations())
        let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 0.1)]), weights = try Optimiser(.adam, [ParameterGroup(net.weights(), rate: 0.1)])
        let nothing = try Tensor.zeros([1])
        let loss = Supernet.Loss(id: 0) { [quadratic] net, _ in try quadratic.trainLoss(net) }
        XCTAssertThrowsError(try net.step(adam, [nothing], loss, ahead: StepAhead(weights, [nothing]))) { XCTAssertTrue("\($0)".contains("optim.sgd"), "\($0)") }
        XCTAssertThrowsError(try net.step(adam, [nothing], loss, ahead: StepAhead(adam, [nothing]))) { XCTAssertTrue("\($0)".contains("both optimisers"), "\($0)") }
        XCTAssertThrowsError(try net.stepAheadAsBefore()) { XCTAssertTrue("\($0)".contains("make one first"), "\($0)") }
        let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.1)])
        _ = try net.step(sgd, [nothing], loss)
        let value = try net.step(adam, [nothing], loss, ahead: net.stepAheadAsBefore()).item()
        XCTAssertTrue(value.isFinite)
        // A loss that is not finite changes nothing.
        let bad = Supernet.Loss(id: 1) { [quadratic] net, _ in try quadratic.trainLoss(net).unary(.neg).unary(.sqrt) }
        let before = try net.logits("op").floats()
        XCTAssertThrowsError(try net.step(adam, [nothing], bad, ahead: StepAhead(sgd, [nothing], loss: loss))) { XCTAssertTrue("\($0)".contains("the loss is nan"), "\($0)") }
        XCTAssertEqual(try net.logits("op").floats(), before)
    }
}
