import Foundation
import Networks
@testable import Tensors
import XCTest

@testable import Search

/// A supernet at one architecture (`Supernet.at`), against a supernet that has that path alone and computes everything in it.
final class OneArchitectureTests: XCTestCase {
    private struct Case {
        let name: String
        let space: TrellisSpace
        let architecture: Architecture
        let images, labels: Tensor
    }

    private func pick<T>(_ values: [T], _ generator: inout SplitMix64) -> T { values[SplitMix64.below(values.count, using: &generator)] }

    private func random(_ seed: UInt64) throws -> Case {
        var generator = SplitMix64(seed: seed)
        var options = SpaceOptions()
        options.stem = pick([.two, .three], &generator)
        options.down = pick([.conv, .bilinear], &generator)
        options.operatorSets = pick([.node, .arrow], &generator)
        options.affine = pick([true, false], &generator)
        options.headReach = pick([8, 96], &generator)
        let operators = ["none"] + StandardOperator.allCases.map(\.rawValue).filter { $0 != "none" && SplitMix64.below(3, using: &generator) == 0 } + ["skip_connect"]
        var names: [String] = []
        for name in operators where !names.contains(name) { names.append(name) }
        let strides = pick([[4, 8, 16], [4, 8], [2, 4, 8]], &generator)
        let space = try TrellisSpace(
            layers: pick([2, 3, 4], &generator), strides: strides, filters: 2, cell: CellSpace(blocks: pick([1, 2, 3], &generator), operators: names), options: options)
        return try make(space, space.randomArchitecture(using: &generator), seed, "seed \(seed): \(space.layers) layers, \(strides), \(names), \(options)")
    }

