import CKernels

// Pooling of one plane. Windows are separable: rows are combined into one padded row first, then neighbours within it, so
// a k x k window costs 2k instead of k² operations. `work` is scratch of `poolWork` floats.

/// Floats from one scratch row to the next: the padded row, a window, and room for whole vectors.
@inline(always) func poolPitch(_ s: UnsafePointer<trellis_pool>) -> Int {
    s.pointee.inWidth + 2 * s.pointee.padWidth + 2 * s.pointee.kernelWidth + s.pointee.strideWidth + 4 * lanes
}

/// Scratch floats of the functions of this file.
public func poolWork(_ s: UnsafePointer<trellis_pool>) -> Int { (3 * s.pointee.kernelHeight + 10) * poolPitch(s) }

/// The shape with a 3 x 3 window and its strides known to the compiler, so that loops over the window unroll and remainders
/// cost nothing.
@inline(always) func threeByThree(_ s: trellis_pool, _ stride: Int) -> trellis_pool {
    var known = s
    known.kernelHeight = 3
    known.kernelWidth = 3
    known.strideHeight = stride
    known.strideWidth = stride
    return known
}

/// The stride if the window is 3 x 3 with stride 1 or 2 both ways, else 0.
@inline(always) func commonStride(_ s: trellis_pool) -> Int {
    guard s.kernelHeight == 3, s.kernelWidth == 3, s.strideHeight == s.strideWidth, s.strideWidth <= 2 else { return 0 }
    return s.strideWidth
}

@inline(always) func fill(_ p: UnsafeMutablePointer<Float>, _ count: Int, _ value: Float) {
    var i = 0
    while i < count {
        p[i] = value
        i += 1
    }
}

/// Whether any of the plane's elements is NaN.
@inline(always) func containsNaN(_ x: UnsafePointer<Float>, _ count: Int) -> Bool {
    var i = 0
    while i + 2 * lanes <= count {
        if anyNaN(load(x + i), load(x + i + lanes)) { return true }
        i += 2 * lanes
    }
    while i < count {
        if x[i] != x[i] { return true }
        i += 1
    }
    return false
}

/// Every stride-th of `t`, `count` of them, into `out` (which may be written a vector beyond only where `slack`).
@inline(always) func takeStrided(
    _ out: UnsafeMutablePointer<Float>, _ t: UnsafePointer<Float>, _ stride: Int, _ count: Int
) {
    var j = 0
    if stride == 2 {
        while j + lanes <= count {
            store(out + j, evens(t + 2 * j))
            j += lanes
        }
        if j < count { store(out + j, evens(t + 2 * j), count - j) }
    } else {
        while j < count {
            out[j] = t[j &* stride]
            j += 1
        }
    }
}

// MARK: Maximum

public func maxPoolPlane(
    _ s: UnsafePointer<trellis_pool>, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>
) {
    let p = s.pointee, pitch = poolPitch(s)
    if containsNaN(x, p.inHeight &* p.inWidth) { return maxPoolLoop(p, x, y, work, pitch, true) }
    switch commonStride(p) {
    case 1: maxPoolLoop(threeByThree(p, 1), x, y, work, pitch, false)
    case 2: maxPoolLoop(threeByThree(p, 2), x, y, work, pitch, false)
    default: maxPoolLoop(p, x, y, work, pitch, false)
    }
}

@inline(always) private func upper(_ a: V, _ b: V, _ nan: Bool) -> V { nan ? larger(a, b) : maximum(a, b) }

