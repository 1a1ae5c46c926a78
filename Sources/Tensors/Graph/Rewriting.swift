extension Recording {
    /// Rewrites that are exact and save work, made while the graph is written so that derivatives profit too.
    func rewrite(_ operation: Operation, _ inputs: [Tensor]) throws -> Tensor? {
        switch operation {
        case .scalar(.mul, 1, _), .scalar(.div, 1, scalarFirst: false), .scalar(.sub, 0, scalarFirst: false):
            return isDifferentiating ? inputs[0] : try alias(of: inputs[0])
        case .binary(.add):
            return try Recording.concatenation(inputs[0], inputs[1])
        case .binary(.mul):
            // A number times a batch norm without weights rides on the norm's scale.
            for (norm, factor) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] where factor.count == 1 && factor.rank <= norm.rank {
                guard let node = norm.node, case .batchNorm(let epsilon, let batchStatistics, gamma: false, beta: false) = node.operation,
                    norm.isSymbolic, norm.rank >= 2, GradientMode.isEnabled == norm.requiresGrad || !GradientMode.isEnabled
                else { continue }
                // The norm read its inputs some time ago; that they may have been written since does not matter.
                return try differentiating {
                    let gamma = try factor.reshape([1]).expand([norm.shape[1]])
                    return try Operation.batchNorm(epsilon: epsilon, batchStatistics: batchStatistics, gamma: true, beta: false)
                        .apply(node.inputs + [gamma])
                }
            }
            return nil
        default:
            return nil
        }
    }

    /// Two slices of one tensor that are all of it have derivatives that fill each other's zeros: their sum is a concatenation.
    private static func concatenation(_ a: Tensor, _ b: Tensor) throws -> Tensor? {
        guard let x = a.node, let y = b.node, a.shape == b.shape, a.isSymbolic, b.isSymbolic,
            case .unslice(let shape, let starts, let steps) = x.operation, case .unslice(_, let otherStarts, let otherSteps) = y.operation,
            (steps + otherSteps).allSatisfy({ $0 == 1 })
        else { return nil }
        let (part, other) = (x.inputs[0], y.inputs[0])
        let cut = shape.indices.filter { part.shape[$0] != shape[$0] || other.shape[$0] != shape[$0] }
        guard cut.count == 1, let axis = cut.first, part.shape[axis] + other.shape[axis] == shape[axis] else { return nil }
        if starts[axis] == 0, otherStarts[axis] == part.shape[axis] { return try Tensor.concat([part, other], axis) }
        if otherStarts[axis] == 0, starts[axis] == other.shape[axis] { return try Tensor.concat([other, part], axis) }
        return nil
    }
}
