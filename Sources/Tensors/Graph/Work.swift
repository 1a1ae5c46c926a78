/// What a computation needs, counted without doing it.
public struct Work: Hashable, Sendable {
    /// Shape of the result.
    public var shape: [Int]
    /// Multiply-adds of convolutions and matrix products: the field's usual count.
    public var multiplyAdds: Int
    /// Floats that its operations make and a backward pass reads again; views and what only a ReLU reads of a batch norm are not among them.
    public var activations: Int
    /// `multiplyAdds` by the module in which they are, named by its path; "" is what stands outside of modules.
    public var multiplyAddsByModule: [String: Int] = [:]
}

extension Recording {
    /// Writes down what `body` does with an input of this shape and counts what its result needs; nothing is computed, whatever the size.
    public static func measure(_ shape: [Int], _ body: (Tensor) throws -> Tensor) throws -> Work {
        try Shapes.check(shape, "count")
        let recording = Recording()
        defer { recording.dismantle() }
        let input = recording.input(shape, .float32)
        let output = try recording.record { try body(input) }
        return recording.work(output)
    }

    private func work(_ output: Tensor) -> Work {
        var work = Work(shape: output.shape, multiplyAdds: 0, activations: 0)
        var readers: [ObjectIdentifier: [Operation]] = [:]
        // What nobody reads is not computed, so it does not count.
        var needed: [(tensor: Tensor, node: Node)] = []
        eachNeeded(for: [output]) { _, _, result, _, _ in if let node = result.node { needed.append((result, node)) } }
        for (_, node) in needed { for input in node.inputs { readers[ObjectIdentifier(input), default: []].append(node.operation) } }
        for (tensor, node) in needed {
            let count = node.operation.multiplyAdds(node.inputs.map(\.shape), tensor.shape)
            work.multiplyAdds += count
            if count > 0 { work.multiplyAddsByModule[node.scope, default: 0] += count }
            if Recording.isKept(node.operation, readers[ObjectIdentifier(tensor)] ?? []) { work.activations += tensor.count }
        }
        return work
    }

    private static func isKept(_ operation: Operation, _ readers: [Operation]) -> Bool {
        if case .batchNorm = operation { return readers.isEmpty || !readers.allSatisfy { $0 == .unary(.relu) } }
        return operation.makesValue
    }
}
