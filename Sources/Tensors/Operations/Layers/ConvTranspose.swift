extension Tensor {
    /// Transposed convolution: the adjoint of a convolution, whose derivative by its input it computes.
    ///
    /// [N, in, H, W] to [N, out, H', W'] with H' = (H - 1)·stride - 2·padding + dilation·(kernel - 1) + outputPadding + 1.
    /// - Parameters:
    ///   - weight: [in, out / groups, kh, kw].
    ///   - bias: [out].
    ///   - outputPadding: rows and columns more at the end, fewer than the stride.
    public func convTranspose2d(_ weight: Tensor, bias: Tensor? = nil, _ o: ConvOptions = ConvOptions(), outputPadding: (Int, Int) = (0, 0)) throws -> Tensor {
        let name = "conv_transpose2d"
        try Images.check([self, weight], name)
        let w = weight.shape
        guard w[0] == shape[1], o.groups > 0, w[0] % o.groups == 0 else {
            throw TensorError(
                name, "input \(Shapes.text(shape)) with \(o.groups) group\(o.groups == 1 ? "" : "s") and weight \(Shapes.text(w)) do not fit: [in, out / groups, kh, kw] expected")
        }
        guard min(o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth, w[2], w[3], shape[2], shape[3]) > 0, min(o.padHeight, o.padWidth) >= 0 else {
            throw TensorError(name, "stride, dilation, kernel and image should be 1 or more and padding 0 or more")
        }
        try Images.checkWindow([o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth, o.padHeight, o.padWidth] + shape + w, name)
        guard (0..<o.strideHeight).contains(outputPadding.0), (0..<o.strideWidth).contains(outputPadding.1) else {
            throw TensorError(name, "output padding \(outputPadding.0), \(outputPadding.1) should be 0 or more and less than the stride \(o.strideHeight), \(o.strideWidth)")
        }
        func size(_ d: Int, _ stride: Int, _ padding: Int, _ dilation: Int, _ more: Int) -> Int {
            (shape[d] - 1) * stride - 2 * padding + dilation * (w[d] - 1) + more + 1
        }
        let height = size(2, o.strideHeight, o.padHeight, o.dilationHeight, outputPadding.0)
        let width = size(3, o.strideWidth, o.padWidth, o.dilationWidth, outputPadding.1)
        guard height > 0, width > 0 else { throw TensorError(name, "padding \(o.padHeight), \(o.padWidth) leaves nothing of the result: \(height)x\(width)") }
        try Images.checkPlanes((height + 2 * o.padHeight, width + 2 * o.padWidth), times: shape[0] * max(shape[1], w[1] * o.groups), name)
        if let bias, bias.shape != [w[1] * o.groups] { throw TensorError(name, "bias \(Shapes.text(bias.shape)) should be [\(w[1] * o.groups)]") }
        let inputs = [self, weight] + (bias.map { [$0] } ?? [])
        let call = PyTorchCall(
            "F.conv_transpose2d", inputs: inputs.count, PyTorchCall.option("stride", o.strideHeight, o.strideWidth, usual: 1),
            PyTorchCall.option("padding", o.padHeight, o.padWidth, usual: 0), PyTorchCall.option("output_padding", outputPadding.0, outputPadding.1, usual: 0),
            PyTorchCall.option("groups", o.groups, o.groups, usual: 1), PyTorchCall.option("dilation", o.dilationHeight, o.dilationWidth, usual: 1))
        return try Tensor.whole(name, inputs, call) {
            let result = try Operation.convInputGradient(o, height: height, width: width)(self, weight)
            return try bias.map { try result + $0.channels(4) } ?? result
        }
    }
}
