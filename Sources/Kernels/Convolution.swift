import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with stride, padding, dilation and groups,
/// and its two gradients. Tensors are NCHW float32; layouts are those of `ConvShape`.
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
