// Winograd's minimal filtering with eight points (0, ±1, ±2, ±1/2 and infinity): m outputs of a kernel of r = 9 - m taps from eight inputs by
// eight products (Lavin and Gray, 2016). Results differ from the direct form's by some 5e-6 of the largest (304 channels, measured), five times
// what the order of its additions leaves uncertain anyway.

@inline(always) private func rectified(_ v: V) -> V { positive(v) }

/// Eight vectors: a row or a column of a tile.
struct Eight {
    var a, b, c, d, e, f, g, h: V

    @inline(always) init(_ p: UnsafePointer<Float>, _ step: Int) {
        a = load(p)
        b = load(p + step)
        c = load(p + 2 * step)
        d = load(p + 3 * step)
        e = load(p + 4 * step)
        f = load(p + 5 * step)
        g = load(p + 6 * step)
        h = load(p + 7 * step)
    }

    @inline(always) init(_ a: V, _ b: V, _ c: V, _ d: V, _ e: V, _ f: V, _ g: V, _ h: V) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.e = e
        self.f = f
        self.g = g
        self.h = h
    }

    @inline(always) func put(_ p: UnsafeMutablePointer<Float>, _ step: Int) {
        store(p, a)
        store(p + step, b)
        store(p + 2 * step, c)
        store(p + 3 * step, d)
        store(p + 4 * step, e)
        store(p + 5 * step, f)
        store(p + 6 * step, g)
        store(p + 7 * step, h)
    }

    @inline(always) func put(_ p: UnsafeMutablePointer<Float>, _ step: Int, _ n: Int) {
        store(p, a, n)
        store(p + step, b, n)
        store(p + 2 * step, c, n)
        store(p + 3 * step, d, n)
        store(p + 4 * step, e, n)
        store(p + 5 * step, f, n)
        store(p + 6 * step, g, n)
        store(p + 7 * step, h, n)
    }

    @inline(always) var positive: Eight { Eight(rectified(a), rectified(b), rectified(c), rectified(d), rectified(e), rectified(f), rectified(g), rectified(h)) }
    @inline(always) func plus(_ v: V) -> Eight { Eight(a + v, b + v, c + v, d + v, e + v, f + v, g + v, h + v) }

    /// The inputs of eight neighbouring places as factors of the products.
    @inline(always) var input: Eight {
        let evenOne = fma(c + g, V(repeating: -4.25), e), oddOne = fma(b + f, V(repeating: -4.25), d)
        let evenTwo = fma(fma(g, V(repeating: 0.25), c), V(repeating: -1.25), e)
        let oddTwo = fma(fma(f + f, V(repeating: 0.5), b), V(repeating: -2.5), d)
        let evenHalf = fma(fma(g, V(repeating: 4), c), V(repeating: -5), e)
        let oddHalf = fma(fma(b + b, V(repeating: 0.5), f), V(repeating: -2.5), d)
        return Eight(
            fma(g - a, V(repeating: 5.25), c - e), evenOne + oddOne, evenOne - oddOne, evenTwo + oddTwo, evenTwo - oddTwo, evenHalf + oddHalf,
            evenHalf - oddHalf, fma(h - b, V(repeating: 5.25), d - f))
    }

    /// The products as outputs: six of a kernel of three (`six`), or four of a kernel of five; the rest is meaningless then.
    @inline(always) func output(_ six: Bool) -> Eight {
        let p = b + c, q = b - c, r = d + e, s = d - e, u = f + g, v = f - g
        let third = fma(fma(q, V(repeating: 8), s), V(repeating: 0.125), v)
        return Eight(
            (a + p) + (r + u), fma(fma(q, V(repeating: 2), s), V(repeating: 0.5), v), fma(fma(p, V(repeating: 4), r), V(repeating: 0.25), u),
            six ? third : third + h, fma(fma(p, V(repeating: 16), r), V(repeating: 0.0625), u),
            fma(fma(q + h, V(repeating: 32), s), V(repeating: 0.03125), v), V.zero, V.zero)
    }
}

