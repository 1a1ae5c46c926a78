import CKernels

// The register tile of the weight gradient: dot products over pixels of `dotRows` planes of the output's gradient with
// `dotColumns` shifted planes of the input.

#if KernelsV4
@inline(always) var dotRows: Int { 4 }
@inline(always) var dotColumns: Int { 6 }
#else
@inline(always) var dotRows: Int { 4 }
@inline(always) var dotColumns: Int { 2 }
#endif

struct DotColumn {
    var a = V.zero, b = V.zero, c = V.zero, d = V.zero

    @inline(always) mutating func add(_ x: V, _ p: V, _ q: V, _ r: V, _ s: V) {
        a = fma(a, x, p)
        b = fma(b, x, q)
        c = fma(c, x, r)
        d = fma(d, x, s)
    }

    /// The four sums, `stride` apart.
    @inline(always) func put(_ to: UnsafeMutablePointer<Float>, _ stride: Int) {
        to[0] = sum(a)
        to[stride] = sum(b)
        to[2 * stride] = sum(c)
        to[3 * stride] = sum(d)
    }
}

/// result[row * dotColumns + column] = sum over `count` positions of g[row * gStride + i] * x[offsets[column] + i].
/// Of fewer than `dotRows` rows the last is taken again. With `exact`, nothing behind the last position is read; otherwise g
/// is zero there and x readable and finite.
@inline(never)
func dotTile(
    _ g: UnsafePointer<Float>, _ gStride: Int, _ rows: Int, _ x: UnsafePointer<Float>, _ offsets: UnsafePointer<Int>, _ count: Int,
    _ exact: Bool, _ relu: Bool, _ result: UnsafeMutablePointer<Float>
) {
    let g0 = g, g1 = g + smaller(1, rows - 1) * gStride, g2 = g + smaller(2, rows - 1) * gStride, g3 = g + smaller(3, rows - 1) * gStride
    let x0 = x + offsets[0], x1 = x + offsets[1]
    var c0 = DotColumn(), c1 = DotColumn()
    #if KernelsV4
    var c2 = DotColumn(), c3 = DotColumn(), c4 = DotColumn(), c5 = DotColumn()
    let x2 = x + offsets[2], x3 = x + offsets[3], x4 = x + offsets[4], x5 = x + offsets[5]
    #endif
    var i = 0
    let whole = exact ? count / lanes * lanes : count
    if relu {
        while i < whole {
            let p = load(g0 + i), q = load(g1 + i), r = load(g2 + i), s = load(g3 + i)
            c0.add(positive(load(x0 + i)), p, q, r, s)
            c1.add(positive(load(x1 + i)), p, q, r, s)
            #if KernelsV4
            c2.add(positive(load(x2 + i)), p, q, r, s)
            c3.add(positive(load(x3 + i)), p, q, r, s)
            c4.add(positive(load(x4 + i)), p, q, r, s)
            c5.add(positive(load(x5 + i)), p, q, r, s)
            #endif
            i += lanes
        }
    } else {
        while i < whole {
            let p = load(g0 + i), q = load(g1 + i), r = load(g2 + i), s = load(g3 + i)
            c0.add(load(x0 + i), p, q, r, s)
            c1.add(load(x1 + i), p, q, r, s)
            #if KernelsV4
            c2.add(load(x2 + i), p, q, r, s)
            c3.add(load(x3 + i), p, q, r, s)
            c4.add(load(x4 + i), p, q, r, s)
            c5.add(load(x5 + i), p, q, r, s)
            #endif
            i += lanes
        }
    }
    if i < count {
        let n = count - i
        let p = load(g0 + i, n), q = load(g1 + i, n), r = load(g2 + i, n), s = load(g3 + i, n)
        c0.add(part(x0 + i, n, relu), p, q, r, s)
        c1.add(part(x1 + i, n, relu), p, q, r, s)
        #if KernelsV4
        c2.add(part(x2 + i, n, relu), p, q, r, s)
        c3.add(part(x3 + i, n, relu), p, q, r, s)
        c4.add(part(x4 + i, n, relu), p, q, r, s)
        c5.add(part(x5 + i, n, relu), p, q, r, s)
        #endif
    }
    c0.put(result, dotColumns)
    c1.put(result + 1, dotColumns)
    #if KernelsV4
    c2.put(result + 2, dotColumns)
    c3.put(result + 3, dotColumns)
    c4.put(result + 4, dotColumns)
    c5.put(result + 5, dotColumns)
    #endif
}

@inline(always) private func part(_ p: UnsafePointer<Float>, _ n: Int, _ relu: Bool) -> V {
    let v = load(p, n)
    return relu ? positive(v) : v
}
