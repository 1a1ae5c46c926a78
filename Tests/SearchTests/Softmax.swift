import Foundation

@testable import Search

// Tables of logits as the paper has them, alpha and beta: what decisions, whose relaxations make probabilities, are compared with.

/// Rows with the same numbers in another order get the same probabilities to the last bit.
func softmax(_ row: [Double]) -> [Double] {
    guard let largest = row.max() else { return [] }
    let exponentials = row.map { exp($0 - largest) }
    let sum = exponentials.sorted().reduce(0, +)
    return exponentials.map { $0 / sum }
}

extension CellSpace {
    /// softmax over the operators of each edge (eq. 3).
    func normalised(alpha: [Double]) -> [[Double]] {
        (0..<edgeCount).map { softmax(Array(alpha[($0 * operators.count)..<(($0 + 1) * operators.count)])) }
    }

    func decode(logits alpha: [Double]) throws -> DecodedCell { try decode(alpha: normalised(alpha: alpha).flatMap { $0 }) }
    func entropy(logits alpha: [Double]) -> TableEntropy { entropy(alpha: normalised(alpha: alpha).flatMap { $0 }) }
}

extension TrellisSpace {
    /// softmax over the arrows that leave each node (eq. 7); 0 where there is no arrow.
    func normalised(beta: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: beta.count)
        for node in nodes where node.layer < layers {
            let places = outgoing(node).map(betaIndex)
            for (place, probability) in zip(places, softmax(places.map { beta[$0] })) { result[place] = probability }
        }
        return result
    }

    func bestPaths(logits beta: [Double], count: Int) throws -> [ScoredPath] { try bestPaths(beta: normalised(beta: beta), count: count) }
    func entropy(logits beta: [Double]) -> TableEntropy { entropy(beta: normalised(beta: beta)) }

    func decode(logits alpha: [Double], _ beta: [Double], provenance: Provenance = Provenance()) throws -> Architecture {
        try decode(alpha: cell.normalised(alpha: alpha).flatMap { $0 }, beta: normalised(beta: beta), provenance: provenance)
    }
}
