import Foundation
import Kernels
import XCTest

@testable import Tensors

/// Every operation on tensors with empty dimensions: at once, backwards, and in plans with and without the optimising passes, all with one outcome.
final class EmptyTests: XCTestCase {
    private struct Sizes: CustomStringConvertible {
        var images = 2, channels = 4, height = 5, width = 6
        var description: String { "[\(images), \(channels), \(height), \(width)]" }
    }

    /// All ways to empty some of the dimensions, and none.
    private var all: [Sizes] {
        (0..<16).map { bits in
            var sizes = Sizes()
            if bits & 1 != 0 { sizes.images = 0 }
            if bits & 2 != 0 { sizes.channels = 0 }
            if bits & 4 != 0 { sizes.height = 0 }
            if bits & 8 != 0 { sizes.width = 0 }
            return sizes
        }
    }

    private func random(_ shape: Int...) throws -> Tensor {
        try Tensor.random(.uniform(low: 0.5, high: 1.5), shape, from: RandomState(seed: UInt64(shape.count)))
    }

    private func ints(_ shape: Int...) throws -> Tensor { try Tensor.full(shape, int: 0) }

    /// Each operation with inputs of these sizes. Derivatives get a gradient of the shape that their operation gives.
    private func operations(_ s: Sizes) throws -> [(Tensors.Operation, [Tensor])] {
        let (n, c, h, w) = (s.images, s.channels, s.height, s.width)
        let x = try random(n, c, h, w), y = try random(n, c, h, w), g = try random(n, c, h, w), channel = try random(c)
        let moments = try random(2, c), stacked = try random(2, 2, c), labels = try ints(n, h, w), column = try random(n, 1, h, 1)
        let conv = ConvOptions(padding: (1, 1)), depthwise = ConvOptions(padding: (1, 1), groups: max(c, 1)), point = ConvOptions()
        let pool = PoolOptions(kernel: (3, 3), stride: (2, 1), padding: (1, 1))
        let (ph, pw) = ((h + 2 - 3) / 2 + 1, w + 2 - 3 + 1)
        let norm = StackedNorm(groups: 2, repeats: 1, epsilon: 1e-5, batchStatistics: true, gamma: true, beta: true)
        let dense = try random(3, c, 3, 3), single = try random(c, 1, 3, 3), points = try random(3, c, 1, 1)
        let slice = (starts: [0, 0, 0, 0], sizes: [n, c / 2, h, w / 2], steps: [1, 2, 1, 1])
        var list: [(Tensors.Operation, [Tensor])] = []
        func add(_ operation: Tensors.Operation, _ inputs: Tensor...) { list.append((operation, inputs)) }
        add(.unary(.exp), x)
        add(.binary(.add), x, column)
        add(.binary(.pow), x, y)
        add(.scalar(.mul, 2, scalarFirst: false), x)
        add(.select, x, x, column)
        add(.cast(.int32), x)
        add(.cast(.float32), labels)
        add(.broadcast([3, n, c, h, w]), x)
        add(.reshape([n * c, h * w]), x)
        add(.permute([3, 1, 0, 2]), x)
        add(.slice(starts: slice.starts, sizes: slice.sizes, steps: slice.steps), x)
        try add(.unslice(shape: [n, c, h, w], starts: slice.starts, steps: slice.steps), random(n, c / 2, h, w / 2))
        add(.pad(before: [0, 1, 0, 0], after: [0, 0, 2, 1], value: 3), x)
        try add(.concat(axis: 1), x, y, random(n, 3, h, w))
        try add(.gather(axis: 1), x, ints(n, 2, h, w))
        try add(.scatterAdd(axis: 1, size: 3), ints(n, c, h, w), x)
        add(.detach, x)
        add(.copy, x)
        add(.alias(0), x)
        let every = TensorLayout(contiguous: [n * c * h * w]), block = try x.reshape([n * c * h * w])
        add(.asStrided(TensorLayout(contiguous: [n * c, h * w]), offset: 0), block)
        add(.overwrite(every, offset: 0), block, try y.reshape([n * c * h * w]))
        try add(.emerge([[0], [1, 2]], otherwise: false), x, Tensor.ones([]), Tensor.ones([]), Tensor.zeros([]))
        try add(.emerge([[0]], otherwise: true), x, y, Tensor.zeros([1]))
        add(.remainder, x, column)
        add(.floorDivide, x, column)
        add(.extreme(largest: true), x)
        add(.sum(axes: [0, 1, 2, 3], keep: false), x)
        add(.sum(axes: [1], keep: true), x)
        add(.sum(axes: [0, 2], keep: false), x)
        try add(.sum(axes: [3], keep: false), labels.reshape([n, 1, h, w]))
        try add(.integerMoment(correction: nil), labels.reshape([n * h, w]))
        try add(.integerMoment(correction: 1), labels.reshape([n * h, w]))
        add(.argmax(axis: 1, largest: true), x)
        add(.argmax(axis: 3, largest: false), x)
        add(.argsort(axis: 3, descending: true), x)
        add(.matmul(transposeA: false, transposeB: true), x, y)
        add(.matmul(transposeA: true, transposeB: false), x, y)
        add(.conv2d(conv), x, dense)
        add(.conv2d(depthwise), x, single)
        try add(.conv2d(point), x, points, random(3))
        try add(.convInputGradient(conv, height: h, width: w), random(n, 3, h, w), dense)
        add(.convInputGradient(depthwise, height: h, width: w), g, single)
        try add(.convWeightGradient(conv, kernelHeight: 3, kernelWidth: 3), x, random(n, 3, h, w))
        add(.convWeightGradient(depthwise, kernelHeight: 3, kernelWidth: 3), x, g)
        add(.maxPool(pool), x)
        try add(.maxPoolGradient(pool), x, random(n, c, ph, pw))
        add(.maxPoolPick(pool), x, y)
        add(.averagePool(pool, countPadding: false), x)
        try add(.averagePoolGradient(pool, countPadding: true, height: h, width: w), random(n, c, ph, pw))
        add(.resize(.bilinearAlignCorners, height: 3, width: 9), x)
        add(.resize(.nearest, height: 3, width: 9), x)
        try add(.resizeGradient(.bilinearHalfPixel, height: h, width: w), random(n, c, 3, 9))
        add(.moments, x)
        add(.batchNorm(epsilon: 1e-5, batchStatistics: false, gamma: true, beta: true), x, moments, channel, channel)
        add(.batchNormSums(epsilon: 1e-5, batchStatistics: false), x, g, moments)
        add(.batchNormInputGradient(epsilon: 1e-5, gamma: true), x, g, moments, moments, channel)
        add(.runningStatistics(momentum: 0.1, count: n * h * w), moments, moments)
        add(.stackedMoments(groups: 2), x)
        add(.stackedNorm(norm), x, stacked, channel, channel)
        add(.stackedNormSums(norm), x, g, stacked)
        add(.stackedNormInputGradient(norm), x, g, stacked, stacked, channel)
        add(.stackedRunning(momentum: 0.1, count: n * h * w), stacked, stacked)
        try add(.spreadGroups(groups: 3, weighted: true), x, random(3))
        try add(.weightGroups(groups: 2, weighted: true), x, random(2))
        try add(.groupProducts(groups: 2), x, random(n / 2, c, h, w))
        add(.softmax(axis: 1, logarithm: true), x)
        add(.softmaxGradient(axis: 2, logarithm: false), x, g)
        add(.crossEntropy(ignore: 255, weights: true), x, labels, channel)
        try add(.crossEntropyGradient(ignore: 255, weights: false), x, labels, Tensor.scalar(1))
        try add(Tensors.Operation(ScatterRule(axis: 1)), x, ints(n, 2, h, w), random(n, 2, h, w))
        let attention = try [random(n, h, w), random(n, c, w), random(n, c, 3), random(n, h, 3)]
        list.append((Tensors.Operation(AttentionRule(scale: 0.5, causal: true)), Array(attention.prefix(3))))
        list.append((Tensors.Operation(AttentionGradientRule(scale: 0.5, causal: false)), attention))
        add(.unary(.gelu), x)
        add(.random(.uniform(low: 0, high: 1), shape: [n, c], draw: 0))
        add(.permutation(n, draw: 0))
        return list
    }

