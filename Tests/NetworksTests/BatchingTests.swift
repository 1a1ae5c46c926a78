import Kernels
import XCTest

@testable import Networks
@testable import Tensors

/// Works that plans compute side by side (`Batching`), against plans without any pass: random cells as supernets have them, written edge by edge.
final class BatchingTests: XCTestCase {
    private struct Draw {
        var state: UInt64
        mutating func below(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
    }

    private static let channels = 4

    /// An operator of cells.
    private static func operation(_ kind: Int) throws -> Module {
        let c = channels
        switch kind {
        case 0: return Sequential([Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), try BatchNorm(c, affine: false)])
        case 1:
            return Sequential([
                Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), groups: c, bias: false), try Conv2d(c, c, kernel: (1, 1), bias: false),
                try BatchNorm(c), Layer.relu(), try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), groups: c, bias: false),
                try Conv2d(c, c, kernel: (1, 1), bias: false), try BatchNorm(c, affine: false),
            ])
        case 2: return Sequential([Layer.maxPool2d(PoolOptions(kernel: (3, 3), stride: (1, 1), padding: (1, 1))), try BatchNorm(c, affine: false)])
        case 3: return Lambda("identity") { x, _ in x }
        case 4: return Lambda("tanh") { x, _ in try x.unary(.tanh) }
        case 5: return try Conv2d(c, c, kernel: (1, 1))
        default: return Sequential([try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), Layer.relu()])
        }
    }

    /// Blocks, each a weighted sum of operators on all states before it.
    private final class Cell: Module {
        let operators: [[[Module]]]
        let logits: [Tensor]

        init(_ blocks: Int, _ kinds: [Int], _ seed: UInt64) throws {
            operators = try (0..<blocks).map { block in try (0..<block + 2).map { _ in try kinds.map(BatchingTests.operation) } }
            logits = try (0..<blocks).map { try Tensor.random(.normal(mean: 0, deviation: 1), [$0 + 2, kinds.count], from: RandomState(seed: seed + UInt64($0))).requireGrad() }
        }

        override var children: [(name: String, module: Module)] {
            operators.enumerated().flatMap { b, block in
                block.enumerated().flatMap { s, edge in edge.enumerated().map { ("op\(b)_\(s)_\($0)", $1) } }
            }
        }
        override var ownParameters: [Named] { logits.enumerated().map { ("logits\($0)", $1) } }

        func callAsFunction(_ first: Tensor, _ second: Tensor) throws -> Tensor {
            var states = [first, second]
            for (block, edges) in operators.enumerated() {
                let weights = try logits[block].softmax(1)
                var total: Tensor?
                for (s, edge) in edges.enumerated() {
                    for (k, module) in edge.enumerated() {
                        let term = try module(states[s]) * weights.slice(starts: [s, k], sizes: [1, 1]).reshape([])
                        total = try total.map { try $0 + term } ?? term
                    }
                }
                states.append(try XCTUnwrap(total))
            }
            return try Tensor.concat(Array(states.dropFirst(2)), 1)
        }
    }

    /// A cell that serves several arrows, each with a projection, a weight and running statistics of its own.
    private final class Node: Module {
        let cell: Cell
        let back: Sequential
        let projections: [Sequential]
        let weights: Tensor
        let head: Conv2d
        /// Guards the arrows where there is one.
        let isGuarded: Bool

        init(arrows: Int, blocks: Int, kinds: [Int], isGuarded: Bool = false, _ seed: UInt64) throws {
            (RandomState.global.seed, RandomState.global.draws) = (seed, 0)
            let c = BatchingTests.channels
            func projection() throws -> Sequential { Sequential([Layer.relu(), try Conv2d(3, c, kernel: (1, 1), bias: false), try BatchNorm(c, affine: false)]) }
            cell = try Cell(blocks, kinds, seed)
            back = try projection()
            // Of different lengths.
            projections = try (0..<arrows).map { $0 == 1 ? Sequential([Layer.relu(), try projection()]) : try projection() }
            weights = try Tensor.random(.uniform(low: 0.2, high: 1), [arrows], from: RandomState(seed: seed + 100)).requireGrad()
            head = try Conv2d(c * blocks, 3, kernel: (1, 1))
            self.isGuarded = isGuarded
        }

        override var children: [(name: String, module: Module)] {
            [("cell", cell), ("back", back), ("head", head)] + projections.enumerated().map { ("in\($0)", $1) }
        }
        override var ownParameters: [Named] { [("weights", weights)] }

        override func forward(_ x: Tensor) throws -> Tensor {
            try BatchNorm.using(.own(alone: true)) {
                let first = try back(x)
                var total: Tensor?
                for (i, projection) in projections.enumerated() {
                    let weight = try weights.narrow(0, i, 1)
                    func body() throws -> Tensor { try BatchNorm.inBranch("arrow\(i)") { try cell(first, projection(x)) } }
                    let term = isGuarded ? try Tensor.when(weight, body) : try body() * weight.reshape([])
                    total = try total.map { try $0 + term } ?? term
                }
                return try head(XCTUnwrap(total)).unary(.square).mean()
            }
        }
    }

    private struct Outcome {
        let loss: Float
        let values: [String: [Float]]
        let plan: Plan
    }

    /// Two runs of a compiled step with a change of parameters in between, and what they leave.
    private func run(
        _ make: () throws -> Node, _ input: Tensor, optimise: Bool = true, batch: Bool = true, _ recomputation: Recomputation = .cheap,
        change: (Node) throws -> Void = { _ in }
    ) throws -> Outcome {
        let before = (Plan.optimises, Batching.isOn)
        (Plan.optimises, Batching.isOn) = (optimise, batch)
        defer { (Plan.optimises, Batching.isOn) = before }
        let node = try make()
        let compiled = Compiled { [node] inputs in
            for parameter in node.parameters() { parameter.tensor.clearGradient() }
            let loss = try node(inputs[0])
            try loss.backward()
            return [loss]
        }
        compiled.recomputation = recomputation
        _ = try compiled([input])
        try GradientMode.disabled { for (i, parameter) in node.parameters().enumerated() { try parameter.tensor.assign(parameter.tensor * (1 + 0.01 * Float(i % 7))) } }
        try change(node)
        let loss = try compiled([input])[0].item()
        var values: [String: [Float]] = [:]
        for (name, tensor) in node.parameters() { values["gradient of " + name] = try tensor.grad?.floats() ?? [] }
        for (name, tensor) in node.buffers() { values[name] = try tensor.floats() }
        return Outcome(loss: Float(loss), values: values, plan: try compiled.plan(for: [input]))
    }

    private func compare(_ a: Outcome, _ b: Outcome, tolerance: Float = 2e-4, _ what: String) {
        XCTAssertEqual(a.loss, b.loss, accuracy: tolerance * abs(b.loss), what)
        XCTAssertEqual(Set(a.values.keys), Set(b.values.keys), what)
        for (name, wanted) in b.values {
            let found = a.values[name] ?? []
            XCTAssertEqual(found.count, wanted.count, "\(what), \(name)")
            let scale = max(wanted.map(abs).max() ?? 0, 1e-3)
            if let i = found.indices.first(where: { !(abs(found[$0] - wanted[$0]) <= tolerance * scale) }) {
                XCTFail("\(what), \(name): \(found[i]) against \(wanted[i])")
            }
        }
    }

    private func image(_ shape: [Int], _ seed: UInt64) throws -> Tensor { try Tensor.random(.normal(mean: 0, deviation: 1), shape, from: RandomState(seed: seed)) }

    private func convolutions(_ plan: Plan) -> Int { plan.summary.filter { $0.name.contains("conv2d") }.reduce(0) { $0 + $1.count } }

    func testRandomCells() throws {
        var draw = Draw(state: 7)
        for turn in 0..<14 {
            let (arrows, blocks) = (1 + draw.below(3), 1 + draw.below(3))
            let kinds = (0..<1 + draw.below(4)).map { _ in draw.below(7) }
            let level = Recomputation.allCases[turn % 3]
            let make = { try Node(arrows: arrows, blocks: blocks, kinds: kinds, isGuarded: turn % 4 == 3, UInt64(turn)) }
            let x = try image([1 + draw.below(2), 3, 5 + draw.below(6), 5 + draw.below(6)], UInt64(turn))
            let what = "turn \(turn): \(arrows) arrows, \(blocks) blocks, operators \(kinds), \(level)"
            compare(try run(make, x, level), try run(make, x, optimise: false), what)
        }
    }

    /// Edges and arrows are one convolution for each of an operator's own and each state.
    func testEqualWorksAreOne() throws {
        let x = try image([2, 3, 9, 7], 1)
        let make = { try Node(arrows: 3, blocks: 3, kinds: [0, 1], 5) }
        let batched = try run(make, x), plain = try run(make, x, batch: false)
        compare(batched, plain, "batched against plain")
        // 9 edges, 5 convolutions each, 3 derivatives, 3 arrows but for the first state, against 4 states with one batch each.
        XCTAssertLessThan(convolutions(batched.plan) * 3, convolutions(plain.plan))
    }

    /// What adds terms up, multiplies them and puts them together is as many kernels for three arrows as for two, however many states a cell has: also of operators
    /// that compute nothing, whose products several edges make of one state.
    func testArrowsAddNoKernelsToSums() throws {
        let x = try image([2, 3, 9, 7], 1)
        func step(_ arrows: Int, batch: Bool = true) throws -> Outcome { try run({ try Node(arrows: arrows, blocks: 4, kinds: [0, 3], 5) }, x, batch: batch) }
        func sums(_ outcome: Outcome) -> [String: Int] {
            let names = ["add", "add (fused)", "mul", "mul (fused)", "concat", "stacked_norm (fused)"]
            return Dictionary(uniqueKeysWithValues: outcome.plan.summary.filter { names.contains($0.name) }.map { ($0.name, $0.count) })
        }
        let three = try step(3)
        XCTAssertEqual(sums(three), sums(try step(2)))
        compare(three, try step(3, batch: false), "batched against plain")
    }

    func testParametersThatAreFrozenBetweenRuns() throws {
        let x = try image([2, 3, 8, 8], 3)
        let make = { try Node(arrows: 2, blocks: 2, kinds: [0, 1, 2], 9) }
        func freeze(_ node: Node) throws {
            for (i, parameter) in node.cell.parameters().enumerated() where i % 3 == 1 {
                _ = try parameter.tensor.requireGrad(false)
                parameter.tensor.grad = nil
            }
        }
        compare(try run(make, x, change: freeze), try run(make, x, optimise: false, change: freeze), "frozen")
    }

    func testAnyNumberOfThreads() throws {
        let before = ThreadPool.threads
        defer { ThreadPool.threads = before }
        let x = try image([2, 3, 13, 11], 4)
        let outcomes = try [1, 2].map { threads in
            ThreadPool.threads = threads
            return try run({ try Node(arrows: 3, blocks: 2, kinds: [1, 0, 3], 2) }, x)
        }
        XCTAssertEqual(outcomes[0].loss, outcomes[1].loss)
        XCTAssertEqual(outcomes[0].values, outcomes[1].values)
    }

    /// What is differentiated by afterwards is what it was before.
    func testDerivativesByAMemberOfABatch() throws {
        let weights = try (0..<3).map { try image([4, 3, 3, 3], UInt64(20 + $0)).requireGrad() }
        let body: ([Tensor]) throws -> [Tensor] = { inputs in
            let parts = try weights.map { try inputs[0].conv2d($0, ConvOptions(padding: (1, 1))).unary(.relu) }
            let loss = try (parts[0] * 2 + parts[1] * 3 + parts[2]).unary(.square).mean()
            let by = try Gradient.compute(of: [loss], with: [weights[1]])[0]
            let inner = try Gradient.compute(of: [loss], with: [parts[1]])[0]
            return try [loss, XCTUnwrap(by), XCTUnwrap(inner)]
        }
        let x = try image([2, 3, 6, 5], 8)
        let wanted = try body([x])
        for (a, b) in zip(try Compiled(body)([x]), wanted) {
            for (u, v) in zip(try a.floats(), try b.floats()) { XCTAssertEqual(u, v, accuracy: 1e-4) }
        }
    }
}
