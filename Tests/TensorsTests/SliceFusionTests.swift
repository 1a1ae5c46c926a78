import Kernels
import XCTest

@testable import Tensors

/// Chains that run image by image against the same plans without them.
final class SliceFusionTests: XCTestCase {
    override func tearDown() { SliceFusion.use = .whereTheyPay }

    private func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor {
        try Tensor.random(.normal(mean: 0, deviation: 1), shape, from: RandomState(seed: seed))
    }

    /// Separable convolutions of `edges` edges that leave a state of `channels` channels, as a search step has them: twice ReLU, depthwise, pointwise
    /// and norm, the last norm weighted and added to what is there.
    private final class Cell {
        let channels, edges, arrows, kernel, rate: Int
        let affine: Bool
        var parameters: [Tensor] = []

        init(channels: Int, edges: Int, arrows: Int, kernel: Int, rate: Int, affine: Bool) throws {
            (self.channels, self.edges, self.arrows, self.kernel, self.rate, self.affine) = (channels, edges, arrows, kernel, rate, affine)
            let wide = channels * edges
            func weight(_ shape: [Int]) throws {
                let seed = UInt64(parameters.count + 1)
                parameters.append(try (Tensor.random(.normal(mean: 0, deviation: 0.5), shape, from: RandomState(seed: seed))).requireGrad())
            }
            for _ in 0..<2 {
                try weight([wide, 1, kernel, kernel])
                try weight([wide, channels, 1, 1])
                if affine { for _ in 0..<2 { try weight([wide]) } }
            }
            try weight([wide])
        }

        /// - Parameter base: what is added to, [A·N, edges·C, H, W].
        func callAsFunction(_ x: Tensor, _ base: Tensor) throws -> Tensor {
            let wide = channels * edges, pad = rate * (kernel - 1) / 2
            var rest = parameters[...]
            var y = x
            for turn in 0..<2 {
                let depthwise = ConvOptions(padding: (pad, pad), dilation: (rate, rate), groups: wide, repeats: turn == 0 ? edges : 1)
                y = try y.unary(.relu).conv2d(rest.removeFirst(), depthwise).conv2d(rest.removeFirst(), ConvOptions(groups: edges))
                let gamma = affine ? rest.removeFirst() : nil, beta = affine ? rest.removeFirst() : nil
                y = try y.stackedNorm(groups: arrows, gamma: turn == 1 && !affine ? parameters[parameters.count - 1] : gamma, beta: beta)
            }
            return try base + y
        }
    }

    private struct Outcome: Equatable {
        var values: [[Float]]
        var kernels: [String]
    }

    private func run(
        _ cell: Cell, _ x: Tensor, _ base: Tensor, _ use: SliceFusion.Use, _ level: Recomputation = .cheap, times: Int = 1
    ) throws -> Outcome {
        SliceFusion.use = use
        for parameter in cell.parameters { parameter.grad = nil }
        let recording = Recording()
        let inputs = [recording.input(x.shape, .float32), recording.input(base.shape, .float32)]
        let scale = try random(base.shape, 99)
        let leaf = try Tensor.zeros(x.shape).requireGrad()
        leaf.grad = nil
        let outputs = try recording.record {
            var y = try cell(inputs[0] + leaf, inputs[1])
            for _ in 1..<times { y = try cell(y, inputs[1]) }
            let loss = try (y * y * scale).mean()
            try loss.backward()
            return [loss, y]
        }
        let plan = try Plan(recording, inputs: inputs, outputs: outputs, recomputation: level)
        // The second run adds to nothing: gradients are cleared.
        _ = try plan.run([x, base])
        for tensor in cell.parameters + [leaf] { tensor.grad = nil }
        let results = try plan.run([x, base]) + (cell.parameters + [leaf]).compactMap(\.grad)
        return Outcome(values: try results.map { try $0.floats() }, kernels: plan.summary.map(\.name))
    }

    private func check(_ found: Outcome, _ expected: Outcome, _ text: String) {
        XCTAssertEqual(found.values.count, expected.values.count, text)
        for (i, (a, b)) in zip(found.values, expected.values).enumerated() {
            XCTAssertEqual(a.count, b.count, "\(text): \(i)")
            let scale = b.reduce(1e-4) { max($0, abs($1)) }
            let worst = zip(a, b).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            XCTAssertLessThanOrEqual(worst, 2e-4 * scale, "\(text): result \(i)")
        }
    }

