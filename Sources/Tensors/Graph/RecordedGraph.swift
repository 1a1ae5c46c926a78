/// What a function of tensors does, written down to be read: for translation into other formats.
///
/// Nothing is computed, whatever the sizes. Equal operations on equal inputs are one value (but for code), and only what the outputs need is kept.
public struct RecordedGraph {
    public enum Source {
        /// The i-th argument.
        case input(Int)
        /// A tensor with numbers: a parameter, or a constant that the function made.
        case stored(Tensor)
        /// An operation on other values (positions in `values`), written in the module of this path (`ModulePath.text`).
        case operation(Operation, [Int], scope: String)
    }

    public struct Value {
        public let source: Source
        public let shape: [Int]
        public let dtype: DType
    }

    /// Inputs first, everything else behind what it is computed from.
    public private(set) var values: [Value] = []
    /// Positions of the results in `values`.
    public private(set) var outputs: [Int] = []

    /// Writes down what `body` does with float32 arguments of these shapes, without derivatives.
    /// - Parameter forCode: keep equal operations apart, each in the module that wrote it, and mark the layers that only act in training
    ///   (`alias` in the module's scope).
    /// - Throws: what `body` throws; `TensorError` for a function that writes stored tensors or trains.
    public init(_ shapes: [[Int]], forCode: Bool = false, _ body: ([Tensor]) throws -> [Tensor]) throws {
        for shape in shapes { try Shapes.check(shape, "record") }
        let recording = Recording()
        defer { recording.dismantle() }
        recording.isForReaders = true
        recording.isForCode = forCode
        let inputs = shapes.map { recording.input($0, .float32) }
        let results = try GradientMode.disabled { try recording.record { try body(inputs) } }
        guard recording.memory.isEmpty, recording.effects.isEmpty, recording.gradients.isEmpty else {
            throw TensorError(
                "record",
                "the function writes in place (elements of a tensor, running statistics, gradients, an optimiser's step), and only what it computes can be read; "
                    + "tensor.concat, pad and tensor.where make what writes would")
        }
        var index: [ObjectIdentifier: Int] = [:]
        for (i, input) in inputs.enumerated() {
            index[ObjectIdentifier(input)] = i
            values.append(Value(source: .input(i), shape: input.shape, dtype: input.dtype))
        }
        let needed = Recording.reachable(from: results)
        for tensor in recording.tensors where needed.contains(ObjectIdentifier(tensor)) {
            guard let node = tensor.node else { continue }
            let sources = node.inputs.map { position(of: $0, &index) }
            index[ObjectIdentifier(tensor)] = values.count
            values.append(Value(source: .operation(node.operation, sources, scope: node.scope), shape: tensor.shape, dtype: tensor.dtype))
        }
        outputs = results.map { position(of: $0, &index) }
    }

    /// Where a value stands; one that has not been met is stored.
    private mutating func position(of tensor: Tensor, _ index: inout [ObjectIdentifier: Int]) -> Int {
        if let known = index[ObjectIdentifier(tensor)] { return known }
        index[ObjectIdentifier(tensor)] = values.count
        values.append(Value(source: .stored(tensor), shape: tensor.shape, dtype: tensor.dtype))
        return values.count - 1
    }
}

extension Operation {
    /// Applies the operation at once, without history: what a translator does with operations on constants.
    public func evaluate(_ inputs: [Tensor]) throws -> Tensor { try GradientMode.disabled { try apply(inputs) } }
}
