import Networks
import Tensors

/// A network in evaluation mode, recorded for images of several sizes: what changes from one to the next depends on the images, what stays is of the network.
struct ProbedGraph {
    enum Source {
        case input
        case stored(Tensor)
        /// The operation for each probe; they differ in numbers only.
        case operation([Operation], [Int], scope: String)
    }

    struct Value {
        let source: Source
        /// By probe.
        let shapes: [[Int]]
        let dtype: DType

        var rank: Int { shapes[0].count }
        /// Dimension `d` by probe.
        func size(_ d: Int) -> [Int] { shapes.map { $0[d] } }
    }

    let values: [Value]
    let output: Int
    /// [N, C, H, W] of each probe; the first is what the user asked for.
    let probes: [[Int]]
    /// Whether the network takes images of other sizes.
    let takesAnySize: Bool

    /// - Parameter image: [C, H, W].
    /// - Throws: `TensorError` when the network rejects such images, or does something else for another number of them.
    init(_ module: Module, image: [Int]) throws {
        func record(_ shape: [Int]) throws -> RecordedGraph {
            try Module.inMode(training: false) { try RecordedGraph([shape], forCode: true) { [try module($0[0])] } }
        }
        let (channels, height, width) = (image[0], image[1], image[2])
        let first = try record([2] + image)
        // Sizes without a simple relation to each other: what agrees in all of them agrees always.
        let sizes = [(3, height + 38, width + 61), (5, height + 91, width + 127)].map { [$0.0, channels, $0.1, $0.2] }
        if let others = try? sizes.map(record), let values = try? ProbedGraph.unify([first] + others) {
            (self.values, probes, takesAnySize) = (values, [[2] + image] + sizes, true)
        } else {
            let batches = [3, 5].map { [$0] + image }
            values = try ProbedGraph.unify([first] + batches.map(record))
            (probes, takesAnySize) = ([[2] + image] + batches, false)
        }
        output = first.outputs[0]
    }

    private static func unify(_ graphs: [RecordedGraph]) throws -> [Value] {
        guard let first = graphs.first, graphs.allSatisfy({ $0.values.count == first.values.count && $0.outputs == first.outputs }) else {
            throw TensorError("export", "the network does something else for another number of images; code can hold one way only")
        }
        return try first.values.indices.map { i in try unify(graphs.map { $0.values[i] }) }
    }

    private static func unify(_ values: [RecordedGraph.Value]) throws -> Value {
        let first = values[0]
        guard values.allSatisfy({ $0.shape.count == first.shape.count && $0.dtype == first.dtype }) else { throw differs("the number of dimensions", values) }
        func value(_ source: Source) -> Value { Value(source: source, shapes: values.map(\.shape), dtype: first.dtype) }
        switch first.source {
        case .input: return value(.input)
        case .stored(let tensor):
            for other in values {
                guard case .stored(let same) = other.source, try same === tensor || isEqual(same, tensor) else { throw differs("a constant", values) }
            }
            return value(.stored(tensor))
        case .operation(let operation, let inputs, let scope):
            let operations = try values.map { other -> Operation in
                guard case .operation(let same, inputs, scope) = other.source, same.name == operation.name else { throw differs(operation.name, values) }
                return same
            }
            return value(.operation(operations, inputs, scope: scope))
        }
    }

    private static func isEqual(_ a: Tensor, _ b: Tensor) throws -> Bool {
        guard a.shape == b.shape, a.dtype == b.dtype else { return false }
        let bytes = try a.withBytes { Array($0) }
        return try b.withBytes { Array($0) } == bytes
    }

    private static func differs(_ what: String, _ values: [RecordedGraph.Value]) -> TensorError {
        var scope = ""
        if case .operation(_, _, let path) = values[0].source { scope = path }
        return TensorError("export", "\(what) differs from one number or size of images to another in a way that code cannot say", path: scope)
    }
}
