import Tensors

/// What the computation of a supernet weighs its operators and arrows by.
public struct TrellisWeights {
    /// [edges, operators].
    public var operators: Tensor
    /// [layers, strides, moves]; entries without an arrow do not matter.
    public var arrows: Tensor
    /// Whether some may be exactly 0, and others not: then what they weigh is not computed where they are, nor what only that leads to.
    public var isSparse: Bool
    /// Whether all are 0 or 1: nothing is multiplied.
    var areSwitches = false

    public init(operators: Tensor, arrows: Tensor, isSparse: Bool = false) {
        self.operators = operators
        self.arrows = arrows
        self.isSparse = isSparse
    }
}

/// Sparse weights and what they reach: numbers that are 0 where something is not there.
///
/// A node is there if an arrow into it is on whose source is there; a state of its cell if an operator is on that leads to it from a state that is there.
/// What is not there is nothing, not zeros: whatever reads it alone (an arrow, an edge, a head) is closed, for their norms and biases would make constants
/// of zeros.
struct ActiveWeights {
    private let space: TrellisSpace
    private let weights: TrellisWeights
    /// 1 where a node is there; nil for the stem, which always is.
    private var reached: [TrellisNode: Tensor] = [:]
    /// The operators' weights where the two-back input is there, and where it is not: 0 on edges whose state is not.
    private let withTwoBack, without: Tensor
    /// 1 for each operator that computes something, [1, operators].
    private let counts: Tensor

    init(_ weights: TrellisWeights, _ space: TrellisSpace) throws {
        (self.weights, self.space) = (weights, space)
        let cell = space.cell
        let counts = try Tensor(cell.operators.map { $0 == OperatorCatalogue.none ? 0 : 1 }, shape: [1, cell.operators.count])
        let active = try (weights.operators.detach().unary(.abs).unary(.step) * counts).sum([1]).unary(.step)
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
            return try weights.operators * sources.reshape([cell.edgeCount, 1])
        }
        (withTwoBack, without, self.counts) = (try masked(true), try masked(false), counts)
        for node in space.nodes where node.layer > 0 {
            let arrows = try space.incoming(node).map { try arrow($0).detach().unary(.abs).unary(.step) }
            guard var sum = arrows.first else { continue }
            for arrow in arrows.dropFirst() { sum = try sum + arrow }
            reached[node] = try sum.unary(.step)
        }
    }

    /// The weight of an arrow, 0 where its source is not there.
    func arrow(_ arrow: TrellisArrow) throws -> Tensor {
        let weight = try weights.arrows.element([arrow.layer - 1, arrow.from, arrow.move.rawValue])
        return try reached[arrow.source].map { try weight * $0 } ?? weight
    }

    /// 1 where a node is there.
    func isReached(_ node: TrellisNode) throws -> Tensor { try reached[node] ?? Tensor.scalar(1) }

    /// What the cell of a node is weighed by.
    func cell(of node: TrellisNode) throws -> ActiveCell {
        let back = TrellisNode(layer: node.layer - 2, level: node.level)
        guard space.contains(back), let here = reached[node] else { return try cell(without, nil) }
        guard let there = reached[back] else { return try cell(withTwoBack, here) }
        return try cell(without + (withTwoBack - without) * there, here * there)
    }

    private func cell(_ operators: Tensor, _ twoBack: Tensor?) throws -> ActiveCell {
        ActiveCell(
            operators: operators, edges: try (operators.detach().unary(.abs) * counts).sum([1]), twoBack: twoBack, space.cell, weights.areSwitches)
    }
}

/// The weights of a node's cell.
struct ActiveCell {
    /// [edges, operators], 0 where the edge's state is not there.
    private let operators: Tensor
    /// [edges], 0 where no operator of an edge is on.
    private let edges: Tensor
    /// 1 where the two-back input and the node are there; nil where there is none in the space.
    let twoBack: Tensor?
    private let cell: CellSpace
    private let areSwitches: Bool

    init(operators: Tensor, edges: Tensor, twoBack: Tensor?, _ cell: CellSpace, _ areSwitches: Bool) {
        (self.operators, self.edges, self.twoBack, self.cell, self.areSwitches) = (operators, edges, twoBack, cell, areSwitches)
    }

    private func row(_ edge: CellEdge) throws -> Int {
        guard let row = cell.index(of: edge) else { throw TensorError("cell", "has no edge \(edge)") }
        return row
    }

    /// What an operator gives on an edge, times its weight.
    func term(_ edge: CellEdge, _ index: Int, shape: [Int], _ body: () throws -> Tensor) throws -> Tensor {
        try weighed(operators.element([row(edge), index]), shape: shape, body)
    }

    func weighed(_ weight: Tensor, shape: [Int], _ body: () throws -> Tensor) throws -> Tensor {
        areSwitches ? try Tensor.within(weight, shape: shape, body) : try Tensor.when(weight, shape: shape, body)
    }

    /// 0 where no operator of an edge is on.
    func isOn(_ edge: CellEdge) throws -> Tensor { try edges.element([row(edge)]) }
}
