import Networks
import Tensors
import XCTest

@testable import Search

/// Random spaces of every kind: the supernet at an architecture against the network of that architecture, costs against counts and against the sum over all
/// architectures, guards against what they guard.
final class DecisionNetworkTests: XCTestCase {
    private struct Draw {
        var state: UInt64
        mutating func below(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
    }

    /// A part of a network that decides something, made again for each build from one seed.
    private indirect enum Part {
        case mix(String, [Int], nested: [Part?], hasNone: Bool)
        case branches(String, Int, least: Int)
        case scale(String)
        case paths(String, layers: Int, isMany: Bool)
    }

    private static let channels = 3

    private static func random(_ draw: inout Draw, _ name: String, depth: Int, allowsMany: Bool) -> Part {
        switch draw.below(allowsMany ? 5 : 4) {
        case 0, 1:
            let kinds = (0..<2 + draw.below(2)).map { _ in draw.below(4) }
            return .mix(name, kinds, nested: kinds.indices.map { i in depth > 0 && draw.below(2) == 0 ? random(&draw, "\(name).\(i)", depth: depth - 1, allowsMany: allowsMany) : nil }, hasNone: allowsMany)
        case 2: return .branches(name, 2 + draw.below(2), least: 0)
        case 3: return draw.below(2) == 0 ? .scale(name) : .paths(name, layers: 2, isMany: false)
        default: return .paths(name, layers: 2, isMany: true)
        }
    }

