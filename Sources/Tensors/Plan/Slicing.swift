import Kernels

/// How a work falls into parts that have nothing to do with each other: one for each image, and in it one for each set of channels.
struct Slicing {
    let images: Int
    /// Sets of channels of which nothing goes from one to another: those of a grouped convolution. 1 where several convolutions read (or add to) the
    /// same channels; nil for any number, where every channel is by itself.
    let sets: Int?
    /// Channels by themselves, which `sets` has to divide.
    let channels: Int
    /// Elements of the smallest plane.
    let plane: Int
}

/// Where the part of an operand begins that belongs to an image and a set of channels: (image / `every`) · `imageStep` + set · `setStep`, in elements.
struct SliceSteps {
    var every = 1
    let imageStep, setStep: Int

    static let none = SliceSteps(imageStep: 0, setStep: 0)
}

/// A work cut down to one image and one set of channels.
struct SlicedWork {
    /// On addresses within the operands, see `steps`.
    let launch: PlainLaunch
    /// Of the inputs and, at last, the output: for a sum, of the memory that `sum` tells of.
    let steps: [SliceSteps]
    var sum: ImageSum?
}

/// A result that all images contribute to: each leaves so many floats, which are put together in the images' order.
struct ImageSum {
    let floats: Int
    /// Takes what the images left and the addresses of all operands (those that are handed on within a chain excepted).
    let finish: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Void
}

extension PlanGraph {
    /// How a work can be cut; nil for one that can't. Convolutions that are depthwise or 1x1, their derivatives, norms by known statistics and the
    /// statistics themselves can.
    func slicing(_ work: Work) -> Slicing? {
        guard !work.infers, work.chain == nil, !work.computesStatistics else { return nil }
        for (i, input) in work.inputs.enumerated() where !work.operation.accepts(values[input].layout, at: i) { return nil }
        let layouts = (work.inputs + [work.output]).map { values[$0].layout }
        // Of nothing there are no parts.
        guard layouts.allSatisfy({ $0.count > 0 }) else { return nil }
        let channels = layouts[0].shape.count == 4 ? layouts[0].shape[1] : 0
        switch work.operation {
        case .conv2d(let options):
            guard work.inputs.count == 2 else { return nil }
            return slicing(options, weight: layouts[1], [layouts[0], layouts[2]])
        case .convInputGradient(let options, _, _):
            return slicing(options, weight: layouts[1], [layouts[0]] + layouts.dropFirst(2))
        case .convWeightGradient(let options, _, _):
            return slicing(options, weight: layouts[2], [layouts[0], layouts[1]])
        case .stackedNorm(let options):
            guard options.repeats == 1, channels > 0, layouts[1].shape[2] == channels else { return nil }
        case .stackedNormSums(let options), .stackedNormInputGradient(let options):
            guard options.repeats == 1, channels > 0, layouts[2].shape[2] == channels else { return nil }
        case .stackedMoments:
            guard channels > 0 else { return nil }
        default:
            return nil
        }
        return Slicing(images: layouts[0].shape[0], sets: nil, channels: channels, plane: layouts[0].shape[2] * layouts[0].shape[3])
    }

    private func slicing(_ options: ConvOptions, weight: TensorLayout, _ images: [TensorLayout]) -> Slicing? {
        let isDepthwise = weight.shape[1] == 1 && options.groups == weight.shape[0]
        guard isDepthwise || weight.shape[2] * weight.shape[3] == 1 else { return nil }
        return Slicing(
            images: images[0].shape[0], sets: options.repeats > 1 ? 1 : isDepthwise ? nil : options.groups,
            channels: isDepthwise ? weight.shape[0] / options.repeats : options.groups, plane: images.map { $0.shape[2] * $0.shape[3] }.min() ?? 0)
    }

    /// A work that `slicing` allows, for one image and one of `sets` sets.
    func sliced(_ work: Work, sets: Int) -> SlicedWork {
        let cut = SliceCut(layouts: (work.inputs + [work.output]).map { values[$0].layout }, sets: sets)
        switch work.operation {
        case .conv2d, .convInputGradient, .convWeightGradient: return cut.convolution(work)
        case .stackedMoments, .stackedNormSums: return cut.statistics(work)
        default: return cut.norm(work)
        }
    }
}

/// Cuts works with operands of these layouts (the output's at last).
private struct SliceCut {
    let layouts: [TensorLayout]
    let sets: Int

    private typealias Part = (operand: Operand, steps: SliceSteps)

    /// A batch of images.
    private func images(_ i: Int) -> Part {
        var shape = layouts[i].shape
        (shape[0], shape[1]) = (1, shape[1] / sets)
        let part = TensorLayout(contiguous: shape)
        return (Operand(part, .float32), SliceSteps(imageStep: layouts[i].batchStride, setStep: part.count))
    }

    /// Weights, which serve all images.
    private func weights(_ i: Int) -> Part {
        let part = TensorLayout(contiguous: [layouts[i].shape[0] / sets] + layouts[i].shape.dropFirst())
        return (Operand(part, .float32), SliceSteps(imageStep: 0, setStep: part.count))
    }

    /// Statistics [A, 2, C]: for each batch of the stack rows of all channels, of which a set has a stretch.
    private func rows(_ i: Int, samples: Int) -> Part {
        let channels = layouts[i].shape[2]
        return (Operand(TensorLayout(contiguous: [1, 2, channels]), .float32), SliceSteps(every: samples, imageStep: 2 * channels, setStep: channels / sets))
    }

