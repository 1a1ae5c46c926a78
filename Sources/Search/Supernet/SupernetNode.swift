import Networks
import Tensors

/// The cell of one node of the trellis, with its inputs (paper, eq. 1 to 6).
final class SupernetNode: Module {
    let node: TrellisNode
    fileprivate let incoming: [TrellisArrow]
    fileprivate let back: InputProjection?
    fileprivate let projections: [(name: String, module: InputProjection)]
    /// One set of operators for all arrows, or one for each.
    fileprivate let cells: [(name: String, cell: SupernetCell)]

    init(_ space: TrellisSpace, _ node: TrellisNode, _ registry: OperatorRegistry) throws {
        self.node = node
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
        func cell(_ arrows: [String]) throws -> SupernetCell {
            let modules = try edges.map { edge in
                (edge: edge, module: try located("block.\(edge.block).\(edge.state)") { try MixedOperator(space.cell.operators, context, registry) })
            }
            return try SupernetCell(modules, arrows: arrows, blocks: space.cell.blocks)
        }
        let names = incoming.map(\.move.arrowName)
        cells = options.operatorSets == .node ? [("", try cell(names))] : try names.map { ($0, try cell([$0])) }
        super.init()
    }

    override var kind: String { "node" }
    override var children: [(name: String, module: Module)] {
        let inputs: [(name: String, module: Module)] = (back.map { [("back", $0)] } ?? []) + projections.map { ($0.name, $0.module) }
        return [("input", Group("inputs", inputs))]
            + cells.map { name, cell in
                let byBlock = Dictionary(grouping: cell.edges, by: \.edge.block)
                let parts = byBlock.keys.sorted().map { block -> (name: String, module: Module) in
                    (String(block), Group("block", (byBlock[block] ?? []).map { (String($0.edge.state), $0.module) }))
                }
                return (name.isEmpty ? "block" : "block_" + name, Group("cell", parts))
            }
    }

    /// The weighted sum of what the cell gives for each arrow, [N, blocks·C, H, W]: of all what is on.
    /// - Parameters:
    ///   - previous: H of the layer before by level.
    ///   - twoBack: H two layers before at this node's level.
    ///   - active: what the cell is weighed by.
    ///   - arrows: what multiplies what comes over each incoming arrow, in order: 0 where its source is not there.
    ///   - shape: of a state of the cell.
    func callAsFunction(
        previous: (Int) throws -> Tensor, twoBack: Tensor?, active: ActiveCell, arrows: [Gate], shape: [Int], outputShape: [Int]
    ) throws -> Tensor {
        let (height, width) = (shape[2], shape[3])
        /// The projection is one, whatever reads it.
        func project(_ x: Tensor) throws -> Tensor { try located("input.back") { try back?(x, height: height, width: width) ?? x } }
        var first: Tensor?
        if cells.count > 1, back != nil, let twoBack, let there = active.twoBack { first = try there.within(shape: shape) { try project(twoBack) } }
        func given(_ cell: SupernetCell) throws -> [Int: Tensor] {
            guard back != nil, let twoBack else { return [:] }
            return try cell.twoBack(shape: shape, active) { try first ?? project(twoBack) }
        }
        let shared = cells.count == 1 ? try given(cells[0].cell) : [:]
        var total: Tensor?
        for (i, arrow) in incoming.enumerated() {
            let projection = projections[i]
            let cell = cells[cells.count == 1 ? 0 : i].cell
            let term = try arrows[i].when(shape: outputShape) {
                let input = try located("input.\(projection.name)") { try projection.module(try previous(arrow.from), height: height, width: width) }
                return try cell(cells.count == 1 ? shared : given(cell), input, active, arrow: projection.name)
            }
            total = try total.map { try $0 + term } ?? term
        }
        guard let total else { throw TensorError("node", "has no incoming arrow") }
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