@inline(always) private func maxPoolLoop(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ work: UnsafeMutablePointer<Float>,
    _ pitch: Int, _ nan: Bool
) {
    // Two rows in turn: a row that was stored just now cannot be loaded at another alignment without a stall, so windows
    // are taken from the row before it.
    let h = work + 2 * pitch
    fill(work, 2 * pitch, -.infinity)
    for i in 0...s.outHeight {
        if i < s.outHeight { maxRows(s, x, i, work + (i & 1) * pitch + s.padWidth, nan) }
        guard i > 0 else { continue }
        let t = work + ((i - 1) & 1) * pitch, out = y + (i - 1) * s.outWidth
        if s.strideWidth == 1 {
            maxWindows(t, out, s.outWidth, s.kernelWidth, nan, slack: false)
        } else if s.strideWidth == 2 {
            maxEvenWindows(t, out, s.outWidth, s.kernelWidth, nan)
        } else {
            maxWindows(t, h, (s.outWidth - 1) * s.strideWidth + 1, s.kernelWidth, nan, slack: true)
            takeStrided(out, h, s.strideWidth, s.outWidth)
        }
    }
}

/// The largest of each column over the rows of windows' row i.
@inline(always) private func maxRows(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ i: Int, _ t: UnsafeMutablePointer<Float>, _ nan: Bool
) {
    let top = i * s.strideHeight - s.padHeight
    let first = top < 0 ? 0 : top
    let end = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
    var c = 0
    if s.kernelHeight == 3 {
        // A row outside the plane is replaced by one within the window, which changes no maximum.
        let a = x + first * s.inWidth, b = x + (first + 1 < end ? first + 1 : first) * s.inWidth, d = x + (end - 1) * s.inWidth
        while c + lanes <= s.inWidth {
            store(t + c, upper(upper(load(a + c), load(b + c), nan), load(d + c), nan))
            c += lanes
        }
    }
    while c < s.inWidth {
        let m = s.inWidth - c
        var v = loadUpTo(x + first * s.inWidth + c, m)
        var r = first + 1
        while r < end {
            v = upper(v, loadUpTo(x + r * s.inWidth + c, m), nan)
            r += 1
        }
        storeUpTo(t + c, v, m)
        c += lanes
    }
}

@inline(always) private func maxEvenWindows(
    _ t: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int, _ window: Int, _ nan: Bool
) {
    var j = 0
    while j < count {
        var v = evens(t + 2 * j)
        var k = 1
        while k < window {
            v = upper(v, evens(t + 2 * j + k), nan)
            k += 1
        }
        storeUpTo(out + j, v, count - j)
        j += lanes
    }
}

@inline(always) private func maxWindows(
    _ t: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int, _ window: Int, _ nan: Bool, slack: Bool
) {
    var j = 0
    while j < count {
        var v = load(t + j)
        var k = 1
        while k < window {
            v = upper(v, load(t + j + k), nan)
            k += 1
        }
        if slack || j + lanes <= count {
            store(out + j, v)
        } else {
            store(out + j, v, count - j)
        }
        j += lanes
    }
}

// MARK: Average

/// `counts`: whether the divisor is the whole window; else only what lies within the plane.
public func averagePoolPlane(
    _ s: UnsafePointer<trellis_pool>, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, countPadding: Bool
) {
    let p = s.pointee, pitch = poolPitch(s)
    switch commonStride(p) {
    case 1: averagePoolLoop(threeByThree(p, 1), x, y, work, pitch, countPadding)
    case 2: averagePoolLoop(threeByThree(p, 2), x, y, work, pitch, countPadding)
    default: averagePoolLoop(p, x, y, work, pitch, countPadding)
    }
}

/// Columns of window j that lie within the plane.
@inline(always) private func columnCount(_ s: trellis_pool, _ j: Int) -> Int {
    let left = j * s.strideWidth - s.padWidth
    let first = left < 0 ? 0 : left
    let end = left + s.kernelWidth < s.inWidth ? left + s.kernelWidth : s.inWidth
    return end - first
}

