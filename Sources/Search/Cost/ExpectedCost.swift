import Tensors

/// The expectation of a cost over architectures: Σ over the parts of a network of cost · probability that the part is used.
struct ExpectedCost {
    private let decisions: DecisionList
    /// Probabilities of one computation.
    private let weights: DecisionWeights

    init(_ decisions: DecisionList, _ weights: DecisionWeights) { (self.decisions, self.weights) = (decisions, weights) }

    /// What options of one decision cost behind the same gates.
    private struct Tail: Hashable {
        let gates: [Gate.Condition]
        let decision: String
        var text: String { "\(gates) \(decision)" }
    }

    /// One number, with a history; costs are summed in units of the size of the largest, so that float32 carries them.
    func of(_ parts: [CostMeasure.Part]) throws -> Tensor {
        let largest = parts.map { abs($0.cost) }.max() ?? 0
        // A power of two, by which dividing is exact.
        let unit = largest > 0 ? Double(sign: .plus, exponent: largest.exponent, significand: 1) : 1
        let sure = parts.reduce(0) { $1.places.isEmpty || $1.places.contains([]) ? $0 + $1.cost : $0 }
        var total = try Tensor.full([], Float(sure))
        var open: Tensor?
        func add(_ term: Tensor) throws { open = try open.map { try $0 + term.reshape([]) } ?? term.reshape([]) }
        var tails: [Tail: [Float]] = [:]
        // In a fixed order, so that sums are the same bits each time.
        for part in parts.sorted(by: { "\($0.places.map(\.description).sorted())" < "\($1.places.map(\.description).sorted())" }) {
            guard !part.places.isEmpty, !part.places.contains([]) else { continue }
            if let (tail, option, count) = tail(of: part) {
                tails[tail, default: [Float](repeating: 0, count: count)][option] += Float(part.cost / unit)
                continue
            }
            guard let p = try probability(ofAny: Array(part.places).sorted { $0.description < $1.description }) else { total = try total + Float(part.cost); continue }
            try add(p * Float(part.cost / unit))
        }
        for (tail, costs) in tails.sorted(by: { $0.key.text < $1.key.text }) {
            guard let decision = decisions[tail.decision] else { continue }
            let sum = try (weights.all(decision).probabilities.reshape([costs.count]) * Tensor(costs, shape: [costs.count])).sum([0], keep: true)
            try add(product(tail.gates).map { try sum * $0 } ?? sum)
        }
        if let open { total = try total + open * Float(unit) }
        return total
    }

    /// Of a part behind one list of gates: the last one as an option of a decision, and those around it. An arrow is none: its probability is that of its way, too.
    private func tail(of part: CostMeasure.Part) -> (Tail, option: Int, count: Int)? {
        guard part.places.count == 1, let place = part.places.first, case .option(let name, let i)? = place.last, !isPath(name), let decision = decisions[name],
            !place.dropLast().contains(where: { $0.decision == name })
        else { return nil }
        return (Tail(gates: Array(place.dropLast()), decision: name), i, decision.optionCount)
    }

    private func probability(_ gate: Gate.Condition) throws -> Tensor {
        try decisions[gate.decision].map { try weights.probability(gate, of: $0) } ?? Tensor.ones([1])
    }

    /// The probability that all gates of one of the lists are open; nil for 1. Options of one choice exclude each other; different decisions are independent, as are
    /// the options of a subset.
    private func probability(ofAny places: [[Gate.Condition]]) throws -> Tensor? {
        guard let first = places.first, !places.contains([]) else { return nil }
        let pivot = first[0]
        if places.count == 1 { return try product(first) }
        let group = self.group(pivot)
        let mentioned = Set(places.flatMap { $0 }).filter { self.group($0) == group }.sorted { "\($0)" < "\($1)" }
        var total: Tensor?
        func add(_ weight: Tensor, _ rest: [[Gate.Condition]]) throws {
            guard !rest.isEmpty else { return }
            let term = try probability(ofAny: rest).map { try $0 * weight } ?? weight
            total = try total.map { try $0 + term } ?? term
        }
        var others: Tensor?
        for gate in mentioned {
            let p = try probability(gate).reshape([1])
            others = try others.map { try $0 - p } ?? (1 - p)
            // Given that this one is open and the others of its group are not.
            try add(p, Array(Set(places.filter { place in !place.contains { mentioned.contains($0) && $0 != gate } }.map { $0.filter { $0 != gate } })).sorted { $0.description < $1.description })
        }
        if let others { try add(others, places.filter { place in !place.contains { mentioned.contains($0) } }) }
        return try total ?? Tensor.zeros([1])
    }

    /// The probability that all gates are open.
    private func product(_ gates: [Gate.Condition]) throws -> Tensor? {
        var result: Tensor?
        var done: Set<Gate.Condition> = []
        for (i, gate) in gates.enumerated() where !done.contains(gate) {
            let p: Tensor
            if let decision = decisions[gate.decision], case .paths(let paths) = decision.domain {
                let all = gates.filter { $0.decision == gate.decision }
                // One arrow a layer: all of them lie on one way. Of several the last holds the probability of being reached.
                if paths.isMany, gates[(i + 1)...].contains(where: { $0.decision == gate.decision }) { continue }
                p = paths.isMany ? try probability(gate) : try weights.probability(ofAll: all, decision, paths)
                done.formUnion(all)
            } else {
                p = try probability(gate)
                done.insert(gate)
            }
            result = try result.map { try $0 * p.reshape([1]) } ?? p.reshape([1])
        }
        return result
    }

    private func isPath(_ decision: String) -> Bool {
        if case .paths? = decisions[decision]?.domain { return true }
        return false
    }

    /// Gates of which at most one is open have the same group.
    private func group(_ gate: Gate.Condition) -> String {
        guard let domain = decisions[gate.decision]?.domain else { return "\(gate)" }
        switch (gate, domain) {
        case (.option, .choice), (.option, .number): return gate.decision
        case (.option(_, let i), .branches(let branches)): return "\(gate.decision)\n\(i / branches.options.count)"
        case (.option(_, let i), .paths(let paths)) where !paths.isMany: return "\(gate.decision)\n\(paths.arrows[i].layer)"
        default: return "\(gate)"
        }
    }
}

extension Supernet {
    /// What a computation with it costs: its expectation under the relaxations, or at the architecture that it computes; one number, with a history.
    ///
    /// Gates of several decisions count as independent. Of branches every edge of the supernet counts.
    /// - Parameter input: the shape of what it is called with.
    public func cost(_ kind: CostKind, input: [Int]) throws -> Tensor {
        let parts = try CostMeasure.parts(kind, input: input, parameters: weights()) { try self($0) }
        return try Recording.everywhere { try ExpectedCost(decisions, weightsNow).of(parts) }
    }
}
