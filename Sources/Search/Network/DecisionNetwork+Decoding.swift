import Foundation
import Networks
import Tensors

extension DecisionNetwork {
    /// How probable each option is under its relaxation, noise aside, of the decision's shape; of a paths decision with one arrow a layer: among the arrows that leave
    /// its source.
    public func probabilities(_ name: String) throws -> Tensor {
        guard let decision = decisions[name] else { throw SpaceError.unknown("decision", name, known: decisions.decisions.map(\.name), at: "probabilities") }
        return try GradientMode.disabled { try relaxation(of: name).checked(logits(name), of: decision).probabilities.detach() }
    }

    /// Probabilities of options by decision, and of their being off.
    private func optionWeights() throws -> (on: [String: [Double]], off: [String: [Double]]) {
        var on: [String: [Double]] = [:], off: [String: [Double]] = [:]
        for decision in decisions.all {
            let p = try probabilities(decision.name).floats().map(Double.init)
            on[decision.name] = p
            guard decision.domain.isSet else { continue }
            // A probability of 1 must not decide against a constraint.
            on[decision.name] = p.map { min(max($0, 1e-12), 1 - 1e-12) }
            off[decision.name] = on[decision.name]?.map { 1 - $0 }
        }
        return (on, off)
    }

    /// The most probable architectures, best first, exact by the structure of the decisions (see `DecisionList.decode`).
    public func decode(
        count: Int = 1, budget: Budget? = nil, within smaller: DecisionList? = nil, accept filter: Filter? = nil
    ) throws -> [Decoded] {
        let (on, off) = try optionWeights()
        return try decisions.decode(weights: on, off: off, count: count, budget: budget, within: smaller, accept: filter)
    }

    /// An architecture drawn with the probabilities that the relaxations give.
    public func sample(seed: UInt64) throws -> Assignment {
        let (on, off) = try optionWeights()
        return try decisions.sample(scores: on.mapValues { $0.map { log($0) } }, off: off.mapValues { $0.map { log($0) } }, seed: seed)
    }

    /// Entropy in nats of each distribution of a decision, averaged, and relative to that of a uniform one.
    public func entropy(_ name: String) throws -> (mean: Double, relative: Double) {
        guard let decision = decisions[name] else { throw SpaceError.unknown("decision", name, known: decisions.decisions.map(\.name), at: "entropy") }
        let p = try probabilities(name).floats().map(Double.init)
        func term(_ x: Double) -> Double { x > 0 ? -x * log(x) : 0 }
        if decision.domain.isSet {
            let mean = p.map { term($0) + term(1 - $0) }.reduce(0, +) / Double(max(p.count, 1))
            return (mean, mean / log(2))
        }
        let rows = Rows(distributionsOf: decision).rows.filter { $0.count > 1 }
        guard !rows.isEmpty else { return (0, 0) }
        let entropies = rows.map { row in row.reduce(0) { $0 + term(p[$1]) } }
        return (entropies.reduce(0, +) / Double(rows.count), zip(entropies, rows).reduce(0) { $0 + $1.0 / log(Double($1.1.count)) } / Double(rows.count))
    }
}

extension DecisionList {
    /// One assignment, drawn by the exponentials of the scores of its options, one decision after the other: at every place in proportion to what can still follow.
    func sample(scores: [String: [Double]], off: [String: [Double]], seed: UInt64) throws -> Assignment {
        var generator = SplitMix64(seed: seed)
        // The Gumbel-max trick over whole assignments would have to list them; draws from the best of noisy scores are exact for independent decisions.
        func noise() -> Double { -log(-log(Double.random(in: 1e-12..<1 - 1e-12, using: &generator))) }
        var noisy = scores
        for decision in all { noisy[decision.name] = (scores[decision.name] ?? []).map { $0 + noise() } }
        var noisyOff = off
        for (name, list) in off.sorted(by: { $0.key < $1.key }) { noisyOff[name] = list.map { $0 + noise() } }
        return try decode(scores: noisy, off: noisyOff)[0].assignment
    }
}
