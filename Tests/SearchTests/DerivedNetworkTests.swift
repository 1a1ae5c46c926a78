import Foundation
import Networks
import Tensors
import XCTest

@testable import Search

private let narrow = DerivedWidths(stem: 4, stemOutput: 6, aspp: 5, lowLevel: 3, decoder: 7)

private func options(_ filters: Int = 1, _ classes: Int = 3, dropPath: Double = 0) -> DerivedOptions {
    var options = DerivedOptions(filters: filters, classes: classes)
    options.widths = narrow
    options.dropPath = dropPath
    return options
}

private func worst(_ a: Tensor, _ b: Tensor) throws -> Double {
    XCTAssertEqual(a.shape, b.shape)
    return Double(try (a - b).unary(.abs).floats().max() ?? .infinity)
}

final class DerivedNetworkTests: XCTestCase {
    /// The published parameter counts, in the network itself.
    func testPublishedParameters() throws {
        for (filters, parameters) in [(20, 10_147_427), (32, 21_622_451), (48, 44_424_691)] {
            let network = try DerivedNetwork(Gallery.autoDeepLab, DerivedOptions(filters: filters, classes: 19), seed: 0)
            XCTAssertEqual(network.parameterCount, parameters)
        }
    }

    /// Scores of the network that PyTorch built; Tests/References/derived_golden.py wrote the file.
    func testAgainstPyTorch() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/derived.safetensors").path
        let (list, metadata) = try Tensor.load(file)
        let tensors = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.tensor) })
        for name in ["published", "hourglass"] {
            let path = try XCTUnwrap(metadata[name + ".path"]).split(separator: " ").compactMap { Int($0) }
            var architecture = Gallery.autoDeepLab
            architecture.path = path
            architecture.space.layers = path.count
            let network = try DerivedNetwork(architecture, options(), seed: 0)
            let prefix = name + ".param."
            try network.load(Dictionary(uniqueKeysWithValues: tensors.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) }))
            network.eval()
            let expected = try XCTUnwrap(tensors[name + ".scores"])
            let found = try GradientMode.disabled { try network(XCTUnwrap(tensors[name + ".images"])) }
            let scale = Double(try expected.unary(.abs).floats().max() ?? 0)
            XCTAssertGreaterThan(scale, 0.1)
            XCTAssertLessThan(try worst(found, expected) / scale, 1e-4, name)
        }
    }

    /// What the network has and does is what its estimate says, part by part: the gallery and random architectures of several spaces.
    func testEstimateIsExact() throws {
        var cases = Gallery.all
        let everything = OperatorCatalogue.standard.names
        for (i, strides) in [[4, 8, 16, 32], [4, 8], [2, 4, 8, 16, 32], [8, 16], [1, 2], [4, 8, 16]].enumerated() {
            for seed in 0..<3 {
                let cell = try CellSpace(blocks: 1 + (i + seed) % 4, operators: everything)
                cases.append(try TrellisSpace(layers: 2 + (3 * i + seed) % 5, strides: strides, filters: 2, cell: cell).randomArchitecture(seed: UInt64(7 * i + seed)))
            }
        }
        for (i, architecture) in cases.enumerated() {
            let network = try DerivedNetwork(architecture, options(2, 4), seed: 1)
            let (height, width) = (33 + 2 * i, 70 - i)
            let count = try network.count(input: [1, 3, height, width])
            let estimate = try architecture.estimate(filters: 2, classes: 4, height: height, width: width, widths: narrow)
            XCTAssertEqual(count.work?.shape, [1, 4, height, width])
            XCTAssertEqual(count.parts.map(\.name), estimate.parts.map(\.name))
            XCTAssertEqual(count.parts.map(\.parameters), estimate.parts.map(\.cost.parameters), "\(architecture)")
            XCTAssertEqual(count.parts.map(\.multiplyAdds), estimate.parts.map(\.cost.multiplyAdds), "\(architecture)")
            XCTAssertEqual(count.parameters, estimate.parameters)
            XCTAssertEqual(count.work?.multiplyAdds, estimate.multiplyAdds)
        }
    }

    /// Every design of the gallery: forward at an odd size, one backward step, every parameter reached.
    func testGalleryTrains() throws {
        for architecture in Gallery.all {
            let network = try DerivedNetwork(architecture, options(1, 3), seed: 2)
            let images = try Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, 35, 51], from: RandomState(seed: 3))
            let labels = try Tensor.full([2, 35, 51], int: 1)
            let loss = try network(images).crossEntropy(labels, ignore: 255)
            try loss.backward()
            XCTAssertTrue(try loss.item().isFinite)
            // A block without readers still reaches the output: all blocks are concatenated.
            for (name, tensor) in network.parameters() { XCTAssertNotNil(tensor.grad, "\(architecture.name ?? "").\(name)") }
            XCTAssertTrue(network.summary.contains("cells.12"))
        }
    }

    func testSeedDecidesWeights() throws {
        func first(_ seed: UInt64) throws -> [Float] {
            try XCTUnwrap(DerivedNetwork(Gallery.dartsV2, options(), seed: seed).parameters().first?.tensor).floats()
        }
        XCTAssertEqual(try first(4), try first(4))
        XCTAssertNotEqual(try first(4), try first(5))
    }

    func testRatesFollowTheLastStride() throws {
        for (architecture, rates) in [(Gallery.autoDeepLab, [12, 24, 36]), (Gallery.deepLabV3, [6, 12, 18]), (Gallery.convDeconv, [24, 48, 72])] {
            XCTAssertEqual(DerivedLayout(architecture, filters: 1, widths: narrow).rates, rates)
        }
    }

    func testErrors() throws {
        func location(_ architecture: Architecture = Gallery.autoDeepLab, _ change: (inout DerivedOptions) -> Void) -> String? {
            var changed = options()
            change(&changed)
            return spaceError { try DerivedNetwork(architecture, changed, seed: 0) }?.location
        }
        XCTAssertEqual(location { $0.classes = 1 }, "network.classes")
        XCTAssertEqual(location { $0.filters = 0 }, "network.filters")
        XCTAssertEqual(location { $0.widths.aspp = 0 }, "network.aspp")
        XCTAssertEqual(location { $0.dropPath = 1 }, "network.drop_path")
        XCTAssertEqual(location { $0.filters = 60_000 }, "network")
        var broken = Gallery.autoDeepLab
        broken.path[3] = 32
        XCTAssertEqual(location(broken) { _ in }, "path[4]")
        let network = try DerivedNetwork(Gallery.autoDeepLab, options(), seed: 0)
        XCTAssertThrowsError(try network(Tensor.zeros([1, 3, 31, 64]))) { XCTAssertTrue("\($0)".contains("32x32 or more"), "\($0)") }
        XCTAssertThrowsError(try network(Tensor.zeros([1, 1, 64, 64])))
    }
}