@inline(always) private func averagePoolLoop(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ work: UnsafeMutablePointer<Float>,
    _ pitch: Int, _ countPadding: Bool
) {
    let width = s.inWidth, t = work, h = work + pitch, columns = work + 2 * pitch
    fill(t, pitch, 0)
    for j in 0..<s.outWidth { columns[j] = Float(countPadding ? s.kernelWidth : columnCount(s, j)) }
    for i in 0..<s.outHeight {
        let top = i * s.strideHeight - s.padHeight
        let first = top < 0 ? 0 : top
        let end = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
        var c = 0
        while c < width {
            let m = width - c < lanes ? width - c : lanes
            var v = load(x + first * width + c, m)
            var r = first + 1
            while r < end {
                v += load(x + r * width + c, m)
                r += 1
            }
            store(t + s.padWidth + c, v, m)
            c += lanes
        }
        let reach = (s.outWidth - 1) * s.strideWidth + 1
        var j = 0
        while j < reach {
            var v = load(t + j)
            var k = 1
            while k < s.kernelWidth {
                v += load(t + j + k)
                k += 1
            }
            store(h + j, v)
            j += lanes
        }
        let out = y + i * s.outWidth
        if s.strideWidth > 1 { takeStrided(h, h, s.strideWidth, s.outWidth) }
        let rows = splat(Float(countPadding ? s.kernelHeight : end - first))
        j = 0
        while j < s.outWidth {
            let m = s.outWidth - j < lanes ? s.outWidth - j : lanes
            store(out + j, load(h + j) / (rows * load(columns + j)), m)
            j += lanes
        }
    }
}

/// The adjoint: each element gets the sum over its windows of g over the window's divisor.
public func averagePoolGradientPlane(
    _ s: UnsafePointer<trellis_pool>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, countPadding: Bool, accumulate: Bool
) {
    let p = s.pointee, pitch = poolPitch(s)
    switch commonStride(p) {
    case 1: averageGradientLoop(threeByThree(p, 1), g, dx, work, pitch, countPadding, accumulate)
    case 2: averageGradientLoop(threeByThree(p, 2), g, dx, work, pitch, countPadding, accumulate)
    default: averageGradientLoop(p, g, dx, work, pitch, countPadding, accumulate)
    }
}

@inline(always) private func averageGradientLoop(
    _ s: trellis_pool, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ work: UnsafeMutablePointer<Float>,
    _ pitch: Int, _ countPadding: Bool, _ accumulate: Bool
) {
    // `e` holds the row of sums with the stride's zeros between them, after kernelWidth zeros.
    let e = work, t = work + pitch, columns = work + 2 * pitch
    fill(e, pitch, 0)
    for j in 0..<s.outWidth { columns[j] = 1 / Float(countPadding ? s.kernelWidth : columnCount(s, j)) }
    let start = e + s.kernelWidth
    for r in 0..<s.inHeight {
        let low = r + s.padHeight - s.kernelHeight + 1
        let first = low <= 0 ? 0 : (low + s.strideHeight - 1) / s.strideHeight
        let high = (r + s.padHeight) / s.strideHeight
        let last = high < s.outHeight ? high : s.outHeight - 1
        let target = s.strideWidth == 1 ? start : t
        var j = 0
        while j < s.outWidth {
            let m = s.outWidth - j < lanes ? s.outWidth - j : lanes
            var v = V.zero
            var i = first
            while i <= last {
                let top = i * s.strideHeight - s.padHeight
                let from = top < 0 ? 0 : top
                let end = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
                let rows = Float(countPadding ? s.kernelHeight : end - from)
                v = fma(v, splat(1 / rows), load(g + i * s.outWidth + j, m))
                i += 1
            }
            store(target + j, v * load(columns + j), m)
            j += lanes
        }
        if s.strideWidth == 2 {
            j = 0
            while j + lanes <= s.outWidth {
                spread(start + 2 * j, load(t + j))
                j += lanes
            }
            while j < s.outWidth {
                start[2 * j] = t[j]
                j += 1
            }
        } else if s.strideWidth > 2 {
            for j in 0..<s.outWidth { start[j &* s.strideWidth] = t[j] }
        }
        let out = dx + r * s.inWidth
        var c = 0
        while c < s.inWidth {
            let m = s.inWidth - c < lanes ? s.inWidth - c : lanes
            var v = load(start + c + s.padWidth)
            var k = 1
            while k < s.kernelWidth {
                v += load(start + c + s.padWidth - k)
                k += 1
            }
            if accumulate { v += load(out + c, m) }
            store(out + c, v, m)
            c += lanes
        }
    }
}
