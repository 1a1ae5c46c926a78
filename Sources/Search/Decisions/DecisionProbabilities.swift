import Foundation

/// What probabilities of options say of decisions.
extension Decision {
    /// Entropy in nats of each distribution, averaged, and relative to that of a uniform one: 1 undecided, 0 decided.
    /// - Parameter p: of the options, row by row.
    public func entropy(of p: [Double]) -> (mean: Double, relative: Double) {
        func term(_ x: Double) -> Double { x > 0 ? -x * log(x) : 0 }
        if domain.isSet {
            let mean = p.map { term($0) + term(1 - $0) }.reduce(0, +) / Double(max(p.count, 1))
            return (mean, mean / log(2))
        }
        let rows = Rows(distributionsOf: self).rows.filter { $0.count > 1 }
        guard !rows.isEmpty else { return (0, 0) }
        let entropies = rows.map { row in row.reduce(0) { $0 + term(p[$1]) } }
        return (entropies.reduce(0, +) / Double(rows.count), zip(entropies, rows).reduce(0) { $0 + $1.0 / log(Double($1.1.count)) } / Double(rows.count))
    }
}

extension DecisionList {
    /// Weights that `decode` takes, from the probabilities of options: of what may be on without others being off also the weight of being off.
    public func decodingWeights(_ probabilities: [String: [Double]]) -> (on: [String: [Double]], off: [String: [Double]]) {
        var (on, off) = (probabilities, [String: [Double]]())
        for decision in all where decision.domain.isSet {
            guard let p = probabilities[decision.name] else { continue }
            // A probability of 1 must not decide against a constraint.
            let open = p.map { min(max($0, 1e-12), 1 - 1e-12) }
            (on[decision.name], off[decision.name]) = (open, open.map { 1 - $0 })
        }
        return (on, off)
    }
}
