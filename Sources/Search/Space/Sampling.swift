/// Sebastiano Vigna's SplitMix64: a small generator of which 64 bits of seed are the whole state, the same everywhere.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

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

extension CellSpace {
    /// A cell that decoding could give, each equally likely: two different states for each block, no `none`.
    public func randomCell(using generator: inout some RandomNumberGenerator) -> CellGenotype {
        CellGenotype(
            blocks: (1...blocks).map { block in
                let choice = SplitMix64.below(choices(of: block), using: &generator)
                return self.block(block, choice: choice)
            })
    }
}

extension TrellisSpace {
    /// A path, each equally likely: at every node an arrow is drawn in proportion to the paths that go on from it.
    /// - Returns: a stride for each layer.
    public func randomPath(using generator: inout some RandomNumberGenerator) -> [Int] {
        let completions = completions()
        let stem = TrellisNode(layer: 0, level: 0)
        let drawn = Natural.random(below: completions[stem] ?? 1, using: &generator)
        return path(at: drawn, completions) ?? []
    }

    /// An architecture that decoding could give, each equally likely.
    public func randomArchitecture(using generator: inout some RandomNumberGenerator) -> Architecture {
        Architecture(space: summary, path: randomPath(using: &generator), cell: cell.randomCell(using: &generator))
    }

    /// The architecture of a seed, which its provenance names.
    public func randomArchitecture(seed: UInt64) -> Architecture {
        var generator = SplitMix64(seed: seed)
        var architecture = randomArchitecture(using: &generator)
        architecture.provenance = Provenance(seed: seed, source: "drawn at random")
        return architecture
    }

    /// The path of a number below `count().paths`, in lexicographic order of strides; nil for a larger one.
    public func path(at index: Natural) -> [Int]? { path(at: index, completions()) }

    private func path(at index: Natural, _ completions: [TrellisNode: Natural]) -> [Int]? {
        var node = TrellisNode(layer: 0, level: 0)
        guard let total = completions[node], index < total else { return nil }
        var rest = index
        var path: [Int] = []
        while node.layer < layers {
            for arrow in outgoing(node) {
                let through = completions[arrow.target] ?? 0
                if rest < through {
                    node = arrow.target
                    break
                }
                rest -= through
            }
            path.append(strides[node.level])
        }
        return path
    }
}
