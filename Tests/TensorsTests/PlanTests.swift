import Kernels
import XCTest

@testable import Tensors

/// Plans against the same function run at once, with and without the optimising passes.
final class PlanTests: XCTestCase {
    private func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor {
        try Tensor.random(.normal(mean: 0, deviation: 1), shape, from: RandomState(seed: seed))
    }

    private func compare(
        _ inputs: [Tensor], parameters: [Tensor] = [], tolerance: Float = 1e-5, _ body: @escaping ([Tensor]) throws -> [Tensor],
        file: StaticString = #filePath, line: UInt = #line
    ) throws {
        let eager = try body(inputs)
        let eagerGradients = parameters.map(\.grad)
        for optimises in [false, true] {
            let before = Plan.optimises
            Plan.optimises = optimises
            defer { Plan.optimises = before }
            let compiled = Compiled(body)
            for turn in 0..<3 {
                for parameter in parameters { parameter.grad = nil }
                let planned = try compiled(inputs)
                XCTAssertEqual(compiled.planCount, 1)
                for (a, b) in zip(eager, planned) { try close(a, b, tolerance, "output, optimised \(optimises), turn \(turn)", file, line) }
                for (a, b) in zip(eagerGradients, parameters.map(\.grad)) {
                    guard let a, let b else {
                        XCTFail("a gradient is missing", file: file, line: line)
                        continue
                    }
                    try close(a, b, tolerance, "gradient, optimised \(optimises), turn \(turn)", file, line)
                }
            }
        }
        for parameter in parameters { parameter.grad = nil }
    }

    private func close(_ a: Tensor, _ b: Tensor, _ tolerance: Float, _ what: String, _ file: StaticString, _ line: UInt) throws {
        XCTAssertEqual(a.shape, b.shape, file: file, line: line)
        let (x, y) = (try a.floats(), try b.floats())
        let scale = max(x.map(abs).max() ?? 0, 1e-6)
        for (u, v) in zip(x, y) where !(abs(u - v) <= tolerance * scale) {
            XCTFail("\(what): \(u) against \(v)", file: file, line: line)
            return
        }
    }

    func testElementwiseChains() throws {
        let x = try random([3, 4, 5], 1), y = try random([4, 1], 2)
        try compare([x, y]) { try [(($0[0] + $0[1]) * 2 - 1).unary(.tanh) * $0[0].unary(.relu), $0[0].sum([1])] }
        try compare([x]) { [try $0[0].binary(.gate, $0[0] * 3), $0[0], try $0[0].reshape([12, 5])] }
        try compare([x]) { [try ($0[0].permute([2, 0, 1]) + 1).unary(.exp), try $0[0].narrow(1, 1, 2) * 2] }
    }

    func testNetworkWithGradients() throws {
        let x = try random([2, 3, 9, 7], 1)
        let w1 = try random([4, 3, 3, 3], 2).requireGrad(), w2 = try random([4, 1, 3, 3], 3).requireGrad(), w3 = try random([4, 4, 1, 1], 4).requireGrad()
        let labels = try Tensor(ints: (0..<126).map { Int32($0 % 4) }, shape: [2, 9, 7])
        try compare([x, labels], parameters: [w1, w2, w3], tolerance: 2e-4) { inputs in
            let h = try inputs[0].conv2d(w1, ConvOptions(padding: (1, 1)))
            let r = try h.unary(.relu)
            let a = try r.conv2d(w2, ConvOptions(padding: (2, 2), dilation: (2, 2), groups: 4)).conv2d(w3).batchNorm()
            let b = try h.unary(.relu).conv2d(w3).batchNorm()
            let pools = try h.maxPool2d(PoolOptions(kernel: (3, 3), stride: (1, 1), padding: (1, 1)))
            let y = try a * 0.3 + b * Tensor.scalar(0.5) + pools + h
            let loss = try y.crossEntropy(inputs[1])
            try loss.backward()
            return [loss, y]
        }
    }

