import Foundation

/// How undecided a table of architecture weights is.
public struct TableEntropy: Hashable, Sendable {
    /// Entropy of each row in nats, for rows with a choice.
    public let rows: [Double]
    /// Their mean; 0 when there is nothing to choose.
    public let mean: Double
    /// Mean of each row's entropy over the largest it could have: 1 undecided, 0 decided.
    public let relative: Double

    /// - Parameter distributions: probabilities, each row summing to 1; rows of fewer than two offer no choice.
    init(_ distributions: [[Double]]) {
        let choices = distributions.filter { $0.count > 1 }
        let entropies = choices.map { row in row.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 } }
        self.init(entropies, relative: zip(entropies, choices).map { $0 / log(Double($1.count)) })
    }

    /// Several tables as one.
    init(_ tables: [TableEntropy]) {
        self.init(tables.flatMap(\.rows), relative: tables.flatMap { table in [Double](repeating: table.relative, count: table.rows.count) })
    }

    private init(_ rows: [Double], relative: [Double]) {
        let count = Double(max(rows.count, 1))
        self.rows = rows
        mean = rows.reduce(0, +) / count
        self.relative = relative.reduce(0, +) / count
    }
}

extension CellSpace {
    /// Entropy of softmax(alpha) by edge.
    public func entropy(alpha: [Double]) -> TableEntropy {
        TableEntropy(stride(from: 0, to: alpha.count, by: operators.count).map { Array(alpha[$0..<($0 + operators.count)]) })
    }
}

extension TrellisSpace {
    /// Entropy of the arrows' probabilities by node, over the arrows that leave it.
    public func entropy(beta: [Double]) -> TableEntropy {
        TableEntropy(nodes.filter { $0.layer < layers }.map { node in outgoing(node).map { beta[betaIndex(of: $0)] } })
    }
}

extension CellGenotype {
    /// A search has collapsed when more of its decoded branches than this are `skip_connect`. Differentiable search tends to
    /// the operator without weights, which learns fastest, and the cells it gives then are poor. P-DARTS keeps 2 skips of 8
    /// branches and DARTS with 3 and more is what its critics show, so: more than a third.
    public static let collapseThreshold = 1.0 / 3

    /// Share of `skip_connect` among the branches.
    public var skipShare: Double { share(of: OperatorCatalogue.skipConnect) }

    /// What to tell the user when the cell has collapsed, else nil.
    public func collapseWarning(threshold: Double = CellGenotype.collapseThreshold) -> String? {
        guard skipShare > threshold else { return nil }
        let count = branches.filter { $0.operation == OperatorCatalogue.skipConnect }.count
        return "\(count) of \(branches.count) branches of the decoded cell are skip_connect: the search is collapsing; "
            + "stop earlier, start the architecture later, or raise its weight decay"
    }
}
