import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Batch normalisation (Ioffe and Szegedy 2015): per channel over batch, height and width. All statistics are [channels];
/// the variance is the biased one. x̂ = (x - mean) / sqrt(variance + epsilon).
///
/// A piece of work is a run of channels, or a stretch of one plane where a channel is larger than the second-level cache.
public enum Normalisation {
    public typealias Input = UnsafePointer<Float>
    public typealias Output = UnsafeMutablePointer<Float>

    /// Mean and biased variance of each channel, as accurate as Float holds them whatever the mean. (0 and 0 of nothing.)
    public static func moments(_ s: PlaneShape, _ x: Input, mean: Output, variance: Output) {
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            return cut.run { channel in channelMoments(s, x, channel, mean: mean, variance: variance) }
        }
        cut.runPartial(values: 3) { part, state in
            choose(KernelsV4.addMoments, KernelsV3.addMoments, KernelsV2.addMoments)(x + part.offset, part.count, state)
        } finish: { channel, states, count in
            for i in 1..<count {
                KernelsV2.combineMoments(states, states[3 * i], states[3 * i + 1], states[3 * i + 2])
            }
            putMoments(states, channel, mean, variance)
        }
    }

    /// output = gamma·x̂ + beta (gamma 1, beta 0 where nil), then max(·, 0) with `relu`; added to output with `accumulate`.
    public static func apply(
        _ s: PlaneShape, _ x: Input, mean: Input, variance: Input, gamma: Input?, beta: Input?, epsilon: Float,
        output: Output, outBatchStride: Int, relu: Bool = false, accumulate: Bool = false
    ) {
        let target = Target(output, outBatchStride, accumulate)
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            return cut.run { applyChannel(s, x, $0, mean, variance, gamma, beta, epsilon, target, relu) }
        }
        cut.runParts { part in
            let scale = scaled(part.channel, variance, gamma, epsilon)
            normaliseStretch(
                x + part.offset, target.output + part.offset(target.batchStride), part.count, mean[part.channel], scale,
                beta?[part.channel] ?? 0, relu, accumulate)
        }
    }

    /// `moments` and `apply` in one: the same bits, but a channel is still in the cache when it is normalised.
    public static func forward(
        _ s: PlaneShape, _ x: Input, mean: Output, variance: Output, gamma: Input?, beta: Input?, epsilon: Float,
        output: Output, outBatchStride: Int, relu: Bool = false, accumulate: Bool = false
    ) {
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            let target = Target(output, outBatchStride, accumulate)
            return cut.run { channel in
                channelMoments(s, x, channel, mean: mean, variance: variance)
                applyChannel(s, x, channel, mean, variance, gamma, beta, epsilon, target, relu)
            }
        }
        moments(s, x, mean: mean, variance: variance)
        apply(
            s, x, mean: mean, variance: variance, gamma: gamma, beta: beta, epsilon: epsilon, output: output,
            outBatchStride: outBatchStride, relu: relu, accumulate: accumulate)
    }

    /// Σ g and Σ g·x̂ of each channel: the gradients of beta and gamma.
    public static func gradientSums(
        _ s: PlaneShape, _ x: Input, _ g: Input, gBatchStride: Int, mean: Input, variance: Input, epsilon: Float,
        sumG: Output, sumGX: Output
    ) {
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            return cut.run { channelSums(s, x, g, gBatchStride, $0, mean, variance, epsilon, sumG, sumGX) }
        }
        cut.runPartial(values: 2) { part, sums in
            choose(KernelsV4.addGradientSums, KernelsV3.addGradientSums, KernelsV2.addGradientSums)(
                x + part.offset, g + part.offset(gBatchStride), part.count, mean[part.channel], sums)
        } finish: { channel, sums, count in
            for i in 1..<count {
                sums[0] += sums[2 * i]
                sums[1] += sums[2 * i + 1]
            }
            sumG[channel] = Float(sums[0])
            sumGX[channel] = Float(sums[1] * inverseDeviation(variance[channel], epsilon))
        }
    }

    /// The gradient of the input, through the batch statistics too:
    /// gamma / sqrt(variance + epsilon) · (g - sumG/M - x̂·sumGX/M), M elements in a channel.
    public static func inputGradient(
        _ s: PlaneShape, _ x: Input, _ g: Input, gBatchStride: Int, mean: Input, variance: Input, gamma: Input?,
        epsilon: Float, sumG: Input, sumGX: Input, output: Output, outBatchStride: Int, accumulate: Bool = false
    ) {
        let target = Target(output, outBatchStride, accumulate)
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            return cut.run {
                gradientChannel(s, x, g, gBatchStride, $0, mean, variance, gamma, epsilon, sumG, sumGX, target)
            }
        }
        cut.runParts { part in
            let f = GradientFactors(s, part.channel, variance, gamma, epsilon, sumG, sumGX)
            gradientStretch(
                x + part.offset, g + part.offset(gBatchStride), target.output + part.offset(target.batchStride), part.count,
                mean[part.channel], f, accumulate)
        }
    }

    /// `gradientSums` and `inputGradient` in one: the same bits, but x and g of a channel are read from memory once.
    public static func backward(
        _ s: PlaneShape, _ x: Input, _ g: Input, gBatchStride: Int, mean: Input, variance: Input, gamma: Input?,
        epsilon: Float, sumG: Output, sumGX: Output, output: Output, outBatchStride: Int, accumulate: Bool = false
    ) {
        let cut = Cut(s)
        guard cut.stretches > 1 else {
            let target = Target(output, outBatchStride, accumulate)
            return cut.run { channel in
                channelSums(s, x, g, gBatchStride, channel, mean, variance, epsilon, sumG, sumGX)
                gradientChannel(s, x, g, gBatchStride, channel, mean, variance, gamma, epsilon, sumG, sumGX, target)
            }
        }
        gradientSums(
            s, x, g, gBatchStride: gBatchStride, mean: mean, variance: variance, epsilon: epsilon, sumG: sumG, sumGX: sumGX)
        inputGradient(
            s, x, g, gBatchStride: gBatchStride, mean: mean, variance: variance, gamma: gamma, epsilon: epsilon, sumG: sumG,
            sumGX: sumGX, output: output, outBatchStride: outBatchStride, accumulate: accumulate)
    }
}

