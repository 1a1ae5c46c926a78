import Kernels
import Tensors
import XCTest

@testable import Networks

/// Regions of recordings (`Tensor.when`): random nested sums of weighted operators, as plans that compute only what is open, against the sum that computes
/// everything.
final class RegionTests: XCTestCase {
    private struct Draw {
        var state: UInt64
        mutating func below(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
    }

    /// A weighted sum of operators of one input, some of which hold another such sum.
    private final class Mix: Module {
        let places: [Int]
        let operators: [Module]
        let inner: [Mix?]
        let world: World

        init(_ world: World, depth: Int, _ draw: inout Draw) throws {
            self.world = world
            var places: [Int] = [], operators: [Module] = [], inner: [Mix?] = []
            for _ in 0..<2 + draw.below(3) {
                places.append(world.count)
                world.count += 1
                operators.append(try Self.operation(draw.below(7)))
                inner.append(depth > 0 && draw.below(3) == 0 ? try Mix(world, depth: depth - 1, &draw) : nil)
            }
            (self.places, self.operators, self.inner) = (places, operators, inner)
        }

        static func operation(_ kind: Int) throws -> Module {
            let c = 4
            switch kind {
            case 0: return Sequential([Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), try BatchNorm(c, affine: false)])
            case 1:
                return Sequential([
                    Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), groups: c, bias: false), try Conv2d(c, c, kernel: (1, 1), bias: false),
                    try BatchNorm(c, affine: false),
                ])
            case 2: return Sequential([Layer.maxPool2d(PoolOptions(kernel: (3, 3), stride: (1, 1), padding: (1, 1))), try BatchNorm(c)])
            case 3: return try Conv2d(c, c, kernel: (1, 1))
            case 4: return Lambda("tanh") { x, _ in try x.unary(.tanh) }
            case 5: return Sequential([try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), Layer.relu()])
            default: return Lambda("identity") { x, _ in x }
            }
        }

        override var children: [(name: String, module: Module)] {
            operators.enumerated().map { ("op\($0)", $1) } + inner.enumerated().compactMap { i, mix in mix.map { ("mix\(i)", $0) } }
        }

        override func forward(_ x: Tensor) throws -> Tensor {
            var total: Tensor?
            for (i, place) in places.enumerated() {
                let body = { [self] in
                    let y = try located("op\(i)") { try operators[i](x) }
                    return try inner[i].map { mix in try located("mix\(i)") { try mix(y) } } ?? y
                }
                let weight = try world.weights().narrow(0, place, 1)
                let term = world.isGuarded ? try Tensor.when(weight, body) : try body() * weight.reshape([])
                total = try total.map { try $0 + term } ?? term
            }
            return try XCTUnwrap(total)
        }
    }

    private final class World {
        var count = 0
        var isGuarded = true
        /// 0 where closed.
        var gates: Tensor?
        var logits: Tensor?
        func weights() throws -> Tensor { try XCTUnwrap(logits).unary(.sigmoid) * XCTUnwrap(gates) }
    }

    private struct Outcome {
        var loss: [Float]
        var gradients: [(name: String, numbers: [Float])]
        var logits: [Float]
        var statistics: [(name: String, numbers: [Float])]
    }

    /// A network of two sums and a head, and what a step leaves.
    private final class Net {
        let world = World()
        let first, second: Mix
        let head: Conv2d
        let x: Tensor
        lazy var step = Compiled { [unowned self] inputs in
            for (_, tensor) in try named() { tensor.clearGradient() }
            let h = try first.computing { try located("first") { try first(inputs[0]) } }
            let y = try located("second") { try second(h) }
            let loss = try (head(y) + h).unary(.square).mean()
            try loss.backward()
            return [loss]
        }

        init(seed: UInt64) throws {
            var draw = Draw(state: seed)
            RandomStreams.start(seed: seed)
            (first, second) = (try Mix(world, depth: 2, &draw), try Mix(world, depth: 1, &draw))
            head = try Conv2d(4, 4, kernel: (1, 1))
            world.logits = try Tensor.random(.normal(mean: 0, deviation: 1), [world.count], from: RandomState(seed: seed + 1)).requireGrad()
            world.gates = try Tensor.ones([world.count])
            x = try Tensor.random(.normal(mean: 0, deviation: 1), [2, 4, 7, 9], from: RandomState(seed: seed + 2))
        }

        func named() throws -> [Module.Named] {
            first.parameters(prefix: "first.") + second.parameters(prefix: "second.") + head.parameters(prefix: "head.") + [("logits", try XCTUnwrap(world.logits))]
        }

        var buffers: [Module.Named] { first.buffers(prefix: "first.") + second.buffers(prefix: "second.") }

        func open(_ seed: UInt64) throws {
            var draw = Draw(state: seed)
            let gates = try Tensor((0..<world.count).map { _ in draw.below(2) == 0 ? 0 : 1 }, shape: [world.count])
            try XCTUnwrap(world.gates).assign(gates)
        }

        func run() throws -> Outcome {
            for (_, buffer) in buffers { try buffer.assign(Tensor.full(buffer.shape, 0.5)) }
            let loss = try step([x])[0].floats()
            return Outcome(
                loss: loss, gradients: try named().dropLast().map { ($0.name, try $0.tensor.grad?.floats() ?? []) },
                logits: try XCTUnwrap(world.logits?.grad).floats(), statistics: try buffers.map { ($0.name, try $0.tensor.floats()) })
        }
    }

    private func assertClose(_ a: [Float], _ b: [Float], _ what: @autoclosure () -> String, file: StaticString = #filePath, line: UInt = #line) {
        XCTAssertEqual(a.count, b.count, what(), file: file, line: line)
        let scale = max(1e-3, b.map(abs).max() ?? 0)
        for (x, y) in zip(a, b) where !(abs(x - y) <= 2e-4 * scale) { return XCTFail("\(what()): \(x) instead of \(y)", file: file, line: line) }
    }

    /// Whether a module's weight, and those of all regions around it, are open.
    private func isOpen(_ path: String, _ net: Net) throws -> Bool {
        let gates = try XCTUnwrap(net.world.gates).floats()
        var parts = path.split(separator: ".").map(String.init)
        guard let root = parts.first, root != "head" else { return true }
        var mix = root == "first" ? net.first : net.second
        parts.removeFirst()
        while let part = parts.first {
            guard let i = Int(part.drop { !$0.isNumber }) else { return true }
            if gates[mix.places[i]] == 0 { return false }
            guard part.hasPrefix("mix"), let next = mix.inner[i] else { return true }
            mix = next
            parts.removeFirst()
        }
        return true
    }

    private func logitIsOpen(_ mix: Mix, _ net: Net, _ outer: Bool, _ open: inout [Int: Bool]) throws {
        let gates = try XCTUnwrap(net.world.gates).floats()
        for (i, place) in mix.places.enumerated() {
            open[place] = outer && gates[place] != 0
            if let inner = mix.inner[i] { try logitIsOpen(inner, net, outer && gates[place] != 0, &open) }
        }
    }

    func testRegionsAreTheSumOfWhatIsOpen() throws {
        for seed in 1...UInt64(24) {
            let net = try Net(seed: seed)
            for round in 0..<4 {
                try net.open(seed * 100 + UInt64(round))
                net.world.isGuarded = true
                net.step.recomputation = Recomputation.allCases[round % 3]
                let guarded = try net.run()
                let all = try Net(seed: seed)
                try all.open(seed * 100 + UInt64(round))
                all.world.isGuarded = false
                let plain = try all.run()
                let name = "seed \(seed), round \(round)"
                assertClose(guarded.loss, plain.loss, name)
                for (a, b) in zip(guarded.gradients, plain.gradients) {
                    XCTAssertEqual(a.name, b.name)
                    assertClose(a.numbers, try isOpen(a.name, net) ? b.numbers : b.numbers.map { _ in 0 }, "\(name): gradient of \(a.name)")
                }
                for (a, b) in zip(guarded.statistics, plain.statistics) {
                    assertClose(a.numbers, try isOpen(a.name, net) ? b.numbers : b.numbers.map { _ in 0.5 }, "\(name): \(a.name)")
                }
                var open: [Int: Bool] = [:]
                for mix in [net.first, net.second] { try logitIsOpen(mix, net, true, &open) }
                assertClose(guarded.logits, plain.logits.enumerated().map { open[$0] == true ? $1 : 0 }, "\(name): logits")
            }
            XCTAssertEqual(net.step.recordingCount, 3, "one recording for each level of recomputation, whatever is open")
        }
    }

    func testPlansWithoutPassesAgree() throws {
        defer { Plan.optimises = true }
        for seed in 20...UInt64(31) {
            let (fast, slow) = (try Net(seed: seed), try Net(seed: seed))
            for round in 0..<3 {
                for net in [fast, slow] { try net.open(seed * 100 + UInt64(round)) }
                Plan.optimises = true
                let a = try fast.run()
                Plan.optimises = false
                let b = try slow.run()
                assertClose(a.loss, b.loss, "seed \(seed)")
                for (x, y) in zip(a.gradients + a.statistics, b.gradients + b.statistics) { assertClose(x.numbers, y.numbers, "seed \(seed): \(x.name)") }
                assertClose(a.logits, b.logits, "seed \(seed): logits")
            }
        }
    }

    func testAnyNumberOfThreads() throws {
        let before = ThreadPool.threads
        defer { ThreadPool.threads = before }
        let outcomes = try [1, 2].map { threads in
            ThreadPool.threads = threads
            let net = try Net(seed: 31)
            try net.open(7)
            return try net.run()
        }
        XCTAssertEqual(outcomes[0].loss, outcomes[1].loss)
        for (a, b) in zip(outcomes[0].gradients, outcomes[1].gradients) { XCTAssertEqual(a.numbers, b.numbers, a.name) }
    }

    func testAtOnceAsInAPlan() throws {
        let net = try Net(seed: 40)
        try net.open(3)
        let h = try net.first(net.x)
        let loss = try (net.head(net.second(h)) + h).unary(.square).mean()
        for (_, buffer) in net.buffers { try buffer.assign(Tensor.full(buffer.shape, 0.5)) }
        assertClose(try net.run().loss, try loss.floats(), "loss")
    }

    func testAValueIsReadOutsideOnlyThroughTheResult() throws {
        let gate = try Tensor.ones([1])
        let leaking = Compiled { inputs in
            var inner: Tensor?
            let y = try Tensor.when(gate) {
                inner = try inputs[0].unary(.exp)
                return try inner.map { try $0 + $0 } ?? inputs[0]
            }
            return [try y + XCTUnwrap(inner)]
        }
        XCTAssertThrowsError(try leaking([Tensor.ones([2])])) { XCTAssertTrue("\($0)".contains("inside of a region"), "\($0)") }
    }

    func testEqualOperationsOfTwoRegionsAreComputedWhereEitherIsOpen() throws {
        let gates = try Tensor.zeros([2])
        let f = Compiled { inputs in
            let terms = try (0..<2).map { i in try Tensor.when(gates.narrow(0, i, 1)) { try inputs[0].unary(.exp) * Tensor.scalar(Float(i + 1)) } }
            return [try terms[0] + terms[1]]
        }
        for (a, b) in [(0, 0), (1, 0), (0, 1), (1, 1)] as [(Float, Float)] {
            try gates.assign(Tensor([a, b], shape: [2]))
            XCTAssertEqual(try f([Tensor.zeros([3])])[0].floats(), [Float](repeating: a + 2 * b, count: 3))
        }
        XCTAssertEqual(f.recordingCount, 1)
    }
}
