import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with stride, padding, dilation and groups,
/// and its two gradients. Tensors are NCHW float32; layouts are those of `ConvShape`.
///
/// Every pass over a dense kernel has three forms, and the shape decides by an estimate of cycles which one runs:
/// - lanes are neighbouring pixels of padded planes (`ConvRun`, and `ConvWeight` for the weight): large planes, few channels;
/// - lanes are channels, each tap computed for just the pixels it meets (`ConvPixels`, `ConvOuter`): small planes, wide atrous
///   kernels. 5x5 at rate 2 with 64 channels on 11x11 went from 638 to 309 us forward and from 960 to 280 us for the weight.
/// - Winograd's minimal filtering for 3x3 and 5x5 at stride 1 and any rate (`winogradPays`): twice as fast where there are pixels enough to pay for
///   turning the weights; results differ by up to some 7e-6 of the largest from those of plain sums, which `filtering` can ask for.
/// Depthwise planes that are small beside a vector have lanes of channels too (`DepthwiseSmall`): four times as fast on 2x2 and 4x4.
///
/// Beside PyTorch (oneDNN), batch 2, 8 to 64 channels, sides 11 to 81, forward and backward, geometric mean (worst row):
/// - two cores of a Zen 3 (AVX2, 103 GFLOP/s each), PyTorch 2.13: depthwise 0.09 to 0.15 (0.84), 1x1 0.17 (0.87), 3x3 0.56 (1.27),
///   3x3 at rate 2 0.49 (1.43), 5x5 0.64 (1.06), 5x5 at rate 2 0.32 (0.61). On one core, 64 channels on 21x21: 84, 86 and 93 GFLOP/s
///   for 3x3 forward, input and weight gradient; 8 channels on 16x16 48, 49 and 55, 64 on 4x4 41, 33 and 35, where packing weights and
///   turning planes take as long as the products;
/// - one core of a Zen 4 (AVX-512, 120 GFLOP/s), PyTorch 2.15, before the second form summed all taps in registers: depthwise 0.08 to 0.17
///   (0.83), 1x1 0.44 (0.79), 3x3 0.48 (1.01), 3x3 at rate 2 0.45 (1.06), 5x5 0.57 (1.06), 5x5 at rate 2 0.57 (1.17).
/// What did not pay: masked stores of whole vectors (depthwise 1.3 times slower), reading planes in place for the second form
/// where there are several taps (1.3 times), packing weights by single elements (15% of a 5x5 on 11x11; it does where fewer than half of
/// the taps are live), tiles of neighbouring pixels in the second form (they need every tap that one of them meets).
public enum Convolution {
    /// Where convolutions and their gradients take Winograd's form: `never` is the oracle of it, `wherePossible` for tests of small shapes.
    public enum Filtering: Sendable { case whereItPays, wherePossible, never }
    nonisolated(unsafe) public static var filtering = Filtering.whereItPays

    /// Whether a dense convolution takes it. The input gradient is a convolution too: `ConvShape.turnedAround`.
    static func filtersMinimally(_ s: ConvShape) -> Bool {
        switch filtering {
        case .never: false
        case .whereItPays: s.canFilterMinimally && choose(KernelsV4.winogradPays, KernelsV3.winogradPays, KernelsV2.winogradPays)(s.c)
        case .wherePossible: s.canFilterMinimally
        }
    }

    /// Whether its weight gradient does.
    static func filtersWeightsMinimally(_ s: ConvShape) -> Bool {
        switch filtering {
        case .never: false
        case .whereItPays:
            s.canFilterMinimally && choose(KernelsV4.winogradWeightPays, KernelsV3.winogradWeightPays, KernelsV2.winogradWeightPays)(s.c)
        case .wherePossible: s.canFilterMinimally
        }
    }

