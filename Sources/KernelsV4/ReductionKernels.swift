import CKernels

// Reductions of [n, inner] to [inner]. `kind`: 0 sum, 1 maximum, 2 minimum (NaN where any element is).

@inline(always) private func combine(_ kind: Int, _ a: V, _ b: V) -> V {
    switch kind {
    case 0: a + b
    case 1: larger(a, b)
    default: smaller(a, b)
    }
}

@inline(always) private func neutral(_ kind: Int) -> Float {
    switch kind {
    case 0: 0
    case 1: -.infinity
    default: .infinity
    }
}

/// One contiguous row of `n`. A sum is taken in Float over 1024 elements and in Double over these.
public func reduceRow(_ x: UnsafePointer<Float>, _ n: Int, _ kind: Int) -> Float {
    switch kind {
    case 0:
        var total = 0.0
        var i = 0
        while i < n {
            let m = n - i < 1024 ? n - i : 1024
            total += sumTile(x + i, m)
            i += m
        }
        return Float(total)
    case 1: return extremum(x, n, 1)
    default: return extremum(x, n, 2)
    }
}

@inline(always) private func extremum(_ x: UnsafePointer<Float>, _ n: Int, _ kind: Int) -> Float {
    var a = splat(neutral(kind)), b = a
    var i = 0
    while i + 2 * lanes <= n {
        a = combine(kind, a, load(x + i))
        b = combine(kind, b, load(x + i + lanes))
        i += 2 * lanes
    }
    a = combine(kind, a, b)
    while i + lanes <= n {
        a = combine(kind, a, load(x + i))
        i += lanes
    }
    var best = neutral(kind)
    for lane in 0..<lanes { best = scalarExtremum(kind, best, a[lane]) }
    while i < n {
        best = scalarExtremum(kind, best, x[i])
        i += 1
    }
    return best
}

@inline(always) private func scalarExtremum(_ kind: Int, _ a: Float, _ b: Float) -> Float {
    if a != a { return a }
    if b != b { return b }
    return (kind == 1) == (a > b) ? a : b
}

/// Columns `first` ..< `end` of [n, inner] into y[first ..< end]. A sum is taken over about sqrt(n) rows at a time, then
/// over these, so that its error grows with sqrt(n).
public func reduceColumns(
    _ x: UnsafePointer<Float>, _ n: Int, _ inner: Int, _ first: Int, _ end: Int, _ y: UnsafeMutablePointer<Float>, _ kind: Int
) {
    switch kind {
    case 0: columns(x, n, inner, first, end, y, 0)
    case 1: columns(x, n, inner, first, end, y, 1)
    default: columns(x, n, inner, first, end, y, 2)
    }
}

@inline(always) private func columns(
    _ x: UnsafePointer<Float>, _ n: Int, _ inner: Int, _ first: Int, _ end: Int, _ y: UnsafeMutablePointer<Float>, _ kind: Int
) {
    var group = 64
    if kind != 0 { group = n > 1 ? n : 1 }
    while kind == 0 && group * group < n { group *= 2 }
    var j = first
    while j < end {
        let width = end - j
        if width >= 4 * lanes {
            var t0 = splat(neutral(kind)), t1 = t0, t2 = t0, t3 = t0
            var i = 0
            while i < n {
                let stop = n - i < group ? n : i + group
                var a = splat(neutral(kind)), b = a, c = a, d = a
                while i < stop {
                    let p = x + i * inner + j
                    a = combine(kind, a, load(p))
                    b = combine(kind, b, load(p + lanes))
                    c = combine(kind, c, load(p + 2 * lanes))
                    d = combine(kind, d, load(p + 3 * lanes))
                    i += 1
                }
                t0 = combine(kind, t0, a)
                t1 = combine(kind, t1, b)
                t2 = combine(kind, t2, c)
                t3 = combine(kind, t3, d)
            }
            store(y + j, t0)
            store(y + j + lanes, t1)
            store(y + j + 2 * lanes, t2)
            store(y + j + 3 * lanes, t3)
            j += 4 * lanes
        } else {
            let m = width < lanes ? width : lanes
            var t = splat(neutral(kind))
            var i = 0
            while i < n {
                let stop = n - i < group ? n : i + group
                var a = splat(neutral(kind))
                while i < stop {
                    a = combine(kind, a, load(x + i * inner + j, m))
                    i += 1
                }
                t = combine(kind, t, a)
            }
            store(y + j, t, m)
            j += m
        }
    }
}

/// Place of the first largest element (the first NaN, if there is one) of a contiguous row of n > 0.
public func argmaxRow(_ x: UnsafePointer<Float>, _ n: Int) -> Int32 {
    let best = extremum(x, n, 1)
    var i = 0
    if best != best {
        while x[i] == x[i] { i += 1 }
    } else {
        while x[i] != best { i += 1 }
    }
    return Int32(truncatingIfNeeded: i)
}

/// The same for columns `first` ..< `end` of [n, inner].
public func argmaxColumns(
    _ x: UnsafePointer<Float>, _ n: Int, _ inner: Int, _ first: Int, _ end: Int, _ y: UnsafeMutablePointer<Int32>
) {
    var j = first
    while j + lanes <= end {
        var best = load(x + j)
        var place = VI.zero
        for i in 1..<(n > 1 ? n : 1) {
            let v = load(x + i * inner + j)
            let take = (v .> best) .| ((v .!= v) .& (best .== best))
            best = best.replacing(with: v, where: take)
            place = place.replacing(with: VI(repeating: Int32(truncatingIfNeeded: i)), where: take)
        }
        store(y + j, place)
        j += lanes
    }
    while j < end {
        var best = x[j]
        var place = 0
        for i in 1..<(n > 1 ? n : 1) {
            let v = x[i * inner + j]
            if v > best || (v != v && best == best) {
                best = v
                place = i
            }
        }
        y[j] = Int32(truncatingIfNeeded: place)
        j += 1
    }
}

/// Σ a·b over at most a few tens of thousands: in Float over 1024 elements, in Double over these.
public func dotStretch(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ n: Int) -> Double {
    var total = 0.0
    var done = 0
    while done < n {
        let end = n - done < 1024 ? n : done + 1024
        var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero
        var i = done
        while i + 4 * lanes <= end {
            s0 = fma(s0, load(a + i), load(b + i))
            s1 = fma(s1, load(a + i + lanes), load(b + i + lanes))
            s2 = fma(s2, load(a + i + 2 * lanes), load(b + i + 2 * lanes))
            s3 = fma(s3, load(a + i + 3 * lanes), load(b + i + 3 * lanes))
            i += 4 * lanes
        }
        while i < end {
            let m = end - i < lanes ? end - i : lanes
            s0 = fma(s0, load(a + i, m), load(b + i, m))
            i += m
        }
        total += Double(sum((s0 + s1) + (s2 + s3)))
        done = end
    }
    return total
}
