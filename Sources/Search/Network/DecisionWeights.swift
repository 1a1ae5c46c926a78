import Tensors

/// All weights of a decision in one computation.
struct DecisionTable {
    /// Of the decision's shape.
    let weights: Tensor
    /// Whether some may be exactly 0.
    let isSparse: Bool
    /// Whether all are 0 or 1.
    let areSwitches: Bool
}

/// The weights of a supernet's decisions in one computation: each relaxed once, so that what is drawn is the same wherever it is read.
final class DecisionWeights {
    private let logits: (Decision) throws -> Tensor
    private let relaxation: (Decision) throws -> Relaxation
    private var entries: [String: Entry] = [:]

    private struct Entry {
        let weights: Relaxation.Weights
        let isSparse: Bool
        let areSwitches: Bool
        var numbers: [Int: Tensor] = [:]
        /// Of paths: whether each state is reached after a layer (0 or 1), and how probably.
        var reached: [Int: [Int: Tensor]]?
        var reach: [Int: [Int: Tensor]]?
    }

    init(logits: @escaping (Decision) throws -> Tensor, relaxation: @escaping (Decision) throws -> Relaxation) {
        self.logits = logits
        self.relaxation = relaxation
    }

    /// All weights of a decision, and how probable its options are.
    func all(_ decision: Decision) throws -> Relaxation.Weights { try entry(decision).weights }

    func table(of decision: Decision) throws -> DecisionTable {
        let entry = try entry(decision)
        return DecisionTable(weights: entry.weights.weights, isSparse: entry.isSparse, areSwitches: entry.areSwitches)
    }

    private func entry(_ decision: Decision) throws -> Entry {
        if let known = entries[decision.name] { return known }
        let relaxation = try relaxation(decision)
        // Weights may be read first within a region; they are there for all.
        let entry = try Recording.everywhere { () throws -> Entry in
            Entry(weights: try relaxation.checked(logits(decision), of: decision), isSparse: relaxation.isSparse, areSwitches: relaxation.areSwitches)
        }
        entries[decision.name] = entry
        return entry
    }

    func gate(_ condition: Gate.Condition, of decision: Decision, _ construction: Construction) throws -> Gate {
        let entry = try entry(decision)
        let number = try Recording.everywhere { () throws -> Tensor? in try weight(condition, of: decision, entry.isSparse) }
        var isSwitch = entry.areSwitches
        if case .reached = condition { isSwitch = true }
        return Gate(condition, construction, weight: number, isGuard: entry.isSparse, isSwitch: isSwitch) { [self] in
            try Recording.everywhere { try probability(condition, of: decision) }
        }
    }

    private func weight(_ condition: Gate.Condition, of decision: Decision, _ isSparse: Bool) throws -> Tensor? {
        switch condition {
        case .option(_, let i):
            let number = try number(i, decision)
            // An arrow counts where its source is reached.
            guard isSparse, case .paths(let paths) = decision.domain else { return number }
            let arrow = paths.arrows[i]
            guard arrow.layer > 1 || paths.isMany, let source = try reached(decision, paths)[arrow.layer - 1]?[arrow.from] else { return number }
            return try number * source
        case .reached(_, let layer, let state):
            guard isSparse, case .paths(let paths) = decision.domain else { return nil }
            return try reached(decision, paths)[layer]?[state]
        }
    }

    private func number(_ i: Int, _ decision: Decision) throws -> Tensor {
        if let known = entries[decision.name]?.numbers[i] { return known }
        let weights = try entry(decision).weights.weights
        let number = try weights.reshape([weights.count]).narrow(0, i, 1)
        entries[decision.name]?.numbers[i] = number
        return number
    }

    /// 1 or 0 for each state of each layer: whether a way of arrows whose weights are not 0 leads there from a start. Of `many` paths a start is one that an arrow
    /// leaves.
    private func reached(_ decision: Decision, _ paths: Paths) throws -> [Int: [Int: Tensor]] {
        if let known = entries[decision.name]?.reached { return known }
        func isOn(_ x: Tensor) throws -> Tensor { try x.detach().unary(.abs).unary(.step) }
        var all: [Int: [Int: Tensor]] = [:]
        if paths.isMany {
            for state in paths.start {
                let leaving = try paths.arrows.indices.filter { paths.arrows[$0].layer == 1 && paths.arrows[$0].from == state }.map { try isOn(number($0, decision)) }
                guard let first = leaving.first else { continue }
                all[0, default: [:]][state] = try isOn(leaving.dropFirst().reduce(first) { try $0 + $1 })
            }
        }
        for layer in 1...paths.layers {
            for state in paths.states.indices {
                var sum: Tensor?
                for (i, arrow) in paths.arrows.enumerated() where arrow.layer == layer && arrow.to == state {
                    let open = try isOn(number(i, decision))
                    let through = try all[layer - 1]?[arrow.from].map { try $0 * open } ?? open
                    sum = try sum.map { try $0 + through } ?? through
                }
                if let sum { all[layer, default: [:]][state] = try isOn(sum) }
            }
        }
        entries[decision.name]?.reached = all
        return all
    }

