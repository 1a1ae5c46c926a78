import CKernels

// Depthwise convolution: every channel by itself. A plane is copied with zeros around it (the ReLU is taken on the way), so
// that no tap asks whether it is inside. Stride 1 with 3x3, 5x5 and 7x7 has its own kernels, which hold six rows of results
// in registers and so load a row of source once for all of them; everything else takes flat positions and a list of taps.
// Six and not four: sums that wait for each other four cycles long would keep half of an AVX2 core's multipliers idle.
//
// Where planes are copied (`depthwiseCopies`), `repeats` convolutions of one input, whose outputs, weights and biases stand side by side, share
// the copy of each plane: it takes a third of the time of a 3x3 kernel. Elsewhere `repeats` is 1.

/// Result vectors `step` source rows apart.
struct Six {
    var a, b, c, d, e, f: V

    @inline(always) init(_ start: Float) {
        a = V(repeating: start)
        b = a
        c = a
        d = a
        e = a
        f = a
    }
}

/// Six result vectors, 3x3 taps `step` rows and `column` elements apart. A source row is loaded once and goes to each result it is for.
@inline(always)
func six3(_ p: UnsafePointer<Float>, _ step: Int, _ column: Int, _ w: UnsafePointer<Float>, _ bias: Float) -> Six {
    var r = Six(bias)
    for kx in 0..<3 {
        let q = p + kx * column
        let u = V(repeating: w[kx]), v = V(repeating: w[kx + 3]), t = V(repeating: w[kx + 6])
        r.a = fma(r.a, u, load(q))
        let x1 = load(q + step)
        r.a = fma(r.a, v, x1)
        r.b = fma(r.b, u, x1)
        let x2 = load(q + 2 * step)
        r.a = fma(r.a, t, x2)
        r.b = fma(r.b, v, x2)
        r.c = fma(r.c, u, x2)
        let x3 = load(q + 3 * step)
        r.b = fma(r.b, t, x3)
        r.c = fma(r.c, v, x3)
        r.d = fma(r.d, u, x3)
        let x4 = load(q + 4 * step)
        r.c = fma(r.c, t, x4)
        r.d = fma(r.d, v, x4)
        r.e = fma(r.e, u, x4)
        let x5 = load(q + 5 * step)
        r.d = fma(r.d, t, x5)
        r.e = fma(r.e, v, x5)
        r.f = fma(r.f, u, x5)
        let x6 = load(q + 6 * step)
        r.e = fma(r.e, t, x6)
        r.f = fma(r.f, v, x6)
        r.f = fma(r.f, t, load(q + 7 * step))
    }
    return r
}

/// The same for `k` kernel rows and columns: source rows enter one by one.
@inline(always)
func sixAny(_ k: Int, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int, _ w: UnsafePointer<Float>, _ bias: Float) -> Six {
    var r = Six(bias)
    for kx in 0..<k {
        var q = p + kx * column
        var v = w + kx
        var x0 = load(q), x1 = load(q + step), x2 = load(q + 2 * step), x3 = load(q + 3 * step), x4 = load(q + 4 * step)
        q += 5 * step
        for _ in 0..<k {
            let x5 = load(q), u = V(repeating: v[0])
            r.a = fma(r.a, u, x0)
            r.b = fma(r.b, u, x1)
            r.c = fma(r.c, u, x2)
            r.d = fma(r.d, u, x3)
            r.e = fma(r.e, u, x4)
            r.f = fma(r.f, u, x5)
            (x0, x1, x2, x3, x4) = (x1, x2, x3, x4, x5)
            q += step
            v += k
        }
    }
    return r
}

struct DepthwiseTarget {
    var width = 0
    var accumulate = false
    var mask: UnsafePointer<Float>?
    var to: UnsafeMutablePointer<Float>

    @inline(always) func put(_ at: Int, _ v: V, _ n: Int) {
        var v = v
        if n == lanes {
            if let mask { v = V.zero.replacing(with: v, where: load(mask + at) .> V.zero) }
            if accumulate { v += load(to + at) }
            store(to + at, v)
            return
        }
        if let mask { v = V.zero.replacing(with: v, where: load(mask + at, n) .> V.zero) }
        if accumulate { v += load(to + at, n) }
        store(to + at, v, n)
    }
}

