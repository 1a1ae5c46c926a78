import Networks
import Tensors

/// The cell of a node with one set of operators (paper, eq. 1 to 5), for one arrow at a time: of each edge what is on.
///
/// A plan computes the edges that leave a state, and the arrows that share a cell, as one where no weight can be 0 (`Batching`).
final class SupernetCell {
    let edges: [(edge: CellEdge, module: MixedOperator)]
    private let blocks: Int

    /// - Parameter arrows: names of the arrows that the cell serves; running statistics are kept for each, and exist from the start, so that every checkpoint has
    ///   the same contents.
    init(_ edges: [(edge: CellEdge, module: MixedOperator)], arrows: [String], blocks: Int) throws {
        (self.edges, self.blocks) = (edges, blocks)
        for (edge, module) in edges {
            // What the two-back input gives does not depend on the arrow.
            try module.eachBatchNorm { try $0.prepare(branches: edge.state == 1 ? [""] : arrows) }
        }
        try packEqualParameters()
    }

    /// Lays the parameters of an operator on the edges that leave a state side by side, as a plan wants them.
    private func packEqualParameters() throws {
        for state in Set(edges.map(\.edge.state)) {
            let leaving = edges.filter { $0.edge.state == state }.sorted { $0.edge.block < $1.edge.block }.map { $0.module.parameters() }
            for place in leaving[0].indices where leaving.allSatisfy({ $0.count == leaving[0].count }) { try Tensor.pack(leaving.map { $0[place].tensor }) }
        }
    }

    /// What the edges that leave state 1 give to each block by itself, where it is there; the same for every arrow.
    /// - Parameters:
    ///   - shape: of state 1, [N, C, H, W].
    ///   - first: computes it.
    func twoBack(shape: [Int], _ active: ActiveCell, _ first: () throws -> Tensor) throws -> [Int: Tensor] {
        guard let there = active.twoBack, try !there.isClosed() else { return [:] }
        var sums: [Int: Tensor] = [:]
        var state: Tensor?
        for (edge, module) in edges where edge.state == 1 {
            sums[edge.block] = try there.within(shape: shape) {
                let x = try state ?? first()
                state = x
                return try sum(edge, module, x, active, "")
            }
        }
        return sums
    }

    /// All blocks side by side for one arrow, [N, blocks·C, H, W].
    /// - Parameter twoBack: what state 1 gives, by block.
    func callAsFunction(_ twoBack: [Int: Tensor], _ second: Tensor, _ active: ActiveCell, arrow: String) throws -> Tensor {
        var states = [2: second]
        for block in 1...blocks {
            var total: Tensor?
            for (edge, module) in edges where edge.block == block {
                let term: Tensor?
                if edge.state == 1 {
                    term = try twoBack[block].map { given in try active.whereOn(edge, shape: second.shape) { given } }
                } else {
                    term = try states[edge.state].flatMap { try sum(edge, module, $0, active, arrow) }
                }
                guard let term else { continue }
                total = try total.map { try $0 + term } ?? term
            }
            guard let total else { throw TensorError("cell", "has no operator") }
            states[block + 2] = total
        }
        return try Tensor.concat((1...blocks).compactMap { states[$0 + 2] }, 1)
    }

    /// The weighted sum of what the operators of an edge give.
    private func sum(_ edge: CellEdge, _ module: MixedOperator, _ x: Tensor, _ active: ActiveCell, _ arrow: String) throws -> Tensor {
        var total: Tensor?
        for (name, index, module) in module.operators {
            let term = try active.term(edge, index, shape: x.shape) {
                try located("block.\(edge.block).\(edge.state).\(name)") { try BatchNorm.inBranch(arrow) { try checked(module, x) } }
            }
            total = try total.map { try $0 + term } ?? term
        }
        guard let total else { throw TensorError("cell", "has no operator") }
        return total
    }

    private func checked(_ module: Module, _ x: Tensor) throws -> Tensor {
        let y = try module(x)
        guard y.shape == x.shape else { throw TensorError("operator", "should keep the shape \(x.shape) of its input in a search, gave \(y.shape)") }
        return y
    }
}
