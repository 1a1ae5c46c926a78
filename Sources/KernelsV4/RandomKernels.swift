// Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011) and what is drawn from it. Integer and plain double arithmetic only, no
// FMA and no C library, so that every level and machine gives the same numbers.

/// The four words of one block.
struct PhiloxBlock {
    var w0, w1, w2, w3: UInt32
}

/// Ten rounds on the counter (low to high words) with the key.
@inline(always)
func philox(_ counter: UInt64, _ stream: UInt64, _ key: UInt64) -> PhiloxBlock {
    var c0 = UInt32(truncatingIfNeeded: counter), c1 = UInt32(truncatingIfNeeded: counter &>> 32)
    var c2 = UInt32(truncatingIfNeeded: stream), c3 = UInt32(truncatingIfNeeded: stream &>> 32)
    var k0 = UInt32(truncatingIfNeeded: key), k1 = UInt32(truncatingIfNeeded: key &>> 32)
    for _ in 0..<10 {
        let a = UInt64(0xD251_1F53) &* UInt64(c0), b = UInt64(0xCD9E_8D57) &* UInt64(c2)
        c0 = UInt32(truncatingIfNeeded: b &>> 32) ^ c1 ^ k0
        c1 = UInt32(truncatingIfNeeded: b)
        c2 = UInt32(truncatingIfNeeded: a &>> 32) ^ c3 ^ k1
        c3 = UInt32(truncatingIfNeeded: a)
        k0 = k0 &+ 0x9E37_79B9
        k1 = k1 &+ 0xBB67_AE85
    }
    return PhiloxBlock(w0: c0, w1: c1, w2: c2, w3: c3)
}

/// The four words of a block.
public func philoxWords(_ counter: UInt64, _ stream: UInt64, _ key: UInt64, _ words: UnsafeMutablePointer<UInt32>) {
    let b = philox(counter, stream, key)
    words[0] = b.w0
    words[1] = b.w1
    words[2] = b.w2
    words[3] = b.w3
}

/// `count` numbers of low ..< high from element `offset` of the stream on: low + (high - low)·u, u a multiple of 2^-24 in
/// 0 ..< 1; element i is word i mod 4 of block i / 4. (Rounding may give `high` itself where the range is coarse; it is then
/// replaced by the number below.)
public func randomUniform(
    _ key: UInt64, _ stream: UInt64, _ offset: UInt64, _ out: UnsafeMutablePointer<Float>, _ count: Int, low: Float, high: Float
) {
    let range = high - low
    eachBlock(offset, count) { block, from, to, at in
        let b = philox(block, stream, key)
        for word in from..<to {
            let bits = wordOf(b, word)
            let v = low + range * (Float(bits &>> 8) * 0x1p-24)
            out[at + word - from] = v >= high && high > low ? high.nextDown : v
        }
    }
}

/// Normal numbers by Box and Muller's method: the first two and the last two words of a block make two each.
public func randomNormal(
    _ key: UInt64, _ stream: UInt64, _ offset: UInt64, _ out: UnsafeMutablePointer<Float>, _ count: Int, mean: Float,
    deviation: Float
) {
    let m = Double(mean), d = Double(deviation)
    eachBlock(offset, count) { block, from, to, at in
        let b = philox(block, stream, key)
        let p = normalPair(b.w0, b.w1), q = normalPair(b.w2, b.w3)
        for word in from..<to {
            let z = word == 0 ? p.0 : word == 1 ? p.1 : word == 2 ? q.0 : q.1
            let scaled = d * z
            out[at + word - from] = Float(m + scaled)
        }
    }
}

@inline(always) private func wordOf(_ b: PhiloxBlock, _ word: Int) -> UInt32 {
    word == 0 ? b.w0 : word == 1 ? b.w1 : word == 2 ? b.w2 : b.w3
}

/// Calls `body` with (block, its first and end word that are wanted, place in the output).
@inline(always) private func eachBlock(_ offset: UInt64, _ count: Int, _ body: (UInt64, Int, Int, Int) -> Void) {
    var done = 0
    while done < count {
        let element = offset &+ UInt64(truncatingIfNeeded: done)
        let from = Int(truncatingIfNeeded: element & 3)
        let to = count - done < 4 - from ? from + count - done : 4
        body(element &>> 2, from, to, done)
        done += to - from
    }
}

/// sqrt(-2 ln u)·(cos, sin)(2π v) with u in (0, 1] and v in 0 ..< 1 from the words.
@inline(always) private func normalPair(_ a: UInt32, _ b: UInt32) -> (Double, Double) {
    let u = (Double(a) + 1) * 0x1p-32
    let radius = (-2 * naturalLogarithm(u)).squareRoot()
    // Quarter turns: the nearest whole number is exact, and so is what remains.
    let turns = Double(b) * 0x1p-30
    let n = UInt64(turns + 0.5)
    let (s, c) = sineAndCosine((turns - Double(n)) * 1.5707963267948966)
    switch n & 3 {
    case 0: return (radius * c, radius * s)
    case 1: return (-(radius * s), radius * c)
    case 2: return (-(radius * c), -(radius * s))
    default: return (radius * s, -(radius * c))
    }
}

/// ln x for normal x > 0 to about 1e-15: the odd series of ln((1+s)/(1-s)).
@inline(always) private func naturalLogarithm(_ x: Double) -> Double {
    let shifted = x.bitPattern &- 0x3fe6_a09e_667f_3bcd
    let exponent = Double(Int64(bitPattern: shifted) &>> 52)
    let f = Double(bitPattern: (shifted & 0x000f_ffff_ffff_ffff) &+ 0x3fe6_a09e_667f_3bcd) - 1
    let s = f / (2 + f)
    let z = s * s
    var r = 2.0 / 23
    r = r * z + 2.0 / 21
    r = r * z + 2.0 / 19
    r = r * z + 2.0 / 17
    r = r * z + 2.0 / 15
    r = r * z + 2.0 / 13
    r = r * z + 2.0 / 11
    r = r * z + 2.0 / 9
    r = r * z + 2.0 / 7
    r = r * z + 2.0 / 5
    r = r * z + 2.0 / 3
    let tail = s * z * r
    return exponent * 0.6931471805599453 + (2 * s + tail)
}

/// Taylor's series for |x| <= π/4, to about 1e-16.
@inline(always) private func sineAndCosine(_ x: Double) -> (Double, Double) {
    let z = x * x
    var s = -1.0 / 1_307_674_368_000
    s = s * z + 1.0 / 6_227_020_800
    s = s * z - 1.0 / 39_916_800
    s = s * z + 1.0 / 362_880
    s = s * z - 1.0 / 5040
    s = s * z + 1.0 / 120
    s = s * z - 1.0 / 6
    var c = 1.0 / 20_922_789_888_000
    c = c * z - 1.0 / 87_178_291_200
    c = c * z + 1.0 / 479_001_600
    c = c * z - 1.0 / 3_628_800
    c = c * z + 1.0 / 40_320
    c = c * z - 1.0 / 720
    c = c * z + 1.0 / 24
    c = c * z - 1.0 / 2
    return (x + x * z * s, 1 + z * c)
}