    /// output = conv(input, weight) + bias; with `relu`, of max(input, 0); with `accumulate`, added to the output.
    public static func forward(
        _ s: ConvShape, input: UnsafePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>? = nil,
        output: UnsafeMutablePointer<Float>, relu: Bool = false, accumulate: Bool = false
    ) {
        guard !s.isEmpty else { return }
        guard s.inImage > 0 else { return biasAlone(s, bias, output, accumulate) }
        if s.isDepthwise {
            depthwiseForward(s, 1, input, weight, bias, output, relu, accumulate)
            return
        }
        let t = s.oneGroup, parallel = t.parallel
        if filtersMinimally(t) {
            let kernel = choose(KernelsV4.winogradForward, KernelsV3.winogradForward, KernelsV2.winogradForward)
            for i in 0..<s.groups {
                let finish = trellis_finish(scale: nil, shift: bias.map { $0 + i * t.outChannels }, relu: relu, accumulate: accumulate, rectify: false)
                kernel(t.c, input + i * t.inImage, weight + i * t.weights, output + i * t.outImage, finish, parallel)
            }
            return
        }
        let kernel = choose(KernelsV4.denseForward, KernelsV3.denseForward, KernelsV2.denseForward)
        for i in 0..<s.groups {
            kernel(
                t.c, input + i * t.inImage, weight + i * t.weights, bias.map { $0 + i * t.outChannels }, output + i * t.outImage,
                relu, accumulate, parallel)
        }
    }

    /// The forward pass of an input without channels or pixels.
    static func biasAlone(_ s: ConvShape, _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>, _ accumulate: Bool) {
        let plane = s.outHeight * s.outWidth
        for i in 0..<s.batch * s.outChannels {
            let (image, channel) = (i / s.outChannels, i % s.outChannels)
            let target = output + image * s.outBatchStride + channel * plane, value = bias?[channel] ?? 0
            for j in 0..<plane { target[j] = accumulate ? target[j] + value : value }
        }
    }

    /// The gradient with respect to the input, from that of the output. Where `mask` (laid out as the input) is not above
    /// zero the result is zero: the derivative of the ReLU in front of the convolution.
    public static func inputGradient(
        _ s: ConvShape, gradient: UnsafePointer<Float>, weight: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        mask: UnsafePointer<Float>? = nil, accumulate: Bool = false
    ) {
        guard s.batch * s.inImage > 0 else { return }
        if s.isDepthwise {
            depthwiseInputGradient(s, 1, gradient, weight, output, mask, accumulate)
            return
        }
        let t = s.oneGroup, parallel = t.parallel
        if filtersMinimally(t.turnedAround) {
            let kernel = choose(KernelsV4.winogradInputGradient, KernelsV3.winogradInputGradient, KernelsV2.winogradInputGradient)
            for i in 0..<s.groups {
                kernel(
                    t.turnedAround.c, gradient + i * t.outImage, weight + i * t.weights, output + i * t.inImage, mask.map { $0 + i * t.inImage },
                    accumulate, parallel)
            }
            return
        }
        let kernel = choose(KernelsV4.denseInputGradient, KernelsV3.denseInputGradient, KernelsV2.denseInputGradient)
        for i in 0..<s.groups {
            kernel(
                t.c, gradient + i * t.outImage, weight + i * t.weights, output + i * t.inImage, mask.map { $0 + i * t.inImage },
                accumulate, parallel)
        }
    }

    /// The gradient with respect to the weight; with `relu`, the convolution was of max(input, 0).
    public static func weightGradient(
        _ s: ConvShape, input: UnsafePointer<Float>, gradient: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        relu: Bool = false, accumulate: Bool = false
    ) {
        guard !s.isEmpty, s.inImage > 0 else {
            if !accumulate { output.update(repeating: 0, count: s.weights) }
            return
        }
        if s.isDepthwise {
            depthwiseWeightGradient(s, 1, input, gradient, output, relu, accumulate)
            return
        }
        let t = s.oneGroup, parallel = t.parallel
        let minimal = choose(KernelsV4.winogradWeightGradient, KernelsV3.winogradWeightGradient, KernelsV2.winogradWeightGradient)
        let dense = choose(KernelsV4.denseWeightGradient, KernelsV3.denseWeightGradient, KernelsV2.denseWeightGradient)
        let kernel = filtersWeightsMinimally(t) ? minimal : dense
        for i in 0..<s.groups {
            kernel(
                t.c, input + i * t.inImage, gradient + i * t.outImage, output + i * t.weights, relu, accumulate, parallel)
        }
    }
}

