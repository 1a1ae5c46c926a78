// Batch normalisation over one stretch of a channel's plane; the facade walks images and channels.

/// Elements whose moments are taken in two passes over the first-level cache; the blocks are combined in double.
private let block = 2048

/// Adds `count` elements to the running `state`: number, mean, sum of squared deviations from it. Each block's mean comes
/// first and then its deviations, so nothing cancels however far the mean is from zero; blocks are combined by Chan, Golub
/// and LeVeque's formula.
public func addMoments(_ x: UnsafePointer<Float>, _ count: Int, _ state: UnsafeMutablePointer<Double>) {
    var done = 0
    while done < count {
        let n = count - done < block ? count - done : block
        let p = x + done
        let mean = total(p, n) / Double(n)
        let deviations = squaredDeviations(p, n, Float(mean))
        // The deviations were taken from the mean as rounded to Float.
        let rest = mean - Double(Float(mean))
        combineMoments(state, Double(n), mean, deviations - Double(n) * rest * rest)
        done += n
    }
}

/// Adds the moments of another set (its number, mean and sum of squared deviations) to `state`.
public func combineMoments(_ state: UnsafeMutablePointer<Double>, _ n: Double, _ mean: Double, _ deviations: Double) {
    guard n > 0 else { return }
    let all = state[0] + n
    let delta = mean - state[1]
    state[1] += delta * n / all
    state[2] += deviations + delta * delta * state[0] * n / all
    state[0] = all
}

@inline(always)
private func total(_ p: UnsafePointer<Float>, _ n: Int) -> Double {
    var a = V.zero, b = V.zero, c = V.zero, d = V.zero
    var i = 0
    while i + 4 * lanes <= n {
        a += load(p + i)
        b += load(p + i + lanes)
        c += load(p + i + 2 * lanes)
        d += load(p + i + 3 * lanes)
        i += 4 * lanes
    }
    while i + lanes <= n {
        a += load(p + i)
        i += lanes
    }
    if i < n { b += load(p + i, n - i) }
    return Double(sum((a + b) + (c + d)))
}

@inline(always)
private func squaredDeviations(_ p: UnsafePointer<Float>, _ n: Int, _ mean: Float) -> Double {
    let m = splat(mean)
    var a = V.zero, b = V.zero, c = V.zero, d = V.zero
    var i = 0
    while i + 4 * lanes <= n {
        let x0 = load(p + i) - m
        let x1 = load(p + i + lanes) - m
        let x2 = load(p + i + 2 * lanes) - m
        let x3 = load(p + i + 3 * lanes) - m
        a = fma(a, x0, x0)
        b = fma(b, x1, x1)
        c = fma(c, x2, x2)
        d = fma(d, x3, x3)
        i += 4 * lanes
    }
    while i + lanes <= n {
        let x0 = load(p + i) - m
        a = fma(a, x0, x0)
        i += lanes
    }
    var rest: Float = 0
    while i < n {
        rest += (p[i] - mean) * (p[i] - mean)
        i += 1
    }
    return Double(sum((a + b) + (c + d))) + Double(rest)
}

/// y = (x - mean)·scale + shift, then max(·, 0) where asked; added to y where asked.
public func normalise(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, mean: Float, scale: Float, shift: Float,
    relu rectify: Bool, accumulate: Bool
) {
    switch (rectify, accumulate) {
    case (false, false): normaliseLoop(x, y, count, mean, scale, shift, false, false)
    case (false, true): normaliseLoop(x, y, count, mean, scale, shift, false, true)
    case (true, false): normaliseLoop(x, y, count, mean, scale, shift, true, false)
    case (true, true): normaliseLoop(x, y, count, mean, scale, shift, true, true)
    }
}

@inline(always)
private func normaliseLoop(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ mean: Float, _ scale: Float, _ shift: Float,
    _ rectify: Bool, _ accumulate: Bool
) {
    let m = splat(mean), s = splat(scale), t = splat(shift)
    var i = 0
    while i + lanes <= count {
        var v = fma(t, load(x + i) - m, s)
        if rectify { v = positive(v) }
        if accumulate { v += load(y + i) }
        store(y + i, v)
        i += lanes
    }
    if i < count {
        var v = fma(t, load(x + i, count - i) - m, s)
        if rectify { v = positive(v) }
        if accumulate { v += load(y + i, count - i) }
        store(y + i, v, count - i)
    }
}

/// Adds Σ g and Σ g·(x - mean) to `sums`.
public func addGradientSums(
    _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ count: Int, mean: Float, _ sums: UnsafeMutablePointer<Double>
) {
    let m = splat(mean)
    var done = 0
    while done < count {
        let end = count - done < 2 * block ? count : done + 2 * block
        var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero
        var t0 = V.zero, t1 = V.zero, t2 = V.zero, t3 = V.zero
        var i = done
        while i + 4 * lanes <= end {
            let g0 = load(g + i), g1 = load(g + i + lanes), g2 = load(g + i + 2 * lanes), g3 = load(g + i + 3 * lanes)
            s0 += g0
            s1 += g1
            s2 += g2
            s3 += g3
            t0 = fma(t0, g0, load(x + i) - m)
            t1 = fma(t1, g1, load(x + i + lanes) - m)
            t2 = fma(t2, g2, load(x + i + 2 * lanes) - m)
            t3 = fma(t3, g3, load(x + i + 3 * lanes) - m)
            i += 4 * lanes
        }
        while i + lanes <= end {
            let g0 = load(g + i)
            s0 += g0
            t0 = fma(t0, g0, load(x + i) - m)
            i += lanes
        }
        if i < end {
            let g0 = load(g + i, end - i)
            s1 += g0
            t1 = fma(t1, g0, load(x + i, end - i) - m)
        }
        sums[0] += Double(sum((s0 + s1) + (s2 + s3)))
        sums[1] += Double(sum((t0 + t1) + (t2 + t3)))
        done = end
    }
}

/// dx = a·g + b·(x - mean) + c, added to dx where asked.
public func normaliseGradient(
    _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ count: Int,
    mean: Float, a: Float, b: Float, c: Float, accumulate: Bool
) {
    if accumulate {
        normaliseGradientLoop(x, g, dx, count, mean, a, b, c, true)
    } else {
        normaliseGradientLoop(x, g, dx, count, mean, a, b, c, false)
    }
}

@inline(always)
private func normaliseGradientLoop(
    _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ count: Int,
    _ mean: Float, _ a: Float, _ b: Float, _ c: Float, _ accumulate: Bool
) {
    let m = splat(mean), va = splat(a), vb = splat(b), vc = splat(c)
    var i = 0
    while i + lanes <= count {
        var v = fma(fma(vc, load(g + i), va), load(x + i) - m, vb)
        if accumulate { v += load(dx + i) }
        store(dx + i, v)
        i += lanes
    }
    if i < count {
        let n = count - i
        var v = fma(fma(vc, load(g + i, n), va), load(x + i, n) - m, vb)
        if accumulate { v += load(dx + i, n) }
        store(dx + i, v, n)
    }
}
