// Norms by statistics of a sample's own: a batch norm of one image whose channels are the groups, so that kernels and derivatives are that one's.

extension Tensor {
    /// (x - mean) / √(variance + epsilon) · gamma + beta over the last dimensions, the variance biased.
    /// - Parameters:
    ///   - sizes: of the dimensions that are normalised together.
    ///   - gamma, beta: of these sizes.
    /// - Throws: where the tensor does not end with these sizes.
    public func layerNorm(_ sizes: [Int], gamma: Tensor? = nil, beta: Tensor? = nil, epsilon: Float = 1e-5) throws -> Tensor {
        guard !sizes.isEmpty, rank >= sizes.count, Array(shape.suffix(sizes.count)) == sizes else {
            throw TensorError("layer_norm", "expects [..., \(sizes.map(String.init).joined(separator: ", "))], got \(Shapes.text(shape))")
        }
        for weight in [gamma, beta].compactMap({ $0 }) where weight.shape != sizes {
            throw TensorError("layer_norm", "weight and bias should be \(Shapes.text(sizes)), got \(Shapes.text(weight.shape))")
        }
        return try normalised("layer_norm", "F.layer_norm", PyTorchCall.tuple(sizes), gamma, beta, epsilon) {
            let normal = try normalisedRows(shape.dropLast(sizes.count).reduce(1, *), epsilon)
            let scaled = try gamma.map { try normal * $0 } ?? normal
            return try beta.map { try scaled + $0 } ?? scaled
        }
    }

    /// The same over groups of neighbouring channels of each sample of [N, C, ...].
    /// - Parameter gamma, beta: [C].
    /// - Throws: where the groups do not divide the channels.
    public func groupNorm(_ groups: Int, gamma: Tensor? = nil, beta: Tensor? = nil, epsilon: Float = 1e-5) throws -> Tensor {
        guard rank >= 2 else { throw TensorError("group_norm", "expects [N, C, ...], got \(Shapes.text(shape))") }
        guard groups > 0, shape[1] % groups == 0 else { throw TensorError("group_norm", "\(groups) groups do not divide the \(shape[1]) channels of \(Shapes.text(shape))") }
        for weight in [gamma, beta].compactMap({ $0 }) where weight.shape != [shape[1]] {
            throw TensorError("group_norm", "weight and bias should be [\(shape[1])], got \(Shapes.text(weight.shape))")
        }
        return try normalised("group_norm", "F.group_norm", "\(groups)", gamma, beta, epsilon) {
            let normal = try normalisedRows(shape[0] * groups, epsilon)
            let scaled = try gamma.map { try normal * $0.channels(rank) } ?? normal
            return try beta.map { try scaled + $0.channels(rank) } ?? scaled
        }
    }

    private func normalised(
        _ name: String, _ function: String, _ extent: String, _ gamma: Tensor?, _ beta: Tensor?, _ epsilon: Float, _ body: () throws -> Tensor
    ) throws -> Tensor {
        var inputs = [self], arguments = [PyTorchCall.Argument.input(0), .text(extent)]
        for weight in [gamma, beta] {
            arguments.append(weight == nil ? .text("None") : .input(inputs.count))
            if let weight { inputs.append(weight) }
        }
        return try Tensor.whole(name, inputs, PyTorchCall(function, arguments + [.text("\(epsilon)")]), body)
    }

    /// Each of `rows` equal stretches of the elements with mean 0 and variance 1.
    private func normalisedRows(_ rows: Int, _ epsilon: Float) throws -> Tensor {
        let size = count / max(rows, 1)
        if Recording.current?.isForReaders == true {
            // The rows may be as many as the images, which channels of a file cannot be.
            let parts = try reshape([rows, size])
            let centred = try parts - parts.mean([1], keep: true)
            let deviation = try (centred.unary(.square).mean([1], keep: true) + epsilon).unary(.sqrt)
            return try (centred / deviation).reshape(shape)
        }
        return try reshape([1, rows, size]).batchNorm(epsilon: epsilon).reshape(shape)
    }
}
