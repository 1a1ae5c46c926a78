/// What an operation takes.
enum OperandTypes {
    case any
    /// Any, all the same.
    case alike
    case float32
    /// float32, except for labels or indices at that place, which have a rule of their own.
    case labelled(Int)
    /// (any, int32), and further ones as the first.
    case indexed
    /// (any, two of one type).
    case choice
    /// (any, perhaps another of its type, float32 numbers).
    case guarded(Int)

    /// - Throws: for an input of a type that the operation called `name` has no kernel for.
    func check(_ inputs: [Tensor], _ name: String) throws {
        func expect(_ inputs: [Tensor], from first: Int, _ dtype: DType?) throws {
            for i in inputs.indices.dropFirst(first) where inputs[i].dtype != dtype { throw OperandTypes.wrong(inputs, i, dtype ?? .float32, name) }
        }
        switch self {
        case .any: break
        case .alike: try expect(inputs, from: 1, inputs.first?.dtype)
        case .float32: try expect(inputs, from: 0, .float32)
        case .labelled(let place):
            for (i, input) in inputs.enumerated() where i != place && input.dtype != .float32 { throw OperandTypes.wrong(inputs, i, .float32, name) }
        case .indexed:
            try expect(Array(inputs.prefix(2)), from: 1, .int32)
            try expect(inputs, from: 2, inputs[0].dtype)
        case .choice: try expect(inputs, from: 2, inputs[1].dtype)
        case .guarded(let first):
            try expect(Array(inputs.prefix(first)), from: 1, inputs[0].dtype)
            try expect(inputs, from: first, .float32)
        }
    }

    private static func wrong(_ inputs: [Tensor], _ place: Int, _ expected: DType, _ name: String) -> TensorError {
        let which = inputs.count == 1 ? "the input" : "input \(place + 1)"
        return TensorError(name, "\(which) is \(inputs[place].dtype), expected \(expected); \(expected == .float32 ? "float()" : "int()") makes one of it")
    }
}