/// Depthwise convolutions of one input, `repeats` of them with outputs, weights and biases side by side.
extension Convolution {
    /// Whether they are better done by one call than side by side.
    static func depthwiseCopies(_ s: ConvShape) -> Bool {
        s.isDepthwise && !s.isEmpty && s.inImage > 0 && choose(KernelsV4.depthwiseCopies, KernelsV3.depthwiseCopies, KernelsV2.depthwiseCopies)(s.c)
    }

    static func depthwiseForward(
        _ s: ConvShape, _ repeats: Int, _ input: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
        _ output: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool
    ) {
        choose(KernelsV4.depthwiseForward, KernelsV3.depthwiseForward, KernelsV2.depthwiseForward)(
            s.c, input, weight, bias, output, relu, accumulate, repeats, ThreadPool.run)
    }

    /// All are added to the same gradient.
    static func depthwiseInputGradient(
        _ s: ConvShape, _ repeats: Int, _ gradient: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
        _ mask: UnsafePointer<Float>?, _ accumulate: Bool
    ) {
        choose(KernelsV4.depthwiseInputGradient, KernelsV3.depthwiseInputGradient, KernelsV2.depthwiseInputGradient)(
            s.c, gradient, weight, output, mask, accumulate, repeats, ThreadPool.run)
    }

    static func depthwiseWeightGradient(
        _ s: ConvShape, _ repeats: Int, _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
        _ relu: Bool, _ accumulate: Bool
    ) {
        choose(KernelsV4.depthwiseWeightGradient, KernelsV3.depthwiseWeightGradient, KernelsV2.depthwiseWeightGradient)(
            s.c, input, gradient, output, relu, accumulate, repeats, ThreadPool.run)
    }
}

extension ConvShape {
    /// Elements of one image, and of the whole weight.
    var inImage: Int { inChannels * inHeight * inWidth }
    var outImage: Int { outChannels * outHeight * outWidth }
    var weights: Int { outChannels * inChannels / groups * kernelHeight * kernelWidth }

    /// How a dense pass is run: one of less than a microsecond or two (at a search step's last strides there are thousands) is done before
    /// another thread has taken a piece of it.
    var parallel: (Int, (Int) -> Void) -> Void {
        if batch * outHeight * outWidth * weights < 1 << 16 { return ConvShape.alone }
        return ThreadPool.run
    }

    private static func alone(_ pieces: Int, _ body: (Int) -> Void) {
        for piece in 0..<pieces { body(piece) }
    }

    /// Nothing to write in the forward pass.
    var isEmpty: Bool { batch * outImage == 0 }
    var isDepthwise: Bool { groups == inChannels && groups == outChannels && groups > 1 }

    var canFilterMinimally: Bool {
        kernelHeight == kernelWidth && (kernelHeight == 3 || kernelHeight == 5) && strideHeight == 1 && strideWidth == 1 && padHeight >= 0
            && padWidth >= 0 && !isEmpty && batch * inImage > 0
    }

    /// The convolution that is the input gradient of this one, at stride 1: its input is the output's gradient, each kernel is turned around.
    var turnedAround: ConvShape {
        ConvShape(
            batch: batch, inChannels: outChannels, inHeight: outHeight, inWidth: outWidth, outChannels: inChannels, kernelHeight: kernelHeight,
            kernelWidth: kernelWidth, strideHeight: strideHeight, strideWidth: strideWidth, padHeight: dilationHeight * (kernelHeight - 1) - padHeight,
            padWidth: dilationWidth * (kernelWidth - 1) - padWidth, dilationHeight: dilationHeight, dilationWidth: dilationWidth,
            inBatchStride: outBatchStride, outBatchStride: inBatchStride)
    }

    /// One group's convolution, whose channels are a slice of this one's.
    var oneGroup: ConvShape {
        var s = self
        s.groups = 1
        s.inChannels /= groups
        s.outChannels /= groups
        return s
    }
}
