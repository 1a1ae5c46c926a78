import Networks
import Tensors

/// The cell of a node with one set of operators (paper, eq. 1 to 5), for one arrow or for several at once: their batches stand one behind the other.
///
/// Blocks are computed by state, not by block: when a state is known, everything that its edges give is added to the blocks they lead to, which
/// are the last ones, so that their sums are one tensor [N, blocks·C, H, W] and each operator of all those edges is one computation.
final class SupernetCell {
    /// Edges that leave one state, by block, and their operators by position.
    private struct State {
        let state: Int
        let edges: [(edge: CellEdge, module: MixedOperator)]
        let operators: [(name: String, index: Int, modules: [Module], isBatched: Bool)]
    }

    let edges: [(edge: CellEdge, module: MixedOperator)]
    private let states: [State]
    private let arrows: [String]
    private let blocks: Int

    /// - Parameter arrows: names of the arrows that the cell serves; running statistics are kept for each.
    init(_ edges: [(edge: CellEdge, module: MixedOperator)], arrows: [String], blocks: Int) throws {
        self.edges = edges
        self.arrows = arrows
        self.blocks = blocks
        states = try Set(edges.map(\.edge.state)).sorted().map { state in
            let leaving = edges.filter { $0.edge.state == state }.sorted { $0.edge.block < $1.edge.block }
            // What the two-back input gives does not depend on the arrow.
            let branches = state == 1 ? [""] : arrows
            let operators = try (leaving.first?.module.operators ?? []).enumerated().map { place, part in
                let modules = leaving.map { $0.module.operators[place].module }
                let isBatched = EdgeBatch.fits(modules)
                if isBatched {
                    try EdgeBatch.pack(modules, branches: branches)
                } else {
                    // Running statistics of each arrow exist from the start, so that every checkpoint has the same contents.
                    for module in modules { try module.eachBatchNorm { try $0.prepare(branches: branches) } }
                }
                return (name: part.name, index: part.index, modules: modules, isBatched: isBatched)
            }
            return State(state: state, edges: leaving, operators: operators)
        }
    }

    /// What the edges that leave state 1 give to all blocks, [N, blocks·C, H, W]: the same for every arrow.
    /// - Parameter first: state 1, [N, C, H, W].
    func twoBack(_ first: Tensor, _ mixture: MixtureWeights) throws -> Tensor? { try add(1, first, to: nil, mixture, [""]) }

    /// All blocks side by side, [A·N, blocks·C, H, W].
    /// - Parameters:
    ///   - twoBack: what state 1 gives; nil when there is none.
    ///   - second: state 2, [A·N, C, H, W], a batch for each arrow.
    ///   - arrows: those that it comes from; all of the cell's, or one where edges are computed one by one.
    func callAsFunction(_ twoBack: Tensor?, _ second: Tensor, _ mixture: MixtureWeights, arrows: [String]) throws -> Tensor {
        let channels = second.shape[1]
        // Sums so far of the blocks that are not complete.
        var sums = try twoBack?.spreadGroups(arrows.count)
        sums = try add(2, second, to: sums, mixture, arrows)
        var results: [Tensor] = []
        for block in 1...blocks {
            guard let open = sums else { throw TensorError("cell", "has no operator") }
            let result = try open.narrow(1, 0, channels)
            results.append(result)
            guard block < blocks else { break }
            sums = try add(block + 2, result, to: open.narrow(1, channels, (blocks - block) * channels), mixture, arrows)
        }
        return try Tensor.concat(results, 1)
    }

    /// What the edges that leave state 1 give to each block by itself, where it is there; the same for every arrow.
    /// - Parameters:
    ///   - first: computes state 1, [N, C, H, W], of this shape.
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

