import Tensors

/// Opens where all of some gates do, and multiplies by nothing; no gate: always.
struct Opening {
    let gates: [Gate]
    /// 0 where it is closed; nil where it cannot be.
    let guardian: Tensor?

    init(_ gates: [Gate]) throws {
        self.gates = gates
        var product: Tensor?
        for weight in gates.compactMap(\.weight) { product = try product.map { try $0 * weight } ?? weight }
        guardian = product
    }

    /// Whether it is closed in a computation that runs at once.
    func isClosed() throws -> Bool { try Recording.current == nil && guardian.map { try $0.item() == 0 } ?? false }

    func within(shape: [Int], _ body: () throws -> Tensor) throws -> Tensor {
        if CostMeasure.current != nil { return try within(gates[...], body) }
        return try guardian.map { try Tensor.within($0, shape: shape, body) } ?? body()
    }

    private func within(_ rest: ArraySlice<Gate>, _ body: () throws -> Tensor) throws -> Tensor {
        guard let first = rest.first else { return try body() }
        return try first.when { try within(rest.dropFirst(), body) }
    }
}

/// What of a trellis is there in a computation.
///
/// Where weights can be 0, a node is there if an arrow into it is on whose source is there; a state of its cell if an operator is on that leads to it from a state
/// that is there. What is not there is nothing, not zeros: whatever reads it alone (an arrow, an edge, a head) is closed, for their norms and biases would make
/// constants of zeros.
struct ActiveTrellis {
    private let space: TrellisSpace
    private let paths: BuiltDecision
    private let cells: [BuiltDecision]
    /// Nodes with a cell.
    private let reached: [TrellisNode: Gate]
    private let masks: CellMasks?

    init(_ space: TrellisSpace, _ paths: BuiltDecision, _ cells: [BuiltDecision]) throws {
        (self.space, self.paths, self.cells) = (space, paths, cells)
        let rows = try cells.map { try $0.table() }
        // What a part costs is written down with the gates around it.
        let isSparse = try CostMeasure.current != nil || paths.table().isSparse || rows.contains(where: \.isSparse)
        masks = isSparse ? try CellMasks(space.cell, rows.count == 1 ? rows[0].weights : Tensor.concat(rows.map(\.weights), 0)) : nil
        var reached: [TrellisNode: Gate] = [:]
        for layer in 1...space.layers {
            for (level, gate) in try paths.reached(layer: layer) { reached[TrellisNode(layer: layer, level: level)] = gate }
        }
        self.reached = reached
    }

    /// What multiplies what comes over an arrow: 0 where its source is not there.
    func arrow(_ arrow: TrellisArrow) throws -> Gate {
        guard let gate = try space.index(of: arrow).flatMap({ try paths.gate($0) }) else { throw TensorError("node", "has no arrow \(arrow)") }
        return gate
    }

    /// Where a node is there; the stem always is.
    func opening(of node: TrellisNode) throws -> Opening { try Opening(reached[node].map { [$0] } ?? []) }

    /// What the cell of a node is weighed by.
    func cell(of node: TrellisNode) throws -> ActiveCell {
        let back = TrellisNode(layer: node.layer - 2, level: node.level)
        let twoBack = space.contains(back) ? try Opening([reached[node], reached[back]].compactMap { $0 }) : nil
        let weights = try masks?.weights(hasTwoBack: twoBack != nil, where: reached[back]?.weight)
        return ActiveCell(weights: weights, twoBack: twoBack, space.cell, cells)
    }
}

/// The weights of a cell's operators where some can be 0.
private struct CellMasks {
    /// With the two-back input there, and without: 0 on edges whose state is not there.
    private let withTwoBack, without: Tensor
    /// 1 for each operator that computes something, [1, operators].
    private let counts: Tensor

    /// - Parameter operators: the weights of all blocks, [edges, operators].
    init(_ cell: CellSpace, _ operators: Tensor) throws {
        let counts = try Tensor(cell.operators.map { $0 == OperatorCatalogue.none ? 0 : 1 }, shape: [1, cell.operators.count])
        let active = try (operators.detach().unary(.abs).unary(.step) * counts).sum([1]).unary(.step)
        func masked(_ hasTwoBack: Bool) throws -> Tensor {
            var states = [try Tensor([hasTwoBack ? 1 : 0], shape: [1]), try Tensor([1], shape: [1])]
            for block in 1...cell.blocks {
                let edges = try (1...block + 1).map { state -> Tensor in
                    guard let row = cell.index(of: CellEdge(block: block, state: state)) else { throw TensorError("cell", "has no edge (\(block),\(state))") }
                    return try active.narrow(0, row, 1) * states[state - 1]
                }
                states.append(try Tensor.concat(edges, 0).sum([0], keep: true).unary(.step))
            }
            let sources = try Tensor.concat(cell.edges.map { states[$0.state - 1] }, 0)
            return try operators * sources.reshape([cell.edgeCount, 1])
        }
        (withTwoBack, without, self.counts) = (try masked(true), try masked(false), counts)
    }

    /// - Parameters:
    ///   - hasTwoBack: whether the node has a two-back input at all.
    ///   - there: 1 where that is there, 0 elsewhere; nil: it always is.
    func weights(hasTwoBack: Bool, where there: Tensor?) throws -> ActiveCell.Weights {
        let operators = !hasTwoBack ? without : try there.map { try without + (withTwoBack - without) * $0 } ?? withTwoBack
        return ActiveCell.Weights(operators: operators, edges: try (operators.detach().unary(.abs) * counts).sum([1]))
    }
}

/// The weights of a node's cell.
struct ActiveCell {
    struct Weights {
        /// [edges, operators], 0 where the edge's state is not there.
        let operators: Tensor
        /// [edges], 0 where no operator of an edge is on.
        let edges: Tensor
    }

    /// nil where none can be 0: then they are those of the decisions.
    private let weights: Weights?
    /// Where the two-back input and the node are there; nil where there is none in the space.
    let twoBack: Opening?
    private let cell: CellSpace
    /// By block.
    private let decisions: [BuiltDecision]

    init(weights: Weights?, twoBack: Opening?, _ cell: CellSpace, _ decisions: [BuiltDecision]) {
        (self.weights, self.twoBack, self.cell, self.decisions) = (weights, twoBack, cell, decisions)
    }

    private func row(_ edge: CellEdge) throws -> Int {
        guard let row = cell.index(of: edge) else { throw TensorError("cell", "has no edge \(edge)") }
        return row
    }

    /// What an operator gives on an edge, times its weight.
    func term(_ edge: CellEdge, _ index: Int, shape: [Int], _ body: () throws -> Tensor) throws -> Tensor {
        let option = (edge.state - 1) * cell.operators.count + index
        guard let gate = try decisions[edge.block - 1].gate(option) else { throw TensorError("cell", "has no operator \(index + 1) on edge \(edge)") }
        return try (weights.map { try gate.weighed(by: $0.operators.element([row(edge), index])) } ?? gate).when(shape: shape, body)
    }

    /// What an edge brings, where an operator of it is on.
    func whereOn(_ edge: CellEdge, shape: [Int], _ body: () throws -> Tensor) throws -> Tensor {
        guard let weights else { return try body() }
        return try Tensor.within(weights.edges.element([row(edge)]), shape: shape, body)
    }
}

extension Tensor {
    /// The one number at an index (from 0), as a tensor without dimensions.
    func element(_ index: [Int]) throws -> Tensor {
        try slice(starts: index, sizes: index.map { _ in 1 }).reshape([])
    }
}
