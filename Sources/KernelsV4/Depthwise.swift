import CKernels

// Depthwise convolution: every channel by itself. A plane is copied with zeros around it (the ReLU is taken on the way), so
// that no tap asks whether it is inside. Stride 1 with 3x3, 5x5 and 7x7 has its own kernels, which hold six rows of results
// in registers and so load a row of source once for all of them; everything else takes flat positions and a list of taps.
// Six and not four: sums that wait for each other four cycles long would keep half of an AVX2 core's multipliers idle.
//
// Where planes are copied (`depthwiseCopies`), `repeats` convolutions of one input, whose outputs, weights and biases stand side by side, share
// the copy of each plane: it takes a third of the time of a 3x3 kernel. Elsewhere `repeats` is 1.

/// Six result vectors, as many source rows apart as the kernel is dilated.
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

extension Six {
    /// Adds one column of 3x3 taps, with weights u, v, t from the top. A source row is loaded once and goes to each result it is for.
    @inline(always) mutating func add(_ q: UnsafePointer<Float>, _ step: Int, _ u: V, _ v: V, _ t: V) {
        a = fma(a, u, load(q))
        let x1 = load(q + step)
        a = fma(a, v, x1)
        b = fma(b, u, x1)
        let x2 = load(q + 2 * step)
        a = fma(a, t, x2)
        b = fma(b, v, x2)
        c = fma(c, u, x2)
        let x3 = load(q + 3 * step)
        b = fma(b, t, x3)
        c = fma(c, v, x3)
        d = fma(d, u, x3)
        let x4 = load(q + 4 * step)
        c = fma(c, t, x4)
        d = fma(d, v, x4)
        e = fma(e, u, x4)
        let x5 = load(q + 5 * step)
        d = fma(d, t, x5)
        e = fma(e, v, x5)
        f = fma(f, u, x5)
        let x6 = load(q + 6 * step)
        e = fma(e, t, x6)
        f = fma(f, v, x6)
        f = fma(f, t, load(q + 7 * step))
    }
}

/// Six result vectors, 3x3 taps `step` rows and `column` elements apart.
@inline(always)
func six3(_ p: UnsafePointer<Float>, _ step: Int, _ column: Int, _ w: UnsafePointer<Float>, _ bias: Float) -> Six {
    var r = Six(bias)
    for kx in 0..<3 { r.add(p + kx * column, step, V(repeating: w[kx]), V(repeating: w[kx + 3]), V(repeating: w[kx + 6])) }
    return r
}

/// The same and the six vectors behind them: half the addresses and weights for each, where the level has registers for twelve sums. 0.84 to 0.9 of the
/// time of 3x3 kernels on 81x81; for 5x5 the products bind.
@inline(always)
func twelve3(_ p: UnsafePointer<Float>, _ step: Int, _ column: Int, _ w: UnsafePointer<Float>, _ bias: Float) -> (Six, Six) {
    var l = Six(bias), r = Six(bias)
    for kx in 0..<3 {
        let u = V(repeating: w[kx]), v = V(repeating: w[kx + 3]), t = V(repeating: w[kx + 6])
        l.add(p + kx * column, step, u, v, t)
        r.add(p + kx * column + lanes, step, u, v, t)
    }
    return (l, r)
}

/// As `six3` for `k` kernel rows and columns: source rows enter one by one.
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

/// The rows of a tile: the first one, how far they are apart, and how many the plane has.
struct TileRows {
    let y, height, apart: Int
}

extension DepthwiseTarget {
    @inline(always) func put(_ r: Six, _ rows: TileRows, _ x: Int, _ n: Int) {
        let at = rows.y * width + x, below = rows.apart * width, left = rows.height - rows.y
        put(at, r.a, n)
        if rows.apart < left { put(at + below, r.b, n) }
        if 2 * rows.apart < left { put(at + 2 * below, r.c, n) }
        if 3 * rows.apart < left { put(at + 3 * below, r.d, n) }
        if 4 * rows.apart < left { put(at + 4 * below, r.e, n) }
        if 5 * rows.apart < left { put(at + 5 * below, r.f, n) }
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
            let rows = TileRows(y: y, height: height, apart: dilationHeight)
            if k == 3, lanes == 16 {
                while x + lanes < target.width {
                    let (l, r) = twelve3(base + x, step, dilationWidth, w, bias)
                    target.put(l, rows, x, lanes)
                    x += lanes
                    target.put(r, rows, x, smaller(lanes, target.width - x))
                    x += lanes
                }
            }
            while x < target.width {
                let r = switch k {
                case 3: six3(base + x, step, dilationWidth, w, bias)
                case 5: sixAny(5, base + x, step, dilationWidth, w, bias)
                default: sixAny(k, base + x, step, dilationWidth, w, bias)
                }
                target.put(r, rows, x, smaller(lanes, target.width - x))
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
        guard let own = scratch(7, size) else { return }
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
        guard let turned = scratch(7, size + 64) else { return }
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
        guard let own = scratch(7, size + repeats * sumsEach) else { return }
        let sums = own + size
        for c in piece * each..<smaller(s.inChannels, (piece + 1) * each) {
            for i in 0..<repeats * kernel { store(sums + i * lanes, V.zero) }
            for n in 0..<s.batch {
                packPlane(layout, x + n * s.inBatchStride + c * inPlane, s.inWidth, 1, s.inHeight, s.inWidth, relu, own)
                let source = own + layout.origin - s.padHeight * layout.rowStride - s.padWidth
                for turn in 0..<repeats {
                    let plane = g + n * s.outBatchStride + (turn * s.inChannels + c) * outPlane
                    let taps = PlaneTaps(
                        source: source, rowStride: layout.rowStride, height: s.outHeight, width: s.outWidth, dilationHeight: s.dilationHeight,
                        dilationWidth: s.dilationWidth)
                    if s.kernelHeight == 3 {
                        dots3(taps, plane, sums + turn * sumsEach)
                    } else {
                        dotsAny(s.kernelHeight, taps, plane, sums + turn * sumsEach)
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
