import Networks
import Tensors

/// A network in evaluation mode as it is for every batch, and where the network allows it for every size of images: recorded several times, with each shape as `Size`s.
struct ProbedGraph {
    enum Source {
        case input
        case stored(Tensor)
        /// One number everywhere, in a shape that depends on the images.
        case filled(Tensor)
        /// The operation in each recording; they differ only in numbers.
        case operation([Operation], [Int], scope: String)
    }

    struct Value {
        let source: Source
        let shape: [Size]
        let dtype: DType
    }

    let values: [Value]
    let output: Int
    /// For each value, those that are computed from it.
    let readers: [[Int]]
    /// How many recordings there are.
    let probes: Int

    /// Primes: a size that agrees with one of them by chance disagrees with the others.
    private static let batches = [7, 11, 13, 17, 19]
    /// Heights and widths of the other recordings: multiples of 64 beyond the user's, and remainders. One more than a multiple is odd by every stride up to 64, a
    /// multiple is even by all, so that sizes which are rounded in other ways differ in some recording.
    private static let larger = [((1, 1), (2, 0)), ((3, 0), (3, 1)), ((4, 37), (5, 45)), ((6, 23), (6, 27))]

    /// - Parameters:
    ///   - image: [C, H, W] of one image.
    ///   - anySize: for images of every size; else for every batch of this one.
    /// - Throws: `TensorError` with the module's path when the network rejects such images, or is another one for others.
    init(_ module: Module, image: [Int], anySize: Bool) throws {
        func record(_ shape: [Int]) throws -> RecordedGraph {
            try Module.inMode(training: false) { try RecordedGraph([shape]) { [try module($0[0])] } }
        }
        // One image first: what it complains about is told with sizes that the user knows.
        _ = try record([1] + image)
        let shapes: [[Int]] = anySize ? ProbedGraph.sizes(image) : ProbedGraph.batches.prefix(3).map { [$0] + image }
        probes = shapes.count
        let graphs = try shapes.map(record)
        guard let first = graphs.first, let output = first.outputs.first, graphs.allSatisfy({ $0.values.count == first.values.count && $0.outputs == first.outputs }) else {
            throw TensorError("export", "the network does something else for \(anySize ? "images of another size" : "another number of images"); a file holds one way only")
        }
        values = try first.values.indices.map { i in try ProbedGraph.unify(graphs.map { $0.values[i] }) }
        self.output = output
        var readers = [[Int]](repeating: [], count: values.count)
        for (i, value) in values.enumerated() {
            if case .operation(_, let inputs, _) = value.source { for input in inputs { readers[input].append(i) } }
        }
        self.readers = readers
    }

    /// The user's size, and others, each with a batch of its own.
    private static func sizes(_ image: [Int]) -> [[Int]] {
        var shapes: [[Int]] = [[batches[0]] + image]
        for (batch, size) in zip(batches.dropFirst(), larger) {
            let height = 64 * (image[1] / 64 + size.0.0) + size.0.1, width = 64 * (image[2] / 64 + size.1.0) + size.1.1
            shapes.append([batch, image[0], height, width])
        }
        return shapes
    }

    private static func unify(_ values: [RecordedGraph.Value]) throws -> Value {
        let first = values[0].shape
        guard values.allSatisfy({ $0.shape.count == first.count && $0.dtype == values[0].dtype }) else {
            throw differs("the number of dimensions depends on the images", values)
        }
        let shape = first.indices.map { d in Size(values.map { $0.shape[d] }) }
        switch values[0].source {
        case .input:
            return Value(source: .input, shape: shape, dtype: values[0].dtype)
        case .stored(let tensor):
            return Value(source: try unify(stored: values, tensor), shape: shape, dtype: tensor.dtype)
        case .operation(let first, let inputs, let scope):
            var operations: [Operation] = []
            for value in values {
                guard case .operation(let operation, let same, _) = value.source, same == inputs, operation.name == first.name else {
                    throw differs("\(first.name) is another operation for another number or size of images; a file holds one way only", values)
                }
                operations.append(operation)
            }
            return Value(source: .operation(operations, inputs, scope: scope), shape: shape, dtype: values[0].dtype)
        }
    }

    /// Parameters are the same tensor in all; constants that the forward computation makes have to hold the same numbers.
    private static func unify(stored values: [RecordedGraph.Value], _ first: Tensor) throws -> Source {
        let tensors = try values.map { value -> Tensor in
            guard case .stored(let tensor) = value.source else { throw differs("a constant is none for another number of images", values) }
            return tensor
        }
        if tensors.allSatisfy({ $0 === first }) { return .stored(first) }
        let bytes = try tensors.map { try $0.withBytes { Array($0) } }
        if tensors.allSatisfy({ $0.shape == first.shape }), bytes.allSatisfy({ $0 == bytes[0] }) { return .stored(first) }
        let number = bytes[0].prefix(DType.byteCount)
        let isUniform = bytes.allSatisfy { all in
            all.indices.allSatisfy { all[$0] == number[$0 % DType.byteCount] }
        }
        guard isUniform, first.count > 0 else { throw differs("a constant of shape \(first.shape) holds other numbers for another number or size of images", values) }
        return .filled(try first.slice(starts: first.shape.map { _ in 0 }, sizes: first.shape.map { _ in 1 }).reshape([]))
    }

    private static func differs(_ problem: String, _ values: [RecordedGraph.Value]) -> TensorError {
        guard case .operation(let operation, _, let scope) = values[0].source else { return TensorError("export", problem) }
        return TensorError("export", "\(operation.name): \(problem)", path: scope)
    }
}
