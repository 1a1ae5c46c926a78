import Kernels

/// A tree of element-wise operations that runs as one pass: leaves are inputs, counted from left to right.
struct ElementwiseChain {
    static let longest = 24
    static let mostInputs = 12

    private indirect enum Expression {
        case input
        case call(Operation, [Expression])
    }

    private var root: Expression
    private(set) var length = 1

    init(_ operation: Operation, inputs: Int) {
        root = .call(operation, [Expression](repeating: .input, count: inputs))
    }

    /// Replaces leaf `index` by an operation over `inputs` leaves of its own.
    mutating func inline(_ operation: Operation, at index: Int, inputs: Int) {
        var seen = 0
        func replace(_ expression: Expression) -> Expression {
            switch expression {
            case .input:
                defer { seen += 1 }
                return seen == index ? .call(operation, [Expression](repeating: .input, count: inputs)) : .input
            case .call(let outer, let parts):
                return .call(outer, parts.map(replace))
            }
        }
        root = replace(root)
        length += 1
    }
}
