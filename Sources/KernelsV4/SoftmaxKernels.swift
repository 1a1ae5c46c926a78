import CKernels

// Softmax over n of [n, inner], and cross entropy on top of it. The largest logit is subtracted first, so that nothing
// overflows. A vector holds neighbouring columns; a contiguous row (inner 1) is reduced across its lanes.

/// Columns `first` ..< `end`: y = softmax(x), or its logarithm.
public func softmaxColumns(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ n: Int, _ inner: Int, _ first: Int, _ end: Int, log: Bool
) {
    var j = first
    while j < end {
        let m = end - j < lanes ? end - j : lanes
        let top = columnMaximum(x + j, n, inner, m)
        if log {
            var total = V.zero
            for i in 0..<n { total += exponential(load(x + i * inner + j, m) - top) }
            // In two steps: the sum of both may lose what x - top holds.
            let shift = logarithm(total)
            for i in 0..<n { store(y + i * inner + j, (load(x + i * inner + j, m) - top) - shift, m) }
        } else {
            var total = V.zero
            for i in 0..<n {
                let e = exponential(load(x + i * inner + j, m) - top)
                total += e
                store(y + i * inner + j, e, m)
            }
            for i in 0..<n { store(y + i * inner + j, load(y + i * inner + j, m) / total, m) }
        }
        j += m
    }
}

@inline(always) private func columnMaximum(_ x: UnsafePointer<Float>, _ n: Int, _ inner: Int, _ m: Int) -> V {
    var top = splat(-.infinity)
    for i in 0..<n { top = larger(top, load(x + i * inner, m)) }
    return top
}

/// The same of one contiguous row.
public func softmaxRow(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ n: Int, log: Bool) {
    let top = splat(reduceRow(x, n, 1))
    var total = V.zero
    var i = 0
    while i < n {
        let m = n - i < lanes ? n - i : lanes
        // exp of the lanes beyond the row would count; -inf gives 0.
        var e = exponential(load(x + i, m) - top)
        if !log { store(y + i, e, m) }
        if m < lanes { e = firstLanes(e, m) }
        total += e
        i += m
    }
    let all = splat(sum(total))
    let shift = logarithm(all)
    i = 0
    while i < n {
        let m = n - i < lanes ? n - i : lanes
        store(y + i, log ? (load(x + i, m) - top) - shift : load(y + i, m) / all, m)
        i += m
    }
}

@inline(always) private func firstLanes(_ v: V, _ m: Int) -> V {
    var v = v
    for lane in m..<lanes { v[lane] = 0 }
    return v
}

/// Gradient of the input from the result y and its gradient g: y·(g - Σ g·y); of the logarithm: g - exp(y)·Σ g.
public func softmaxGradientColumns(
    _ y: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ n: Int, _ inner: Int,
    _ first: Int, _ end: Int, log: Bool, accumulate: Bool
) {
    var j = first
    while j < end {
        let m = end - j < lanes ? end - j : lanes
        var total = V.zero
        for i in 0..<n {
            let at = i * inner + j
            total = log ? total + load(g + at, m) : fma(total, load(g + at, m), load(y + at, m))
        }
        for i in 0..<n {
            let at = i * inner + j
            let v = load(y + at, m), u = load(g + at, m)
            var d = log ? fma(u, -exponential(v), total) : v * (u - total)
            if accumulate { d += load(dx + at, m) }
            store(dx + at, d, m)
        }
        j += m
    }
}

public func softmaxGradientRow(
    _ y: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ n: Int, log: Bool, accumulate: Bool
) {
    let total = splat(log ? reduceRow(g, n, 0) : Float(dotStretch(y, g, n)))
    var i = 0
    while i < n {
        let m = n - i < lanes ? n - i : lanes
        let v = load(y + i, m), u = load(g + i, m)
        var d = log ? fma(u, -exponential(v), total) : v * (u - total)
        if accumulate { d += load(dx + i, m) }
        store(dx + i, d, m)
        i += m
    }
}

/// Adds Σ w·(log Σ exp(logits) - logit of the label) and Σ w over pixels `first` ..< `end` of [classes, pixels] to `sums`;
/// w is the label's weight (1 without `weights`), 0 for the label `ignore`.
public func addCrossEntropy(
    _ x: UnsafePointer<Float>, _ labels: UnsafePointer<Int32>, _ classes: Int, _ pixels: Int, _ first: Int, _ end: Int,
    weights: UnsafePointer<Float>?, ignore: Int32, _ sums: UnsafeMutablePointer<Double>
) {
    var j = first
    while j < end {
        let m = end - j < lanes ? end - j : lanes
        let top = columnMaximum(x + j, classes, pixels, m)
        var total = V.zero
        for i in 0..<classes { total += exponential(load(x + i * pixels + j, m) - top) }
        let shift = logarithm(total)
        for lane in 0..<m where labels[j + lane] != ignore {
            let label = Int(labels[j + lane])
            var weight = 1.0
            if let weights { weight = Double(weights[label]) }
            sums[0] += weight * (Double(shift[lane]) - (Double(x[label * pixels + j + lane]) - Double(top[lane])))
            sums[1] += weight
        }
        j += m
    }
}

/// dx = scale·w·(softmax(x) - [class is the label]) over the same pixels; 0 where the label is `ignore`.
public func crossEntropyGradient(
    _ x: UnsafePointer<Float>, _ labels: UnsafePointer<Int32>, _ classes: Int, _ pixels: Int, _ first: Int, _ end: Int,
    weights: UnsafePointer<Float>?, ignore: Int32, scale: Float, _ dx: UnsafeMutablePointer<Float>, accumulate: Bool
) {
    var j = first
    while j < end {
        let m = end - j < lanes ? end - j : lanes
        let top = columnMaximum(x + j, classes, pixels, m)
        var label = VI(repeating: -1)
        var factor = V.zero
        for lane in 0..<m where labels[j + lane] != ignore {
            label[lane] = labels[j + lane]
            var weight: Float = 1
            if let weights { weight = weights[Int(labels[j + lane])] }
            factor[lane] = scale * weight
        }
        let counted = label .>= VI.zero
        var total = V.zero
        for i in 0..<classes { total += exponential(load(x + i * pixels + j, m) - top) }
        let inverse = splat(1) / total
        for i in 0..<classes {
            let at = i * pixels + j
            let p = exponential(load(x + at, m) - top) * inverse
            let hit = V.zero.replacing(with: splat(1), where: label .== VI(repeating: Int32(truncatingIfNeeded: i)))
            // Not factor 0 times p: an ignored pixel may hold infinities.
            var d = V.zero.replacing(with: factor * (p - hit), where: counted)
            if accumulate { d += load(dx + at, m) }
            store(dx + at, d, m)
        }
        j += m
    }
}