/// One plane at stride 1: `source` is the padded position of result (0, 0)'s first tap.
@inline(never)
func depthwisePlane(
    _ k: Int, _ source: UnsafePointer<Float>, _ rowStride: Int, _ height: Int, _ dilationHeight: Int, _ dilationWidth: Int,
    _ w: UnsafePointer<Float>, _ bias: Float, _ target: DepthwiseTarget
) {
    let step = rowStride * dilationHeight
    for residue in 0..<smaller(dilationHeight, height) {
        var y = residue
        while y < height {
            var x = 0
            let base = source + y * rowStride
            while x < target.width {
                let n = smaller(lanes, target.width - x)
                let r = switch k {
                case 3: six3(base + x, step, dilationWidth, w, bias)
                case 5: sixAny(5, base + x, step, dilationWidth, w, bias)
                default: sixAny(k, base + x, step, dilationWidth, w, bias)
                }
                let at = y * target.width + x, below = dilationHeight * target.width
                target.put(at, r.a, n)
                if y + dilationHeight < height { target.put(at + below, r.b, n) }
                if y + 2 * dilationHeight < height { target.put(at + 2 * below, r.c, n) }
                if y + 3 * dilationHeight < height { target.put(at + 3 * below, r.d, n) }
                if y + 4 * dilationHeight < height { target.put(at + 4 * below, r.e, n) }
                if y + 5 * dilationHeight < height { target.put(at + 5 * below, r.f, n) }
                x += lanes
            }
            y += 6 * dilationHeight
        }
    }
}

/// Floats behind a packed plane that the kernels above may read for results they do not store.
@inline(always)
private func overrun(_ rowStride: Int, _ dilation: Int) -> Int { 6 * rowStride * dilation + 4 * lanes }

/// Planes for a stride-1 pass whose taps start at `-top`, `-left`.
private func layOut(
    _ height: Int, _ width: Int, _ gridHeight: Int, _ gridWidth: Int, _ top: Int, _ left: Int, _ spanHeight: Int, _ spanWidth: Int
) -> Planes {
    Planes(
        height: height, width: width, gridHeight: gridHeight, gridWidth: gridWidth,
        minRow: -top, maxRow: spanHeight - top, minColumn: -left, maxColumn: spanWidth - left)
}

private func flipped(_ w: UnsafePointer<Float>, _ count: Int, _ to: UnsafeMutablePointer<Float>) {
    for i in 0..<count { to[i] = w[count - 1 - i] }
}

@inline(always) private func isSquareFast(_ s: trellis_conv) -> Bool {
    s.kernelHeight == s.kernelWidth && (s.kernelHeight == 3 || s.kernelHeight == 5 || s.kernelHeight == 7)
        && s.strideHeight == 1 && s.strideWidth == 1 && s.padHeight <= s.dilationHeight * (s.kernelHeight - 1)
        && s.padWidth <= s.dilationWidth * (s.kernelWidth - 1)
}

/// Whether convolutions of one input are better done by one call than side by side: where planes are copied.
public func depthwiseCopies(_ s: trellis_conv) -> Bool { isSquareFast(s) && !isSmall(s) }

/// Planes that a piece takes: enough for some microseconds.
@inline(always) private func planesEach(_ plane: Int, _ kernel: Int) -> Int { larger(1, pieceWork / 4 / larger(1, plane * kernel)) }

public func depthwiseForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool, _ repeats: Int, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, count = s.batch * s.inChannels
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    if isSmall(s) {
        smallForward(s, x, w, bias, y, relu, accumulate, parallel)
        return
    }
    guard isSquareFast(s) else {
        flatForward(s, x, w, bias, y, relu, accumulate, parallel)
        return
    }
    let spanHeight = s.dilationHeight * (s.kernelHeight - 1), spanWidth = s.dilationWidth * (s.kernelWidth - 1)
    let layout = layOut(s.inHeight, s.inWidth, s.outHeight, s.outWidth, s.padHeight, s.padWidth, spanHeight, spanWidth)
    let size = layout.channelStride + overrun(layout.rowStride, s.dilationHeight)
    let each = planesEach(outPlane * repeats, kernel)
    parallel(ceilDivide(count, each)) { piece in
        let own = scratch(7, size)
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            let n = i / s.inChannels, c = i % s.inChannels
            packPlane(layout, x + n * s.inBatchStride + c * inPlane, s.inWidth, 1, s.inHeight, s.inWidth, relu, own)
            let source = own + layout.origin - s.padHeight * layout.rowStride - s.padWidth
            for channel in stride(from: c, to: repeats * s.inChannels, by: s.inChannels) {
                let place = n * s.outBatchStride + channel * outPlane
                depthwisePlane(
                    s.kernelHeight, source, layout.rowStride, s.outHeight, s.dilationHeight, s.dilationWidth, w + channel * kernel,
                    bias.map { $0[channel] } ?? 0,
                    DepthwiseTarget(width: s.outWidth, accumulate: accumulate, mask: nil, to: y + place))
            }
        }
    }
}

