import Base
import Search

/// What a run on a stock trellis found out: its probabilities as alpha and beta.
struct TrellisRun {
    let space: TrellisSpace
    /// softmax(alpha) by epoch and edge.
    let alpha: [[[Double]]]
    /// Arrow probabilities by epoch, [layers, strides, moves] row by row; 0 where there is no arrow.
    let beta: [[Double]]

    init(_ space: TrellisSpace, _ probabilities: [String: [[Double]]], epochs: Int) throws {
        self.space = space
        let decisions = try space.decisionList().all
        let blocks = decisions.filter { if case .branches = $0.domain { true } else { false } }
        let operators = space.cell.operators.count
        alpha = (0..<epochs).map { e in
            blocks.flatMap { block -> [[Double]] in
                let row = probabilities[block.name]?[e] ?? []
                return stride(from: 0, to: row.count, by: operators).map { Array(row[$0..<($0 + operators)]) }
            }
        }
        let paths = decisions.first { if case .paths = $0.domain { true } else { false } }
        beta = (0..<epochs).map { e in
            var table = [Double](repeating: 0, count: space.betaShape.reduce(1, *))
            for (arrow, p) in zip(space.arrows, paths.flatMap { probabilities[$0.name]?[e] } ?? []) { table[space.betaIndex(of: arrow)] = p }
            return table
        }
    }

    /// Of the decisions, from alpha and beta as runs of before have them.
    static func probabilities(_ space: TrellisSpace, _ decisions: DecisionList, alpha: [[Double]], beta: [[Double]]) -> [String: [[Double]]] {
        var all: [String: [[Double]]] = [:]
        var first = 0
        for decision in decisions.all {
            if case .branches = decision.domain {
                all[decision.name] = alpha.map { Array($0[first..<(first + decision.optionCount)]) }
                first += decision.optionCount
            } else {
                all[decision.name] = beta.map { row in space.arrows.map { row[space.betaIndex(of: $0)] } }
            }
        }
        return all
    }

    /// What alpha and beta decode to after the epoch at a position, as the paper does.
    func architecture(_ position: Int, seed: UInt64?, data: String?) throws -> Architecture {
        try space.decode(alpha: alpha[position].flatMap { $0 }, beta: beta[position], provenance: Provenance(seed: seed, data: data))
    }
}