// MARK: One channel

private struct Target {
    let output: UnsafeMutablePointer<Float>
    let batchStride: Int
    let accumulate: Bool

    init(_ output: UnsafeMutablePointer<Float>, _ batchStride: Int, _ accumulate: Bool) {
        self.output = output
        self.batchStride = batchStride
        self.accumulate = accumulate
    }
}

func inverseDeviation(_ variance: Float, _ epsilon: Float) -> Double {
    1 / (Double(variance) + Double(epsilon)).squareRoot()
}

private func scaled(
    _ channel: Int, _ variance: UnsafePointer<Float>, _ gamma: UnsafePointer<Float>?, _ epsilon: Float
) -> Float {
    Float(inverseDeviation(variance[channel], epsilon) * Double(gamma?[channel] ?? 1))
}

/// Mean and variance of the running `state` that `addMoments` fills.
func putMoments(
    _ state: UnsafePointer<Double>, _ channel: Int, _ mean: UnsafeMutablePointer<Float>, _ variance: UnsafeMutablePointer<Float>
) {
    mean[channel] = Float(state[1])
    variance[channel] = state[0] > 0 ? Float(max(state[2], 0) / state[0]) : 0
    if state[2].isNaN { variance[channel] = .nan }
}

private func channelMoments(
    _ s: PlaneShape, _ x: UnsafePointer<Float>, _ channel: Int, mean: UnsafeMutablePointer<Float>,
    variance: UnsafeMutablePointer<Float>
) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 3) { state in
        guard let state = state.baseAddress else { return }
        state.update(repeating: 0, count: 3)
        let add = choose(KernelsV4.addMoments, KernelsV3.addMoments, KernelsV2.addMoments)
        for image in 0..<s.batch { add(x + image * s.batchStride + channel * s.size, s.size, state) }
        putMoments(state, channel, mean, variance)
    }
}

