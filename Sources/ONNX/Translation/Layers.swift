import Tensors

/// Layers on images [N, C, H, W] and channels [N, C, ...].
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func layer(_ step: Step) throws -> String? {
        switch try layerOperation(step) {
        case .conv2d(let options):
            return try convolution(step, options)
        case .convInputGradient(let options, _, _):
            return try transposedConvolution(step, options)
        case .maxPool(let options):
            return try node("MaxPool", step, options.attributes)
        case .averagePool(let options, let countPadding):
            return try node("AveragePool", step, options.attributes + [.int("count_include_pad", countPadding ? 1 : 0)])
        case .resize(let mode, _, _):
            return try resize(step, mode)
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
        case .conv2d, .maxPool, .averagePool, .moments, .batchNorm, .softmax: try operation(step)
        // What differs from one size of images to another is the size of their result, which its shape says.
        default: step.operations[0]
        }
    }

    private func convolution(_ step: Step, _ o: ConvOptions) throws -> String {
        let kernel = shape(step.inputs[1]).suffix(2).compactMap(\.fixed)
        guard kernel.count == 2 else { throw TensorError("conv2d", "the size of its kernel depends on the images, which a file cannot say") }
        let x = copies(try name(step.inputs[0]), o.repeats, step)
        return builder.add("Conv", [x] + (try step.inputs.dropFirst().map(name)), name: step.name, [
            .ints("kernel_shape", kernel), .ints("strides", [o.strideHeight, o.strideWidth]),
            .ints("pads", [o.padHeight, o.padWidth, o.padHeight, o.padWidth]), .ints("dilations", [o.dilationHeight, o.dilationWidth]),
            .int("group", o.groups),
        ])
    }

    private func transposedConvolution(_ step: Step, _ o: ConvOptions) throws -> String {
        let kernel = shape(step.inputs[1]).suffix(2).compactMap(\.fixed), before = Array(shape(step.inputs[0]).suffix(2))
        guard kernel.count == 2, before.count == 2, o.repeats == 1 else {
            throw TensorError("conv_transpose2d", "the size of its kernel depends on the images, which a file cannot say")
        }
        let least = [
            (before[0] + -1) * o.strideHeight + (o.dilationHeight * (kernel[0] - 1) + 1 - 2 * o.padHeight),
            (before[1] + -1) * o.strideWidth + (o.dilationWidth * (kernel[1] - 1) + 1 - 2 * o.padWidth),
        ]
        let more = zip(step.shape.suffix(2), least).compactMap { ($0 - $1).fixed }
        guard more.count == 2 else { throw TensorError("conv_transpose2d", "how much its result is larger depends on the images' size, which a file cannot say") }
        return try node("ConvTranspose", step, [
            .ints("kernel_shape", kernel), .ints("strides", [o.strideHeight, o.strideWidth]), .ints("pads", [o.padHeight, o.padWidth, o.padHeight, o.padWidth]),
            .ints("dilations", [o.dilationHeight, o.dilationWidth]), .int("group", o.groups), .ints("output_padding", more),
        ])
    }

    private func resize(_ step: Step, _ mode: ResizeMode) throws -> String {
        if mode == .nearest { return try nearest(step) }
        let words = step.shape.map { $0.fixed.map(String.init) ?? table.text($0, probes: graph.probes) ?? "open" }
        let sizes = try sizes(step.shape, name: "resize/\(words.joined(separator: "x"))")
        let place = mode == .bilinearAlignCorners ? "align_corners" : "half_pixel"
        return builder.add(
            "Resize", [try name(step.inputs[0]), "", "", sizes], name: step.name,
            [.string("mode", "linear"), .string("coordinate_transformation_mode", place)])
    }

    /// Rows and columns are picked by number: readers of ONNX round the place of a pixel in their own ways.
    private func nearest(_ step: Step) throws -> String {
        var name = try name(step.inputs[0])
        let before = shape(step.inputs[0])
        for (axis, part) in [(2, "rows"), (3, "columns")] where before[axis] != step.shape[axis] {
            let picked = try picks(before[axis], step.shape[axis], name: "\(step.name)/\(part)")
            name = builder.add("Gather", [name, picked], name: "\(step.name)/\(part)", [.int("axis", axis)])
        }
        return name
    }

    /// Which of `from` rows stand in each of `to`: the whole part of i · (from / to), in float32 as the kernel computes it.
    private func picks(_ from: Size, _ to: Size, name: String) throws -> String {
        if let from = from.fixed, let to = to.fixed {
            let scale = Float(from) / Float(to)
            return builder.integers((0..<to).map { min(Int(Float($0) * scale), from - 1) })
        }
        let (rows, wanted) = (try scalar(from, .float32), try scalar(to, .float32))
        let numbers = builder.add("Range", [builder.number(0, .float32), wanted, builder.number(1, .float32)], name: "\(name)/numbers")
        let places = builder.add("Mul", [numbers, builder.add("Div", [rows, wanted], name: "\(name)/scale")], name: "\(name)/places")
        let last = builder.add("Sub", [rows, builder.number(1, .float32)], name: "\(name)/last")
        return builder.add("Cast", [builder.add("Min", [builder.add("Floor", [places], name: "\(name)/floor"), last], name: "\(name)/least")], name: "\(name)/picked", [.to(.int64)])
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
            throw TensorError("batch_norm", "the number of channels depends on the images, which a file cannot say")
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
