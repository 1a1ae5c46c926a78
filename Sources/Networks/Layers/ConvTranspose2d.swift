import Glibc
import Tensors

/// Transposed convolution of [N, in, H, W], see `Tensor.convTranspose2d`.
public final class ConvTranspose2d: Module {
    /// [in, out / groups, kh, kw].
    public let weight: Tensor
    public let bias: Tensor?
    public let options: ConvOptions
    public let outputPadding: (Int, Int)

    public init(
        _ inChannels: Int, _ outChannels: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1), padding: (Int, Int) = (0, 0), outputPadding: (Int, Int) = (0, 0),
        dilation: (Int, Int) = (1, 1), groups: Int = 1, bias: Bool = true, random: RandomState = .global
    ) throws {
        let name = "conv_transpose2d"
        for (what, value) in [("in_channels", inChannels), ("out_channels", outChannels), ("groups", groups), ("kernel", min(kernel.0, kernel.1)),
            ("stride", min(stride.0, stride.1)), ("dilation", min(dilation.0, dilation.1))] where value < 1 {
            throw TensorError(name, "\(what) should be 1 or more, got \(value)")
        }
        guard min(padding.0, padding.1) >= 0 else { throw TensorError(name, "padding should be 0 or more, got \(padding)") }
        guard (0..<stride.0).contains(outputPadding.0), (0..<stride.1).contains(outputPadding.1) else {
            throw TensorError(name, "output_padding should be 0 or more and less than the stride, got \(outputPadding)")
        }
        guard inChannels % groups == 0, outChannels % groups == 0 else {
            throw TensorError(name, "\(groups) groups do not divide \(inChannels) input and \(outChannels) output channels")
        }
        let shape = [inChannels, outChannels / groups, kernel.0, kernel.1]
        try Tensor.checkSize(shape, name)
        let bound = 1 / sqrtf(Float(shape[1] * shape[2] * shape[3]))
        weight = try Tensor.random(.uniform(low: -bound, high: bound), shape, from: random, for: name).requireGrad()
        self.bias = bias ? try Tensor.random(.uniform(low: -bound, high: bound), [outChannels], from: random, for: name).requireGrad() : nil
        options = ConvOptions(stride: stride, padding: padding, dilation: dilation, groups: groups)
        self.outputPadding = outputPadding
    }

    public override var kind: String { "conv_transpose2d" }
    public override var details: String {
        let w = weight.shape
        func pair(_ a: Int, _ b: Int) -> String { a == b ? "\(a)" : "\(a)x\(b)" }
        return "\(w[0]) -> \(w[1] * options.groups), kernel \(pair(w[2], w[3])), stride \(pair(options.strideHeight, options.strideWidth))"
    }
    public override var ownParameters: [Named] { [("weight", weight)] + (bias.map { [("bias", $0)] } ?? []) }
    public override func forward(_ x: Tensor) throws -> Tensor { try x.convTranspose2d(weight, bias: bias, options, outputPadding: outputPadding) }
}
