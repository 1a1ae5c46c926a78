import Foundation
import Networks
import Tensors
import XCTest

@testable import Search

/// The supernet against the files of an independent implementation: scores, losses, every gradient, parameters after a step of each kind.
final class GoldenTests: XCTestCase {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("shared/golden")

    /// Largest difference over the largest absolute value of the expected tensor.
    private func error(_ found: Tensor?, _ expected: Tensor) throws -> Double {
        guard let found, found.shape == expected.shape || found.count == expected.count else { return .infinity }
        let scale = Double(try expected.unary(.abs).floats().max() ?? 0)
        let worst = Double(try (found.reshape(expected.shape) - expected).unary(.abs).floats().max() ?? 0)
        return worst / max(scale, 1e-12)
    }

    private func space(_ meta: [String: String]) throws -> (TrellisSpace, Int) {
        func number(_ key: String) -> Int { Int(meta[key] ?? "") ?? 0 }
        var options = SpaceOptions()
        options.stem = meta["stem"] == "three" ? .three : .two
        options.down = meta["down"] == "bilinear" ? .bilinear : .conv
        let atrous = meta["atrous"] == "separable" ? "dil_conv" : "atrous_conv"
        let names = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", atrous + "_3x3", atrous + "_5x5"]
        let cell = try CellSpace(blocks: number("blocks"), operators: names)
        return (try TrellisSpace(layers: number("layers"), filters: number("filters"), cell: cell, options: options), number("classes"))
    }

    /// Gradients pass through batch norms over as few as 2 and 8 values (the coarsest stride), which amplify the rounding of float32: computed by
    /// PyTorch itself the file's gradients move by 3.3e-3 of their largest value with channels last, by 6e-4 with one thread, and stand 1.4e-3
    /// from float64. So gradients get the bound that float32 allows, and all that does not pass through those layers backwards 1e-4.
    private static let gradientBound = 5e-3

    private func run(_ name: String, bound: Double = 1e-4) throws {
        let path = Self.folder.appendingPathComponent(name).path
        guard FileManager.default.fileExists(atPath: path) else { throw XCTSkip("no \(path)") }
        let (list, meta) = try Tensor.load(path)
        let file = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.tensor) })
        let (space, classes) = try space(meta)
        let net = try Supernet(space, classes: classes, seed: 1)
        let unused = Set((meta["unused"] ?? "").split(separator: " ").map(String.init))
        for (name, tensor) in net.parameters() {
            guard let value = file["param." + name] else {
                XCTFail("\(name) is not in the file")
                continue
            }
            try GradientMode.disabled { try tensor.assign(value) }
        }
        let known = Set(net.parameters().map(\.name))
        for name in file.keys where name.hasPrefix("param.") && !known.contains(String(name.dropFirst(6))) {
            XCTAssertTrue(unused.contains(String(name.dropFirst(6))), "\(name) has no place in the supernet")
        }
        guard let images = file["input.A.images"], let labels = file["input.A.labels"], let imagesB = file["input.B.images"], let labelsB = file["input.B.labels"]
        else { return XCTFail("inputs are missing") }
        var worst: [String: Double] = [:]
        func note(_ group: String, _ value: Double) { worst[group] = max(worst[group] ?? 0, value) }

        if let logits = file["logits.A"] { note("logits", try error(net.scores(images), logits)) }
        let weights = net.weights()
        let sgd = try Optimiser(.sgd, [ParameterGroup(weights, rate: 0.025, weightDecay: 3e-4, momentum: 0.9)], clip: 5)
        let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 3e-3, weightDecay: 1e-3)])
        if let loss = file["loss.A"] { note("loss", try error(net.gradients(adam, [images, labels]), loss)) }
        for (name, tensor) in net.architecture() { if let g = file["grad." + name] { note("architecture gradients", try error(tensor.grad, g)) } }
        let loss = try net.step(sgd, [images, labels])
        if let expected = file["loss.A"] { note("loss", try error(loss, expected)) }
        for (name, tensor) in weights { if let g = file["grad." + name] { note("weight gradients", try error(tensor.grad, g)) } }
        if let norm = file["grad_norm.A"] { note("gradient norm", abs(sgd.gradientNorm / (try norm.reshape([]).item()) - 1)) }
        for (name, tensor) in net.parameters() { if let value = file["after_weight_step." + name] { note("after weight step", try error(tensor, value)) } }
        let lossB = try net.step(adam, [imagesB, labelsB])
        if let expected = file["loss.B"] { note("loss B", try error(lossB, expected)) }
        for (name, tensor) in net.architecture() { if let value = file["after_arch_step." + name] { note("after architecture step", try error(tensor, value)) } }
        print(name, worst.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        for (group, value) in worst {
            let isGradient = group.contains("gradient") || group.contains("architecture") || group == "loss B"
            XCTAssertLessThan(value, isGradient ? Self.gradientBound : bound, "\(name): \(group)")
        }
        XCTAssertEqual(worst.count, 8)
    }

    func testDenseFile() throws { try run("search_l4_b2_f4_33.safetensors") }
    func testSeparableFile() throws { try run("search_l3_b3_f4_40x24_separable.safetensors") }
}
