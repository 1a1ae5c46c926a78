extension Tensor {
    /// log Σ e^x over axes (all when nil), without overflow: the largest element is taken off first. Infinities come out as they should.
    public func logSumExp(_ axes: [Int]? = nil, keep: Bool = false) throws -> Tensor {
        let axes = (axes ?? Array(0..<rank)).sorted()
        for axis in axes { try checkAxis(axis, "logsumexp") }
        if axes.isEmpty { return try clone() }
        return try Tensor.whole("logsumexp", [self], PyTorchCall("torch.logsumexp", inputs: 1, PyTorchCall.tuple(axes), keep ? "keepdim=True" : "")) {
            var y = self
            for axis in axes { y = try y.logSumExp(along: axis) }
            return keep ? y : try y.reshape(shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
        }
    }

    private func logSumExp(along axis: Int) throws -> Tensor {
        if shape[axis] == 0 { return try unary(.exp).sum([axis], keep: true).unary(.log) }
        let largest = try GradientMode.disabled {
            let largest = try detach().extremum(axis).values
            // An infinite one is not taken off: it would leave no number.
            return try Tensor.select((largest - largest).compare(.eq, 0), largest, Tensor.scalar(0))
        }
        return try (self - largest).unary(.exp).sum([axis], keep: true).unary(.log) + largest
    }
}
