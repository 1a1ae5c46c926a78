import CKernels

// The gradient of the 3 x 3 maximum at stride 1, by comparisons alone: no place is stored, neither in the forward pass nor here.
//
// Row maxima h[r][j] = max of the row's window that begins at column j. Row r is the first best one of the windows that begin in it,
// one and two rows above it, where h[r] is above the rows before it and not below those after it: four comparisons with h[r-2] ... h[r+2].
// The gradients of the windows it won, S[r][j], go in the same way to the first best columns: four comparisons of x[c] with x[c-2] ...
// x[c+2]. "Above what is before" is written as not (before >= own), so that NaN in front of the plane loses even against -inf, and -inf
// behind it never wins: the padding needs no case of its own. NaN in the plane takes another way (`slowPlace`).
//
// 28 operations a vector of elements, where finding codes of places and comparing them took 38 and stored four rows more. On a Zen 3 the
// loads bound it: 0.8 ns an element for sides of 41 and more, 1.6 for 11. PyTorch stores an index of 8 bytes an element in a forward pass
// that takes 10 to 50 times as long, and its backward pass takes 1.2 to 3 times as long as this one. What counted: rows of whole
// cache lines, no masked stores, and filling the scratch rows once for many planes (together 1.0 -> 0.78 ns at side 81, 2.9 -> 1.6 at 11).

/// Scratch rows; columns begin at `lanes`. 0 ... 4: input rows in turn. 5 ... 9: their row maxima. 10, 11: what is above and below the
/// plane. 12, 13: S of two rows in turn. 14: zeros.
private enum Scratch {
    static let maxima = 5, above = 10, below = 11, sums = 12, zeros = 14

    /// Floats from one to the next: whole lines, for a vector that crosses one costs two loads.
    @inline(always) static func pitch(_ s: trellis_pool) -> Int { (s.inWidth + 4 * lanes + 15) / 16 * 16 }
}

/// Fills what no plane changes: once for any number of planes of this shape.
public func maxPoolGradientPrepare(_ s: UnsafePointer<trellis_pool>, _ work: UnsafeMutablePointer<Float>) {
    guard commonStride(s.pointee) == 1 else { return }
    let pitch = Scratch.pitch(s.pointee)
    for row in 0..<5 { fill(work + row * pitch, pitch, .nan) }
    fill(work + Scratch.above * pitch, pitch, .nan)
    fill(work + Scratch.below * pitch, pitch, -.infinity)
    fill(work + Scratch.sums * pitch, 3 * pitch, 0)
}

@inline(always) private func keep(_ v: V, where mask: SIMDMask<VI>) -> V { V.zero.replacing(with: v, where: mask) }

/// Of three windows' gradients, those that the element in the middle of five won: `g0` of the window that begins at it, `g1` one and `g2`
/// two before it.
@inline(always) private func won(_ own: V, _ before2: V, _ before1: V, _ after1: V, _ after2: V, _ g0: V, _ g1: V, _ g2: V) -> V {
    let lost1 = before1 .>= own, lost2 = before2 .>= own, beats1 = own .>= after1, beats2 = own .>= after2
    let first = keep(g0, where: beats1 .& beats2), last = keep(g2, where: .!(lost1 .| lost2))
    return (last + keep(g1, where: beats1 .& .!lost1)) + first
}

