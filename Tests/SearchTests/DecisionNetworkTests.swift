import Networks
import Tensors
import XCTest

@testable import Search

/// Random spaces of every kind: the supernet at an architecture against the network of that architecture, costs against counts and against the sum over all
/// architectures, guards against what they guard.
final class DecisionNetworkTests: XCTestCase {
    private func relax(_ decisions: DecisionList) throws -> Relaxations {
        try Relaxations(decisions.decisions.filter(\.domain.isSet).map { ($0.name, try Sigmoid()) })
    }

    private func assertClose(_ a: Tensor, _ b: Tensor, _ what: String, file: StaticString = #filePath, line: UInt = #line) throws {
        XCTAssertEqual(a.shape, b.shape, what, file: file, line: line)
        let (x, y) = (try a.floats(), try b.floats())
        for (p, q) in zip(x, y) where !(abs(p - q) <= 1e-4 * max(1, abs(q))) { return XCTFail("\(what): \(p) instead of \(q)", file: file, line: line) }
    }

    func testTheSupernetAtAnArchitectureIsItsNetwork() throws {
        for seed in 1...UInt64(200) {
            let space = try RandomSpaces.space(seed, allowsMany: true)
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.05)])
            let x = try RandomSpaces.input(seed), labels = try Tensor.full([2, 5, 6], int: 1)
            _ = try net.step(sgd, [x, labels])
            for round in 0..<3 {
                let a = try space.decisions.random(seed: seed * 10 + UInt64(round))
                let network = try space.network(a, from: net)
                try net.at(a)
                let name = "seed \(seed), \(a.values)"
                for isTraining in [false, true] {
                    // Scores at an architecture go by the batch's statistics; those that evaluate move nothing.
                    let statistics = try net.buffers().map { try $0.tensor.floats() }
                    let byBatch = try GradientMode.disabled { try network.trained(x) }
                    try network.take(from: net)
                    try assertClose(try net.scores(x, training: isTraining), byBatch, name)
                    if !isTraining { XCTAssertEqual(try net.buffers().map { try $0.tensor.floats() }, statistics, name) }
                    try network.take(from: net)
                    network.train(isTraining)
                    let own = try GradientMode.disabled { try network(x) }
                    net.train(isTraining)
                    let atOnce = try GradientMode.disabled { try net(x) }
                    try assertClose(atOnce, own, "\(name), at once")
                    try network.take(from: net)
                }
                let cost: Double = try space.cost(a, .multiplyAdds, input: x.shape)
                let own = Float(try net.cost(.multiplyAdds, input: x.shape).item())
                let counted: Int? = try network.count(input: x.shape).work?.multiplyAdds
                XCTAssertEqual(own, Float(cost), name)
                XCTAssertEqual(cost, Double(counted ?? -1), name)
            }
            XCTAssertEqual(net.recordingCount, 3, "seed \(seed): one for the step, one for each mode, whatever the architecture")
            try net.at(nil)
            _ = try net.step(sgd, [x, labels])
        }
    }

    func testAStepAtAnArchitectureIsAStepOfItsNetwork() throws {
        for seed in 100...UInt64(120) {
            let space = try RandomSpaces.space(seed, allowsMany: true)
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            let x = try RandomSpaces.input(seed), labels = try Tensor.full([2, 5, 6], int: 1)
            let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.05)])
            for round in 0..<2 {
                let a = try space.decisions.random(seed: seed + UInt64(round))
                let network = try space.network(a, from: net)
                try net.at(a)
                let own = try Optimiser(.sgd, [ParameterGroup(network.parameters(), rate: 0.05)])
                network.train()
                let loss = try network(x).crossEntropy(labels)
                own.zeroGrad()
                try loss.backward()
                try own.step()
                var before: [String: [Float]] = [:]
                for (name, tensor) in net.weights() { before[name] = try tensor.floats() }
                try assertClose(net.step(sgd, [x, labels]), loss.detach(), "seed \(seed): loss")
                let changed = Dictionary(uniqueKeysWithValues: network.state().map { ($0.name, $0.tensor) })
                for (name, tensor) in net.weights() + net.buffers() {
                    if let other = changed[name] {
                        try assertClose(tensor, other, "seed \(seed), round \(round): \(name)")
                    } else if let old = before[name] {
                        XCTAssertEqual(try tensor.floats(), old, "seed \(seed): \(name) is off")
                    }
                }
            }
        }
    }

    /// Of independent decisions: choices, subsets that may be empty, numbers, paths with one arrow a layer, nested.
    func testExpectedCostIsTheSumOverArchitectures() throws {
        var tried = 0
        for seed in 200...UInt64(260) {
            let space = try RandomSpaces.space(seed, allowsMany: false)
            guard let count = try space.decisions.count().int, count <= 200 else { continue }
            tried += 1
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            for (i, (_, logits)) in net.architecture().enumerated() {
                try GradientMode.disabled { try logits.assign(Tensor.random(.normal(mean: 0, deviation: 1), logits.shape, from: RandomState(seed: seed * 7 + UInt64(i)))) }
            }
            let p = try Dictionary(uniqueKeysWithValues: space.decisions.decisions.map { ($0.name, try net.probabilities($0.name).floats().map(Double.init)) })
            for kind in [CostKind.multiplyAdds, .parameters] {
                let expected = try expectation(space, p) { try space.cost($0, kind, input: [1, RandomSpaces.channels, 5, 6]) }
                let found = Double(try net.cost(kind, input: [1, RandomSpaces.channels, 5, 6]).item())
                XCTAssertEqual(found, expected, accuracy: 1e-4 * max(1, expected), "seed \(seed), \(kind.name), \(space.decisions.decisions.map(\.name))")
            }
        }
        XCTAssertGreaterThan(tried, 20)
    }

    /// Σ p(a) · cost(a); spaces with "none" are left out, for that has a probability and no architecture.
    private func expectation(_ space: ModuleSpace, _ p: [String: [Double]], _ cost: (Assignment) throws -> Double) throws -> Double {
        var total = 0.0
        for a in try space.decisions.each() {
            var weight = 1.0
            for (name, value) in a.values {
                guard let domain = space.decisions[name]?.domain, let p = p[name] else { continue }
                let on = domain.options(of: value)
                for i in p.indices where on.contains(i) { weight *= p[i] }
                if domain.isSet { for i in p.indices where !on.contains(i) { weight *= 1 - p[i] } }
            }
            total += weight * (try cost(a))
        }
        return total
    }

    func testBuildsThatDifferAreErrors() throws {
        var builds = 0
        let space = try ModuleSpace { _ in
            builds += 1
            return try RandomSpaces.build(.scale(builds == 1 ? "a" : "b"))
        }
        XCTAssertThrowsError(try space.supernet(relax: Relaxations())) { XCTAssertTrue("\($0)".contains("same decisions each time"), "\($0)") }
        XCTAssertThrowsError(try Construction.required(for: "nas.choice")) { XCTAssertTrue("\($0)".contains("nas.space"), "\($0)") }
    }
}

extension Module {
    /// What it gives in training mode.
    fileprivate func trained(_ x: Tensor) throws -> Tensor {
        train()
        return try self(x)
    }
}
