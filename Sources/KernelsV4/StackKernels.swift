import CKernels

// Batch normalisation of one batch of a stack over a range of channels. Where a channel has few values (the coarse strides of a small crop) the
// calls and reductions of the vector loops take longer than the arithmetic: those run as plain loops.

/// Values of a channel that are worth vectors.
private let fewest = 64

/// Means and variances of channels `first` ..< `last`.
public func stackMoments(_ s: UnsafePointer<trellis_stack>, _ x: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>, _ first: Int, _ last: Int) {
    let s = s.pointee
    for channel in first..<last { momentsOfChannel(s, x + channel * s.size, moments + channel) }
}

@inline(always)
private func momentsOfChannel(_ s: trellis_stack, _ x: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>) {
    let count = s.samples * s.size
    if count < fewest {
        var total: Float = 0
        for n in 0..<s.samples { for i in 0..<s.size { total += x[n * s.xStride + i] } }
        let mean = total / Float(count)
        var squares: Float = 0, rest: Float = 0
        for n in 0..<s.samples {
            for i in 0..<s.size {
                let d = x[n * s.xStride + i] - mean
                squares += d * d
                rest += d
            }
        }
        moments[0] = mean
        moments[s.statistics] = (squares - rest * rest / Float(count)) / Float(count)
        return
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 3) { buffer in
        guard let state = buffer.baseAddress else { return }
        state[0] = 0
        state[1] = 0
        state[2] = 0
        for n in 0..<s.samples { addMoments(x + n * s.xStride, s.size, state) }
        moments[0] = Float(state[1])
        moments[s.statistics] = state[2].isNaN ? .nan : Float((state[2] > 0 ? state[2] : 0) / state[0])
    }
}

/// y = gamma·x̂ + beta for channels `first` ..< `last` of x and all their repeats; with `fresh`, the moments are computed first.
public func stackForward(
    _ s: UnsafePointer<trellis_stack>, _ x: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>, _ gamma: UnsafePointer<Float>?,
    _ beta: UnsafePointer<Float>?, _ y: UnsafeMutablePointer<Float>, _ fresh: Bool, _ first: Int, _ last: Int
) {
    let s = s.pointee
    let few = s.samples * s.size < fewest
    for narrow in first..<last {
        let source = x + narrow * s.size
        if fresh { momentsOfChannel(s, source, moments + narrow) }
        for turn in 0..<s.repeats {
            let channel = turn * s.channels + narrow
            let at = channel % s.statistics
            let mean = moments[at]
            let scale = Float(1 / (Double(moments[s.statistics + at]) + Double(s.epsilon)).squareRoot() * Double(gamma?[channel] ?? 1))
            let shift = beta?[channel] ?? 0
            let target = y + channel * s.size
            for n in 0..<s.samples {
                let p = source + n * s.xStride, q = target + n * s.yStride
                if few {
                    if s.accumulate {
                        for i in 0..<s.size { q[i] += (p[i] - mean) * scale + shift }
                    } else {
                        for i in 0..<s.size { q[i] = (p[i] - mean) * scale + shift }
                    }
                } else {
                    normalise(p, q, s.size, mean: mean, scale: scale, shift: shift, relu: false, accumulate: s.accumulate)
                }
            }
        }
    }
}

/// Σ g and Σ g·x̂ of the repeats of channels `first` ..< `last`: sums [2, channels·repeats].
public func stackSums(
    _ s: UnsafePointer<trellis_stack>, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ moments: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ first: Int, _ last: Int
) {
    let s = s.pointee
    for narrow in first..<last { for turn in 0..<s.repeats { sumsOfChannel(s, x, g, moments, sums, narrow, turn * s.channels + narrow) } }
}

@inline(always)
private func sumsOfChannel(
    _ s: trellis_stack, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ moments: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
    _ narrow: Int, _ channel: Int
) {
    let at = channel % s.statistics, wide = s.channels * s.repeats
    let mean = moments[at]
    let inverse = 1 / (Double(moments[s.statistics + at]) + Double(s.epsilon)).squareRoot()
    let source = x + narrow * s.size, gradient = g + channel * s.size
    if s.samples * s.size < fewest {
        var total: Float = 0, product: Float = 0
        for n in 0..<s.samples {
            let p = source + n * s.xStride, q = gradient + n * s.gStride
            for i in 0..<s.size {
                total += q[i]
                product += q[i] * (p[i] - mean)
            }
        }
        sums[channel] = total
        sums[wide + channel] = Float(Double(product) * inverse)
        return
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2) { buffer in
        guard let state = buffer.baseAddress else { return }
        state[0] = 0
        state[1] = 0
        for n in 0..<s.samples { addGradientSums(source + n * s.xStride, gradient + n * s.gStride, s.size, mean: mean, state) }
        sums[channel] = Float(state[0])
        sums[wide + channel] = Float(state[1] * inverse)
    }
}

/// The gradient of channels `first` ..< `last` of x, summed over their repeats. Through the batch's statistics where there are `sums`; with `fresh`,
/// these are computed first.
public func stackInputGradient(
    _ s: UnsafePointer<trellis_stack>, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ moments: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>?, _ gamma: UnsafePointer<Float>?, _ dx: UnsafeMutablePointer<Float>, _ fresh: Bool, _ first: Int, _ last: Int
) {
    let s = s.pointee
    let wide = s.channels * s.repeats, few = s.samples * s.size < fewest
    let count = Double(s.samples * s.size)
    for narrow in first..<last {
        let source = x + narrow * s.size, target = dx + narrow * s.size
        for turn in 0..<s.repeats {
            let channel = turn * s.channels + narrow
            if fresh, let sums { sumsOfChannel(s, x, g, moments, sums, narrow, channel) }
            let at = channel % s.statistics
            let mean = moments[at]
            let inverse = 1 / (Double(moments[s.statistics + at]) + Double(s.epsilon)).squareRoot()
            let factor = inverse * Double(gamma?[channel] ?? 1)
            var b: Float = 0, c: Float = 0
            if let sums {
                b = Float(-factor * inverse * Double(sums[wide + channel]) / count)
                c = Float(-factor * Double(sums[channel]) / count)
            }
            let a = Float(factor), add = s.accumulate || turn > 0
            for n in 0..<s.samples {
                let p = source + n * s.xStride, q = g + channel * s.size + n * s.gStride, r = target + n * s.yStride
                if few {
                    if add {
                        for i in 0..<s.size { r[i] += a * q[i] + (b * (p[i] - mean) + c) }
                    } else {
                        for i in 0..<s.size { r[i] = a * q[i] + (b * (p[i] - mean) + c) }
                    }
                } else {
                    normaliseGradient(p, q, r, s.size, mean: mean, a: a, b: b, c: c, accumulate: add)
                }
            }
        }
    }
}
