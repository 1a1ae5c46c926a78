import Foundation
import Networks
@testable import Tensors
import XCTest

@testable import Search

/// Random spaces: the fast way (operators of several edges and arrows as one, an optimised plan) against the slow one (edge by edge, the graph as it
/// was written). `TRELLIS_FUZZ` sets the number of spaces.
final class FuzzTests: XCTestCase {
    private struct Draw {
        var generator: SplitMix64
        mutating func below(_ n: Int) -> Int { SplitMix64.below(n, using: &generator) }
        mutating func of<T>(_ list: [T]) -> T { list[below(list.count)] }
        mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    }

    /// Operators that scripts could write: one of a sequence of layers, one that looks at its whole batch, one with branches.
    private func registry() -> OperatorRegistry {
        let registry = OperatorRegistry()
        StandardOperators.add(to: registry)
        registry.add("sep_conv_7x7") { context in
            let c = context.channels
            return Sequential(named: [
                ("relu", Layer.relu()), ("depthwise", try Conv2d(c, c, kernel: (7, 7), padding: (3, 3), groups: c, bias: false)),
                ("pointwise", try Conv2d(c, c, kernel: (1, 1), bias: false)), ("bn", try context.norm()), ("tanh", Layer.activation(.tanh)),
            ])
        }
        registry.add("squeeze") { context in
            let conv = try Conv2d(context.channels, context.channels, kernel: (1, 1))
            let gate = Lambda("gate") { x, _ in try x * x.mean([0, 2, 3], keep: true).unary(.sigmoid) }
            return Sequential(named: [("conv", conv), ("gate", gate), ("bn", try context.norm())])
        }
        registry.add("two_branches") { context in
            let c = context.channels
            return Parallel([try Conv2d(c, c, kernel: (1, 1), bias: false), Layer.activation(.tanh)], join: .sum)
        }
        return registry
    }

    private func space(_ draw: inout Draw) throws -> TrellisSpace {
        var catalogue = OperatorCatalogue.standard
        for name in ["sep_conv_7x7", "squeeze", "two_branches"] {
            try catalogue.add(name, cost: CustomCost { _ in Cost(parameters: 0, multiplyAdds: 0, activations: 0) })
        }
        let all = StandardOperator.allCases.map(\.rawValue) + ["sep_conv_7x7", "squeeze", "two_branches"]
        var operators = all.filter { _ in draw.chance(35) }
        if !operators.contains(where: { $0 != "none" }) { operators.append("sep_conv_3x3") }
        var options = SpaceOptions()
        options.stem = draw.of([.two, .three])
        options.down = draw.of([.conv, .bilinear])
        options.operatorSets = draw.chance(75) ? .node : .arrow
        options.affine = draw.chance(30)
        options.initialDeviation = 1
        options.headReach = draw.of([8, 96])
        let strides = draw.of([[4, 8, 16, 32], [4, 8], [8, 16, 32], [2, 4, 8], [4]])
        let seed = draw.generator.next()
        let mask = draw.chance(50) ? { _, _, _ in true } : randomMask(seed: seed, percent: 75)
        let cell = try CellSpace(blocks: 1 + draw.below(4), operators: operators, catalogue: catalogue)
        return try TrellisSpace(
            layers: 1 + draw.below(4), strides: strides, filters: draw.of([1, 2, 3, 4]), cell: cell, options: options,
            arrows: { try SplitMixMask.admits(mask, $0, $1, $2) })
    }

    private enum SplitMixMask {
        /// The finest stride stays connected, so that a path is left.
        static func admits(_ mask: (Int, Int, Int) -> Bool, _ layer: Int, _ from: Int, _ to: Int) throws -> Bool { from == to || mask(layer, from, to) }
    }

    private struct Outcome {
        var values: [(name: String, numbers: [Float])] = []
    }

