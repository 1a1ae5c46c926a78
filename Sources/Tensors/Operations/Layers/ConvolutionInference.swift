import Glibc
import Kernels

/// Scale and shift of a folded batch norm, computed anew at each run.
private final class ChannelFactors {
    let channels: Int
    private let memory: Block<Float>
    var scale: UnsafeMutablePointer<Float> { memory.start }
    var shift: UnsafeMutablePointer<Float> { memory.start + channels }

    init(_ channels: Int) throws {
        self.channels = channels
        memory = try Block(2 * channels, for: "conv2d")
    }

    /// - Parameters:
    ///   - moments: [2, C]: mean, then variance.
    ///   - bias: the convolution's own.
    func compute(
        _ epsilon: Float, moments: UnsafePointer<Float>, gamma: UnsafePointer<Float>?, beta: UnsafePointer<Float>?, bias: UnsafePointer<Float>?
    ) {
        for c in 0..<channels {
            let factor = (gamma?[c] ?? 1) / sqrtf(moments[channels + c] + epsilon)
            scale[c] = factor
            shift[c] = (beta?[c] ?? 0) + ((bias?[c] ?? 0) - moments[c]) * factor
        }
    }
}

extension ConvolutionRule {
    /// A convolution that nothing differentiates.
    /// - Parameter x: input, weight, bias if it has one; then the tensors of the folded norm: moments, gamma, beta.
    func inferenceKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = options.shape(x[0].layout, weight: x[1].shape, y.layout)
        let out = x.count
        var around = Convolution.Surroundings()
        (around.relu, around.accumulate, around.rectify) = (form.has(.relu), form.has(.accumulate), form.has(.rectify))
        let fixed = around
        guard let folded = form.folded else {
            return { p in
                var around = fixed
                if out > 2 { around.shift = UnsafePointer(p.floats(2)) }
                Convolution.infer(shape, input: p.floats(0), weight: p.floats(1), output: p.floats(out), around)
            }
        }
        let moments = out - 1 - (folded.gamma ? 1 : 0) - (folded.beta ? 1 : 0)
        let factors = try ChannelFactors(shape.outChannels)
        return { p in
            factors.compute(
                folded.epsilon, moments: p.floats(moments), gamma: folded.gamma ? UnsafePointer(p.floats(moments + 1)) : nil,
                beta: folded.beta ? UnsafePointer(p.floats(out - 1)) : nil, bias: moments > 2 ? UnsafePointer(p.floats(2)) : nil)
            var around = fixed
            around.scale = UnsafePointer(factors.scale)
            around.shift = UnsafePointer(factors.shift)
            Convolution.infer(shape, input: p.floats(0), weight: p.floats(1), output: p.floats(out), around)
        }
    }
}