    /// The rules that stand in the sources: a new one asks for a place in `operations`.
    private func rules() throws -> Set<String> {
        let folder = URL(fileURLWithPath: #filePath.replacingOccurrences(of: "Tests/TensorsTests/EmptyTests.swift", with: "Sources/Tensors/Operations"))
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL } ?? []
        let sources = try files.filter { $0.pathExtension == "swift" }.map { try String(contentsOf: $0, encoding: .utf8) }
        return Set(sources.flatMap { $0.matches(of: /struct (\w+): (Plain)?OperationRule/).map { String($0.1) } })
    }

    private enum Outcome: Equatable {
        case values([[Int]], [[Int]])
        case failure
    }

    private func outcome(_ body: () throws -> [Tensor]) -> Outcome {
        do {
            let tensors = try body()
            // NaN is equal to NaN here; signs of zero and the last bits are not looked at.
            let numbers = try tensors.map { tensor -> [Int] in try tensor.floats().map { $0.isNaN ? Int.max : Int(min(max($0, -1e6), 1e6) * 1000) } }
            return Outcome.values(tensors.map { $0.shape }, numbers)
        } catch { return .failure }
    }

    func testEveryOperation() throws {
        var seen = Set<String>()
        for sizes in all {
            for (operation, inputs) in try operations(sizes) {
                seen.insert("\(type(of: operation.rule))")
                if ["random", "permutation"].contains(operation.name) { continue }
                let leaves = try inputs.map { input -> Tensor in input.dtype == .float32 ? try input.requireGrad() : input }
                func run() throws -> [Tensor] {
                    for leaf in leaves { leaf.grad = nil }
                    let y = try operation.apply(leaves)
                    if y.requiresGrad { try y.sum().backward() }
                    return [y] + leaves.compactMap(\.grad)
                }
                let eager = outcome(run)
                for optimises in [false, true] {
                    let before = Plan.optimises
                    Plan.optimises = optimises
                    defer { Plan.optimises = before }
                    let planned = outcome {
                        let compiled = Compiled { _ in
                            for leaf in leaves { leaf.grad = nil }
                            let y = try operation.apply(leaves)
                            if y.requiresGrad { try y.sum().backward() }
                            return [y]
                        }
                        for leaf in leaves { leaf.grad = nil }
                        return try compiled([]) + leaves.compactMap(\.grad)
                    }
                    XCTAssertEqual(eager, planned, "\(operation.name) on \(sizes), optimised \(optimises)")
                }
            }
        }
        // A history that was lost and a call that is only read have no kernel: asking for it is an error.
        XCTAssertEqual(seen.union(["LostRule", "PyTorchCallRule"]), try rules())
    }