public func depthwiseInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ repeats: Int, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, count = s.batch * s.inChannels
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    if isSmall(s) {
        smallInputGradient(s, g, w, dx, mask, accumulate, parallel)
        return
    }
    guard isSquareFast(s) else {
        flatInputGradient(s, g, w, dx, mask, accumulate, parallel)
        return
    }
    let spanHeight = s.dilationHeight * (s.kernelHeight - 1), spanWidth = s.dilationWidth * (s.kernelWidth - 1)
    let top = spanHeight - s.padHeight, left = spanWidth - s.padWidth
    let layout = layOut(s.outHeight, s.outWidth, s.inHeight, s.inWidth, top, left, spanHeight, spanWidth)
    let size = layout.channelStride + overrun(layout.rowStride, s.dilationHeight)
    let each = planesEach(inPlane * repeats, kernel)
    parallel(ceilDivide(count, each)) { piece in
        let turned = scratch(7, size + 64)
        let own = turned + 64
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            let n = i / s.inChannels, c = i % s.inChannels, place = n * s.inBatchStride + c * inPlane
            for channel in stride(from: c, to: repeats * s.inChannels, by: s.inChannels) {
                packPlane(layout, g + n * s.outBatchStride + channel * outPlane, s.outWidth, 1, s.outHeight, s.outWidth, false, own)
                flipped(w + channel * kernel, kernel, turned)
                depthwisePlane(
                    s.kernelHeight, own + layout.origin - top * layout.rowStride - left, layout.rowStride, s.inHeight,
                    s.dilationHeight, s.dilationWidth, turned, 0,
                    DepthwiseTarget(width: s.inWidth, accumulate: accumulate || channel > c, mask: mask.map { $0 + place }, to: dx + place))
            }
        }
    }
}

public func depthwiseWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ repeats: Int, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    if isSmall(s) {
        smallWeightGradient(s, x, g, dw, relu, accumulate, parallel)
        return
    }
    guard isSquareFast(s) else {
        flatWeightGradient(s, x, g, dw, relu, accumulate, parallel)
        return
    }
    let spanHeight = s.dilationHeight * (s.kernelHeight - 1), spanWidth = s.dilationWidth * (s.kernelWidth - 1)
    let layout = layOut(s.inHeight, s.inWidth, s.outHeight, s.outWidth, s.padHeight, s.padWidth, spanHeight, spanWidth)
    let size = layout.channelStride + overrun(layout.rowStride, s.dilationHeight)
    let each = planesEach(outPlane * s.batch * repeats, kernel), sumsEach = kernel * lanes
    parallel(ceilDivide(s.inChannels, each)) { piece in
        let own = scratch(7, size + repeats * sumsEach)
        let sums = own + size
        for c in piece * each..<smaller(s.inChannels, (piece + 1) * each) {
            for i in 0..<repeats * kernel { store(sums + i * lanes, V.zero) }
            for n in 0..<s.batch {
                packPlane(layout, x + n * s.inBatchStride + c * inPlane, s.inWidth, 1, s.inHeight, s.inWidth, relu, own)
                let source = own + layout.origin - s.padHeight * layout.rowStride - s.padWidth
                for turn in 0..<repeats {
                    let plane = g + n * s.outBatchStride + (turn * s.inChannels + c) * outPlane
                    if s.kernelHeight == 3 {
                        dots3(
                            source, layout.rowStride, s.outHeight, s.outWidth, s.dilationHeight, s.dilationWidth, plane, sums + turn * sumsEach)
                    } else {
                        dotsAny(
                            s.kernelHeight, source, layout.rowStride, s.outHeight, s.outWidth, s.dilationHeight, s.dilationWidth, plane,
                            sums + turn * sumsEach)
                    }
                }
            }
            for turn in 0..<repeats {
                let to = dw + (turn * s.inChannels + c) * kernel, from = sums + turn * sumsEach
                for i in 0..<kernel { to[i] = (accumulate ? to[i] : 0) + sum(load(from + i * lanes)) }
            }
        }
    }
}

