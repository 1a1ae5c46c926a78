import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with stride, padding, dilation and groups,
/// and its two gradients. Tensors are NCHW float32; layouts are those of `ConvShape`.
///
/// Every pass over a dense kernel has two forms, and the shape decides by an estimate of cycles which one runs:
/// - lanes are neighbouring pixels of padded planes (`ConvRun`, and `ConvWeight` for the weight): large planes, few channels;
/// - lanes are channels, each tap computed for just the pixels it meets (`ConvPixels`, `ConvOuter`): small planes, wide atrous
///   kernels. 5x5 at rate 2 with 64 channels on 11x11 went from 638 to 309 us forward and from 960 to 280 us for the weight.
///
/// Measured on one core of a Zen 4 (120 GFLOP/s), beside PyTorch 2.15 (oneDNN) on one thread, geometric mean over 8 to 64
/// channels, sides 11 to 81, forward and backward (worst row): depthwise 0.08 to 0.17 (0.83), 1x1 0.44 (0.79), 3x3 0.48 (1.01),
/// 3x3 at rate 2 0.45 (1.06), 5x5 0.57 (1.06), 5x5 at rate 2 0.57 (1.17). Large dense planes run at 85 to 95% of the core's peak.
/// What did not pay: masked stores of whole vectors (depthwise 1.3 times slower), reading planes in place for the second form
/// where there are several taps (1.3 times), packing weights by single elements (15% of a 5x5 on 11x11).
public enum Convolution {
    /// output = conv(input, weight) + bias; with `relu`, of max(input, 0); with `accumulate`, added to the output.
    public static func forward(
        _ s: ConvShape, input: UnsafePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>? = nil,
        output: UnsafeMutablePointer<Float>, relu: Bool = false, accumulate: Bool = false
    ) {
        guard !s.isEmpty else { return }
        if s.isDepthwise {
            choose(KernelsV4.depthwiseForward, KernelsV3.depthwiseForward, KernelsV2.depthwiseForward)(
                s.c, input, weight, bias, output, relu, accumulate, ThreadPool.run)
            return
        }
        let t = s.oneGroup
        let kernel = choose(KernelsV4.denseForward, KernelsV3.denseForward, KernelsV2.denseForward)
        for i in 0..<s.groups {
            kernel(
                t.c, input + i * t.inImage, weight + i * t.weights, bias.map { $0 + i * t.outChannels }, output + i * t.outImage,
                relu, accumulate, ThreadPool.run)
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
            choose(KernelsV4.depthwiseInputGradient, KernelsV3.depthwiseInputGradient, KernelsV2.depthwiseInputGradient)(
                s.c, gradient, weight, output, mask, accumulate, ThreadPool.run)
            return
        }
        let t = s.oneGroup
        let kernel = choose(KernelsV4.denseInputGradient, KernelsV3.denseInputGradient, KernelsV2.denseInputGradient)
        for i in 0..<s.groups {
            kernel(
                t.c, gradient + i * t.outImage, weight + i * t.weights, output + i * t.inImage, mask.map { $0 + i * t.inImage },
                accumulate, ThreadPool.run)
        }
    }

    /// The gradient with respect to the weight; with `relu`, the convolution was of max(input, 0).
    public static func weightGradient(
        _ s: ConvShape, input: UnsafePointer<Float>, gradient: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        relu: Bool = false, accumulate: Bool = false
    ) {
        guard !s.isEmpty else {
            if !accumulate { output.update(repeating: 0, count: s.weights) }
            return
        }
        if s.isDepthwise {
            choose(KernelsV4.depthwiseWeightGradient, KernelsV3.depthwiseWeightGradient, KernelsV2.depthwiseWeightGradient)(
                s.c, input, gradient, output, relu, accumulate, ThreadPool.run)
            return
        }
        let t = s.oneGroup
        let kernel = choose(KernelsV4.denseWeightGradient, KernelsV3.denseWeightGradient, KernelsV2.denseWeightGradient)
        for i in 0..<s.groups {
            kernel(
                t.c, input + i * t.inImage, gradient + i * t.outImage, output + i * t.weights, relu, accumulate, ThreadPool.run)
        }
    }
}

extension ConvShape {
    /// Elements of one image, and of the whole weight.
    var inImage: Int { inChannels * inHeight * inWidth }
    var outImage: Int { outChannels * outHeight * outWidth }
    var weights: Int { outChannels * inChannels / groups * kernelHeight * kernelWidth }

    /// Nothing to write in the forward pass.
    var isEmpty: Bool { batch * outImage == 0 }
    var isDepthwise: Bool { groups == inChannels && groups == outChannels && groups > 1 }

    /// One group's convolution, whose channels are a slice of this one's.
    var oneGroup: ConvShape {
        var s = self
        s.groups = 1
        s.inChannels /= groups
        s.outChannels /= groups
        return s
    }
}