private func normaliseStretch(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ mean: Float, _ scale: Float, _ shift: Float,
    _ relu: Bool, _ accumulate: Bool
) {
    choose(KernelsV4.normalise, KernelsV3.normalise, KernelsV2.normalise)(
        x, y, count, mean, scale, shift, relu, accumulate)
}

private func applyChannel(
    _ s: PlaneShape, _ x: UnsafePointer<Float>, _ channel: Int, _ mean: UnsafePointer<Float>, _ variance: UnsafePointer<Float>,
    _ gamma: UnsafePointer<Float>?, _ beta: UnsafePointer<Float>?, _ epsilon: Float, _ target: Target, _ relu: Bool
) {
    let scale = scaled(channel, variance, gamma, epsilon)
    for image in 0..<s.batch {
        normaliseStretch(
            x + image * s.batchStride + channel * s.size, target.output + image * target.batchStride + channel * s.size, s.size,
            mean[channel], scale, beta?[channel] ?? 0, relu, target.accumulate)
    }
}

private func channelSums(
    _ s: PlaneShape, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ gBatchStride: Int, _ channel: Int,
    _ mean: UnsafePointer<Float>, _ variance: UnsafePointer<Float>, _ epsilon: Float, _ sumG: UnsafeMutablePointer<Float>,
    _ sumGX: UnsafeMutablePointer<Float>
) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2) { sums in
        guard let sums = sums.baseAddress else { return }
        sums.update(repeating: 0, count: 2)
        let add = choose(KernelsV4.addGradientSums, KernelsV3.addGradientSums, KernelsV2.addGradientSums)
        for image in 0..<s.batch {
            add(
                x + image * s.batchStride + channel * s.size, g + image * gBatchStride + channel * s.size, s.size,
                mean[channel], sums)
        }
        sumG[channel] = Float(sums[0])
        sumGX[channel] = Float(sums[1] * inverseDeviation(variance[channel], epsilon))
    }
}

/// dx = a·g + b·(x - mean) + c.
private struct GradientFactors {
    let a, b, c: Float

    init(
        _ s: PlaneShape, _ channel: Int, _ variance: UnsafePointer<Float>, _ gamma: UnsafePointer<Float>?, _ epsilon: Float,
        _ sumG: UnsafePointer<Float>, _ sumGX: UnsafePointer<Float>
    ) {
        let inverse = inverseDeviation(variance[channel], epsilon)
        let factor = inverse * Double(gamma?[channel] ?? 1)
        let count = Double(s.batch * s.size)
        a = Float(factor)
        b = Float(-factor * inverse * Double(sumGX[channel]) / count)
        c = Float(-factor * Double(sumG[channel]) / count)
    }
}

private func gradientStretch(
    _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ count: Int, _ mean: Float,
    _ f: GradientFactors, _ accumulate: Bool
) {
    choose(KernelsV4.normaliseGradient, KernelsV3.normaliseGradient, KernelsV2.normaliseGradient)(
        x, g, dx, count, mean, f.a, f.b, f.c, accumulate)
}

private func gradientChannel(
    _ s: PlaneShape, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ gBatchStride: Int, _ channel: Int,
    _ mean: UnsafePointer<Float>, _ variance: UnsafePointer<Float>, _ gamma: UnsafePointer<Float>?, _ epsilon: Float,
    _ sumG: UnsafePointer<Float>, _ sumGX: UnsafePointer<Float>, _ target: Target
) {
    let f = GradientFactors(s, channel, variance, gamma, epsilon, sumG, sumGX)
    for image in 0..<s.batch {
        let plane = channel * s.size
        gradientStretch(
            x + image * s.batchStride + plane, g + image * gBatchStride + plane,
            target.output + image * target.batchStride + plane, s.size, mean[channel], f, target.accumulate)
    }
}