    // MARK: Probabilities

    /// How probable it is that an option is used, given that its decision is active.
    func probability(_ condition: Gate.Condition, of decision: Decision) throws -> Tensor {
        switch condition {
        case .option(_, let i):
            let all = try entry(decision).weights.probabilities
            let number = try all.reshape([all.count]).narrow(0, i, 1)
            guard case .paths(let paths) = decision.domain, !paths.isMany else { return number }
            return try reach(decision, paths)[paths.arrows[i].layer - 1]?[paths.arrows[i].from].map { try number * $0 } ?? number
        case .reached(_, let layer, let state):
            guard case .paths(let paths) = decision.domain, let known = try reach(decision, paths)[layer]?[state] else { return try Tensor.ones([1]) }
            return known
        }
    }

    /// The probability that a path with one arrow a layer passes all of some arrows and states.
    func probability(ofAll conditions: [Gate.Condition], _ decision: Decision, _ paths: Paths) throws -> Tensor {
        if conditions.count == 1 { return try probability(conditions[0], of: decision) }
        var passed: [Int: Int] = [:]
        for condition in conditions {
            let states: [(layer: Int, state: Int)]
            switch condition {
            case .option(_, let i): states = [(paths.arrows[i].layer - 1, paths.arrows[i].from), (paths.arrows[i].layer, paths.arrows[i].to)]
            case .reached(_, let layer, let state): states = [(layer, state)]
            }
            for (layer, state) in states where passed.updateValue(state, forKey: layer).map({ $0 != state }) ?? false { return try Tensor.zeros([1]) }
        }
        let stops = passed.sorted { $0.key < $1.key }
        guard let first = stops.first, var p = try reach(decision, paths)[first.key]?[first.value] else { return try Tensor.zeros([1]) }
        for (from, to) in zip(stops, stops.dropFirst()) {
            guard let way = try probability(from: from, to: to, decision, paths) else { return try Tensor.zeros([1]) }
            p = try p * way
        }
        return p
    }

    /// The probability of coming from a state to another some layers on; nil where no way leads there.
    private func probability(from: (key: Int, value: Int), to: (key: Int, value: Int), _ decision: Decision, _ paths: Paths) throws -> Tensor? {
        let all = try entry(decision).weights.probabilities
        var reach: [Int: Tensor?] = [from.value: nil]
        for layer in from.key + 1...to.key {
            var next: [Int: Tensor?] = [:]
            for (i, arrow) in paths.arrows.enumerated() where arrow.layer == layer {
                guard let before = reach[arrow.from] else { continue }
                let step = try all.reshape([all.count]).narrow(0, i, 1)
                let through = try before.map { try $0 * step } ?? step
                next[arrow.to] = try (next[arrow.to] ?? nil).map { try $0 + through } ?? through
            }
            reach = next
        }
        return reach[to.value] ?? nil
    }

    /// The probability that a state is reached. With one arrow a layer: the sum over the ways there; of `many` paths: that one of the arrows into it is on.
    private func reach(_ decision: Decision, _ paths: Paths) throws -> [Int: [Int: Tensor]] {
        if let known = entries[decision.name]?.reach { return known }
        let all = try entry(decision).weights.probabilities
        func number(_ i: Int) throws -> Tensor { try all.reshape([all.count]).narrow(0, i, 1) }
        func atLeastOne(_ list: [Tensor]) throws -> Tensor? {
            var none: Tensor?
            for p in list { none = try none.map { try $0 * (1 - p) } ?? (1 - p) }
            return try none.map { try 1 - $0 }
        }
        var reach: [Int: [Int: Tensor]] = [0: [:]]
        let starts = paths.start
        for state in starts {
            if paths.isMany {
                reach[0]?[state] = try atLeastOne(paths.arrows.indices.filter { paths.arrows[$0].layer == 1 && paths.arrows[$0].from == state }.map(number))
            } else {
                // Paths may start anywhere of these with equal probability.
                reach[0]?[state] = try Tensor.full([1], 1 / Float(starts.count))
            }
        }
        for layer in 1...paths.layers {
            for state in paths.states.indices {
                let into = paths.arrows.indices.filter { paths.arrows[$0].layer == layer && paths.arrows[$0].to == state }
                if paths.isMany {
                    reach[layer, default: [:]][state] = try atLeastOne(into.map(number))
                } else {
                    var sum: Tensor?
                    for i in into {
                        guard let source = reach[layer - 1]?[paths.arrows[i].from] else { continue }
                        let through = try number(i) * source
                        sum = try sum.map { try $0 + through } ?? through
                    }
                    reach[layer, default: [:]][state] = sum
                }
            }
        }
        entries[decision.name]?.reach = reach
        return reach
    }
}
