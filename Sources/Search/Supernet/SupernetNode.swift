import Networks
import Tensors

/// The cell of one node of the trellis, with its inputs (paper, eq. 1 to 6).
final class SupernetNode: Module {
    let node: TrellisNode
    private let incoming: [TrellisArrow]
    private let back: InputProjection?
    private let projections: [(name: String, module: InputProjection)]
    /// One set of operators for all arrows, or one for each.
    private let cells: [(name: String, edges: [(edge: CellEdge, module: MixedOperator)])]
    private let blocks: Int

    init(_ space: TrellisSpace, _ node: TrellisNode, _ registry: OperatorRegistry) throws {
        self.node = node
        blocks = space.cell.blocks
        incoming = space.incoming(node)
        let channels = space.blockChannels(level: node.level)
        let options = space.options
        back = space.hasTwoBack(node) ? try InputProjection(space.sourceChannels(node.layer - 2, node.level), channels, move: nil, options) : nil
        projections = try incoming.map { arrow in
            (arrow.move.arrowName, try InputProjection(space.sourceChannels(arrow.layer - 1, arrow.from), channels, move: arrow.move, options))
        }
        let context = OperatorContext(
            channels: channels, affine: options.affine, epsilon: options.batchNormEpsilon, momentum: options.batchNormMomentum)
        let hasBack = space.hasTwoBack(node)
        let edges = space.cell.edges.filter { hasBack || $0.state > 1 }
        func cell() throws -> [(edge: CellEdge, module: MixedOperator)] {
            try edges.map { edge in
                (edge, try located("block.\(edge.block).\(edge.state)") { try MixedOperator(space.cell.operators, context, registry) })
            }
        }
        cells = options.operatorSets == .node ? [("", try cell())] : try incoming.map { ($0.move.arrowName, try cell()) }
        super.init()
        try prepareStatistics()
    }

    /// Running statistics of each arrow exist from the start, so that every checkpoint has the same contents.
    private func prepareStatistics() throws {
        for (name, edges) in cells {
            for (edge, module) in edges {
                let branches = edge.state == 1 ? [""] : name.isEmpty ? projections.map(\.name) : [name]
                try module.eachBatchNorm { try $0.prepare(branches: branches) }
            }
        }
    }

    override var kind: String { "node" }
    override var children: [(name: String, module: Module)] {
        let inputs: [(name: String, module: Module)] = (back.map { [("back", $0)] } ?? []) + projections.map { ($0.name, $0.module) }
        return [("input", Group("inputs", inputs))]
            + cells.map { name, edges in
                let byBlock = Dictionary(grouping: edges, by: \.edge.block)
                let parts = byBlock.keys.sorted().map { block -> (name: String, module: Module) in
                    (String(block), Group("block", (byBlock[block] ?? []).map { (String($0.edge.state), $0.module) }))
                }
                return (name.isEmpty ? "block" : "block_" + name, Group("cell", parts))
            }
    }

    /// - Parameters:
    ///   - previous: H of the layer before by level.
    ///   - twoBack: H two layers before at this node's level.
    ///   - alpha: softmax(alpha), a number for each edge and operator.
    ///   - beta: softmax(beta) of each incoming arrow, in order.
    func callAsFunction(
        previous: (Int) throws -> Tensor, twoBack: Tensor?, alpha: (CellEdge) -> [Tensor], beta: [Tensor], height: Int, width: Int
    ) throws -> Tensor {
        var first: Tensor?
        if let back, let twoBack { first = try located("input.back") { try back(twoBack, height: height, width: width) } }
        var total: Tensor?
        for (i, arrow) in incoming.enumerated() {
            let name = projections[i].name
            let input = try located("input.\(name)") { try projections[i].module(try previous(arrow.from), height: height, width: width) }
            let output = try BatchNorm.inBranch(name) { try cell(cells[cells.count == 1 ? 0 : i].edges, first, input, alpha) }
            let weighted = try output * beta[i]
            total = try total.map { try $0 + weighted } ?? weighted
        }
        guard let total else { throw TensorError("node", "has no incoming arrow") }
        return total
    }

    /// States 1 (may be absent), 2 and the blocks; a block is the sum over its states of their mixed operators; the result is all blocks.
    private func cell(_ edges: [(edge: CellEdge, module: MixedOperator)], _ first: Tensor?, _ second: Tensor, _ alpha: (CellEdge) -> [Tensor]) throws -> Tensor {
        var states: [Tensor?] = [first, second]
        for block in 1...blocks {
            var terms: [Tensor] = []
            for (edge, module) in edges where edge.block == block {
                guard let state = states[edge.state - 1] else { continue }
                terms += try located("block.\(block).\(edge.state)") {
                    // What the two-back input gives does not depend on the arrow: it is the same computation for all of them.
                    edge.state == 1
                        ? try BatchNorm.inBranch("") { try module.terms(state, alpha(edge)) } : try module.terms(state, alpha(edge))
                }
            }
            states.append(try Tensor.sum(of: terms, like: second))
        }
        return try Tensor.concat(states.dropFirst(2).compactMap { $0 }, 1)
    }
}

extension Tensor {
    /// Sum in the order given; zeros when there is nothing to add.
    static func sum(of terms: [Tensor], like shape: Tensor) throws -> Tensor {
        guard var total = terms.first else { return try shape * 0 }
        for term in terms.dropFirst() { total = try total + term }
        return total
    }
}

extension Module {
    func eachBatchNorm(_ body: (BatchNorm) throws -> Void) rethrows {
        if let norm = self as? BatchNorm { try body(norm) }
        for (_, child) in children { try child.eachBatchNorm(body) }
    }
}

extension Move {
    /// How the design names the arrow by what it does to the size of the picture: `down` to a coarser stride, `up` to a finer.
    var arrowName: String {
        switch self {
        case .finer: "up"
        case .same: "same"
        case .coarser: "down"
        }
    }
}

extension TrellisSpace {
    /// Channels of H at a node; the stem has those of the finest node.
    func sourceChannels(_ layer: Int, _ level: Int) -> Int {
        layer == 0 ? stem[stem.count - 1].outChannels : nodeChannels(level: level)
    }
}
