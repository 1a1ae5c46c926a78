/// A convolution that falls apart into independent ones over slices of its channels: the groups of a grouped one, or several convolutions of one
/// input whose outputs (or, for the gradient of the input, whose gradients) stand side by side.
///
/// Small ones are computed side by side, each by one thread; large ones one after another, each by all threads. The shape decides.
public struct ConvolutionSets: Sendable {
    /// One set's convolution; its channels are slices of the whole's.
    private let one: ConvShape
    private let sets: Int
    /// Elements from one set to the next in the input (0: all read the same), the output and the weights.
    private let inStep, outStep, weightStep: Int
    private let isSmall: Bool
    /// Depthwise sets of one input that share the preparation of its planes: all sets in one call.
    private let sharesPlanes: Bool

    /// - Parameter repeats: the input counts as this many copies of itself; `shape` has the channels of all of them.
    public init(_ shape: ConvShape, repeats: Int) {
        var one = shape
        if repeats > 1 {
            sets = repeats
        } else {
            sets = shape.isDepthwise ? 1 : shape.groups
        }
        one.inChannels /= sets
        one.outChannels /= sets
        one.groups /= sets
        self.one = one
        inStep = repeats > 1 ? 0 : one.inChannels * one.inHeight * one.inWidth
        outStep = one.outChannels * one.outHeight * one.outWidth
        weightStep = one.weights
        sharesPlanes = repeats > 1 && Convolution.depthwiseCopies(one)
        isSmall = one.batch * outStep * (one.weights / max(one.outChannels, 1)) < 1 << 21
    }

    /// An even number of small sets side by side, what is left by all threads.
    private func each(evenLarge: Bool = false, _ body: (Int) -> Void) {
        let together = isSmall || evenLarge ? sets & ~1 : 0
        ThreadPool.run(together, body)
        for set in together..<sets { body(set) }
    }

    /// As `Convolution.forward`; no bias where there are several sets.
    public func forward(
        input: UnsafePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, output: UnsafeMutablePointer<Float>, relu: Bool,
        accumulate: Bool
    ) {
        if sharesPlanes {
            Convolution.depthwiseForward(one, sets, input, weight, bias, output, relu, accumulate)
            return
        }
        each { set in
            Convolution.forward(
                one, input: input + set * inStep, weight: weight + set * weightStep, bias: bias.map { $0 + set * one.outChannels },
                output: output + set * outStep, relu: relu, accumulate: accumulate)
        }
    }

    /// As `Convolution.inputGradient`; `maskBatchStride` is the mask's distance from one image to the next.
    public func inputGradient(
        gradient: UnsafePointer<Float>, weight: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?,
        maskBatchStride: Int, accumulate: Bool
    ) {
        func set(_ i: Int, _ shape: ConvShape, _ image: Int, add: Bool) {
            Convolution.inputGradient(
                shape, gradient: gradient + i * outStep + image * shape.outBatchStride, weight: weight + i * weightStep,
                output: output + i * inStep + image * shape.inBatchStride, mask: mask.map { $0 + i * inStep + image * maskBatchStride }, accumulate: add)
        }
        var image = one
        image.batch = 1
        if mask != nil, maskBatchStride != one.inBatchStride, one.batch > 1 {
            // The kernels know one distance for the mask and the result.
            for n in 0..<one.batch { for i in 0..<sets { set(i, image, n, add: accumulate || inStep == 0 && i > 0) } }
        } else if sharesPlanes {
            Convolution.depthwiseInputGradient(one, sets, gradient, weight, output, mask, accumulate)
        } else if inStep > 0 || sets == 1 {
            each { set($0, one, 0, add: accumulate) }
        } else if isSmall, one.batch > 1 {
            // All sets add to the same gradient, so images are what threads can share.
            ThreadPool.run(one.batch) { n in for i in 0..<sets { set(i, image, n, add: accumulate || i > 0) } }
        } else {
            for i in 0..<sets { set(i, one, 0, add: accumulate || i > 0) }
        }
    }

    /// As `Convolution.weightGradient`. The sets have nothing in common, and sums over all pixels in few pieces: large ones go side by side, too.
    public func weightGradient(
        input: UnsafePointer<Float>, gradient: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, relu: Bool, accumulate: Bool
    ) {
        if sharesPlanes {
            Convolution.depthwiseWeightGradient(one, sets, input, gradient, output, relu, accumulate)
            return
        }
        each(evenLarge: true) { set in
            Convolution.weightGradient(
                one, input: input + set * inStep, gradient: gradient + set * outStep, output: output + set * weightStep, relu: relu,
                accumulate: accumulate)
        }
    }
}