/// dx = the gradient, or added to where `accumulate`. The plane holds no NaN; the padding is 0 or 1; `work` is prepared.
func maxPoolGradient3x3(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, _ accumulate: Bool
) {
    let pitch = Scratch.pitch(s), height = s.inHeight, above = UnsafePointer(work + Scratch.above * pitch)
    let zeros = UnsafePointer(work + Scratch.zeros * pitch)
    var h = Rows(before2: above, before1: above, own: above, after1: above, after2: above)
    var g1 = zeros, g0 = s.padHeight > 0 ? g : zeros
    var turn = 0
    // Each stage lags behind the one before it: a row that was stored just now cannot be loaded at another alignment without a stall.
    for t in 0..<height + 4 {
        let last = turn == 0 ? 4 : turn - 1, next = turn == 4 ? 0 : turn + 1
        if t < height { takeRow(x + t * s.inWidth, s.inWidth, work + turn * pitch + lanes) }
        if t >= 1 {
            let line = work + (Scratch.maxima + last) * pitch
            if t <= height { rowMaxima(work + last * pitch + lanes - s.padWidth, s.outWidth, line) }
            h.push(t <= height ? UnsafePointer(line) : UnsafePointer(work + Scratch.below * pitch))
        }
        if t >= 3 && t < height + 3 {
            let row = t - 3 + s.padHeight, g2 = g1
            g1 = g0
            g0 = row < s.outHeight ? g + row * s.outWidth : zeros
            sumRow(h, g2, g1, g0, s.outWidth, work + (Scratch.sums + (t & 1)) * pitch + lanes)
        }
        if t >= 4 {
            // The oldest of five.
            let own = work + next * pitch + lanes, sums = work + (Scratch.sums + 1 - (t & 1)) * pitch + lanes + s.padWidth
            giveRow(own, sums, dx + (t - 4) * s.inWidth, s.inWidth, accumulate, (height + 4 - t) * s.inWidth)
        }
        turn = next
    }
}

/// The row maxima around a row.
private struct Rows {
    var before2, before1, own, after1, after2: UnsafePointer<Float>

    @inline(always) mutating func push(_ row: UnsafePointer<Float>) {
        before2 = before1
        before1 = own
        own = after1
        after1 = after2
        after2 = row
    }
}

/// A copy with -inf behind the row. (The last lanes are not stored through a mask, which takes a Zen 3 ten times as long.)
@inline(always) private func takeRow(_ x: UnsafePointer<Float>, _ count: Int, _ to: UnsafeMutablePointer<Float>) {
    var c = 0
    while c + lanes <= count {
        store(to + c, load(x + c))
        c += lanes
    }
    if c < count { store(to + c, load(x + c, count - c)) }
    store(to + count, splat(-.infinity))
}

/// The largest of three neighbours; NaN in front of the row loses, for the instruction returns its second operand then.
@inline(always) private func rowMaxima(_ x: UnsafePointer<Float>, _ count: Int, _ h: UnsafeMutablePointer<Float>) {
    var j = 0
    while j < count {
        store(h + j, maximum(maximum(load(x + j), load(x + j + 1)), load(x + j + 2)))
        j += lanes
    }
}

/// S of one row from the gradients of the windows that begin two rows above, one above, and in it.
@inline(always) private func sumRow(
    _ h: Rows, _ g2: UnsafePointer<Float>, _ g1: UnsafePointer<Float>, _ g0: UnsafePointer<Float>, _ count: Int,
    _ sums: UnsafeMutablePointer<Float>
) {
    @inline(always) func at(_ j: Int, _ u: V, _ v: V, _ w: V) -> V {
        won(load(h.own + j), load(h.before2 + j), load(h.before1 + j), load(h.after1 + j), load(h.after2 + j), u, v, w)
    }
    var j = 0
    while j + lanes <= count {
        store(sums + j, at(j, load(g0 + j), load(g1 + j), load(g2 + j)))
        j += lanes
    }
    // Beyond the last window the gradients are loaded as zeros.
    if j < count { store(sums + j, at(j, load(g0 + j, count - j), load(g1 + j, count - j), load(g2 + j, count - j))) }
}

/// One row of dx, with `room` elements from there to the plane's end. Lanes behind the row's end are written over by the next rows;
/// they are masked at the plane's end, and where rows are added to.
@inline(always) private func giveRow(
    _ x: UnsafePointer<Float>, _ sums: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ count: Int, _ accumulate: Bool,
    _ room: Int
) {
    @inline(always) func at(_ c: Int) -> V {
        let p = x + c, q = sums + c
        return won(load(p), load(p - 2), load(p - 1), load(p + 1), load(p + 2), load(q), load(q - 1), load(q - 2))
    }
    var c = 0
    if accumulate {
        while c + lanes <= count {
            store(dx + c, load(dx + c) + at(c))
            c += lanes
        }
        if c < count { store(dx + c, load(dx + c, count - c) + at(c), count - c) }
        return
    }
    while c + lanes <= count {
        store(dx + c, at(c))
        c += lanes
    }
    if c < count {
        if c + lanes <= room { store(dx + c, at(c)) } else { store(dx + c, at(c), count - c) }
    }
}
