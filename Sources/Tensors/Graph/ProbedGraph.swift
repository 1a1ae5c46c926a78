/// What a function of one tensor does for arguments of several shapes, written down to be read: one graph, in which numbers alone differ from one probe to the
/// next. What changes depends on the argument, what stays is of the function.
public struct ProbedGraph {
    public enum Source {
        case input
        /// The same tensor for all, or equal constants.
        case stored(Tensor)
        /// One number everywhere, in a shape that depends on the probe.
        case filled(Tensor)
        /// The operation for each probe; they differ in numbers only.
        case operation([Operation], [Int], scope: String)
    }

    public struct Value {
        public let source: Source
        /// By probe.
        public let shapes: [[Int]]
        public let dtype: DType

        public var rank: Int { shapes[0].count }
        /// Dimension `d` by probe.
        public func size(_ d: Int) -> [Int] { shapes.map { $0[d] } }
    }

    public let values: [Value]
    public let output: Int
    /// Shapes of the argument.
    public let probes: [[Int]]

    /// - Parameters:
    ///   - probes: [N, C, H, W] of images.
    ///   - medium: what can hold one way only, for messages: `a file`.
    ///   - forCode: see `RecordedGraph`.
    /// - Throws: what `body` throws; `TensorError` for a function that does something else for another number or size of images, with the module's path.
    public init(_ probes: [[Int]], for medium: String, forCode: Bool = false, _ body: (Tensor) throws -> Tensor) throws {
        let graphs = try probes.map { shape in try RecordedGraph([shape], forCode: forCode) { [try body($0[0])] } }
        guard let first = graphs.first, let output = first.outputs.first, graphs.allSatisfy({ $0.values.count == first.values.count && $0.outputs == first.outputs }) else {
            throw TensorError("export", "the network does something else for another number or size of images; \(medium) holds one way only")
        }
        let unification = Unification(medium: medium)
        values = try first.values.indices.map { i in try unification.unify(graphs.map { $0.values[i] }) }
        (self.output, self.probes) = (output, probes)
    }

    /// For each value, those that are computed from it, each once.
    public var readers: [[Int]] {
        var readers = [[Int]](repeating: [], count: values.count)
        for (i, value) in values.enumerated() {
            if case .operation(_, let inputs, _) = value.source { for input in Set(inputs) { readers[input].append(i) } }
        }
        return readers
    }
}

/// Makes one value of those of all probes.
private struct Unification {
    let medium: String

    func unify(_ values: [RecordedGraph.Value]) throws -> ProbedGraph.Value {
        let first = values[0]
        guard values.allSatisfy({ $0.shape.count == first.shape.count && $0.dtype == first.dtype }) else {
            throw differs("the number of dimensions depends on the number or size of images", values)
        }
        return ProbedGraph.Value(source: try source(values), shapes: values.map(\.shape), dtype: first.dtype)
    }

    private func source(_ values: [RecordedGraph.Value]) throws -> ProbedGraph.Source {
        switch values[0].source {
        case .input: return .input
        case .stored(let tensor): return try stored(values, tensor)
        case .operation(let first, let inputs, let scope):
            let operations = try values.map { value -> Operation in
                guard case .operation(let operation, inputs, scope) = value.source, operation.name == first.name else {
                    throw differs("is another operation for another number or size of images; \(medium) holds one way only", values)
                }
                return operation
            }
            return .operation(operations, inputs, scope: scope)
        }
    }

    /// Parameters are the same tensor in all; constants that the computation makes have to hold the same numbers.
    private func stored(_ values: [RecordedGraph.Value], _ first: Tensor) throws -> ProbedGraph.Source {
        let tensors = try values.map { value -> Tensor in
            guard case .stored(let tensor) = value.source else { throw differs("a constant is none for another number of images", values) }
            return tensor
        }
        if tensors.allSatisfy({ $0 === first }) { return .stored(first) }
        let bytes = try tensors.map { try $0.withBytes { Array($0) } }
        if tensors.allSatisfy({ $0.shape == first.shape }), bytes.allSatisfy({ $0 == bytes[0] }) { return .stored(first) }
        let number = bytes[0].prefix(DType.byteCount)
        let isUniform = bytes.allSatisfy { all in all.indices.allSatisfy { all[$0] == number[$0 % DType.byteCount] } }
        guard isUniform, first.count > 0 else { throw differs("a constant of shape \(first.shape) holds other numbers for another number or size of images", values) }
        return .filled(try first.slice(starts: first.shape.map { _ in 0 }, sizes: first.shape.map { _ in 1 }).reshape([]))
    }

    private func differs(_ problem: String, _ values: [RecordedGraph.Value]) -> TensorError {
        guard case .operation(let operation, _, let scope) = values[0].source else { return TensorError("export", problem) }
        return TensorError("export", "\(operation.name): \(problem)", path: scope)
    }
}
