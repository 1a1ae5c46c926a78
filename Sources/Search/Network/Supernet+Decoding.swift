import Foundation
import Networks
import Tensors

extension Supernet {
    /// How probable each option is under its relaxation, noise aside, of the decision's shape; of a paths decision with one arrow a layer: among the arrows that leave
    /// its source.
    public func probabilities(_ name: String) throws -> Tensor {
        let decision = try decision(name, at: "probabilities")
        return try GradientMode.disabled { try relaxation(of: name).checked(logits(name), of: decision).probabilities.detach() }
    }

    /// The same as numbers to decode by, row by row.
    func numbers(_ decision: Decision) throws -> [Double] {
        try GradientMode.disabled { try relaxation(of: decision.name).numbers(logits(decision.name), of: decision) }
    }

    /// Probabilities of options by decision, and of their being off.
    private func optionWeights() throws -> (on: [String: [Double]], off: [String: [Double]]) {
        decisions.decodingWeights(try Dictionary(uniqueKeysWithValues: decisions.all.map { ($0.name, try numbers($0)) }))
    }

    /// The most probable architectures, best first, exact by the structure of the decisions (see `DecisionList.decode`).
    /// - Parameter isRelative: takes probabilities against those of undecided logits instead. Of undecided logits the path along a border of a trellis, whose states have fewer
    ///   arrows out, is the most probable one; against them all paths are equal.
    public func decode(
        count: Int = 1, budget: Budget? = nil, within smaller: DecisionList? = nil, accept filter: Filter? = nil, isRelative: Bool = false
    ) throws -> [Decoded] {
        var (on, off) = try optionWeights()
        if isRelative {
            for decision in decisions.all where !decision.domain.isSet {
                for row in Rows(distributionsOf: decision).rows { for option in row { on[decision.name]?[option] *= Double(row.count) } }
            }
        }
        return try decisions.decode(weights: on, off: off, count: count, budget: budget, within: smaller, accept: filter)
    }

    /// An architecture drawn with the probabilities that the relaxations give.
    public func sample(seed: UInt64) throws -> Assignment {
        let (on, off) = try optionWeights()
        return try decisions.sample(scores: on.mapValues { $0.map { log($0) } }, off: off.mapValues { $0.map { log($0) } }, seed: seed)
    }

    /// Entropy of each distribution of a decision: of the options of a set each by itself.
    public func entropy(_ name: String) throws -> TableEntropy {
        let decision = try decision(name, at: "entropy")
        return decision.entropy(of: try numbers(decision))
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