    private func make(_ space: TrellisSpace, _ architecture: Architecture, _ seed: UInt64, _ name: String) throws -> Case {
        let side = 2 * space.strides[space.strides.count - 1]
        let images = try Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, side + 1, side], from: RandomState(seed: seed))
        let labels = try Tensor(ints: (0..<2 * (side + 1) * side).map { Int32($0 * 7 / 5 % 3) }, shape: [2, side + 1, side])
        return Case(name: "\(name.prefix(60)) \(space.options.affine ? "affine" : "plain") \(space.options.operatorSets) \(space.options.down), path \(architecture.path), \(architecture.cell.blocks)", space: space, architecture: architecture, images: images, labels: labels)
    }

    /// Given weights that are multiplied by, 0 or not.
    private final class Factors: Relaxation {
        private let values: [Float]

        init(_ values: [Float]) throws {
            self.values = values
            try super.init("factors", isSparse: false)
        }

        override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { Weights(try Tensor(values, shape: decision.shape)) }
    }

    /// The softmax as weights that may be 0.
    private final class GuardedSoftmax: Relaxation {
        init() throws { try super.init("guarded", isSparse: true) }
        override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { try Softmax().weights(logits, of: decision) }
    }

    /// The weights of an architecture, written down by hand.
    private func weights(_ a: Architecture, _ space: TrellisSpace) throws -> Relaxations {
        let width = space.cell.operators.count
        let cells = try a.cell.blocks.enumerated().map { b, block -> (pattern: String, relaxation: Relaxation) in
            var rows = [Float](repeating: 0, count: (b + 2) * width)
            for branch in block.branches { rows[(branch.state - 1) * width + (space.cell.operators.firstIndex(of: branch.operation) ?? 0)] += 1 }
            return ("cell.\(b + 1)", try Factors(rows))
        }
        return try Relaxations(cells + [("paths", try Factors([Float](repeating: 1, count: space.arrows.count)))])
    }

    /// Only the path, with the weights and statistics of `net`; computes all operators and multiplies by 0 and 1.
    private func alone(_ test: Case, _ net: Supernet, momentum: Float? = nil) throws -> Supernet {
        let path = [test.space.strides[0]] + test.architecture.path
        var options = test.space.options
        if let momentum { options.batchNormMomentum = momentum }
        let space = try TrellisSpace(
            layers: test.space.layers, strides: test.space.strides, filters: test.space.filters, cell: test.space.cell, options: options
        ) { layer, from, to in path[layer - 1] == from && path[layer] == to }
        let given = try weights(test.architecture, space)
        let single = try Supernet(space, classes: 3, seed: 77, relax: given)
        let all = Dictionary(net.state(), uniquingKeysWith: { $1 })
        try GradientMode.disabled {
            for (name, tensor) in single.state() where name != "alpha" && name != "beta" { try tensor.assign(XCTUnwrap(all[name], name)) }
        }
        return single
    }

    /// Names of what is on, as prefixes, and whether each state of the path's cells is there.
    private func isOn(_ name: String, _ test: Case) -> Bool {
        let parts = name.split(separator: ".").map(String.init)
        if parts[0] == "stem" { return true }
        if parts[0] == "heads" { return parts[1] == "\(test.architecture.path.last ?? 0)" }
        guard parts[0] == "nodes", let layer = Int(parts[1]), test.architecture.path[layer - 1] == Int(parts[2]) else { return false }
        let strides = [test.space.strides[0]] + test.architecture.path
        let move = strides[layer] == strides[layer - 1] ? "same" : strides[layer] > strides[layer - 1] ? "down" : "up"
        let hasBack = layer >= 2 && strides[layer - 2] == strides[layer]
        if parts[3] == "input" { return parts[4] == move || parts[4] == "back" && hasBack && test.architecture.cell.branches.contains { $0.state == 1 } }
        if parts[3] != "block", parts[3] != "block_" + move { return false }
        // The statistics of another arrow.
        if let last = parts.last, ["up", "same", "down"].contains(last), last != move { return false }
        var there = [hasBack, true]
        for block in test.architecture.cell.blocks { there.append(block.branches.contains { there[$0.state - 1] }) }
        guard let block = Int(parts[4]), let state = Int(parts[5]) else { return false }
        return there[state - 1] && test.architecture.cell.blocks[block - 1].branches.contains { $0.state == state && $0.operation == parts[6] }
    }

    private func hasAbsentStates(_ test: Case) -> Bool {
        let strides = [test.space.strides[0]] + test.architecture.path
        return (1...test.space.layers).contains { layer in
            var there = [layer >= 2 && strides[layer - 2] == strides[layer], true]
            for block in test.architecture.cell.blocks { there.append(block.branches.contains { there[$0.state - 1] }) }
            return there.dropFirst().contains(false)
        }
    }

    private func sgd(_ net: Supernet) throws -> Optimiser {
        try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.025, weightDecay: 3e-4, momentum: 0.9)], clip: 5)
    }

    private func assertClose(_ a: [Float], _ b: [Float], _ what: @autoclosure () -> String, _ bound: Float = 1e-4, file: StaticString = #filePath, line: UInt = #line) {
        XCTAssertEqual(a.count, b.count, what(), file: file, line: line)
        let scale = max(1e-2, b.reduce(0) { max($0, abs($1)) })
        for (x, y) in zip(a, b) where !(abs(x - y) <= bound * scale) { return XCTFail("\(what()): \(x) instead of \(y)", file: file, line: line) }
    }

    private func check(_ test: Case, _ net: Supernet, _ optimiser: Optimiser) throws {
        let single = try alone(test, net)
        try net.at(test.architecture)
        let before = Dictionary(try net.state().map { ($0.name, try $0.tensor.floats()) }, uniquingKeysWith: { $1 })
        // By the batch's statistics; nothing moves.
        let scores = try net.scores(test.images, training: false).floats()
        for (name, tensor) in net.state() { XCTAssertEqual(try tensor.floats(), before[name], "\(test.name): scores moved \(name)") }
        let other = try sgd(single)
        let loss = try net.gradients(optimiser, [test.images, test.labels]).item(), expected = try single.gradients(other, [test.images, test.labels]).item()
        XCTAssertEqual(loss, expected, accuracy: 1e-4 * max(1, abs(expected)), test.name)
        let parameters = Dictionary(net.weights(), uniquingKeysWith: { $1 }), theirs = Dictionary(single.weights(), uniquingKeysWith: { $1 })
        for (name, tensor) in parameters {
            let gradient = try XCTUnwrap(tensor.grad, "\(test.name): \(name)").floats()
            if isOn(name, test) {
                // A mean that a batch norm has made 0 is rounding, and so is its ReLU's derivative.
                if name.hasSuffix("pool.bn.bias") || name.hasSuffix("pool.conv.weight") || name.hasSuffix("pool.bn.weight") { continue }
                assertClose(gradient, try XCTUnwrap(theirs[name]?.grad, "\(test.name): \(name)").floats(), "\(test.name): gradient of \(name)", 2e-3)
            } else {
                XCTAssertTrue(gradient.allSatisfy { $0 == 0 }, "\(test.name): \(name) is off")
            }
        }
        let statistics = Dictionary(single.buffers(), uniquingKeysWith: { $1 })
        for (name, tensor) in net.buffers() {
            let numbers = try tensor.floats()
            if isOn(name, test) {
                assertClose(numbers, try XCTUnwrap(statistics[name], "\(test.name): \(name)").floats(), "\(test.name): \(name)")
            } else {
                XCTAssertEqual(numbers, before[name], "\(test.name): \(name) is off")
            }
        }
        assertClose(scores, try single.scores(test.images, training: true).floats(), "\(test.name): scores")
        // A step leaves alone what is off.
        try net.step(optimiser, [test.images, test.labels])
        for (name, tensor) in parameters where !isOn(name, test) { XCTAssertEqual(try tensor.floats(), before[name], "\(test.name): \(name) moved") }
    }

    func testOneArchitectureIsTheNetworkOfItAlone() throws {
        for seed in 1...UInt64(10) {
            let test = try random(seed)
            // Norms with a shift make something of a state that is not there, in the network that has it.
            if test.space.options.affine, hasAbsentStates(test) { continue }
            let net = try Supernet(test.space, classes: 3, seed: seed)
            let optimiser = try sgd(net)
            let whole = try net.scores(test.images, training: false).floats()
            try check(test, net, optimiser)
            for i in 0..<2 as Range<UInt64> {
                let next = try make(test.space, test.space.randomArchitecture(seed: seed * 100 + i), seed + i, test.name)
                if test.space.options.affine, hasAbsentStates(next) { continue }
                try check(next, net, optimiser)
            }
            XCTAssertEqual(net.recordingCount, 3, "\(test.name): scores of all, and scores and a step of one")
            try net.at(nil)
            XCTAssertNil(net.assignment)
            let fresh = try Supernet(test.space, classes: 3, seed: 99)
            _ = try fresh.load(Dictionary(net.state(), uniquingKeysWith: { $1 }))
            XCTAssertEqual(try net.scores(test.images, training: false).floats(), try fresh.scores(test.images, training: false).floats(), test.name)
            XCTAssertNotEqual(try net.scores(test.images, training: false).floats(), whole)
            XCTAssertEqual(net.recordingCount, 3, test.name)
        }
    }

    func testPlansWithoutPassesAgree() throws {
        defer { Plan.optimises = true }
        for seed in 30...UInt64(36) {
            let test = try random(seed)
            func run() throws -> (loss: Float, gradients: [[Float]], scores: [Float]) {
                let net = try Supernet(test.space, classes: 3, seed: seed)
                try net.at(test.architecture)
                let optimiser = try sgd(net)
                let loss = try net.gradients(optimiser, [test.images, test.labels]).item()
                return (Float(loss), try net.weights().map { try XCTUnwrap($0.tensor.grad).floats() }, try net.scores(test.images, training: false).floats())
            }
            Plan.optimises = true
            let fast = try run()
            Plan.optimises = false
            let plain = try run()
            assertClose([fast.loss], [plain.loss], test.name)
            assertClose(fast.scores, plain.scores, test.name)
            for (a, b) in zip(fast.gradients, plain.gradients) { assertClose(a, b, test.name, 5e-3) }
        }
    }

    /// Weights that may be 0 and are not: the guarded computation of everything.
    func testSparseWeightsOfWhichNoneIsZero() throws {
        for seed in 50...UInt64(55) {
            let test = try random(seed)
            let guarded = try Relaxations([("*", try GuardedSoftmax())])
            let (dense, sparse) = (try Supernet(test.space, classes: 3, seed: seed), try Supernet(test.space, classes: 3, seed: seed, relax: guarded))
            for net in [dense, sparse] { try GradientMode.disabled { try net.alpha.assign(Tensor.random(.normal(mean: 0, deviation: 1), net.alpha.shape, from: RandomState(seed: seed))) } }
            var results: [[[Float]]] = []
            for net in [dense, sparse] {
                let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 3e-3)])
                var numbers = [try net.gradients(adam, [test.images, test.labels]).floats()]
                numbers += try net.architecture().map { try XCTUnwrap($0.tensor.grad).floats() }
                numbers += try net.buffers().map { try $0.tensor.floats() }
                numbers.append(try net.scores(test.images, training: false).floats())
                results.append(numbers)
            }
            for (a, b) in zip(results[1], results[0]) { assertClose(a, b, test.name, 3e-3) }
        }
    }

    func testAnOperatorThatIsChosenTwice() throws {
        let space = try TrellisSpace(layers: 2, strides: [4, 8], filters: 2, cell: CellSpace(blocks: 2, operators: ["none", "skip_connect", "sep_conv_3x3"]))
        let twice = CellBlock(CellBranch("sep_conv_3x3", 2), CellBranch("sep_conv_3x3", 2)), plain = CellBlock(CellBranch("skip_connect", 2), CellBranch("sep_conv_3x3", 3))
        let test = try make(space, Architecture(space: space.summary, path: [4, 8], cell: CellGenotype(blocks: [twice, plain])), 5, "twice")
        let net = try Supernet(space, classes: 3, seed: 3)
        try check(test, net, sgd(net))
    }

    func testRecalibration() throws {
        let test = try random(4)
        let net = try Supernet(test.space, classes: 3, seed: 4)
        XCTAssertThrowsError(try net.recalibrate { nil })
        try net.at(test.architecture)
        XCTAssertThrowsError(try net.recalibrate { nil })
        let batches = try (0..<3 as Range<UInt64>).map { try Tensor.random(.normal(mean: 0.3, deviation: 2), test.images.shape, from: RandomState(seed: 60 + $0)) }
        let before = try net.state().map { try $0.tensor.floats() }
        let byBatch = try net.scores(test.images, training: false).floats()
        func recalibrate() throws {
            var next = batches.makeIterator()
            try net.recalibrate { next.next() }
        }
        try recalibrate()
        let scores = try net.scores(test.images, training: false).floats()
        XCTAssertNotEqual(scores, byBatch)
        XCTAssertEqual(try net.state().map { try $0.tensor.floats() }, before)
        // The averages, by a network of this path alone whose running statistics are those of its last batch.
        let single = try alone(test, net, momentum: 1)
        var sums = single.buffers().map { [Float](repeating: 0, count: $0.tensor.count) }
        for batch in batches {
            _ = try single.scores(batch, training: true)
            for (i, (_, tensor)) in single.buffers().enumerated() { for (j, x) in try tensor.floats().enumerated() { sums[i][j] += x } }
        }
        try GradientMode.disabled {
            for (i, (_, tensor)) in single.buffers().enumerated() { try tensor.assign(Tensor(sums[i].map { $0 / Float(batches.count) }, shape: tensor.shape)) }
        }
        assertClose(scores, try single.scores(test.images, training: false).floats(), test.name)
        let count = net.recordingCount
        try net.at(test.architecture)
        XCTAssertEqual(try net.scores(test.images, training: false).floats(), byBatch, "until the next at")
        try recalibrate()
        XCTAssertEqual(try net.scores(test.images, training: false).floats(), scores)
        XCTAssertEqual(net.recordingCount, count)
    }

    func testFilesAreThoseOfTheWhole() throws {
        let test = try random(8)
        let path = NSTemporaryDirectory() + "one-architecture-\(getpid()).safetensors"
        defer { unlink(path) }
        let net = try Supernet(test.space, classes: 3, seed: 4)
        try net.at(test.architecture)
        try net.step(sgd(net), [test.images, test.labels])
        var given = [test.images].makeIterator()
        try net.recalibrate { given.next() }
        try net.save(to: path)
        let other = try Supernet(test.space, classes: 3, seed: 5)
        try other.load(path)
        XCTAssertEqual(try other.state().map { try $0.tensor.floats() }, try net.state().map { try $0.tensor.floats() })
        try other.at(test.architecture)
        try net.at(test.architecture)
        XCTAssertEqual(try other.scores(test.images, training: false).floats(), try net.scores(test.images, training: false).floats())
    }

    func testAnArchitectureOfAnotherSpaceIsAnErrorThatSaysWhatDiffers() throws {
        let cell = try CellSpace(blocks: 2, operators: ["none", "skip_connect", "sep_conv_3x3"])
        let space = try TrellisSpace(layers: 3, strides: [4, 8], filters: 2, cell: cell)
        let net = try Supernet(space, classes: 3, seed: 1)
        let masked = try TrellisSpace(layers: 3, strides: [4, 8], filters: 2, cell: cell) { layer, from, to in layer < 3 || to == 4 }
        let others: [(String, TrellisSpace, String)] = [
            ("path", try TrellisSpace(layers: 4, strides: [4, 8], filters: 2, cell: cell), "3 strides"),
            ("cell", try TrellisSpace(layers: 3, strides: [4, 8], filters: 2, cell: CellSpace(blocks: 3, operators: cell.operators)), "2 blocks"),
            ("operator", try TrellisSpace(layers: 3, strides: [4, 8], filters: 2, cell: CellSpace(blocks: 2, operators: ["max_pool_3x3"])), "max_pool_3x3"),
        ]
        try net.at(space.randomArchitecture(seed: 1))
        for (what, other, text) in others {
            let error = spaceError { try net.at(other.randomArchitecture(seed: 2)) }
            XCTAssertTrue("\(error.map { "\($0)" } ?? "")".contains(text), what)
            XCTAssertEqual(net.assignment, try space.assignment(of: space.randomArchitecture(seed: 1)))
        }
        let small = try Supernet(masked, classes: 3, seed: 1)
        let error = spaceError { try small.at(Architecture(space: space.summary, path: [4, 4, 8], cell: space.randomArchitecture(seed: 1).cell)) }
        XCTAssertTrue("\(error.map { "\($0)" } ?? "")".contains("which the mask cuts"))
    }
}
