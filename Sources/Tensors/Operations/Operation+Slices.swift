/// How a work falls into parts that have nothing to do with each other: one for each image, and in it one for each set of channels.
struct Slicing {
    let images: Int
    /// Sets of channels of which nothing goes from one to another: those of a grouped convolution. 1 where several convolutions read (or add to) the
    /// same channels; nil for any number, where every channel is by itself.
    let sets: Int?
    /// Channels by themselves, which `sets` has to divide.
    let channels: Int
    /// Elements of the smallest plane, and of an image of the largest operand.
    let plane, image: Int
}

/// Where the part of an operand begins that belongs to an image and a set of channels: (image / `every`) · `imageStep` + set · `setStep`, in elements.
struct SliceSteps {
    var every = 1
    let imageStep, setStep: Int
}

/// A work cut down to one image and one set of channels.
struct SlicedWork {
    /// On addresses within the operands, see `steps`. For a sum over images the output is the part of it that an image gives.
    let launch: PlainLaunch
    /// Of the inputs, and the output at last.
    let steps: [SliceSteps]
    let isSum: Bool
}

extension PlanGraph {
    /// How a work can be cut; nil for one that can't. Convolutions that are depthwise or 1x1, their derivatives, and norms by known statistics can.
    func slicing(_ work: Work) -> Slicing? {
        guard !work.infers, work.chain == nil, !work.computesStatistics else { return nil }
        let layouts = (work.inputs + [work.output]).map { values[$0].layout }
        for (i, input) in work.inputs.enumerated() where !work.operation.accepts(values[input].layout, at: i) { return nil }
        let planes: [TensorLayout]
        let (sets, channels): (Int?, Int)
        switch work.operation {
        case .conv2d(let options), .convInputGradient(let options, _, _), .convWeightGradient(let options, _, _):
            let weight: TensorLayout
            switch work.operation {
            case .conv2d: (weight, planes) = (layouts[1], [layouts[0], layouts[layouts.count - 1]])
            case .convInputGradient: (weight, planes) = (layouts[1], [layouts[0]] + layouts.dropFirst(2))
            default: (weight, planes) = (layouts[2], [layouts[0], layouts[1]])
            }
            if case .conv2d = work.operation, work.inputs.count > 2 { return nil }
            let isDepthwise = weight.shape[1] == 1 && options.groups == weight.shape[0]
            guard isDepthwise || weight.shape[2] * weight.shape[3] == 1 else { return nil }
            sets = options.repeats > 1 ? 1 : isDepthwise ? nil : options.groups
            channels = isDepthwise ? weight.shape[0] / options.repeats : options.groups
        case .stackedNorm(let options):
            planes = [layouts[0], layouts[layouts.count - 1]]
            channels = layouts[0].shape[1]
            guard options.repeats == 1, layouts[1].shape[2] == channels, layouts[0].shape.count == 4 else { return nil }
            sets = nil
        default:
            return nil
        }
        let sizes = planes.map { $0.shape.dropFirst(2).reduce(1, *) }
        return Slicing(
            images: planes[0].shape[0], sets: sets, channels: channels, plane: sizes.min() ?? 0, image: zip(sizes, planes).map { $0 * $1.shape[1] }.max() ?? 0)
    }

    /// A work that `slicing` allows, for one image and one of `sets` sets.
    func sliced(_ work: Work, sets: Int) -> SlicedWork {
        /// A batch of images and a part of it; and the same of weights, which serve all images.
        func images(_ layout: TensorLayout) -> (Operand, SliceSteps) {
            var shape = layout.shape
            (shape[0], shape[1]) = (1, shape[1] / sets)
            let part = TensorLayout(contiguous: shape)
            return (Operand(part, .float32), SliceSteps(imageStep: layout.batchStride, setStep: part.count))
        }
        func weights(_ layout: TensorLayout) -> (Operand, SliceSteps) {
            let part = TensorLayout(contiguous: [layout.shape[0] / sets] + layout.shape.dropFirst())
            return (Operand(part, .float32), SliceSteps(imageStep: 0, setStep: part.count))
        }
        let layouts = (work.inputs + [work.output]).map { values[$0].layout }
        var parts: [(operand: Operand, steps: SliceSteps)]
        var one = work
        switch work.operation {
        case .conv2d(var options):
            options.groups /= sets
            one.operation = .conv2d(options)
            parts = [images(layouts[0]), weights(layouts[1]), images(layouts[2])]
        case .convInputGradient(var options, let height, let width):
            options.groups /= sets
            one.operation = .convInputGradient(options, height: height, width: width)
            parts = [images(layouts[0]), weights(layouts[1])] + layouts.dropFirst(2).map { images($0) }
        case .convWeightGradient(var options, let height, let width):
            options.groups /= sets
            one.operation = .convWeightGradient(options, kernelHeight: height, kernelWidth: width)
            // What an image gives is summed by others.
            one.accumulate = false
            let (part, steps) = weights(layouts[2])
            parts = [images(layouts[0]), images(layouts[1]), (part, SliceSteps(imageStep: layouts[2].count, setStep: steps.setStep))]
            return SlicedWork(launch: one.plainKernel(parts.dropLast().map(\.operand), part), steps: parts.map(\.steps), isSum: true)
        case .stackedNorm(var options):
            // Statistics are rows of all channels, of which the part is a stretch.
            let (channels, samples) = (layouts[1].shape[2], layouts[0].shape[0] / options.groups)
            options.groups = 1
            one.operation = .stackedNorm(options)
            let rows = Operand(TensorLayout(contiguous: [1, 2, channels]), .float32)
            parts = [images(layouts[0]), (rows, SliceSteps(every: samples, imageStep: 2 * channels, setStep: channels / sets))]
            parts += layouts[2..<layouts.count - 1].map { weights($0) } + [images(layouts[layouts.count - 1])]
        default:
            preconditionFailure("\(work.operation.name) does not fall into images")
        }
        return SlicedWork(launch: one.plainKernel(parts.dropLast().map(\.operand), parts[parts.count - 1].operand), steps: parts.map(\.steps), isSum: false)
    }
}

extension PlanGraph.Work {
    /// The kernel of an operation on images, which throws nothing.
    fileprivate func plainKernel(_ x: [Operand], _ y: Operand) -> PlainLaunch {
        if case .stackedNorm = operation { return operation.stackedKernel(x, y, accumulate: accumulate) }
        return operation.convKernel(x, y, relu: relu, mask: mask, accumulate: accumulate)
    }
}
