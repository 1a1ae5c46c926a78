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
        let t = s.oneGroup.c
        guard !s.isEmpty else { return }
        for i in 0..<s.groups {
            let x = input + i * t.inChannels * t.inHeight * t.inWidth, y = output + i * t.outChannels * t.outHeight * t.outWidth
            let w = weight + i * t.outChannels * s.weightsPerOutput, b = bias.map { $0 + i * t.outChannels }
            switch InstructionSet.current {
            case .v4: KernelsV4.denseForward(t, x, w, b, y, relu, accumulate, ThreadPool.run)
            case .v3: KernelsV3.denseForward(t, x, w, b, y, relu, accumulate, ThreadPool.run)
            case .v2: KernelsV2.denseForward(t, x, w, b, y, relu, accumulate, ThreadPool.run)
            }
        }
    }

    /// The gradient with respect to the input, from that of the output. Where `mask` (laid out as the input) is not above
    /// zero the result is zero: the derivative of the ReLU in front of the convolution.
    public static func inputGradient(
        _ s: ConvShape, gradient: UnsafePointer<Float>, weight: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        mask: UnsafePointer<Float>? = nil, accumulate: Bool = false
    ) {
        let t = s.oneGroup.c
        guard s.batch * s.inChannels * s.inHeight * s.inWidth > 0 else { return }
        for i in 0..<s.groups {
            let from = i * t.inChannels * t.inHeight * t.inWidth
            let g = gradient + i * t.outChannels * t.outHeight * t.outWidth
            let w = weight + i * t.outChannels * s.weightsPerOutput, m = mask.map { $0 + from }
            switch InstructionSet.current {
            case .v4: KernelsV4.denseInputGradient(t, g, w, output + from, m, accumulate, ThreadPool.run)
            case .v3: KernelsV3.denseInputGradient(t, g, w, output + from, m, accumulate, ThreadPool.run)
            case .v2: KernelsV2.denseInputGradient(t, g, w, output + from, m, accumulate, ThreadPool.run)
            }
        }
    }

    /// The gradient with respect to the weight; with `relu`, the convolution was of max(input, 0).
    public static func weightGradient(
        _ s: ConvShape, input: UnsafePointer<Float>, gradient: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        relu: Bool = false, accumulate: Bool = false
    ) {
        switch InstructionSet.current {
        case .v4: KernelsV4.referenceWeightGradient(s.c, input, gradient, output, relu, accumulate)
        case .v3: KernelsV3.referenceWeightGradient(s.c, input, gradient, output, relu, accumulate)
        case .v2: KernelsV2.referenceWeightGradient(s.c, input, gradient, output, relu, accumulate)
        }
    }
}

extension ConvShape {
    /// Elements of the weight behind one output channel.
    var weightsPerOutput: Int { inChannels / groups * kernelHeight * kernelWidth }

    /// Nothing to write.
    var isEmpty: Bool { batch * outChannels * outHeight * outWidth == 0 }

    /// One group's convolution, whose channels are a slice of this one's.
    var oneGroup: ConvShape {
        var s = self
        s.groups = 1
        s.inChannels /= groups
        s.outChannels /= groups
        return s
    }
}