final class DropPathTests: XCTestCase {
    /// Keep probability of a path in cell i of n: 1 - share · i/n · probability.
    func testSchedule() throws {
        let network = try DerivedNetwork(Gallery.autoDeepLab, options(dropPath: 0.3), seed: 0)
        func keeps() -> [Double] {
            network.children[1].module.children.compactMap { ($0.module as? DerivedCell)?.dropPath.keepProbability }
        }
        try network.advance(to: 0)
        XCTAssertEqual(keeps(), [Double](repeating: 1, count: 12))
        try network.advance(to: 0.5)
        for (i, keep) in keeps().enumerated() { XCTAssertEqual(keep, 1 - 0.5 * Double(i + 1) / 12 * 0.3, accuracy: 1e-12) }
        network.dropPath = 0.6
        XCTAssertEqual(keeps()[11], 0.7, accuracy: 1e-12)
        XCTAssertEqual(keeps().count, 12)
    }

    /// Samples are kept or dropped whole, kept ones scaled; a compiled function follows the schedule; evaluation drops nothing.
    func testDropsSamplesInPlans() throws {
        let drop = try DropPath(0.75)
        let x = try Tensor.ones([4000, 2])
        let compiled = Compiled { [try drop($0[0])] }
        for (share, keep) in [(1.0, 0.25), (0.0, 1.0), (0.4, 0.7)] {
            try drop.advance(to: share)
            let values = try compiled([x])[0].floats()
            var kept = 0
            for sample in 0..<4000 {
                XCTAssertEqual(values[2 * sample], values[2 * sample + 1])
                guard values[2 * sample] != 0 else { continue }
                XCTAssertEqual(Double(values[2 * sample]), 1 / keep, accuracy: 1e-5)
                kept += 1
            }
            // Six standard deviations.
            XCTAssertEqual(Double(kept) / 4000, keep, accuracy: 6 * (keep * (1 - keep) / 4000).squareRoot() + 1e-9)
        }
        XCTAssertEqual(compiled.planCount, 1)
        drop.eval()
        XCTAssertEqual(try compiled([x])[0].floats().min(), 1)
        drop.train()
        drop.probability = 0
        XCTAssertEqual(try compiled([x])[0].floats().min(), 1)
        XCTAssertThrowsError(try DropPath(1))
    }

    func testNetworkDropsInTrainingOnly() throws {
        let images = try Tensor.random(.normal(mean: 0, deviation: 1), [1, 3, 40, 40], from: RandomState(seed: 3))
        let network = try DerivedNetwork(Gallery.autoDeepLab, options(dropPath: 0.9), seed: 0)
        func moves() throws -> Bool { try GradientMode.disabled { try worst(network(images), network(images)) > 0 } }
        network.eval()
        XCTAssertFalse(try moves())
        network.train()
        XCTAssertTrue(try moves())
        network.dropPath = 0
        XCTAssertFalse(try moves())
    }
}

final class InheritanceTests: XCTestCase {
    private func space(_ sets: SpaceOptions.OperatorSets = .node) throws -> TrellisSpace {
        var options = SpaceOptions()
        options.operatorSets = sets
        options.headWidth = narrow.aspp
        return try TrellisSpace(
            layers: 4, strides: [4, 8, 16], filters: 2, cell: CellSpace(blocks: 2, operators: ["skip_connect", "sep_conv_3x3", "atrous_conv_3x3"]), options: options)
    }