    private static func operation(_ kind: Int) throws -> Module {
        let c = channels
        switch kind {
        case 0: return Sequential([Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), try BatchNorm(c)])
        case 1: return try Conv2d(c, c, kernel: (1, 1))
        case 2:
            return Sequential([Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), groups: c, bias: false), try BatchNorm(c, affine: false)])
        default: return Lambda("identity") { x, _ in x }
        }
    }

    /// A module of closures, with children.
    private final class Built: Module {
        private let parts: [(name: String, module: Module)]
        private let body: (Tensor) throws -> Tensor
        init(_ parts: [(name: String, module: Module)], _ body: @escaping (Tensor) throws -> Tensor) { (self.parts, self.body) = (parts, body) }
        override var children: [(name: String, module: Module)] { parts }
        override func forward(_ x: Tensor) throws -> Tensor { try body(x) }
    }

    private static func build(_ part: Part) throws -> Module {
        let construction = try Construction.required(for: "test")
        switch part {
        case .mix(let name, let kinds, let nested, let hasNone):
            let d = try construction.decide(name, .choice(Choice(options: kinds.indices.map { "o\($0)" } + (hasNone ? ["none"] : []))))
            return try Mix(d) { _, i in
                let own = try operation(kinds[i])
                guard let inner = nested[i] else { return own }
                return Sequential([own, try build(inner)])
            }
        case .branches(let name, let count, let least):
            let d = try construction.decide(name, .subset(Subset(options: (0..<count).map { "b\($0)" }, least: least)))
            let modules = try (0..<count).filter { d.isOn($0) }.map { (name: "b\($0)", index: $0, module: try operation($0)) }
            return Built(modules.map { ($0.name, $0.module) }) { x in
                var total = x
                for (_, index, module) in modules { if let gate = try d.gate(index) { total = try total + gate.when { try module(x) } } }
                return total
            }
        case .scale(let name):
            let d = try construction.decide(name, .number(Number(low: 1, high: 3)))
            return Lambda("scale") { x, _ in try x * d.expect([1, 2, 3].map { try Tensor.scalar(Float($0)) }) }
        case .paths(let name, let layers, let isMany):
            let domain = try Paths(layers: layers, states: ["4", "8"], start: isMany ? [0, 1] : [0], isMany: isMany)
            let d = try construction.decide(name, .paths(domain))
            var modules: [(name: String, id: Int, module: Module)] = []
            for layer in 1...layers { for arrow in try d.arrows(intoLayer: layer) { modules.append(("a\(arrow.id)", arrow.id, try operation(arrow.id % 3))) } }
            // A head of each state with a bias: what does not exist must add nothing.
            let heads = try d.reached(layer: layers).map { (state: $0.state, module: try Conv2d(channels, channels, kernel: (1, 1))) }
            return Built(modules.map { ($0.name, $0.module) } + heads.map { ("h\($0.state)", $0.module) }) { x in
                var now: [Int: Tensor] = [:]
                for (state, gate) in try d.reached(layer: 0) { now[state] = try gate.when { x } }
                for layer in 1...layers {
                    var next: [Int: Tensor] = [:]
                    for (state, _) in try d.reached(layer: layer) {
                        for (from, gate, id) in try d.into(layer: layer, state: state) {
                            let (source, module) = (try XCTUnwrap(now[from]), try XCTUnwrap(modules.first { $0.id == id }).module)
                            let term = try gate.when { try module(source) }
                            next[state] = try next[state].map { try $0 + term } ?? term
                        }
                    }
                    now = next
                }
                var total: Tensor?
                for (state, gate) in try d.reached(layer: layers) {
                    let head = try XCTUnwrap(heads.first { $0.state == state }).module, source = try XCTUnwrap(now[state])
                    let term = try gate.when { try head(source) }
                    total = try total.map { try $0 + term } ?? term
                }
                return try XCTUnwrap(total)
            }
        }
    }

    private static func space(_ seed: UInt64, allowsMany: Bool) throws -> ModuleSpace {
        var draw = Draw(state: seed)
        let parts = (0..<1 + draw.below(2)).map { random(&draw, "d\($0)", depth: 1, allowsMany: allowsMany) }
        return try ModuleSpace(classes: channels) { _ in
            let stem = try Conv2d(channels, channels, kernel: (1, 1))
            let modules = try parts.enumerated().map { ("p\($0)", try build($1)) }
            return Sequential(named: [("stem", stem)] + modules)
        }
    }

    private func relax(_ decisions: DecisionList) throws -> Relaxations {
        try Relaxations(decisions.decisions.filter(\.domain.isSet).map { ($0.name, try Sigmoid()) })
    }

    private func input(_ seed: UInt64) throws -> Tensor { try Tensor.random(.normal(mean: 0, deviation: 1), [2, Self.channels, 5, 6], from: RandomState(seed: seed)) }

    private func assertClose(_ a: Tensor, _ b: Tensor, _ what: String, file: StaticString = #filePath, line: UInt = #line) throws {
        XCTAssertEqual(a.shape, b.shape, what, file: file, line: line)
        let (x, y) = (try a.floats(), try b.floats())
        for (p, q) in zip(x, y) where !(abs(p - q) <= 1e-4 * max(1, abs(q))) { return XCTFail("\(what): \(p) instead of \(q)", file: file, line: line) }
    }

    func testTheSupernetAtAnArchitectureIsItsNetwork() throws {
        for seed in 1...UInt64(200) {
            let space = try Self.space(seed, allowsMany: true)
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.05)])
            let x = try input(seed), labels = try Tensor.full([2, 5, 6], int: 1)
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
            let space = try Self.space(seed, allowsMany: true)
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            let x = try input(seed), labels = try Tensor.full([2, 5, 6], int: 1)
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
            let space = try Self.space(seed, allowsMany: false)
            guard let count = try space.decisions.count().int, count <= 200 else { continue }
            tried += 1
            let net = try space.supernet(seed: seed, relax: relax(space.decisions))
            for (i, (_, logits)) in net.architecture().enumerated() {
                try GradientMode.disabled { try logits.assign(Tensor.random(.normal(mean: 0, deviation: 1), logits.shape, from: RandomState(seed: seed * 7 + UInt64(i)))) }
            }
            let p = try Dictionary(uniqueKeysWithValues: space.decisions.decisions.map { ($0.name, try net.probabilities($0.name).floats().map(Double.init)) })
            for kind in [CostKind.multiplyAdds, .parameters] {
                let expected = try expectation(space, p) { try space.cost($0, kind, input: [1, Self.channels, 5, 6]) }
                let found = Double(try net.cost(kind, input: [1, Self.channels, 5, 6]).item())
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
            return try Self.build(.scale(builds == 1 ? "a" : "b"))
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
