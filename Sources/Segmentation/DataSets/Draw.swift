/// Random numbers for data: SplitMix64 (Steele, Lea and Flood 2014) in integer arithmetic, so that a seed means the same
/// pictures, splits and batches on every machine. Each purpose draws from a stream of its own and disturbs no other.
public struct Draw: RandomNumberGenerator, Sendable {
    /// First number of a stream. Changing one changes what every seed means.
    enum Purpose: UInt64 {
        case split = 1, order, augment, scene, noise, transform, sample
    }

    private var state: UInt64

    /// The generator of a seed and any numbers that name the stream, e.g. purpose, epoch and position.
    public init(seed: UInt64, stream: UInt64...) {
        var state = Draw.mix(seed &+ 0x9e37_79b9_7f4a_7c15)
        for part in stream { state = Draw.mix(state ^ Draw.mix(part &+ 0x9e37_79b9_7f4a_7c15)) }
        self.state = state
    }

    /// A bijection of 64 bits that changes half of them on average: the finaliser of SplitMix64.
    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// Where the stream stands, as the seed of another generator.
    var seed: UInt64 { Draw.mix(state) }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Draw.mix(state)
    }

    /// A whole number of 0 to `bound` - 1, each equally likely.
    public mutating func below(_ bound: Int) -> Int {
        let bound = UInt64(max(bound, 1))
        // Lemire's multiplication with rejection of the uneven rest.
        let rest = (0 &- bound) % bound
        while true {
            let (high, low) = next().multipliedFullWidth(by: bound)
            if low >= rest { return Int(high) }
        }
    }

    /// A number of [0, 1), a multiple of 2^-53: exact, hence the same everywhere.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number between two.
    public mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// True with the given probability.
    public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

    /// One of `items`, which must not be empty.
    public mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    /// 0 to `count` - 1 in random order (Fisher-Yates; written out because the standard library's may change).
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) { order.swapAt(index, below(index + 1)) }
        return order
    }
}

extension Draw {
    /// The seed of what is random in making sample `index` by a function of a script.
    public static func sampleSeed(_ seed: UInt64, _ index: Int) -> UInt64 { Draw(seed: seed, stream: Draw.Purpose.sample.rawValue, UInt64(index)).seed }
}
