/// Red, green and blue of 0 to 1, in plain Double arithmetic: additions, products and quotients round the same way on
/// every machine, and nothing here calls a function of the mathematical library.
typealias Tone = SIMD3<Double>

extension Tone {
    init(_ red: Double, _ green: Double, _ blue: Double) { self.init(x: red, y: green, z: blue) }

    /// A grey.
    init(grey: Double) { self.init(repeating: grey) }

    func mixed(_ other: Tone, _ share: Double) -> Tone { self + (other - self) * share }
}

/// Value noise: random numbers on an integer lattice, smoothly interpolated.
struct Noise {
    let seed: UInt64

    /// The lattice's number at (x, y), of [0, 1).
    @inline(__always)
    func at(_ x: Int, _ y: Int) -> Double {
        let key = seed &+ UInt64(bitPattern: Int64(x)) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(bitPattern: Int64(y)) &* 0xc2b2_ae3d_27d4_eb4f
        return Double(Draw.mix(key) >> 11) * 0x1p-53
    }

    /// Smooth noise of [0, 1) whose features have size 1.
    @inline(__always)
    func smooth(_ x: Double, _ y: Double) -> Double {
        let (left, top) = (x.rounded(.down), y.rounded(.down))
        // Far beyond any scene, and safe to convert.
        guard abs(left) < 1e9, abs(top) < 1e9 else { return 0.5 }
        let (column, row) = (Int(left), Int(top))
        let (a, b) = (x - left, y - top)
        let (s, t) = (a * a * (3 - 2 * a), b * b * (3 - 2 * b))
        let above = at(column, row) * (1 - s) + at(column + 1, row) * s
        let below = at(column, row + 1) * (1 - s) + at(column + 1, row + 1) * s
        return above * (1 - t) + below * t
    }

    /// Noise with detail at `octaves` sizes, each half the one before.
    @inline(__always)
    func rough(_ x: Double, _ y: Double, octaves: Int) -> Double {
        var (sum, share, scale) = (0.0, 0.5, 1.0)
        for _ in 0..<octaves {
            sum += share * smooth(x * scale + 17 * scale, y * scale - 5 * scale)
            share /= 2
            scale *= 2
        }
        return sum / (1 - share * 2)
    }
}

/// The part of `x` after the point, of [0, 1) for negative numbers too.
@inline(__always)
func fraction(_ x: Double) -> Double { x - x.rounded(.down) }
