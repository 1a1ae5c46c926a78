import Glibc
import Tensors

/// Two-dimensional convolution, x [N, in, H, W] to [N, out, H', W'] with H' = (H + 2·padding - dilation·(kernel - 1) - 1) / stride + 1.
///
/// Initial weights are uniform in ±1/sqrt(fan-in): variance 1/(3·fan-in).
public final class Conv2d: Module {
    public let weight: Tensor
    public let bias: Tensor?
    public let options: ConvOptions

    public init(
        _ inChannels: Int, _ outChannels: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1), padding: (Int, Int) = (0, 0),
        dilation: (Int, Int) = (1, 1), groups: Int = 1, bias: Bool = true, random: RandomState = .global
    ) throws {
        for (name, value) in [("in_channels", inChannels), ("out_channels", outChannels), ("groups", groups), ("kernel", min(kernel.0, kernel.1)),
            ("stride", min(stride.0, stride.1)), ("dilation", min(dilation.0, dilation.1))] where value < 1 {
            throw TensorError("conv2d", "\(name) should be 1 or more, got \(value)")
        }
        guard padding.0 >= 0, padding.1 >= 0 else { throw TensorError("conv2d", "padding should be 0 or more, got \(padding)") }
        guard inChannels % groups == 0, outChannels % groups == 0 else {
            throw TensorError("conv2d", "\(groups) groups do not divide \(inChannels) input and \(outChannels) output channels")
        }
        let shape = [outChannels, inChannels / groups, kernel.0, kernel.1]
        try Tensor.checkSize(shape, "conv2d")
        let bound = 1 / sqrtf(Float(shape[1] * shape[2] * shape[3]))
        weight = try Tensor.random(.uniform(low: -bound, high: bound), shape, from: random, for: "conv2d").requireGrad()
        self.bias = bias ? try Tensor.random(.uniform(low: -bound, high: bound), [outChannels], from: random, for: "conv2d").requireGrad() : nil
        options = ConvOptions(stride: stride, padding: padding, dilation: dilation, groups: groups)
    }

    public override var kind: String { "conv2d" }
    public override var details: String {
        let w = weight.shape
        func pair(_ a: Int, _ b: Int) -> String { a == b ? "\(a)" : "\(a)x\(b)" }
        var parts = ["\(w[1] * options.groups) -> \(w[0])", "kernel \(pair(w[2], w[3]))"]
        if options.strideHeight * options.strideWidth != 1 { parts.append("stride \(pair(options.strideHeight, options.strideWidth))") }
        if options.padHeight + options.padWidth != 0 { parts.append("padding \(pair(options.padHeight, options.padWidth))") }
        if options.dilationHeight * options.dilationWidth != 1 { parts.append("dilation \(pair(options.dilationHeight, options.dilationWidth))") }
        if options.groups != 1 { parts.append("groups \(options.groups)") }
        if bias == nil { parts.append("no bias") }
        return parts.joined(separator: ", ")
    }
    public override var ownParameters: [Named] { [("weight", weight)] + (bias.map { [("bias", $0)] } ?? []) }
    public override func forward(_ x: Tensor) throws -> Tensor { try x.conv2d(weight, bias: bias, options) }
}

/// x [..., in] to [..., out]: x · weightᵀ + bias.
public final class Linear: Module {
    public let weight: Tensor
    public let bias: Tensor?

    public init(_ inFeatures: Int, _ outFeatures: Int, bias: Bool = true, random: RandomState = .global) throws {
        guard inFeatures > 0, outFeatures > 0 else { throw TensorError("linear", "sizes should be 1 or more, got \(inFeatures) and \(outFeatures)") }
        try Tensor.checkSize([outFeatures, inFeatures], "linear")
        let bound = 1 / sqrtf(Float(inFeatures))
        weight = try Tensor.random(.uniform(low: -bound, high: bound), [outFeatures, inFeatures], from: random, for: "linear").requireGrad()
        self.bias = bias ? try Tensor.random(.uniform(low: -bound, high: bound), [outFeatures], from: random, for: "linear").requireGrad() : nil
    }

    public override var kind: String { "linear" }
    public override var details: String { "\(weight.shape[1]) -> \(weight.shape[0])" + (bias == nil ? ", no bias" : "") }
    public override var ownParameters: [Named] { [("weight", weight)] + (bias.map { [("bias", $0)] } ?? []) }
    public override func forward(_ x: Tensor) throws -> Tensor { try x.linear(weight, bias: bias) }
}
