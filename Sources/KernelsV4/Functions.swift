import CKernels

// Vector forms of the elementary functions. The polynomials are minimax fits of our own; the errors given are
// the bounds that the tests hold every level to, over samples of every exponent. Infinities, NaN, zeros and subnormal
// numbers come out as IEEE 754 has them.

/// exp(x), within 1.5 units in the last place: 2^n · e^r with |r| <= ln 2 / 2.
@inline(always) func exponential(_ x: V) -> V {
    let x = minimum(splat(89), maximum(splat(-104), x))
    let n = roundEven(x * splat(1.442695041))
    // ln 2 in two parts, the first short enough for n times it to be exact.
    var r = fma(x, -n, splat(0.693145751953125))
    r = fma(r, -n, splat(1.428606765330187e-06))
    var q = splat(0.00019790312)
    q = fma(splat(0.0013944688), q, r)
    q = fma(splat(0.008333498), q, r)
    q = fma(splat(0.041666295), q, r)
    q = fma(splat(0.16666666), q, r)
    q = fma(splat(0.5), q, r)
    let e = splat(1) + fma(r, q, r * r)
    // In two steps, so that results below the normal range are rounded once and those above become infinite.
    let i = integer(n)
    let half = i &>> VI(repeating: 1)
    return (e * powerOfTwo(half)) * powerOfTwo(i &- half)
}

/// 2^n for n in -126 ... 127.
@inline(always) private func powerOfTwo(_ n: VI) -> V { fromBits((n &+ VI(repeating: 127)) &<< VI(repeating: 23)) }

/// log(x), within 1.2 units in the last place: x = 2^e · (1 + f), 1 + f between sqrt(1/2) and sqrt(2), and the odd series
/// of log((1+s)/(1-s)) in s = f / (2 + f).
@inline(always) func logarithm(_ x: V) -> V {
    let tiny = x .< splat(0x1p-126)
    let scaled = x.replacing(with: x * splat(8388608), where: tiny)
    // Shifts the exponent's boundary from 1 to sqrt(1/2).
    let shifted = bits(scaled) &- VI(repeating: 0x3f35_04f3)
    let e = float(shifted &>> VI(repeating: 23)) + V.zero.replacing(with: splat(-23), where: tiny)
    let f = fromBits((shifted & VI(repeating: 0x007f_ffff)) &+ VI(repeating: 0x3f35_04f3)) - splat(1)
    let s = f / (splat(2) + f)
    let z = s * s
    let r = z * fma(splat(0.6666728), z, fma(splat(0.3993798), z, splat(0.3063864)))
    let h = splat(0.5) * f * f
    let low = fma(s * (h + r), e, splat(1.428606765330187e-06))
    var y = fma(f - (h - low), e, splat(0.693145751953125))
    y = y.replacing(with: splat(-.infinity), where: x .== V.zero)
    y = y.replacing(with: splat(.nan), where: x .< V.zero)
    // Infinity, and NaN as it came.
    return y.replacing(with: x + x, where: (x .== splat(.infinity)) .| (x .!= x))
}

/// 1 / (1 + exp(-x)), within 2.5 units, small results of large negative x included.
@inline(always) func logistic(_ x: V) -> V {
    let e = exponential(-magnitude(x))
    let top = splat(1).replacing(with: e, where: x .< V.zero)
    return top / (splat(1) + e)
}

/// tanh(x), within 2.5 units: an odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above.
@inline(always) func hyperbolicTangent(_ x: V) -> V {
    let z = x * x
    var t = splat(-0.005717045)
    t = fma(splat(0.020650588), t, z)
    t = fma(splat(-0.053743497), t, z)
    t = fma(splat(0.13331491), t, z)
    t = fma(splat(-0.33333284), t, z)
    let small = fma(x, x * z, t)
    let a = magnitude(x)
    let large = splat(1) - splat(2) / (exponential(a + a) + splat(1))
    return withSign(of: x, large).replacing(with: small, where: a .< splat(0.625))
}

/// erf(x), within 2.5 units: an odd polynomial up to 475/512, 1 - exp(-p(|x|)) above. Coefficients: N. Juffa's.
@inline(always) func errorFunction(_ x: V) -> V {
    let (a, z) = (magnitude(x), x * x)
    var t = splat(-5.96761703e-4)
    t = fma(splat(4.99119423e-3), t, z)
    t = fma(splat(-2.67681349e-2), t, z)
    t = fma(splat(1.12819925e-1), t, z)
    t = fma(splat(-3.76125336e-1), t, z)
    t = fma(splat(1.28379166e-1), t, z)
    let small = fma(x, x, t)
    // Beyond 4 it is 1 in every digit that there is.
    let b = minimum(splat(4), a)
    let low = fma(splat(3.83197126e-4), splat(-1.72853470e-5), b)
    let high = fma(splat(2.42546219e-2), splat(-3.88396438e-3), b)
    var p = fma(high, low, b * b)
    p = fma(splat(-1.06777877e-1), p, b)
    p = fma(splat(-6.34846687e-1), p, b)
    p = fma(splat(-1.28717512e-1), p, b)
    p = fma(-b, p, b)
    let large = withSign(of: x, splat(1) - exponential(p))
    return large.replacing(with: small, where: a .< splat(0.92773438)).replacing(with: x, where: x .!= x)
}

@inline(always) func magnitude(_ x: V) -> V { fromBits(bits(x) & VI(repeating: 0x7fff_ffff)) }

@inline(always) func withSign(of x: V, _ y: V) -> V {
    fromBits((bits(x) & VI(repeating: Int32.min)) | (bits(y) & VI(repeating: 0x7fff_ffff)))
}

/// The larger of two; NaN where either is.
@inline(always) func larger(_ a: V, _ b: V) -> V { maximum(a, b).replacing(with: a, where: a .!= a) }
@inline(always) func smaller(_ a: V, _ b: V) -> V { minimum(a, b).replacing(with: a, where: a .!= a) }

/// sin(x) or cos(x) for |x| <= 8192, within 2 units: x minus n quarter turns, the quarter turn in four parts of which
/// n times the first three are exact.
@inline(always) func sine(_ x: V, cosine: Bool) -> V {
    let n = roundEven(x * splat(0.636619772))
    var r = fma(x, -n, splat(1.5703125))
    r = fma(r, -n, splat(0.0004837512969970703))
    r = fma(r, -n, splat(7.549533620476723e-08))
    r = fma(r, -n, splat(2.5633440682570896e-12))
    let z = r * r
    let s = fma(r, r * z, fma(splat(-0.16666655), z, fma(splat(0.008332178), z, splat(-0.00019517216))))
    let q = fma(splat(0.041666646), z, fma(splat(-0.0013887367), z, splat(2.443836e-05)))
    let c = splat(1) - fma(splat(0.5) * z, z * z, -q)
    let quarter = integer(n) &+ VI(repeating: cosine ? 1 : 0)
    let y = s.replacing(with: c, where: (quarter & VI(repeating: 1)) .!= VI.zero)
    return y.replacing(with: -y, where: (quarter & VI(repeating: 2)) .!= VI.zero)
}
