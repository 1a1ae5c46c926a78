import Foundation

/// Softmax of a row. The exponentials are summed in order of size, so that rows with the same numbers in another order get
/// the same probabilities to the last bit; decoding's ties rely on it.
func softmax(_ row: [Double]) -> [Double] {
    guard let largest = row.max() else { return [] }
    let exponentials = row.map { exp($0 - largest) }
    let sum = exponentials.sorted().reduce(0, +)
    return exponentials.map { $0 / sum }
}

/// A cell decided from alpha.
public struct DecodedCell: Hashable, Sendable {
    public let cell: CellGenotype
    /// For each branch, block by block, its operator's weight among the operators of its edge.
    public let strengths: [Double]
}

extension CellSpace {
    /// Alpha row by row as probabilities: softmax over the operators of each edge (eq. 3).
    /// - Throws: `SpaceError` for a table of another shape or with a number that is not finite.
    public func normalised(alpha: [Double]) throws -> [[Double]] { try rows(alpha).map(softmax) }

    /// Decides the cell (paper, section 3.4): of each block the 2 states whose strongest operator other than `none` is
    /// strongest, and on each that operator. `none` takes part in the softmax and is never chosen.
    ///
    /// Of equally strong operators the one that comes first in the space's list, of equally strong states the lower; the
    /// branches of a block stand in the order of their states.
    /// - Parameters:
    ///   - alpha: [edges, operators] row by row.
    ///   - normalised: whether the rows are softmaxed already. States of a block are compared by normalised weights, so raw
    ///     and softmaxed rows are not the same thing.
    public func decode(alpha: [Double], normalised: Bool = false) throws -> DecodedCell {
        let rows = try normalised ? rows(alpha) : self.normalised(alpha: alpha)
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
    /// Beta as probabilities: softmax over the arrows that leave each node, over those that exist (eq. 7). Entries without an
    /// arrow are 0, whatever they were.
    /// - Throws: `SpaceError` for a table of another shape or an arrow's number that is not finite.
    public func normalised(beta: [Double]) throws -> [Double] {
        try check(beta: beta)
        var result = [Double](repeating: 0, count: beta.count)
        for node in nodes where node.layer < layers {
            let places = outgoing(node).map(betaIndex)
            for (place, probability) in zip(places, softmax(places.map { beta[$0] })) { result[place] = probability }
        }
        return result
    }

    /// The most probable paths, best first, with levels (from 0) as states; see `Viterbi` for ties.
    /// - Parameters:
    ///   - beta: [layers, levels, 3] row by row.
    ///   - normalised: whether it holds probabilities already.
    public func bestPaths(beta: [Double], normalised: Bool = false, count: Int = 1) throws -> [ScoredPath] {
        try check(beta: beta)
        let table = try TransitionTable(shape: betaShape, values: normalised ? beta : self.normalised(beta: beta))
        if count == 1 { return [try Viterbi.best(table, exists: betaMask)] }
        return try Viterbi.best(table, count: count, exists: betaMask)
    }

    /// The architecture that alpha and beta stand for (paper, section 3.4).
    /// - Parameters:
    ///   - alpha: [edges, operators], beta: [layers, levels, 3], row by row.
    ///   - normalised: whether both hold probabilities already.
    public func decode(
        alpha: [Double], beta: [Double], normalised: Bool = false, provenance: Provenance = Provenance()
    ) throws -> Architecture {
        let decoded = try cell.decode(alpha: alpha, normalised: normalised)
        let path = try bestPaths(beta: beta, normalised: normalised)[0]
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
