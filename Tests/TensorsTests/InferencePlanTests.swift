import Kernels
import XCTest

@testable import Tensors

/// Plans of networks in evaluation mode against the unoptimised graph.
final class InferencePlanTests: XCTestCase {
    private let noise = RandomState(seed: 7)

    private func random(_ shape: [Int], requireGrad: Bool = false) throws -> Tensor {
        let tensor = try Tensor.random(.normal(mean: 0, deviation: 1), shape, from: noise)
        return requireGrad ? try tensor.requireGrad() : tensor
    }

    /// A convolution with batch norm by stored statistics and whatever else was asked for, with tensors of its own.
    private struct Layer {
        let weight: Tensor
        let bias, gamma, beta: Tensor?
        let statistics: Tensor
        let options: ConvOptions
        var relu: Bool

        func callAsFunction(_ x: Tensor) throws -> Tensor {
            let y = try x.conv2d(weight, bias: bias, options).batchNorm(statistics: statistics, gamma: gamma, beta: beta, epsilon: 1e-3)
            return relu ? try y.unary(.relu) : y
        }
    }

    private func layer(
        _ inChannels: Int, _ outChannels: Int, kernel: Int, stride: Int = 1, rate: Int = 1, groups: Int = 1, bias: Bool = false, affine: Bool = true,
        relu: Bool = true
    ) throws -> Layer {
        let statistics = try random([2, outChannels])
        try statistics.assign(statistics.unary(.abs) + 0.5)
        let pad = rate * (kernel / 2)
        return Layer(
            weight: try random([outChannels, inChannels / groups, kernel, kernel], requireGrad: true), bias: bias ? try random([outChannels]) : nil,
            gamma: affine ? try random([outChannels], requireGrad: true) : nil, beta: affine ? try random([outChannels], requireGrad: true) : nil,
            statistics: statistics, options: ConvOptions(stride: (stride, stride), padding: (pad, pad), dilation: (rate, rate), groups: groups), relu: relu)
    }

    private func run(_ optimises: Bool, _ x: Tensor, _ body: @escaping (Tensor) throws -> [Tensor]) throws -> (values: [[Float]], names: [String: Int]) {
        let before = Plan.optimises
        Plan.optimises = optimises
        defer { Plan.optimises = before }
        return try GradientMode.disabled {
            let compiled = Compiled { try body($0[0]) }
            let outputs = try compiled([x])
            let plan = try compiled.plan(for: [x])
            return (try outputs.map { try $0.floats() }, Dictionary(uniqueKeysWithValues: plan.summary.map { ($0.name, $0.count) }))
        }
    }

    @discardableResult
    private func compare(
        _ x: Tensor, _ body: @escaping (Tensor) throws -> [Tensor], file: StaticString = #filePath, line: UInt = #line
    ) throws -> [String: Int] {
        let (oracle, _) = try run(false, x, body), (fast, names) = try run(true, x, body)
        for (a, b) in zip(oracle, fast) {
            let scale = max(a.map(abs).max() ?? 0, 1e-6)
            XCTAssertEqual(a.count, b.count, file: file, line: line)
            for (u, v) in zip(a, b) where !(abs(u - v) <= 1e-4 * scale) {
                XCTFail("\(v) where the unoptimised graph has \(u), largest \(scale)", file: file, line: line)
                return names
            }
        }
        return names
    }

    func testNormAndReLURideOnTheConvolution() throws {
        let layers = [
            try layer(3, 16, kernel: 3, stride: 2), try layer(16, 16, kernel: 3, groups: 16, bias: true), try layer(16, 24, kernel: 1, affine: false),
            try layer(24, 24, kernel: 5, rate: 2, groups: 4, relu: false), try layer(24, 70, kernel: 3, bias: true),
        ]
        let names = try compare(try random([2, 3, 37, 45])) { x in [try layers.reduce(x) { try $1($0) }] }
        XCTAssertEqual(names, ["conv2d (fused)": 5])
    }

    func testNormsThatStay() throws {
        // Of a pool; of a convolution that something else reads; by the batch's own statistics.
        let (a, b) = (try layer(4, 4, kernel: 3), try layer(4, 4, kernel: 1))
        let names = try compare(try random([1, 4, 12, 9])) { x in
            let pool = try x.averagePool2d(PoolOptions(kernel: (3, 3), stride: (1, 1), padding: (1, 1)), countPadding: false)
            let normed = try pool.batchNorm(statistics: a.statistics, gamma: a.gamma, beta: a.beta)
            let plain = try normed.conv2d(a.weight, a.options)
            return [try plain.batchNorm(statistics: a.statistics), plain, try b(x).conv2d(b.weight).batchNorm()]
        }
        XCTAssertEqual(names["batch_norm"], 3)
    }

