/// The stock trellis as decisions: `paths`, one arrow a layer (paper, section 3.2), and `cell.1`, `cell.2`, ..., the branches of each block (section 3.1).
extension TrellisSpace {
    static let pathsName = "paths"
    static func blockName(_ block: Int) -> String { "cell.\(block)" }

    /// Arrows have the ids of their positions in `arrows`; rows of the blocks, one below the other, are those of alpha.
    public func decisionList() throws -> DecisionList {
        var builder = DecisionListBuilder()
        try builder.meet(Self.pathsName, .paths(pathDomain()))
        for block in 1...cell.blocks {
            let states = (1...block + 1).map { CellSpace.name(ofState: $0) }
            try builder.meet(Self.blockName(block), .branches(Branches(states: states, options: cell.operators, keep: 2)))
        }
        return builder.list()
    }

    /// The ways through the trellis.
    public func pathDomain() throws -> Paths {
        try Paths(layers: layers, states: strides.map(String.init)) { layer, from, to in
            guard let move = Move(rawValue: to - from + 1) else { return false }
            return contains(TrellisArrow(layer: layer, from: from, move: move))
        }
    }

    /// What an architecture of the space decides.
    /// - Throws: for one of another space.
    public func assignment(of architecture: Architecture) throws -> Assignment {
        try architecture.validate(in: self)
        var levels = architecture.path.compactMap(level(ofStride:))
        levels.insert(0, at: 0)
        let ids = zip(levels, levels.dropFirst()).enumerated().compactMap { i, pair in
            Move(rawValue: pair.1 - pair.0 + 1).flatMap { index(of: TrellisArrow(layer: i + 1, from: pair.0, move: $0)) }
        }
        var assignment = Assignment([Self.pathsName: .path(ids)])
        for (b, block) in architecture.cell.blocks.enumerated() {
            assignment[Self.blockName(b + 1)] = .branches(block.branches.compactMap { branch in
                cell.operators.firstIndex(of: branch.operation).map { Branches.Pick(state: branch.state - 1, option: $0) }
            })
        }
        return assignment
    }

    /// The architecture that an assignment says.
    public func architecture(of assignment: Assignment) throws -> Architecture {
        try decisionList().check(assignment)
        guard case .path(let ids)? = assignment[Self.pathsName] else { throw missing(Self.pathsName) }
        let blocks = try (1...cell.blocks).map { block in
            guard case .branches(let picks)? = assignment[Self.blockName(block)], picks.count == 2 else { throw missing(Self.blockName(block)) }
            let branches = picks.map { CellBranch(cell.operators[$0.option], $0.state + 1) }
            return CellBlock(branches[0], branches[1])
        }
        return Architecture(space: summary, path: ids.map { strides[arrows[$0].to] }, cell: CellGenotype(blocks: blocks))
    }

    private func missing(_ name: String) -> SpaceError {
        SpaceError(.misfit, at: "architecture", expected: "a value for decision '\(name)'", got: "none", remedy: "take an architecture of this space")
    }
}
