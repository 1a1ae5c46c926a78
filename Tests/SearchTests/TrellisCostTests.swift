import Networks
import Tensors
import XCTest

@testable import Search

/// What a supernet of the stock trellis costs, expected and at an architecture.
final class TrellisCostTests: XCTestCase {
    private func space(_ operators: [String], layers: Int = 3, mask: (Int, Int, Int) -> Bool = { _, _, _ in true }) throws -> TrellisSpace {
        try TrellisSpace(layers: layers, strides: [4, 8, 16], filters: 2, cell: CellSpace(blocks: 2, operators: operators), arrows: mask)
    }

    private static let input = [1, 3, 32, 48]

    private func cost(_ net: Supernet, _ kind: CostKind = .multiplyAdds) throws -> Double { Double(try net.cost(kind, input: Self.input).item()) }

    /// Where there is one path and one operator, everything is sure, and the cost is the closed form's.
    func testASureSupernetCostsWhatItsEstimateSays() throws {
        for name in ["sep_conv_3x3", "atrous_conv_5x5", "max_pool_3x3"] {
            let path = [4, 8, 8, 4]
            let space = try space([name]) { layer, from, to in path[layer - 1] == from && path[layer] == to }
            let net = try Supernet(space, classes: 3, seed: 1)
            XCTAssertEqual(try cost(net), Double(try space.estimate(height: 32, width: 48, batch: 1, classes: 3).multiplyAdds), name)
            XCTAssertEqual(try cost(net, .parameters), Double(net.weights().reduce(0) { $0 + $1.tensor.count }), name)
        }
    }

    /// Σ over the paths of p · the cost with that path on: arrows, heads and two-back inputs go by what the path passes.
    func testExpectedCostIsTheMeanOverPaths() throws {
        let space = try space(["none", "skip_connect", "sep_conv_3x3"])
        let net = try Supernet(space, classes: 3, seed: 5)
        try GradientMode.disabled {
            for leaf in try [net.alpha, net.beta] { try leaf.assign(Tensor.random(.normal(mean: 0, deviation: 1), leaf.shape, from: RandomState(seed: 9))) }
        }
        let p = try net.probabilities("paths").floats().map(Double.init), alpha = try net.alpha.floats()
        let decisions = try space.decisionList(), paths = try XCTUnwrap(decisions["paths"])
        var mean = 0.0, total = 0.0, known: [Set<Int>: Double] = [:]
        for path in space.paths {
            let architecture = try Architecture(space: space.summary, path: path, cell: space.randomArchitecture(seed: 1).cell)
            guard case .path(let ids)? = try space.assignment(of: architecture)["paths"] else { return XCTFail() }
            let on = try Tensor((0..<paths.optionCount).map { ids.contains($0) ? 1 : 0 }, shape: paths.shape)
            let single = try Supernet(space, classes: 3, seed: 5, relax: Relaxations([("paths", Fixed(on))]))
            try GradientMode.disabled { try single.alpha.assign(Tensor(alpha, shape: single.alpha.shape)) }
            let weight = ids.reduce(1.0) { $0 * p[$1] }
            known[Set(ids)] = try cost(single)
            mean += weight * (known[Set(ids)] ?? 0)
            total += weight
        }
        XCTAssertEqual(total, 1, accuracy: 1e-6)
        XCTAssertEqual(try cost(net), mean, accuracy: 1e-5 * mean)
        XCTAssertGreaterThan(Set(known.values).count, 4)
    }

    /// At an architecture it is that of a supernet of its path alone with the same operators on.
    func testCostAtAnArchitecture() throws {
        let space = try space(["none", "skip_connect", "sep_conv_3x3"], layers: 4)
        let net = try Supernet(space, classes: 3, seed: 2)
        for seed in 1...3 as ClosedRange<UInt64> {
            let found = try space.randomArchitecture(seed: seed)
            try net.at(found)
            let path = [4] + found.path
            let alone = try self.space(["none", "skip_connect", "sep_conv_3x3"], layers: 4) { layer, from, to in path[layer - 1] == from && path[layer] == to }
            let assignment = try alone.assignment(of: found)
            let rules = try (1...2).map { block -> (pattern: String, relaxation: Relaxation) in
                let name = "cell.\(block)", decision = try XCTUnwrap(alone.decisionList()[name])
                let on = Set(assignment[name].map { decision.domain.options(of: $0) } ?? [])
                return (name, try Fixed(Tensor((0..<decision.optionCount).map { on.contains($0) ? 1 : 0 }, shape: decision.shape)))
            }
            let relaxed = try Supernet(alone, classes: 3, seed: 2, relax: Relaxations(rules))
            XCTAssertEqual(try cost(net), try cost(relaxed), "seed \(seed)")
            XCTAssertLessThan(try cost(net), Double(try alone.estimate(height: 32, width: 48, batch: 1, classes: 3).multiplyAdds), "seed \(seed)")
            XCTAssertEqual(try cost(net, .parameters), try cost(relaxed, .parameters), "seed \(seed)")
        }
    }

    /// The price of a search step has derivatives for alpha and beta.
    func testTheCostHasAHistory() throws {
        let net = try Supernet(space(["none", "skip_connect", "sep_conv_3x3"]), classes: 3, seed: 3)
        let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 0.1)])
        let images = try Tensor.random(.normal(mean: 0, deviation: 1), Self.input), labels = try Tensor.full([1, 32, 48], int: 1)
        let loss = Supernet.Loss(id: "cost") { net, inputs in
            let value = try net.loss(inputs[0], inputs[1])
            return try value * 0 + net.cost(.multiplyAdds, input: Self.input) * 1e-7
        }
        let before = try cost(net)
        for _ in 0..<10 { try net.step(adam, [images, labels], loss) }
        XCTAssertLessThan(try cost(net), 0.97 * before)
        XCTAssertEqual(net.recordingCount, 1)
    }
}
