/// Sebastiano Vigna's SplitMix64: a small generator of which 64 bits of seed are the whole state, the same everywhere.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    /// What the numbers to come follow from: a generator with this seed goes on with them.
    public private(set) var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return bits ^ bits >> 31
    }

    /// A number below `bound`, each equally likely. The standard library's own draw may change between its versions.
    static func below(_ bound: Int, using generator: inout some RandomNumberGenerator) -> Int {
        Natural.random(below: Natural(bound), using: &generator).int ?? 0
    }
}