    func convolution(_ work: PlanGraph.Work) -> SlicedWork {
        switch work.operation {
        case .conv2d(var options):
            options.groups /= sets
            return cut(ConvolutionRule(options: options), work.form, [images(0), weights(1), images(2)])
        case .convInputGradient(var options, let height, let width):
            options.groups /= sets
            let parts = [images(0), weights(1)] + (2..<layouts.count).map { images($0) }
            return cut(ConvInputGradientRule(options: options, height: height, width: width), work.form, parts)
        case .convWeightGradient(var options, let height, let width):
            options.groups /= sets
            var form = work.form
            form.parts.remove(.accumulate)
            let (part, steps) = weights(2)
            let parts = [images(0), images(1), (part, SliceSteps(imageStep: layouts[2].count, setStep: steps.setStep))]
            var sliced = cut(ConvWeightGradientRule(options: options, kernelHeight: height, kernelWidth: width), form, parts)
            sliced.sum = weightSum(accumulate: work.accumulate)
            return sliced
        default:
            preconditionFailure("\(work.operation.name) is no convolution")
        }
    }

    private func cut(_ rule: some PlainOperationRule, _ form: KernelForm, _ parts: [Part]) -> SlicedWork {
        SlicedWork(launch: rule.plainKernel(parts.dropLast().map(\.operand), parts[parts.count - 1].operand, form), steps: parts.map(\.steps))
    }

    private func weightSum(accumulate: Bool) -> ImageSum {
        let (count, images) = (layouts[2].count, layouts[0].shape[0])
        return ImageSum(floats: count) { parts, operands in
            let output = operands.floats(2)
            if !accumulate { output.update(from: parts, count: count) }
            for image in (accumulate ? 0 : 1)..<images {
                let part = parts + image * count
                for i in 0..<count { output[i] += part[i] }
            }
        }
    }

    /// `stackedNorm` and the derivative of its input, by given statistics.
    func norm(_ work: PlanGraph.Work) -> SlicedWork {
        let last = layouts.count - 1
        switch work.operation {
        case .stackedNorm(var options):
            let samples = layouts[0].shape[0] / options.groups
            options.groups = 1
            return cut(StackedNormRule(options: options), work.form, [images(0), rows(1, samples: samples)] + (2..<last).map { weights($0) } + [images(last)])
        case .stackedNormInputGradient(var options):
            let samples = layouts[0].shape[0] / options.groups
            options.groups = 1
            let gamma = options.batchStatistics ? 4 : 3
            let parts = [images(0), images(1)] + (2..<gamma).map { rows($0, samples: samples) } + (gamma..<last).map { weights($0) } + [images(last)]
            let sliced = cut(StackedNormInputGradientRule(options: options), work.form, parts)
            return options.batchStatistics ? SlicedWork(launch: shares(3, samples: samples, sliced.launch), steps: sliced.steps) : sliced
        default:
            preconditionFailure("\(work.operation.name) is no norm")
        }
    }

    /// An image's share of sums over a batch: the kernel divides by the elements that it sees, and has rows of the channels that it sees.
    private func shares(_ place: Int, samples: Int, _ launch: @escaping PlainLaunch) -> PlainLaunch {
        let channels = layouts[place].shape[2], mine = channels / sets
        return { p in
            // Slots 0 and 1 are the chain's own, see `SlicedKernel`.
            guard let own = Workspace.floats(2 * mine, slot: 2) else { return }
            let all = p[place]
            for i in 0..<mine {
                own[i] = p.floats(place)[i] / Float(samples)
                own[mine + i] = p.floats(place)[channels + i] / Float(samples)
            }
            p[place] = UnsafeMutableRawPointer(own)
            launch(p)
            p[place] = all
        }
    }

    func statistics(_ work: PlanGraph.Work) -> SlicedWork {
        let channels = layouts[0].shape[1], mine = channels / sets
        let size = layouts[0].shape[2] * layouts[0].shape[3]
        switch work.operation {
        case .stackedMoments(let groups):
            let samples = layouts[0].shape[0] / groups
            // Three doubles are six floats.
            let steps = [images(0).steps, SliceSteps(imageStep: 6 * channels, setStep: 6 * mine)]
            return SlicedWork(
                launch: { p in ImageStatistics.moments(channels: mine, size: size, p.floats(0), p[1].assumingMemoryBound(to: Double.self)) }, steps: steps,
                sum: ImageSum(floats: 6 * channels) { parts, operands in
                    let states = UnsafeRawPointer(parts).assumingMemoryBound(to: Double.self)
                    ImageStatistics.combineMoments(groups: groups, samples: samples, channels: channels, states, operands.floats(1))
                })
        case .stackedNormSums(let options):
            let samples = layouts[0].shape[0] / options.groups
            let steps = [images(0).steps, images(1).steps, rows(2, samples: samples).steps, SliceSteps(imageStep: 4 * channels, setStep: 4 * mine)]
            return SlicedWork(
                launch: { p in
                    ImageStatistics.gradientSums(
                        channels: mine, size: size, p.floats(0), p.floats(1), mean: p.floats(2), p[3].assumingMemoryBound(to: Double.self))
                }, steps: steps,
                sum: ImageSum(floats: 4 * channels) { parts, operands in
                    let sums = UnsafeRawPointer(parts).assumingMemoryBound(to: Double.self)
                    ImageStatistics.combineSums(
                        groups: options.groups, samples: samples, channels: channels, sums, moments: operands.floats(2), epsilon: options.epsilon,
                        operands.floats(3))
                })
        default:
            preconditionFailure("\(work.operation.name) is no statistics")
        }
    }
}
