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