    /// What PyTorch gives.
    func testValues() throws {
        let none = try Tensor.zeros([0, 3])
        XCTAssertEqual(try none.sum().item(), 0)
        XCTAssertEqual(try none.sum([0]).floats(), [0, 0, 0])
        XCTAssertTrue(try none.mean().item().isNaN)
        XCTAssertTrue(try none.variance([0]).floats().allSatisfy(\.isNaN))
        XCTAssertThrowsError(try none.argmax(0))
        XCTAssertEqual(try none.argmax(1).shape, [0, 1])
        XCTAssertEqual(try Tensor.zeros([2, 0]).matmul(Tensor.zeros([0, 3])).floats(), [Float](repeating: 0, count: 6))
        XCTAssertEqual(try Tensor.zeros([0, 3, 5, 5]).conv2d(Tensor.ones([2, 3, 3, 3])).shape, [0, 2, 3, 3])
        XCTAssertEqual(try none.softmax(1).shape, [0, 3])
        XCTAssertThrowsError(try Tensor.zeros([2, 3, 0, 4]).resize(.nearest, height: 2, width: 2))
    }

    /// The gradients of a separable convolution over no images, whose works a plan would run image by image.
    func testSeparableOverNoImages() throws {
        let use = SliceFusion.use
        defer { SliceFusion.use = use }
        SliceFusion.use = .wherePossible
        let depthwise = try random(4, 1, 3, 3).requireGrad(), points = try random(4, 4, 1, 1).requireGrad()
        let compiled = Compiled { x in
            let y = try x[0].conv2d(depthwise, ConvOptions(padding: (1, 1), groups: 4)).conv2d(points).batchNorm().sum()
            try y.backward()
            return [y]
        }
        XCTAssertEqual(try compiled([Tensor.zeros([0, 4, 8, 8])])[0].item(), 0)
        XCTAssertEqual(try points.grad?.floats(), [Float](repeating: 0, count: 16))
    }
}
