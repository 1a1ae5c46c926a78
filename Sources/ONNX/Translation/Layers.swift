import Tensors

/// Layers on images [N, C, H, W] and channels [N, C, ...].
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func layer(_ step: Step) throws -> String? {
        switch try layerOperation(step) {
        case .conv2d(let options):
            return try convolution(step, options)
        case .convInputGradient(let options, let height, let width):
            return try transposedConvolution(step, options, height: height, width: width)
        case .maxPool(let options):
            return try node("MaxPool", step, options.attributes)
        case .averagePool(let options, let countPadding):
            return try node("AveragePool", step, options.attributes + [.int("count_include_pad", countPadding ? 1 : 0)])
        case .resize(let mode, let height, let width):
            return try resize(step, mode, height, width)
        case .moments:
            return try moments(step)
        case .batchNorm(let epsilon, _, let gamma, let beta):
            return try batchNorm(step, epsilon, gamma: gamma, beta: beta)
        case .softmax(let axis, let logarithm):
            return try node(logarithm ? "LogSoftmax" : "Softmax", step, [.int("axis", axis)])
        default:
            return nil
        }
    }

    private func layerOperation(_ step: Step) throws -> Operation {
        switch step.operations[0] {
        case .conv2d, .convInputGradient, .maxPool, .averagePool, .resize, .moments, .batchNorm, .softmax: try operation(step)
        default: step.operations[0]
        }
    }

    private func convolution(_ step: Step, _ o: ConvOptions) throws -> String {
        let kernel = shape(step.inputs[1]).suffix(2).compactMap(\.fixed)
        guard kernel.count == 2 else { throw TensorError("conv2d", "the size of its kernel depends on the number of images, which a file cannot say") }
        let x = copies(try name(step.inputs[0]), o.repeats, step)
        return builder.add("Conv", [x] + (try step.inputs.dropFirst().map(name)), name: step.name, [
            .ints("kernel_shape", kernel), .ints("strides", [o.strideHeight, o.strideWidth]),
            .ints("pads", [o.padHeight, o.padWidth, o.padHeight, o.padWidth]), .ints("dilations", [o.dilationHeight, o.dilationWidth]),
            .int("group", o.groups),
        ])
    }

    private func transposedConvolution(_ step: Step, _ o: ConvOptions, height: Int, width: Int) throws -> String {
        let kernel = shape(step.inputs[1]).suffix(2).compactMap(\.fixed), before = shape(step.inputs[0]).suffix(2).compactMap(\.fixed)
        guard kernel.count == 2, before.count == 2, o.repeats == 1 else {
            throw TensorError("conv_transpose2d", "sizes of its kernel or image depend on the number of images, which a file cannot say")
        }
        let least = [
            (before[0] - 1) * o.strideHeight - 2 * o.padHeight + o.dilationHeight * (kernel[0] - 1) + 1,
            (before[1] - 1) * o.strideWidth - 2 * o.padWidth + o.dilationWidth * (kernel[1] - 1) + 1,
        ]
        return try node("ConvTranspose", step, [
            .ints("kernel_shape", kernel), .ints("strides", [o.strideHeight, o.strideWidth]), .ints("pads", [o.padHeight, o.padWidth, o.padHeight, o.padWidth]),
            .ints("dilations", [o.dilationHeight, o.dilationWidth]), .int("group", o.groups), .ints("output_padding", [height - least[0], width - least[1]]),
        ])
    }

    private func resize(_ step: Step, _ mode: ResizeMode, _ height: Int, _ width: Int) throws -> String {
        let before = shape(step.inputs[0])
        guard let fromHeight = before[2].fixed, let fromWidth = before[3].fixed else {
            throw TensorError("resize", "an image's size depends on the number of images, which a file cannot say")
        }
        if mode == .nearest { return try nearest(step, (fromHeight, height), (fromWidth, width)) }
        let sizes = sizes(step.shape, name: "resize/\(step.shape.map(\.description).joined(separator: "x"))")
        let place = mode == .bilinearAlignCorners ? "align_corners" : "half_pixel"
        return builder.add(
            "Resize", [try name(step.inputs[0]), "", "", sizes], name: step.name,
            [.string("mode", "linear"), .string("coordinate_transformation_mode", place)])
    }

    /// Rows and columns are picked by number: readers of ONNX round the place of a pixel in their own ways.
    private func nearest(_ step: Step, _ rows: (Int, Int), _ columns: (Int, Int)) throws -> String {
        var name = try name(step.inputs[0])
        for (axis, (from, to), part) in [(2, rows, "rows"), (3, columns, "columns")] where from != to {
            let scale = Float(from) / Float(to)
            let picked = builder.integers((0..<to).map { min(Int(Float($0) * scale), from - 1) })
            name = builder.add("Gather", [name, picked], name: "\(step.name)/\(part)", [.int("axis", axis)])
        }
        return name
    }

    /// Mean and biased variance of each channel, [2, C].
    private func moments(_ step: Step) throws -> String {
        let x = try name(step.inputs[0])
        let axes = shape(step.inputs[0]).indices.filter { $0 != 1 }
        let row = builder.integers([1, -1])
        func mean(_ of: String, _ part: String) -> String {
            builder.add("ReduceMean", [of], name: "\(step.name)/\(part)", [.ints("axes", Array(axes)), .int("keepdims", 1)])
        }
        let centre = mean(x, "mean")
        let deviation = builder.add("Sub", [x, centre], name: "\(step.name)/deviation")
        let variance = mean(builder.add("Mul", [deviation, deviation], name: "\(step.name)/square"), "variance")
        let rows = [centre, variance].map { builder.add("Reshape", [$0, row], name: "\($0)/row") }
        return builder.add("Concat", rows, name: step.name, [.int("axis", 0)])
    }

    private func batchNorm(_ step: Step, _ epsilon: Float, gamma: Bool, beta: Bool) throws -> String {
        guard step.shape.count > 1, let channels = step.shape[1].fixed else {
            throw TensorError("batch_norm", "the number of channels depends on the number of images, which a file cannot say")
        }
        let scale = gamma ? try name(step.inputs[2]) : try builder.filled(1, count: channels)
        let shift = beta ? try name(step.inputs[gamma ? 3 : 2]) : try builder.filled(0, count: channels)
        let mean: String, variance: String
        if let statistics = constantValue(step.inputs[1]) {
            mean = try constant(statistics.select(0, 0), name: "\(step.name)/mean")
            variance = try constant(statistics.select(0, 1), name: "\(step.name)/variance")
        } else {
            let statistics = try name(step.inputs[1])
            func row(_ i: Float, _ part: String) -> String {
                builder.add("Gather", [statistics, builder.number(i, .int32)], name: "\(step.name)/\(part)", [.int("axis", 0)])
            }
            (mean, variance) = (row(0, "mean"), row(1, "variance"))
        }
        return builder.add(
            "BatchNormalization", [try name(step.inputs[0]), scale, shift, mean, variance], name: step.name, [.float("epsilon", epsilon)])
    }
}

extension PoolOptions {
    fileprivate var attributes: [Onnx_AttributeProto] {
        [
            .ints("kernel_shape", [kernelHeight, kernelWidth]), .ints("strides", [strideHeight, strideWidth]),
            .ints("pads", [padHeight, padWidth, padHeight, padWidth]),
        ]
    }
}