    /// The operators that the cell chose give the same output in both, batch norms by their running statistics.
    func testOperatorsGiveTheSame() throws {
        for sets in SpaceOptions.OperatorSets.allCases {
            let space = try space(sets)
            let supernet = try Supernet(space, classes: 3, seed: 1)
            let images = try Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, 32, 48], from: RandomState(seed: 3))
            // Moves the running statistics away from 0 and 1.
            _ = try supernet.scores(images)
            let architecture = Architecture(
                space: space.summary, path: [4, 8, 8, 4],
                cell: CellGenotype(blocks: [
                    CellBlock(CellBranch("sep_conv_3x3", 1), CellBranch("atrous_conv_3x3", 2)), CellBlock(CellBranch("skip_connect", 2), CellBranch("sep_conv_3x3", 3)),
                ]))
            var options = options(2, 3)
            options.batchNormEpsilon = space.options.batchNormEpsilon
            let network = try DerivedNetwork(architecture, options, seed: 9)
            let report = try network.takeWeights(from: supernet)
            let total = network.state().count
            XCTAssertGreaterThan(report.taken.count, total / 3)
            XCTAssertLessThan(report.taken.count, total)
            XCTAssertEqual(report.taken.count + report.missing.count + report.misfits.count, total)
            XCTAssertFalse(report.misfits.isEmpty)
            supernet.eval()
            network.eval()
            // Layer 3, stride 8, reached by the arrow that keeps the stride; layer 4, stride 4, by the one to the finer.
            for (layer, stride, arrow) in [(3, 8, "same"), (4, 4, "up")] {
                let channels = 2 * stride / 4
                let x = try Tensor.random(.normal(mean: 0, deviation: 1), [1, channels, 7, 5], from: RandomState(seed: 4))
                for (place, edge, name) in [("1.1", "1.1", "sep_conv_3x3"), ("1.2", "1.2", "atrous_conv_3x3"), ("2.2", "2.3", "sep_conv_3x3")] {
                    let set = sets == .node ? "block" : "block_" + arrow
                    let theirs = try XCTUnwrap(module(supernet, "nodes.\(layer).\(stride).\(set).\(edge).\(name)"))
                    let ours = try XCTUnwrap(module(network, "cells.\(layer).block.\(place).\(name)"))
                    let expected = try BatchNorm.inBranch(edge.hasSuffix(".1") ? "" : arrow) { try theirs(x) }
                    XCTAssertEqual(try worst(ours(x), expected), 0, "\(layer) \(name)")
                }
            }
        }
    }

    func testAnotherSpace() throws {
        let supernet = try Supernet(space(), classes: 3, seed: 1)
        let network = try DerivedNetwork(Gallery.dartsV2, options(), seed: 0)
        XCTAssertEqual(spaceError { try network.takeWeights(from: supernet) }?.location, "path")
    }

    private func module(_ root: Module, _ path: String) -> Module? {
        path.split(separator: ".").reduce(Optional(root)) { module, name in module?.children.first { $0.name == name }?.module }
    }
}

final class SizedOperatorTests: XCTestCase {
    private func registry(_ factory: @escaping OperatorRegistry.Factory) -> OperatorRegistry {
        let registry = OperatorRegistry()
        registry.add("mine", factory)
        return registry
    }

    func testOperatorThatIgnoresStrides() throws {
        let context = OperatorContext(channels: 3, stride: 2, affine: true)
        let ignoring = try registry { try Conv2d($0.channels, $0.channels, kernel: (3, 3), padding: (1, 1)) }.makeSized("mine", context)
        XCTAssertEqual(ignoring.children.map(\.name), ["resize", "operator"])
        XCTAssertEqual(try ignoring(Tensor.zeros([1, 3, 11, 8])).shape, [1, 3, 6, 4])
        let halving = try registry { try Conv2d($0.channels, $0.channels, kernel: (3, 3), stride: ($0.stride, $0.stride), padding: (1, 1)) }.makeSized("mine", context)
        XCTAssertEqual(halving.kind, "conv2d")
        let wrong = registry { try Conv2d($0.channels, $0.channels, kernel: (3, 3), stride: ($0.stride, $0.stride)) }
        XCTAssertEqual(spaceError { try wrong.makeSized("mine", context) }?.location, "operator 'mine' with stride 2")
    }

    /// `skip_connect` with a stride is ReLU, a strided 1x1 convolution and BN, as in the released code.
    func testSkipWithStride() throws {
        let skip = try OperatorRegistry.shared.makeSized("skip_connect", OperatorContext(channels: 3, stride: 2, affine: true))
        XCTAssertEqual(skip.parameterCount, 9 + 6)
        let cost = StandardOperator.skipConnect.cost(at: OperatorSite(channels: 3, height: 3, width: 2, affine: true, halving: (5, 4)))
        XCTAssertEqual([cost.parameters, cost.multiplyAdds], [15, 9 * 6])
    }
}
