/// A cell decided from alpha.
public struct DecodedCell: Hashable, Sendable {
    public let cell: CellGenotype
    /// For each branch, block by block, its operator's weight among the operators of its edge.
    public let strengths: [Double]
}

extension CellSpace {
    /// Decides the cell (paper, section 3.4): of each block the 2 states whose strongest operator other than `none` is
    /// strongest, and on each that operator. `none` takes part in the softmax and is never chosen.
    ///
    /// Of equally strong operators the one that comes first in the space's list, of equally strong states the lower; the
    /// branches of a block stand in the order of their states.
    /// - Parameters:
    ///   - alpha: [edges, operators] row by row, softmax over each row (eq. 3): states of a block are compared by normalised weights.
    public func decode(alpha: [Double]) throws -> DecodedCell {
        let rows = try rows(alpha)
        let candidates = decodable
        var blocks: [CellBlock] = []
        var strengths: [Double] = []
        var first = 0
        for block in 1...blockCount {
            let states = (0..<states(of: block)).map { state in
                let row = rows[first + state]
                // `max(by:)` would take the last of equals.
                let column = candidates.dropFirst().reduce(candidates[0]) { row[$1] > row[$0] ? $1 : $0 }
                return (branch: CellBranch(operators[column], state + 1), strength: row[column])
            }
            let kept = states.indices.sorted { (-states[$0].strength, $0) < (-states[$1].strength, $1) }.prefix(2).sorted()
            blocks.append(CellBlock(states[kept[0]].branch, states[kept[1]].branch))
            strengths += kept.map { states[$0].strength }
            first += states.count
        }
        return DecodedCell(cell: CellGenotype(blocks: blocks), strengths: strengths)
    }

    private var blockCount: Int { blocks }

    private func rows(_ alpha: [Double]) throws -> [[Double]] {
        guard alpha.count == edgeCount * operators.count else {
            throw SpaceError(
                .shape, at: "alpha", expected: "\(edgeCount) edges x \(operators.count) operators", got: "\(alpha.count) numbers",
                remedy: "was it made for another space?")
        }
        if let bad = alpha.firstIndex(where: { !$0.isFinite }) {
            throw SpaceError(
                .probability, at: "alpha[\(bad / operators.count + 1)][\(bad % operators.count + 1)]", expected: "a finite number",
                got: "\(alpha[bad])", remedy: "the search has diverged; lower the rate or clip the gradient")
        }
        return (0..<edgeCount).map { Array(alpha[($0 * operators.count)..<(($0 + 1) * operators.count)]) }
    }
}

extension TrellisSpace {
    /// The most probable paths, best first, with levels (from 0) as states; see `Viterbi` for ties.
    /// - Parameters:
    ///   - beta: [layers, levels, 3] row by row, softmax over the arrows that leave each node (eq. 7).
    public func bestPaths(beta: [Double], count: Int = 1) throws -> [ScoredPath] {
        try check(beta: beta)
        let table = try TransitionTable(shape: betaShape, values: beta)
        if count == 1 { return [try Viterbi.best(table, exists: betaMask)] }
        return try Viterbi.best(table, count: count, exists: betaMask)
    }

    /// The architecture that alpha and beta stand for (paper, section 3.4).
    /// - Parameters:
    ///   - alpha: [edges, operators], beta: [layers, levels, 3], row by row, both as probabilities.
    public func decode(alpha: [Double], beta: [Double], provenance: Provenance = Provenance()) throws -> Architecture {
        let decoded = try cell.decode(alpha: alpha)
        let path = try bestPaths(beta: beta)[0]
        return Architecture(
            space: summary, path: path.states.map { strides[$0] }, cell: decoded.cell,
            scores: ArchitectureScores(pathLogProbability: path.logProbability, strengths: decoded.strengths), provenance: provenance)
    }

    private func check(beta: [Double]) throws {
        guard beta.count == betaShape.reduce(1, *) else {
            throw SpaceError(
                .shape, at: "beta", expected: "\(layers) layers x \(levels) strides x 3 moves", got: "\(beta.count) numbers",
                remedy: "was it made for another space?")
        }
        for arrow in arrows where !beta[betaIndex(of: arrow)].isFinite {
            throw SpaceError(
                .probability, at: "beta[\(arrow.layer)][\(arrow.from + 1)][\(arrow.move.rawValue + 1)]", expected: "a finite number",
                got: "\(beta[betaIndex(of: arrow)])", remedy: "the search has diverged; lower the rate or clip the gradient")
        }
    }
}