    func testResidualsAndConcatenations() throws {
        let (a, b, c) = (try layer(8, 8, kernel: 3), try layer(8, 8, kernel: 3, relu: false), try layer(8, 8, kernel: 1, relu: false))
        let d = try layer(24, 8, kernel: 3, rate: 2)
        try compare(try random([2, 8, 15, 17])) { x in
            let sum = try (b(a(x)) + x).unary(.relu)
            let branches = try b(sum) + c(sum)
            let joined = try Tensor.concat([sum, branches, a(branches)], 1)
            return [try d(joined).resize(.bilinearAlignCorners, height: 29, width: 33), joined]
        }
    }

    func testRandomNetworks() throws {
        var generator = Noise(seed: 11)
        for _ in 0..<12 {
            var layers: [(kind: Int, first: Layer, second: Layer)] = []
            var channels = 4 + generator.below(8)
            let x = try random([1 + generator.below(2), channels, 9 + generator.below(20), 9 + generator.below(20)])
            for _ in 0..<5 {
                let next = [channels, 16, 33, 64][generator.below(4)], kind = generator.below(4)
                let kernel = [1, 3, 5][generator.below(3)], rate = 1 + generator.below(2)
                let stride = kind == 1 ? 1 : 1 + generator.below(2)
                let out = kind == 1 ? channels : next
                let first = try layer(
                    channels, out, kernel: kernel, stride: stride, rate: rate, bias: generator.below(2) == 0, affine: generator.below(3) > 0, relu: generator.below(2) == 0)
                let second = try layer(channels, out, kernel: 1, stride: stride, relu: generator.below(2) == 0)
                layers.append((kind, first, second))
                channels = kind == 2 ? 2 * out : out
            }
            let network = layers
            try compare(x) { x in
                [try network.reduce(x) { x, layer in
                    switch layer.kind {
                    case 0: try layer.first(x)
                    case 1: try (layer.first(x) + x).unary(.relu)
                    case 2: try Tensor.concat([layer.first(x), layer.second(x)], 1)
                    default: try layer.first(x.unary(.relu)) + layer.second(x)
                    }
                }]
            }
        }
    }

    private struct Noise {
        var state: UInt64
        init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }
        mutating func below(_ n: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33) % n
        }
    }

    func testThreadsDoNotChangeBits() throws {
        let layers = [try layer(8, 70, kernel: 3), try layer(70, 66, kernel: 3, rate: 2), try layer(66, 20, kernel: 1)]
        let x = try random([1, 8, 41, 57])
        let before = ThreadPool.threads
        defer { ThreadPool.threads = before }
        var seen: [[Float]] = []
        for threads in [1, 2, 3] {
            ThreadPool.threads = threads
            seen.append(try run(true, x) { x in [try layers.reduce(x) { try $1($0) }] }.values[0])
        }
        XCTAssertEqual(seen[0], seen[1])
        XCTAssertEqual(seen[0], seen[2])
    }

    /// What changes after the plan was made is seen by its next run.
    func testPlanFollowsParametersAndStatistics() throws {
        let one = try layer(6, 20, kernel: 3, bias: true)
        let x = try random([1, 6, 14, 13])
        try GradientMode.disabled {
            let compiled = Compiled { [try one($0[0])] }
            let first = try compiled([x])[0].floats()
            try one.statistics.assign(one.statistics * 2 + 0.25)
            if let gamma = one.gamma { try gamma.assign(gamma * -1.5) }
            try one.weight.assign(one.weight + 0.1)
            let second = try compiled([x])[0].floats(), eager = try one(x).floats()
            XCTAssertNotEqual(first, second)
            let scale = eager.map(abs).max() ?? 1
            for (u, v) in zip(second, eager) { XCTAssertEqual(u, v, accuracy: 1e-4 * scale) }
            XCTAssertEqual(compiled.planCount, 1)
        }
    }

    /// With derivatives nothing is folded: they need the convolution's own result.
    func testDerivativesThroughStoredStatistics() throws {
        let one = try layer(4, 20, kernel: 3)
        let x = try random([1, 4, 12, 13])
        var gradients: [[Float]] = []
        for optimises in [false, true] {
            let before = Plan.optimises
            Plan.optimises = optimises
            defer { Plan.optimises = before }
            one.weight.grad = nil
            one.gamma?.grad = nil
            let compiled = Compiled { inputs in
                let loss = try one(inputs[0]).unary(.square).mean()
                try loss.backward()
                return [loss]
            }
            _ = try compiled([x])
            gradients.append(try (one.weight.grad?.floats() ?? []) + (one.gamma?.grad?.floats() ?? []))
        }
        XCTAssertEqual(gradients[0].count, gradients[1].count)
        let scale = gradients[0].map(abs).max() ?? 1
        for (u, v) in zip(gradients[0], gradients[1]) { XCTAssertEqual(u, v, accuracy: 1e-4 * scale) }
    }
}
