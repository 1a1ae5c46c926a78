import Tensors

/// What is counted of a network.
public struct CostKind: Sendable {
    /// As scripts write it: "multiply_adds".
    public let name: String
    /// Of an operation, by its inputs' shapes and its own; nil: this kind counts tensors of parameters.
    let ofOperation: (@Sendable (Tensors.Operation, [[Int]], [Int]) throws -> Double)?

    /// A cost of one's own.
    /// - Parameter ofOperation: of an operation, by the shapes of its inputs and of its result.
    public init(_ name: String, ofOperation: @escaping @Sendable (Tensors.Operation, [[Int]], [Int]) throws -> Double) {
        (self.name, self.ofOperation) = (name, ofOperation)
    }

    /// Whether it depends on what a network is called with.
    var needsInput: Bool { ofOperation != nil }

    private init(parametersCalled name: String) { (self.name, ofOperation) = (name, nil) }

    /// Multiply-adds of convolutions and matrix products, as `Module.count` has them.
    public static let multiplyAdds = CostKind("multiply_adds") { operation, inputs, output in
        Double(operation.multiplyAdds(inputs, output))
    }

    /// Trained numbers; each tensor counts once.
    public static let parameters = CostKind(parametersCalled: "parameters")

    /// Floats that operations make, views aside.
    public static let activations = CostKind("activations") { operation, _, output in
        operation.makesValue ? Double(output.reduce(1, *)) : 0
    }
}