    func testCellsAreTheSame() throws {
        let shapes: [(channels: Int, edges: Int, arrows: Int, samples: Int, height: Int, width: Int, kernel: Int, rate: Int, affine: Bool)] = [
            (8, 3, 2, 2, 11, 13, 3, 1, false), (8, 5, 1, 2, 17, 10, 5, 1, true), (3, 2, 3, 2, 12, 12, 3, 2, false), (16, 1, 2, 1, 21, 21, 5, 2, true),
            (5, 4, 2, 3, 33, 15, 3, 1, false), (8, 2, 1, 4, 3, 2, 3, 1, false),
        ]
        for s in shapes {
            let cell = try Cell(channels: s.channels, edges: s.edges, arrows: s.arrows, kernel: s.kernel, rate: s.rate, affine: s.affine)
            let images = s.arrows * s.samples
            let x = try random([images, s.channels, s.height, s.width], 50), base = try random([images, s.channels * s.edges, s.height, s.width], 51)
            for level in Recomputation.allCases {
                let plain = try run(cell, x, base, .never, level), chained = try run(cell, x, base, .wherePossible, level)
                XCTAssertFalse(plain.kernels.contains { $0.contains("by image") })
                XCTAssertTrue(chained.kernels.contains { $0.contains("by image") }, "\(s) \(level)")
                check(chained, plain, "\(s) \(level)")
            }
        }
    }

    /// Forward the halves of the cells, the first with the moments for the second's norm. Backward likewise, with what is computed again, the sums and
    /// the norm's derivative.
    func testWhatOneLeavesForTheNextIsNoTensor() throws {
        let cell = try Cell(channels: 8, edges: 1, arrows: 2, kernel: 3, rate: 1, affine: false)
        let x = try random([4, 8, 24, 20], 50), base = try random([4, 8, 24, 20], 51)
        let chained = try run(cell, x, base, .whereTheyPay, times: 5)
        XCTAssertEqual(
            Set(chained.kernels.filter { $0.contains("by image") }),
            [
                "conv2d, stacked_moments (by image)", "stacked_norm, conv2d (by image)",
                "stacked_norm_input_gradient, conv2d_input_gradient, stacked_norm, conv2d, conv2d_weight_gradient, stacked_norm_sums (by image)",
                "stacked_norm_input_gradient, conv2d_input_gradient, conv2d, conv2d_weight_gradient, stacked_norm_sums (by image)",
                // The last cell, whose forward pass is not long past, and the first, which has none before it.
                "conv2d_input_gradient, conv2d_weight_gradient, stacked_norm_sums (by image)",
                "stacked_norm_input_gradient, conv2d_input_gradient, conv2d, conv2d_weight_gradient (by image)",
            ])
        check(chained, try run(cell, x, base, .never, times: 5), "five cells")
        let small = try run(cell, random([4, 8, 9, 11], 50), random([4, 8, 9, 11], 51), .whereTheyPay)
        XCTAssertFalse(small.kernels.contains { $0.contains("by image") }, "planes of 99 elements do not pay")
    }

    func testThreadsDoNotChangeBits() throws {
        let before = ThreadPool.threads
        defer { ThreadPool.threads = before }
        let cell = try Cell(channels: 8, edges: 3, arrows: 2, kernel: 5, rate: 1, affine: true)
        let x = try random([4, 8, 24, 20], 50), base = try random([4, 24, 24, 20], 51)
        let seen = try [1, 2, 3].map { threads in
            ThreadPool.threads = threads
            return try run(cell, x, base, .whereTheyPay).values.map { $0.map(\.bitPattern) }
        }
        XCTAssertEqual(seen[0], seen[1])
        XCTAssertEqual(seen[0], seen[2])
    }

    /// A chain must not reach over work that changes what it reads, nor keep from others what they read.
    func testWhatOthersReadStays() throws {
        let depthwise = try random([6, 1, 3, 3], 1).requireGrad(), pointwise = try random([6, 6, 1, 1], 2).requireGrad()
        let x = try random([2, 6, 12, 12], 3)
        var seen: [[[Float]]] = []
        for use in [SliceFusion.Use.never, .wherePossible] {
            SliceFusion.use = use
            let compiled = Compiled { inputs in
                let a = try inputs[0].conv2d(depthwise, ConvOptions(padding: (1, 1), groups: 6))
                let b = try a.conv2d(pointwise)
                let loss = try (b * a).mean()
                try loss.backward()
                return [loss, a, try b.conv2d(pointwise)]
            }
            for parameter in [depthwise, pointwise] { parameter.grad = nil }
            let results = try compiled([x])
            seen.append(try (results + [depthwise, pointwise].compactMap(\.grad)).map { try $0.floats() })
        }
        check(Outcome(values: seen[1], kernels: []), Outcome(values: seen[0], kernels: []), "")
    }
}
