/// A stock architecture, a path and a cell, as values of the decisions `paths` and `cell.1`, `cell.2`, ..., and back; the branches of a block keep their order, which
/// `scores.strengths` follow.
extension Architecture {
    /// - Throws: `SpaceError` for a path or a cell that does not fit the space that the architecture names.
    func values(of decisions: DecisionList) throws -> [String: Value] {
        try validate(catalogue: space.naming)
        guard case .paths(let paths)? = decisions[TrellisSpace.pathsName]?.domain else { throw Self.missing(TrellisSpace.pathsName) }
        let levels = [0] + self.levels
        var values = [
            TrellisSpace.pathsName: Value.path((1..<levels.count).compactMap { paths.id(of: Arrow(layer: $0, from: levels[$0 - 1], to: levels[$0])) }),
        ]
        for (b, block) in cell.blocks.enumerated() {
            values[TrellisSpace.blockName(b + 1)] = .branches(block.branches.compactMap { branch in
                space.operators.firstIndex(of: branch.operation).map { Branches.Pick(state: branch.state - 1, option: $0) }
            })
        }
        return values
    }

    init(
        _ values: [String: Value], in space: SpaceSummary, _ decisions: DecisionList, name: String?, scores: ArchitectureScores, provenance: Provenance, notes: [String]
    ) throws {
        guard case .paths(let paths)? = decisions[TrellisSpace.pathsName]?.domain, case .path(let ids)? = values[TrellisSpace.pathsName] else {
            throw Self.missing(TrellisSpace.pathsName)
        }
        let blocks = try (0..<space.blocks).map { b -> CellBlock in
            guard case .branches(let picks)? = values[TrellisSpace.blockName(b + 1)], picks.count == 2 else { throw Self.missing(TrellisSpace.blockName(b + 1)) }
            let branches = picks.map { CellBranch(space.operators[$0.option], $0.state + 1) }
            return CellBlock(branches[0], branches[1])
        }
        self.init(
            name: name, space: space, path: ids.map { space.strides[paths.arrows[$0].to] }, cell: CellGenotype(blocks: blocks), scores: scores, provenance: provenance,
            notes: notes)
    }

    private static func missing(_ name: String) -> SpaceError {
        SpaceError(.misfit, at: "architecture", expected: "a value for decision '\(name)'", got: "none", remedy: "compare with a file that Trellis wrote")
    }
}

extension SpaceSummary {
    /// The decisions of the space, whatever operators it names.
    public func decisionList() throws -> DecisionList { try space(catalogue: naming).decisionList() }

    /// The standard operators and those that the space names: whether a program has them is not asked.
    var naming: OperatorCatalogue {
        operators.reduce(into: OperatorCatalogue.standard) { catalogue, name in
            if !catalogue.contains(name) { try? catalogue.add(name, cost: StandardOperator.skipConnect) }
        }
    }
}