/// The weights of a kernel's row or column at the eight points; `x3` and `x4` are zero for a kernel of three.
@inline(always)
func kernelAtPoints(_ x0: V, _ x1: V, _ x2: V, _ x3: V, _ x4: V, _ isFive: Bool) -> Eight {
    let last = isFive ? x4 : x2
    // At ±1: -2/9; at ±2: 1/90; at ±1/2: 32/45.
    let evenOne = (x0 + x2 + x4) * (-2.0 / 9), oddOne = (x1 + x3) * (-2.0 / 9)
    let evenTwo = fma(fma(x0, V(repeating: 4), x2), V(repeating: 16), x4) * (1.0 / 90)
    let oddTwo = fma(x1, V(repeating: 4), x3) * (1.0 / 45)
    let evenHalf = fma(fma(x0, V(repeating: 0.25), x2), V(repeating: 0.0625), x4) * (32.0 / 45)
    let oddHalf = fma(x1, V(repeating: 0.25), x3) * (16.0 / 45)
    return Eight(
        V.zero - x0, evenOne + oddOne, evenOne - oddOne, evenTwo + oddTwo, evenTwo - oddTwo, evenHalf + oddHalf, evenHalf - oddHalf, last)
}

/// A column or row of a tile of the output's gradient at the eight points, six numbers or four, `step` apart: the adjoint of `Eight.output`.
@inline(always)
func outputsAtPoints(_ p: UnsafePointer<Float>, _ step: Int, _ six: Bool) -> Eight {
    let g0 = load(p), g1 = load(p + step), g2 = load(p + 2 * step), g3 = load(p + 3 * step)
    let g4 = six ? load(p + 4 * step) : V.zero, g5 = six ? load(p + 5 * step) : V.zero
    let evenOne = g0 + g2 + g4, oddOne = g1 + g3 + g5
    let evenTwo = fma(fma(g0, V(repeating: 4), g2), V(repeating: 16), g4)
    let oddTwo = fma(fma(g1 + g1, V(repeating: 8), g3), V(repeating: 32), g5)
    let evenHalf = fma(fma(g0, V(repeating: 0.25), g2), V(repeating: 0.0625), g4)
    let oddHalf = fma(fma(g1 * 0.5, V(repeating: 0.125), g3), V(repeating: 0.03125), g5)
    return Eight(
        g0, evenOne + oddOne, evenOne - oddOne, evenTwo + oddTwo, evenTwo - oddTwo, evenHalf + oddHalf, evenHalf - oddHalf, six ? g5 : g3)
}

/// Sums at the eight points as a row or column of a kernel's gradient, three numbers or five: the adjoint of `kernelAtPoints`.
@inline(always)
func pointsAsKernel(_ v: Eight, _ five: Bool, _ to: UnsafeMutablePointer<Float>, _ step: Int) {
    let one = (v.b + v.c) * (-2.0 / 9), oneOdd = (v.b - v.c) * (-2.0 / 9)
    let two = (v.d + v.e) * (1.0 / 90), twoOdd = (v.d - v.e) * (1.0 / 45)
    let half = (v.f + v.g) * (32.0 / 45), halfOdd = (v.f - v.g) * (16.0 / 45)
    store(to, one - v.a + (two + half))
    store(to + step, oneOdd + (twoOdd + halfOdd))
    let middle = fma(fma(one, V(repeating: 4), two), V(repeating: 0.25), half)
    store(to + 2 * step, five ? middle : middle + v.h)
    guard five else { return }
    store(to + 3 * step, fma(fma(oneOdd, V(repeating: 4), twoOdd), V(repeating: 0.25), halfOdd))
    store(to + 4 * step, fma(fma(one, V(repeating: 16), two), V(repeating: 0.0625), half) + v.h)
}
