// Operations that only move pixels, of others that do.

extension Tensor {
    /// [N, C·r², H, W] to [N, C, H·r, W·r]: r² channels become the pixels of a square (Shi et al., 2016).
    public func pixelShuffle(_ r: Int) throws -> Tensor {
        try Images.check([self], "pixel_shuffle")
        guard r > 0, r < 1 << 16, shape[1] % (r * r) == 0 else {
            throw TensorError("pixel_shuffle", "a factor of \(r) wants channels that \(r)·\(r) divides, got \(Shapes.text(shape))")
        }
        let (n, c, h, w) = (shape[0], shape[1] / (r * r), shape[2], shape[3])
        try Shapes.check([n, c, r, r, h, w], "pixel_shuffle")
        if r == 1 { return try clone() }
        return try Tensor.whole("pixel_shuffle", [self], PyTorchCall("F.pixel_shuffle", inputs: 1, "\(r)")) {
            try reshape([n, c, r, r, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([n, c, h * r, w * r])
        }
    }

    /// [N, C, H·r, W·r] to [N, C·r², H, W]: the inverse of `pixelShuffle`.
    public func pixelUnshuffle(_ r: Int) throws -> Tensor {
        try Images.check([self], "pixel_unshuffle")
        guard r > 0, r < 1 << 16, shape[2] % r == 0, shape[3] % r == 0 else {
            throw TensorError("pixel_unshuffle", "a factor of \(r) should divide height and width of \(Shapes.text(shape))")
        }
        let (n, c, h, w) = (shape[0], shape[1], shape[2] / r, shape[3] / r)
        try Shapes.check([n, c, r, r, h, w], "pixel_unshuffle")
        if r == 1 { return try clone() }
        return try Tensor.whole("pixel_unshuffle", [self], PyTorchCall("F.pixel_unshuffle", inputs: 1, "\(r)")) {
            try reshape([n, c, h, r, w, r]).permute([0, 1, 3, 5, 2, 4]).reshape([n, c * r * r, h, w])
        }
    }

    /// [N, C, H, W] to [N, C·kh·kw, H'·W']: each column holds the elements of one window, zeros where it reaches over the edge.
    /// - Parameter o: stride, padding and dilation of the windows.
    public func unfold(kernel: (Int, Int), _ o: ConvOptions = ConvOptions()) throws -> Tensor {
        try Images.check([self], "unfold")
        guard min(kernel.0, kernel.1, o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth) > 0, min(o.padHeight, o.padWidth) >= 0 else {
            throw TensorError("unfold", "kernel, stride and dilation should be 1 or more and padding 0 or more")
        }
        try Images.checkWindow([kernel.0, kernel.1, o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth, o.padHeight, o.padWidth], "unfold")
        guard kernel.0 <= 1 << 12, kernel.1 <= 1 << 12 else { throw TensorError("unfold", "a window has at most 4096 rows and columns, got \(kernel.0)x\(kernel.1)") }
        let height = shape[2] + 2 * o.padHeight - o.dilationHeight * (kernel.0 - 1) - 1
        let width = shape[3] + 2 * o.padWidth - o.dilationWidth * (kernel.1 - 1) - 1
        guard height >= 0, width >= 0 else {
            throw TensorError("unfold", "a \(kernel.0)x\(kernel.1) window does not fit into \(shape[2])x\(shape[3]) with padding \(o.padHeight), \(o.padWidth)")
        }
        let (rows, columns) = (height / o.strideHeight + 1, width / o.strideWidth + 1)
        try Shapes.check([shape[0], shape[1], kernel.0, kernel.1, rows, columns], "unfold")
        let call = PyTorchCall(
            "F.unfold", inputs: 1, PyTorchCall.pair(kernel.0, kernel.1), PyTorchCall.option("dilation", o.dilationHeight, o.dilationWidth, usual: 1),
            PyTorchCall.option("padding", o.padHeight, o.padWidth, usual: 0), PyTorchCall.option("stride", o.strideHeight, o.strideWidth, usual: 1))
        return try Tensor.whole("unfold", [self], call) { try taps(kernel, o, rows: rows, columns: columns) }
    }

    /// The elements of windows that are known to fit, [N, C·kh·kw, rows·columns].
    private func taps(_ kernel: (Int, Int), _ o: ConvOptions, rows: Int, columns: Int) throws -> Tensor {
        let sides = [0, 0, o.padHeight, o.padWidth]
        let padded = sides == [0, 0, 0, 0] ? self : try pad(before: sides, after: sides)
        var taps: [Tensor] = []
        for i in 0..<kernel.0 {
            for j in 0..<kernel.1 {
                let tap = try padded.slice(
                    starts: [0, 0, i * o.dilationHeight, j * o.dilationWidth], sizes: [shape[0], shape[1], rows, columns], steps: [1, 1, o.strideHeight, o.strideWidth])
                taps.append(try tap.reshape([shape[0], shape[1], 1, rows * columns]))
            }
        }
        let columnsOfAll = try taps.count == 1 ? taps[0].clone() : Tensor.concat(taps, 2)
        return try columnsOfAll.reshape([shape[0], shape[1] * kernel.0 * kernel.1, rows * columns])
    }
}