    /// A weight step and an architecture step: losses, gradients, and what they leave behind.
    private func run(_ space: TrellisSpace, _ images: Tensor, _ labels: Tensor, _ level: Recomputation = .cheap) throws -> Outcome {
        let net = try Supernet(space, classes: 3, seed: 5, registry: registry())
        net.recompute = level
        let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.01, weightDecay: 3e-4, momentum: 0.9)], clip: 1)
        let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 3e-3)])
        var outcome = Outcome()
        outcome.values.append(("architecture loss", try net.gradients(adam, [images, labels]).floats()))
        for (name, tensor) in net.architecture() { outcome.values.append(("gradient of " + name, try tensor.grad?.floats() ?? [])) }
        outcome.values.append(("loss", try net.gradients(sgd, [images, labels]).floats()))
        for (name, tensor) in net.weights() { outcome.values.append(("gradient of " + name, try tensor.grad?.floats() ?? [])) }
        try net.step(sgd, [images, labels])
        for (name, tensor) in net.state() { outcome.values.append((name + " after a step", try tensor.contiguous().floats())) }
        outcome.values.append(("scores by running statistics", try net.scores(images, training: false).floats()))
        return outcome
    }

    /// Two samples at least: of one sample the mean of a normalised plane is zero, and a head's ReLU of it would see rounding alone.
    ///
    /// Gradients pass through batch norms over a few values, which amplify rounding, so each is measured against the larger of its own and a
    /// hundredth of the largest gradient.
    private func compare(_ found: Outcome, _ expected: Outcome, _ text: String) {
        XCTAssertEqual(found.values.map(\.name), expected.values.map(\.name), text)
        func largest(_ numbers: [Float]) -> Float { numbers.map(abs).max() ?? 0 }
        let top = expected.values.filter { $0.name.hasPrefix("gradient") }.map { largest($0.numbers) }.max() ?? 0
        for ((name, a), (_, b)) in zip(found.values, expected.values) {
            XCTAssertEqual(a.count, b.count, "\(text): \(name)")
            let scale = max(largest(b), name.hasPrefix("gradient") ? top / 100 : 1e-3)
            let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
            XCTAssertLessThanOrEqual(worst, 2e-2 * scale, "\(text): \(name)")
        }
    }

    func testRandomSpaces() throws {
        let rounds = ProcessInfo.processInfo.environment["TRELLIS_FUZZ"].flatMap(Int.init) ?? 6
        for round in 0..<rounds {
            var draw = Draw(generator: SplitMix64(seed: 77 + UInt64(round)))
            let space = try space(&draw)
            let (height, width, batch) = (17 + draw.below(50), 17 + draw.below(50), 2 + draw.below(2))
            let images = try Tensor.random(.normal(mean: 0, deviation: 1), [batch, 3, height, width], from: RandomState(seed: UInt64(round)))
            let labels = try Tensor(ints: (0..<batch * height * width).map { $0 % 11 == 0 ? 255 : Int32($0 / 5 % 3) }, shape: [batch, height, width])
            let text = "round \(round): \(space.layers) layers, strides \(space.strides), \(space.filters) filters, \(space.cell.blocks) blocks of "
                + "\(space.cell.operators.joined(separator: " ")), \(space.options.operatorSets), affine \(space.options.affine), "
                + "\(space.options.down), \(batch)x\(height)x\(width)"
            let optimises = Plan.optimises
            defer { (Plan.optimises, Batching.isOn, SliceFusion.use) = (optimises, true, .whereTheyPay) }
            Plan.optimises = false
            let slow = try run(space, images, labels)
            (Plan.optimises, Batching.isOn) = (true, false)
            compare(try run(space, images, labels), slow, "plan, edge by edge, " + text)
            Batching.isOn = true
            SliceFusion.use = .wherePossible
            for level in Recomputation.allCases { compare(try run(space, images, labels, level), slow, "plan, \(level) recomputed, " + text) }
        }
    }
}
