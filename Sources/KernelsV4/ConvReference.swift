import CKernels

// Convolution by its definition: the stand-in until the fast kernels cover a shape.

public func referenceForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool
) {
    let inC = s.inChannels / s.groups, outC = s.outChannels / s.groups, taps = s.kernelHeight * s.kernelWidth
    for n in 0..<s.batch { for o in 0..<s.outChannels { for oy in 0..<s.outHeight { for ox in 0..<s.outWidth {
        var sum = bias.map { $0[o] } ?? 0
        for i in 0..<inC { for ky in 0..<s.kernelHeight { for kx in 0..<s.kernelWidth {
            let iy = oy * s.strideHeight + ky * s.dilationHeight - s.padHeight
            let ix = ox * s.strideWidth + kx * s.dilationWidth - s.padWidth
            guard iy >= 0, iy < s.inHeight, ix >= 0, ix < s.inWidth else { continue }
            var v = x[n * s.inBatchStride + ((o / outC * inC + i) * s.inHeight + iy) * s.inWidth + ix]
            if relu, v < 0 { v = 0 }
            sum += v * w[(o * inC + i) * taps + ky * s.kernelWidth + kx]
        }}}
        let at = n * s.outBatchStride + (o * s.outHeight + oy) * s.outWidth + ox
        y[at] = accumulate ? y[at] + sum : sum
    }}}}
}

public func referenceInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool
) {
    let inC = s.inChannels / s.groups, outC = s.outChannels / s.groups, taps = s.kernelHeight * s.kernelWidth
    for n in 0..<s.batch { for c in 0..<s.inChannels { for iy in 0..<s.inHeight { for ix in 0..<s.inWidth {
        var sum: Float = 0
        for ky in 0..<s.kernelHeight { for kx in 0..<s.kernelWidth {
            let ty = iy + s.padHeight - ky * s.dilationHeight, tx = ix + s.padWidth - kx * s.dilationWidth
            guard ty >= 0, tx >= 0, ty % s.strideHeight == 0, tx % s.strideWidth == 0 else { continue }
            let oy = ty / s.strideHeight, ox = tx / s.strideWidth
            guard oy < s.outHeight, ox < s.outWidth else { continue }
            for o in c / inC * outC..<(c / inC + 1) * outC {
                sum += g[n * s.outBatchStride + (o * s.outHeight + oy) * s.outWidth + ox]
                    * w[(o * inC + c % inC) * taps + ky * s.kernelWidth + kx]
            }
        }}
        let at = n * s.inBatchStride + (c * s.inHeight + iy) * s.inWidth + ix
        if let mask, !(mask[at] > 0) { sum = 0 }
        dx[at] = accumulate ? dx[at] + sum : sum
    }}}}
}

public func referenceWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool
) {
    let inC = s.inChannels / s.groups, outC = s.outChannels / s.groups, taps = s.kernelHeight * s.kernelWidth
    for o in 0..<s.outChannels { for i in 0..<inC { for ky in 0..<s.kernelHeight { for kx in 0..<s.kernelWidth {
        var sum: Float = 0
        for n in 0..<s.batch { for oy in 0..<s.outHeight { for ox in 0..<s.outWidth {
            let iy = oy * s.strideHeight + ky * s.dilationHeight - s.padHeight
            let ix = ox * s.strideWidth + kx * s.dilationWidth - s.padWidth
            guard iy >= 0, iy < s.inHeight, ix >= 0, ix < s.inWidth else { continue }
            var v = x[n * s.inBatchStride + ((o / outC * inC + i) * s.inHeight + iy) * s.inWidth + ix]
            if relu, v < 0 { v = 0 }
            sum += v * g[n * s.outBatchStride + (o * s.outHeight + oy) * s.outWidth + ox]
        }}}
        let at = (o * inC + i) * taps + ky * s.kernelWidth + kx
        dw[at] = accumulate ? dw[at] + sum : sum
    }}}}
}

/// c = alpha op(a) op(b) + beta c, row-major, by its definition.
public func referenceMultiply(
    _ ta: Bool, _ tb: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>, _ ldb: Int, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
) {
    for i in 0..<m { for j in 0..<n {
        var sum: Float = 0
        for l in 0..<k { sum += (ta ? a[l * lda + i] : a[i * lda + l]) * (tb ? b[j * ldb + l] : b[l * ldb + j]) }
        c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j])
    }}
}