/// The products of one plane for 3x3 taps, added to nine vectors of partial sums.
@inline(never)
private func dots3(
    _ source: UnsafePointer<Float>, _ rowStride: Int, _ height: Int, _ width: Int, _ dilationHeight: Int, _ dilationWidth: Int,
    _ g: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
) {
    let step = rowStride * dilationHeight
    var s0 = load(sums), s1 = load(sums + lanes), s2 = load(sums + 2 * lanes), s3 = load(sums + 3 * lanes), s4 = load(sums + 4 * lanes)
    var s5 = load(sums + 5 * lanes), s6 = load(sums + 6 * lanes), s7 = load(sums + 7 * lanes), s8 = load(sums + 8 * lanes)
    for residue in 0..<smaller(dilationHeight, height) {
        var y = residue
        while y < height {
            let more = y + dilationHeight < height
            var x = 0
            while x < width {
                let n = smaller(lanes, width - x)
                let from = g + y * width + x
                // Two rows of gradient share three of the four source rows.
                let a = load(from, n), b = more ? load(from + dilationHeight * width, n) : V.zero
                var p = source + y * rowStride + x
                let u0 = load(p), u1 = load(p + step), u2 = load(p + 2 * step), u3 = load(p + 3 * step)
                p += dilationWidth
                let v0 = load(p), v1 = load(p + step), v2 = load(p + 2 * step), v3 = load(p + 3 * step)
                p += dilationWidth
                let w0 = load(p), w1 = load(p + step), w2 = load(p + 2 * step), w3 = load(p + 3 * step)
                s0 = fma(fma(s0, a, u0), b, u1)
                s1 = fma(fma(s1, a, v0), b, v1)
                s2 = fma(fma(s2, a, w0), b, w1)
                s3 = fma(fma(s3, a, u1), b, u2)
                s4 = fma(fma(s4, a, v1), b, v2)
                s5 = fma(fma(s5, a, w1), b, w2)
                s6 = fma(fma(s6, a, u2), b, u3)
                s7 = fma(fma(s7, a, v2), b, v3)
                s8 = fma(fma(s8, a, w2), b, w3)
                x += lanes
            }
            y += 2 * dilationHeight
        }
    }
    store(sums, s0)
    store(sums + lanes, s1)
    store(sums + 2 * lanes, s2)
    store(sums + 3 * lanes, s3)
    store(sums + 4 * lanes, s4)
    store(sums + 5 * lanes, s5)
    store(sums + 6 * lanes, s6)
    store(sums + 7 * lanes, s7)
    store(sums + 8 * lanes, s8)
}

/// The same for k x k taps (k at least 5), by columns of five kernel rows.
@inline(never)
private func dotsAny(
    _ k: Int, _ source: UnsafePointer<Float>, _ rowStride: Int, _ height: Int, _ width: Int, _ dilationHeight: Int, _ dilationWidth: Int,
    _ g: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
) {
    let step = rowStride * dilationHeight
    for kx in 0..<k {
        var ky = 0
        while ky < k {
            // A last group over the edge overlaps the one before; only its new rows count.
            let top = smaller(ky, k - 5)
            var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero, s4 = V.zero
            for residue in 0..<smaller(dilationHeight, height) {
                var y = residue
                while y < height {
                    let more = y + dilationHeight < height
                    var x = 0
                    let from = g + y * width, below = dilationHeight * width
                    let p = source + (y + top * dilationHeight) * rowStride + kx * dilationWidth
                    while x < width {
                        let n = smaller(lanes, width - x)
                        let a = load(from + x, n), b = more ? load(from + below + x, n) : V.zero
                        let x1 = load(p + x + step), x2 = load(p + x + 2 * step), x3 = load(p + x + 3 * step), x4 = load(p + x + 4 * step)
                        s0 = fma(fma(s0, a, load(p + x)), b, x1)
                        s1 = fma(fma(s1, a, x1), b, x2)
                        s2 = fma(fma(s2, a, x2), b, x3)
                        s3 = fma(fma(s3, a, x3), b, x4)
                        s4 = fma(fma(s4, a, x4), b, load(p + x + 5 * step))
                        x += lanes
                    }
                    y += 2 * dilationHeight
                }
            }
            let skip = ky - top
            addTo(sums, (top * k + kx), s0, skip <= 0)
            addTo(sums, ((top + 1) * k + kx), s1, skip <= 1)
            addTo(sums, ((top + 2) * k + kx), s2, skip <= 2)
            addTo(sums, ((top + 3) * k + kx), s3, skip <= 3)
            addTo(sums, ((top + 4) * k + kx), s4, true)
            ky += 5
        }
    }
}

@inline(always) private func addTo(_ sums: UnsafeMutablePointer<Float>, _ i: Int, _ v: V, _ counts: Bool) {
    if counts { store(sums + i * lanes, load(sums + i * lanes) + v) }
}
