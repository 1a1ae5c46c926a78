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
                guard let node = norm.node, let scaled = node.operation.withScale, norm.isSymbolic, norm.rank >= 2,
                    GradientMode.isEnabled == norm.requiresGrad || !GradientMode.isEnabled
                else { continue }
                // The norm read its inputs some time ago; that they may have been written since does not matter.
                return try differentiating {
                    try scaled.apply(node.inputs + [factor.reshape([1]).expand([norm.shape[1]])])
                }
            }
            return nil
        default:
            return nil
        }
    }

    /// The derivatives of slices of one tensor that lie side by side fill each other's zeros: their sum is that of one slice, or, of all of the tensor, no slice.
    private static func concatenation(_ a: Tensor, _ b: Tensor) throws -> Tensor? {
        guard let x = a.node, let y = b.node, a.shape == b.shape, a.isSymbolic, b.isSymbolic,
            case .unslice(let shape, let starts, let steps) = x.operation, case .unslice(_, let otherStarts, let otherSteps) = y.operation,
            (steps + otherSteps).allSatisfy({ $0 == 1 })
        else { return nil }
        let (part, other) = (x.inputs[0], y.inputs[0])
        let cut = shape.indices.filter { part.shape[$0] != shape[$0] || other.shape[$0] != shape[$0] }
        guard cut.count == 1, let axis = cut.first else { return nil }
        let isFirst = starts[axis] + part.shape[axis] == otherStarts[axis]
        guard isFirst || otherStarts[axis] + other.shape[axis] == starts[axis] else { return nil }
        let joined = try Tensor.concat(isFirst ? parts(part, axis) + parts(other, axis) : parts(other, axis) + parts(part, axis), axis)
        return joined.shape == shape ? joined : try Operation.unslice(shape: shape, starts: isFirst ? starts : otherStarts, steps: steps)(joined)
    }

    /// What a concatenation is made of, or the tensor itself.
    private static func parts(_ tensor: Tensor, _ axis: Int) -> [Tensor] {
        if tensor.isSymbolic, let node = tensor.node, node.operation == .concat(axis: axis) { node.inputs } else { [tensor] }
    }
}

extension Operation {
    /// The same norm with a scale, of one without weights.
    fileprivate var withScale: Operation? {
        switch self {
        case .batchNorm(let epsilon, let batchStatistics, gamma: false, beta: false):
            return .batchNorm(epsilon: epsilon, batchStatistics: batchStatistics, gamma: true, beta: false)
        case .stackedNorm(var options) where !options.gamma && !options.beta && options.repeats == 1:
            options.gamma = true
            return .stackedNorm(options)
        default: return nil
        }
    }
}
