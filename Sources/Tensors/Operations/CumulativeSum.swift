extension Tensor {
    /// Running sums along an axis: y[i] = x[0] + ... + x[i]; Hillis and Steele, 1986: over 1, 2, 4, ... neighbours.
    public func cumulativeSum(_ axis: Int) throws -> Tensor {
        try checkAxis(axis, "cumsum")
        do {
            return try Tensor.whole("cumsum", [self], PyTorchCall("torch.cumsum", inputs: 1, "\(axis)", dtype == .int32 ? "dtype=torch.int32" : "")) {
                var sum = self
                let n = shape[axis]
                var shift = 1
                while shift < n {
                    var before = shape.map { _ in 0 }
                    before[axis] = shift
                    sum = try sum + sum.narrow(axis, 0, n - shift).pad(before: before, after: shape.map { _ in 0 })
                    shift *= 2
                }
                return sum
            }
        } catch let error as TensorError {
            throw TensorError("cumsum", error.problem, path: error.path)
        }
    }
}
