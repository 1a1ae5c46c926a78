/// What probabilities of options say of decisions.
extension Decision {
    /// Entropy of each distribution: of the options of a set each by itself.
    /// - Parameter p: of the options, row by row.
    public func entropy(of p: [Double]) -> TableEntropy {
        if domain.isSet { return TableEntropy(p.map { [$0, 1 - $0] }) }
        return TableEntropy(Rows(distributionsOf: self).rows.map { row in row.map { p[$0] } })
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
