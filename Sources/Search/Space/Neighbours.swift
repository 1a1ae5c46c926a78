extension TrellisSpace {
    /// Every architecture that differs from this one in a single decision: the stride of one layer, the operator of one
    /// branch, or the state of one branch (which never becomes the other branch's). Paths first, then cells, no one twice.
    /// - Throws: `SpaceError` when the architecture does not fit this space.
    public func neighbours(of architecture: Architecture) throws -> [Architecture] {
        try architecture.validate(in: self)
        return pathNeighbours(architecture.path).map { derived(path: $0, cell: architecture.cell) }
            + cell.neighbours(of: architecture.cell).map { derived(path: architecture.path, cell: $0) }
    }

    /// A neighbour at random: of the path or of the cell with equal chance where there are both, then each equally likely.
    /// An architecture without neighbours comes back as it is.
    public func mutated(_ architecture: Architecture, using generator: inout some RandomNumberGenerator) throws -> Architecture {
        try architecture.validate(in: self)
        let paths = pathNeighbours(architecture.path)
        let cells = cell.neighbours(of: architecture.cell)
        guard !paths.isEmpty || !cells.isEmpty else { return architecture }
        let changePath = cells.isEmpty || (!paths.isEmpty && SplitMix64.below(2, using: &generator) == 0)
        if changePath {
            return derived(path: paths[SplitMix64.below(paths.count, using: &generator)], cell: architecture.cell)
        }
        return derived(path: architecture.path, cell: cells[SplitMix64.below(cells.count, using: &generator)])
    }

    private func derived(path: [Int], cell: CellGenotype) -> Architecture {
        Architecture(space: summary, path: path, cell: cell)
    }

    private func pathNeighbours(_ path: [Int]) -> [[Int]] {
        let levels = [0] + path.compactMap(level(ofStride:))
        var found: [[Int]] = []
        for layer in 1...layers {
            for stride in strides.indices where stride != levels[layer] {
                guard arrow(layer, levels[layer - 1], stride) else { continue }
                guard layer == layers || arrow(layer + 1, stride, levels[layer + 1]) else { continue }
                var other = path
                other[layer - 1] = strides[stride]
                found.append(other)
            }
        }
        return found
    }

    private func arrow(_ layer: Int, _ from: Int, _ to: Int) -> Bool {
        guard let move = Move(rawValue: to - from + 1) else { return false }
        return contains(TrellisArrow(layer: layer, from: from, move: move))
    }
}

extension CellSpace {
    func neighbours(of cell: CellGenotype) -> [CellGenotype] {
        var seen: Set<CellGenotype> = [cell.canonical]
        var found: [CellGenotype] = []
        func add(_ block: Int, _ branch: WritableKeyPath<CellBlock, CellBranch>, _ value: CellBranch) {
            var other = cell
            other.blocks[block][keyPath: branch] = value
            if seen.insert(other.canonical).inserted { found.append(other.canonical) }
        }
        let branches = [(\CellBlock.first, \CellBlock.second), (\CellBlock.second, \CellBlock.first)]
        for (b, block) in cell.blocks.enumerated() {
            for (branch, other) in branches {
                let now = block[keyPath: branch]
                for column in decodable where operators[column] != now.operation {
                    add(b, branch, CellBranch(operators[column], now.state))
                }
                for state in 1...states(of: b + 1) where state != now.state && state != block[keyPath: other].state {
                    add(b, branch, CellBranch(now.operation, state))
                }
            }
        }
        return found
    }
}
