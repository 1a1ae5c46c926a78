extension Tensor {
    /// [..., in] to [..., out]: self · weightᵀ + bias.
    /// - Parameters:
    ///   - weight: [out, in].
    ///   - bias: [out].
    public func linear(_ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        let inputs = [self, weight] + (bias.map { [$0] } ?? [])
        return try Tensor.whole("linear", inputs, PyTorchCall("F.linear", inputs: inputs.count)) {
            let product = try matmul(weight.transpose(0, 1))
            return try bias.map { try product + $0 } ?? product
        }
    }
}
