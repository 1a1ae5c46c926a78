import Tensors

extension Supernet {
    /// Has the weights of operators and arrows made by relaxations: of the decisions `cell.1`, `cell.2`, ... (the rows of alpha of a block) and `paths` (beta).
    /// - Throws: for a pattern that fits none of them.
    public func relax(_ relaxations: Relaxations) throws {
        let list = try space.decisionList()
        try relaxations.check(list.all.map(\.name))
        let blocks = try (1...space.cell.blocks).map { try decision(TrellisSpace.blockName($0), of: list) }
        let paths = try decision(TrellisSpace.pathsName, of: list)
        let used = try (blocks + [paths]).map { try relaxations.relaxation(of: $0.name) }
        let isSparse = used.contains(where: \.isSparse)
        let arrows = try Tensor(ints: space.arrows.map { Int32(space.betaIndex(of: $0)) }, shape: [space.arrows.count])
        var places = [Int32](repeating: Int32(space.arrows.count), count: space.betaMask.count)
        for (i, arrow) in space.arrows.enumerated() { places[space.betaIndex(of: arrow)] = Int32(i) }
        let dense = try Tensor(ints: places, shape: [places.count]), nothing = try Tensor.zeros([1])
        trellisWeights = { [unowned self] in
            var row = 0
            let operators = try zip(blocks, used).map { decision, relaxation in
                defer { row += decision.shape[0] }
                return try relaxation.checked(alpha.narrow(0, row, decision.shape[0]), of: decision).weights
            }
            let w = try relaxations.relaxation(of: paths.name).checked(beta.reshape([beta.count]).gather(0, arrows), of: paths).weights
            let beta = try Tensor.concat([w, nothing], 0).gather(0, dense).reshape(space.betaShape)
            return TrellisWeights(operators: try Tensor.concat(operators, 0), arrows: beta, isSparse: isSparse)
        }
    }

    private func decision(_ name: String, of list: DecisionList) throws -> Decision {
        guard let decision = list[name] else { throw SpaceError.unknown("decision", name, known: list.all.map(\.name), at: "relax") }
        return decision
    }
}