    /// All blocks side by side for one arrow, [N, blocks·C, H, W]: of each edge what is on.
    /// - Parameter twoBack: what state 1 gives, by block.
    func callAsFunction(_ twoBack: [Int: Tensor], _ second: Tensor, _ active: ActiveCell, arrow: String) throws -> Tensor {
        var states = [2: second]
        for block in 1...blocks {
            var total: Tensor?
            for (edge, module) in edges where edge.block == block {
                let term: Tensor?
                if edge.state == 1 {
                    term = try twoBack[block].map { given in try Tensor.within(active.isOn(edge), shape: second.shape) { given } }
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

    /// What the edges of a state give, added to `sums`.
    private func add(_ state: Int, _ x: Tensor, to sums: Tensor?, _ mixture: MixtureWeights, _ arrows: [String]) throws -> Tensor? {
        guard let group = states.first(where: { $0.state == state }) else { return sums }
        var total = sums
        for (name, index, modules, isBatched) in group.operators {
            let term: Tensor
            if isBatched, EdgeBatch.isUsed {
                let factors = EdgeBatch.Factors(values: try mixture.channels(group.edges.map(\.edge), index, x.shape[1]), unit: mixture.unit)
                term = try located("block.*.\(state).\(name)") { try EdgeBatch.apply(modules, .shared(x), factors: factors).tensor }
            } else {
                let parts = try zip(group.edges, modules).map { edge, module in
                    try located("block.\(edge.edge.block).\(state).\(name)") { try byArrow(module, x, arrows) * mixture.number(edge.edge, index) }
                }
                term = try Tensor.concat(parts, 1)
            }
            guard term.shape == [x.shape[0], x.shape[1] * group.edges.count] + x.shape.dropFirst(2) else {
                throw misfit(name, x, group, modules, arrows)
            }
            total = try total.map { try $0 + term } ?? term
        }
        return total
    }

    /// An operator that may look at its whole batch sees one arrow's at a time.
    private func byArrow(_ module: Module, _ x: Tensor, _ arrows: [String]) throws -> Tensor {
        let samples = x.shape[0] / arrows.count
        return try Tensor.concat(
            arrows.enumerated().map { i, arrow in
                try BatchNorm.inBranch(arrow) { try checked(module, arrows.count == 1 ? x : x.narrow(0, i * samples, samples)) }
            }, 0)
    }

    private func checked(_ module: Module, _ x: Tensor) throws -> Tensor {
        let y = try module(x)
        guard y.shape == x.shape else { throw SupernetCell.misfit(x.shape, y.shape) }
        return y
    }

    /// The shape error of an operator that ran for several edges at once, as it would be told for the first of them.
    private func misfit(_ name: String, _ x: Tensor, _ group: State, _ modules: [Module], _ arrows: [String]) -> any Error {
        do {
            _ = try located("block.\(group.edges[0].edge.block).\(group.state).\(name)") { try byArrow(modules[0], x, arrows) }
            return SupernetCell.misfit(x.shape, x.shape)
        } catch {
            return error
        }
    }

    private static func misfit(_ expected: [Int], _ found: [Int]) -> TensorError {
        TensorError("operator", "should keep the shape \(expected) of its input in a search, gave \(found)")
    }
}

/// softmax(alpha) in the forms that cells need it.
final class MixtureWeights {
    private let probabilities: Tensor
    private let row: (CellEdge) -> Int?
    private var known: [Key: Tensor] = [:]
    let unit: Tensor

    private struct Key: Hashable {
        let edges: [CellEdge]
        let index: Int
        let channels: Int
    }

    /// - Parameter probabilities: [edges, operators].
    init(_ probabilities: Tensor, row: @escaping (CellEdge) -> Int?) throws {
        unit = try Tensor.unitMoments()
        self.probabilities = probabilities
        self.row = row
    }

    private func entry(_ edge: CellEdge, _ index: Int) throws -> Tensor {
        guard let row = row(edge) else { throw TensorError("cell", "has no edge \(edge)") }
        return try probabilities.slice(starts: [row, index], sizes: [1, 1])
    }

    /// The weight of an operator on an edge, a tensor without dimensions.
    func number(_ edge: CellEdge, _ index: Int) throws -> Tensor { try entry(edge, index).reshape([]) }

    /// The weights of an operator on several edges, each once for every channel: [edges·channels].
    func channels(_ edges: [CellEdge], _ index: Int, _ channels: Int) throws -> Tensor {
        let key = Key(edges: edges, index: index, channels: channels)
        if let known = known[key] { return known }
        let column = try Tensor.concat(edges.map { try entry($0, index) }, 0)
        let wide = try column.expand([edges.count, channels]).reshape([edges.count * channels])
        known[key] = wide
        return wide
    }
}