    func testMixtureWeightRidesOnTheNorm() throws {
        let x = try random([2, 3, 4, 4], 1)
        let alpha = try random([3], 2).requireGrad()
        let w = try random([3, 3, 1, 1], 3).requireGrad()
        try compare([x], parameters: [alpha, w], tolerance: 1e-4) { inputs in
            let weights = try alpha.softmax(0)
            let h = try inputs[0].conv2d(w)
            var total = try h.batchNorm() * weights.narrow(0, 0, 1).reshape([])
            total = try total + inputs[0].batchNorm() * weights.narrow(0, 1, 1).reshape([])
            total = try total + h * weights.narrow(0, 2, 1).reshape([])
            let loss = try total.unary(.square).mean()
            try loss.backward()
            return [loss]
        }
    }

    func testCommonSubexpressionsAreShared() throws {
        let recording = Recording()
        let x = recording.input([2, 2, 4, 4], .float32)
        let (a, b) = try recording.record { (try x.unary(.relu).unary(.exp), try x.unary(.relu).unary(.exp)) }
        XCTAssertTrue(a === b)
    }

    func testAssignmentsAndEffects() throws {
        let counter = try Tensor.zeros([1])
        let compiled = Compiled { inputs in
            try counter.assign(counter + inputs[0])
            return [try inputs[0] * 2]
        }
        for i in 1...3 {
            XCTAssertEqual(try compiled([Tensor([5])])[0].floats(), [10])
            XCTAssertEqual(try counter.floats(), [Float(5 * i)])
        }
    }

    func testValuesAreNotKnownWhileRecording() throws {
        let compiled = Compiled { [try Tensor([Float(try $0[0].sum().item())])] }
        XCTAssertThrowsError(try compiled([Tensor([1, 2])])) { XCTAssertTrue("\($0)".contains("being compiled"), "\($0)") }
        XCTAssertNil(Recording.current, "a failed recording is closed")
    }

    func testThreadsDoNotChangeBits() throws {
        let x = try random([2, 8, 33, 29], 1), w = try random([8, 8, 3, 3], 2).requireGrad()
        let labels = try Tensor(ints: (0..<2 * 33 * 29).map { Int32($0 % 8) }, shape: [2, 33, 29])
        let compiled = Compiled { inputs in
            let loss = try inputs[0].conv2d(w, ConvOptions(padding: (1, 1))).batchNorm().crossEntropy(inputs[1])
            try loss.backward()
            return [loss]
        }
        let before = ThreadPool.threads
        defer { ThreadPool.threads = before }
        var seen: [[Float]] = []
        for threads in [1, 2, 3] {
            ThreadPool.threads = threads
            w.grad = nil
            let loss = try compiled([x, labels])[0].floats()
            seen.append(try loss + (w.grad?.floats() ?? []))
        }
        XCTAssertEqual(seen[0], seen[1])
        XCTAssertEqual(seen[0], seen[2])
    }

    func testModulePatterns() {
        let path = "cells.3.block.2.1.sep_conv_3x3.depthwise1"
        XCTAssertEqual(ModulePattern.cut(path, depth: 3, merge: true), "cells.*.block.*.*.sep_conv_3x3")
        XCTAssertEqual(ModulePattern.cut(path, depth: 1, merge: false), "cells.3")
        XCTAssertEqual(ModulePattern.cut(path, depth: 0, merge: false), path)
        XCTAssertEqual(ModulePattern.cut("1.2", depth: 1, merge: true), "*.*")
        XCTAssertEqual(ModulePattern.cut("stem.1", depth: 5, merge: false), "stem.1")
        XCTAssertEqual(ModulePattern.common(["stem.1.conv", "", "stem.1.bn"]), "stem.1")
        XCTAssertEqual(ModulePattern.common(["stem.1", "stem.1.bn"]), "stem.1")
        XCTAssertEqual(ModulePattern.common(["stem.1", "stem.2"]), "stem")
        XCTAssertEqual(ModulePattern.common(["a", "b"]), "")
        XCTAssertEqual(ModulePattern.common(["", ""]), "")
    }

    func testArenaReusesMemory() throws {
        let arena = Arena([
            .init(bytes: 1000, first: 0, last: 1), .init(bytes: 1000, first: 1, last: 2), .init(bytes: 900, first: 2, last: 3),
            .init(bytes: 64, first: 0, last: 9),
        ])
        XCTAssertEqual(arena.offsets[0], arena.offsets[2])
        XCTAssertNotEqual(arena.offsets[0], arena.offsets[1])
        XCTAssertLessThanOrEqual(arena.byteCount, 1024 * 2 + 64)
    }
}
