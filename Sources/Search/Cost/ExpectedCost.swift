import Tensors

/// The expectation of a cost over architectures: Σ over the parts of a network of cost · probability that the part is used.
struct ExpectedCost {
    private let decisions: DecisionList
    private let probability: (Gate.Condition) throws -> Tensor

    /// - Parameter probability: that a gate is open, one number.
    init(_ decisions: DecisionList, probability: @escaping (Gate.Condition) throws -> Tensor) {
        self.decisions = decisions
        self.probability = probability
    }

    /// One number, with a history; costs are summed in units of the size of the largest, so that float32 carries them.
    func of(_ parts: [CostMeasure.Part]) throws -> Tensor {
        let largest = parts.map { abs($0.cost) }.max() ?? 0
        // A power of two, by which dividing is exact.
        let unit = largest > 0 ? Double(sign: .plus, exponent: largest.exponent, significand: 1) : 1
        let sure = parts.reduce(0) { $1.places.isEmpty || $1.places.contains([]) ? $0 + $1.cost : $0 }
        var total = try Tensor.full([], Float(sure))
        var open: Tensor?
        // In a fixed order, so that sums are the same bits each time.
        for part in parts.sorted(by: { "\($0.places.map(\.description).sorted())" < "\($1.places.map(\.description).sorted())" }) {
            guard !part.places.isEmpty, !part.places.contains([]) else { continue }
            guard let p = try probability(ofAny: Array(part.places).sorted { $0.description < $1.description }) else { total = try total + Float(part.cost); continue }
            let term = try p.reshape([]) * Float(part.cost / unit)
            open = try open.map { try $0 + term } ?? term
        }
        if let open { total = try total + open * Float(unit) }
        return total
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

    private func product(_ gates: [Gate.Condition]) throws -> Tensor? {
        var result: Tensor?
        // The probability of an arrow holds that of the way to it.
        for (i, gate) in gates.enumerated() where !gates[(i + 1)...].contains(where: { $0.decision == gate.decision && isPath(gate.decision) }) {
            let p = try probability(gate).reshape([1])
            result = try result.map { try $0 * p } ?? p
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

extension DecisionNetwork {
    /// What a computation with it costs: its expectation under the relaxations, or at the architecture that it computes; one number, with a history.
    ///
    /// Gates of several decisions count as independent. Of branches every edge of the supernet counts.
    /// - Parameter input: the shape of what it is called with.
    public func cost(_ kind: CostKind, input: [Int]) throws -> Tensor {
        let parts = try CostMeasure.parts(kind, input: input, parameters: weights()) { try self($0) }
        return try ExpectedCost(decisions) { try self.probability($0) }.of(parts)
    }
}
