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
        switch InstructionSet.current {
        case .v4: KernelsV4.referenceForward(s.c, input, weight, bias, output, relu, accumulate)
        case .v3: KernelsV3.referenceForward(s.c, input, weight, bias, output, relu, accumulate)
        case .v2: KernelsV2.referenceForward(s.c, input, weight, bias, output, relu, accumulate)
        }
    }

    /// The gradient with respect to the input, from that of the output. Where `mask` (laid out as the input) is not above
    /// zero the result is zero: the derivative of the ReLU in front of the convolution.
    public static func inputGradient(
        _ s: ConvShape, gradient: UnsafePointer<Float>, weight: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        mask: UnsafePointer<Float>? = nil, accumulate: Bool = false
    ) {
        switch InstructionSet.current {
        case .v4: KernelsV4.referenceInputGradient(s.c, gradient, weight, output, mask, accumulate)
        case .v3: KernelsV3.referenceInputGradient(s.c, gradient, weight, output, mask, accumulate)
        case .v2: KernelsV2.referenceInputGradient(s.c, gradient, weight, output, mask, accumulate)
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
