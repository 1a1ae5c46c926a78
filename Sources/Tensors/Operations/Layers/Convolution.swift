import Kernels

// A convolution is bilinear: its three forms are each other's derivatives.

/// (x [N, C, H, W], weight [out, C / groups, kh, kw], bias [out]?).
struct ConvolutionRule: PlainOperationRule {
    let options: ConvOptions

    var name: String { "conv2d" }
    var traits: OperationTraits { OperationTraits(fusions: [.relu, .accumulate, .infers, .rectify], writes: .images, repetition: .convolution) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index == 0 && layout.isBatchContiguous }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try Images.check(x, name)
        return try options.shape(x)
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let (h, w, kh, kw) = (x[0].shape[2], x[0].shape[3], x[1].shape[2], x[1].shape[3])
        let dx = x[0].requiresGrad ? try Operation.convInputGradient(options, height: h, width: w)(g, x[1]) : nil
        let dw = x[1].requiresGrad ? try Operation.convWeightGradient(options, kernelHeight: kh, kernelWidth: kw)(x[0], g) : nil
        return [dx, dw] + (x.count > 2 ? [try g.sum([0, 2, 3])] : [])
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(y.reduce(1, *), ConvOptions.taps(x[1])) }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        form.has(.infers) ? try inferenceKernel(x, y, form) : plainKernel(x, y, form)
    }

    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch {
        let sets = ConvolutionSets(options.shape(x[0].layout, weight: x[1].shape, y.layout), repeats: options.repeats)
        let (hasBias, out, relu, accumulate) = (x.count > 2, x.count, form.has(.relu), form.has(.accumulate))
        return { p in
            sets.forward(
                input: p.floats(0), weight: p.floats(1), bias: hasBias ? UnsafePointer(p.floats(2)) : nil, output: p.floats(out), relu: relu,
                accumulate: accumulate)
        }
    }
}

/// (gradient, weight) -> images of a height and width. Also the transposed convolution.
struct ConvInputGradientRule: PlainOperationRule {
    let options: ConvOptions
    let height, width: Int

    var name: String { "conv2d_input_gradient" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true, fusions: [.mask, .accumulate], writes: .images) }
    /// The third is the mask that a plan may add.
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index != 1 && layout.isBatchContiguous }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try Images.check(x, name)
        return [x[0].shape[0], x[1].shape[1] * options.groups / options.repeats, height, width]
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [
            try Operation.conv2d(options)(g, x[1]),
            try Operation.convWeightGradient(options, kernelHeight: x[1].shape[2], kernelWidth: x[1].shape[3])(g, x[0]),
        ]
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(x[0].reduce(1, *), ConvOptions.taps(x[1])) }

    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch {
        let sets = ConvolutionSets(options.shape(y.layout, weight: x[1].shape, x[0].layout), repeats: options.repeats)
        let (mask, accumulate) = (form.has(.mask), form.has(.accumulate))
        let out = mask ? 3 : 2
        let maskStride = mask ? x[2].layout.batchStride : 0
        return { p in
            sets.inputGradient(
                gradient: p.floats(0), weight: p.floats(1), output: p.floats(out), mask: mask ? UnsafePointer(p.floats(2)) : nil,
                maskBatchStride: maskStride, accumulate: accumulate)
        }
    }
}

/// (x, gradient) -> weights of a kernel's size.
struct ConvWeightGradientRule: PlainOperationRule {
    let options: ConvOptions
    let kernelHeight, kernelWidth: Int

    var name: String { "conv2d_weight_gradient" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true, fusions: [.relu, .accumulate]) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try Images.check(x, name)
        return [x[1].shape[1], x[0].shape[1] * options.repeats / options.groups, kernelHeight, kernelWidth]
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [
            try Operation.convInputGradient(options, height: x[0].shape[2], width: x[0].shape[3])(x[1], g), try Operation.conv2d(options)(x[0], g),
        ]
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(x[1].reduce(1, *), ConvOptions.taps(y)) }

    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch {
        let sets = ConvolutionSets(options.shape(x[0].layout, weight: y.shape, x[1].layout), repeats: options.repeats)
        let (relu, accumulate) = (form.has(.relu), form.has(.accumulate))
        return { p in sets.weightGradient(input: p.floats(0), gradient: p.floats(1), output: p.floats(2), relu: relu, accumulate: accumulate) }
    }
}

extension ConvOptions {
    /// Products for one element of the result.
    static func taps(_ weight: [Int]) -> Int { weight.reduce(1, *) / max(weight[0], 1) }

    /// Sizes of the convolution x [N, C, H, W] * w -> y; batch strides from the layouts.
    func shape(_ x: TensorLayout, weight w: [Int], _ y: TensorLayout) -> ConvShape {
        ConvShape(
            batch: x.shape[0], inChannels: x.shape[1] * repeats, inHeight: x.shape[2], inWidth: x.shape[3], outChannels: w[0], kernelHeight: w[2],
            kernelWidth: w[3], strideHeight: strideHeight, strideWidth: strideWidth, padHeight: padHeight, padWidth: padWidth,
            dilationHeight: dilationHeight, dilationWidth: dilationWidth, groups: groups, inBatchStride: x.batchStride,
            outBatchStride: y.batchStride)
    }

    fileprivate func shape(_ inputs: [Tensor]) throws -> [Int] {
        let (x, w) = (inputs[0].shape, inputs[1].shape)
        guard (1...max(w[0], 1)).contains(groups) else { throw TensorError("conv2d", "groups should be 1 to the \(w[0]) channels of the result, got \(groups)") }
        guard w[2] > 0, w[3] > 0 else { throw TensorError("conv2d", "weight \(Shapes.text(w)) has a kernel without pixels, [out, in / groups, 1 or more, 1 or more] expected") }
        guard w[0] % groups == 0, x[1] * repeats == w[1] * groups else {
            throw TensorError(
                "conv2d",
                "input \(Shapes.text(x)) has \(x[1]) channels, weight \(Shapes.text(w)) with \(groups) group\(groups == 1 ? "" : "s") expects \(w[1] * groups)")
        }
        guard min(strideHeight, strideWidth, dilationHeight, dilationWidth) > 0, min(padHeight, padWidth) >= 0 else {
            throw TensorError("conv2d", "stride and dilation should be 1 or more and padding 0 or more")
        }
        try Images.checkWindow([strideHeight, strideWidth, dilationHeight, dilationWidth, padHeight, padWidth], "conv2d")
        if inputs.count > 2, inputs[2].shape != [w[0]] {
            throw TensorError("conv2d", "bias \(Shapes.text(inputs[2].shape)) should be [\(w[0])]")
        }
        let height = x[2] + 2 * padHeight - dilationHeight * (w[2] - 1) - 1
        let width = x[3] + 2 * padWidth - dilationWidth * (w[3] - 1) - 1
        try Images.checkPlanes((x[2] + 2 * padHeight + dilationHeight * w[2], x[3] + 2 * padWidth + dilationWidth * w[3]), times: x[0] * max(x[1], w[0]), "conv2d")
        guard height >= 0, width >= 0 else {
            throw TensorError(
                "conv2d",
                "a \(w[2])x\(w[3]) kernel at dilation \(dilationHeight), \(dilationWidth) does not fit into \(x[2])x\(x[3]) with padding \(padHeight), \(padWidth)")
        }
        return [x[0], w[0], height / strideHeight + 1, width / strideWidth + 1]
    }
}
