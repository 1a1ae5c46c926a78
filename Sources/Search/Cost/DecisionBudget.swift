import Base
import Networks
import Tensors

/// What an architecture's network may cost, for decoding.
public struct CostLimit {
    let kind: CostKind
    let limit: Double
    /// The shape of what networks are called with; not needed for parameters.
    let input: [Int]?

    public init(_ kind: CostKind, _ limit: Double, input: [Int]? = nil) { (self.kind, self.limit, self.input) = (kind, limit, input) }
}

extension Supernet {
    /// The most probable architectures whose networks cost no more than a limit, best first.
    ///
    /// Where the cost is a sum over options they are found by that (see `DecisionList.decode`). Else (a tensor that several options share; a stock trellis, whose networks
    /// are built another way) the most probable architectures are gone through and their networks counted, until 1,000 in a row cost more.
    /// - Throws: for a limit that nothing meets, with the smallest cost found.
    public func decode(
        count: Int = 1, limit: CostLimit, within smaller: DecisionList? = nil, accept filter: Filter? = nil, isRelative: Bool = false
    ) throws -> [Decoded] {
        guard limit.input != nil || !limit.kind.needsInput else {
            throw SpaceError(.shape, at: "budget", expected: "the shape of the input", got: "none", remedy: "{cost = ..., limit = ..., input = {1, 3, height, width}}")
        }
        if space.family == nil, let budget = try budget(limit) { return try decode(count: count, budget: budget, within: smaller, accept: filter, isRelative: isRelative) }
        var costs: [Assignment: Double] = [:]
        do {
            let accept: Filter = { assignment in
                guard try filter?(assignment) ?? true else { return false }
                let cost = try self.space.cost(assignment, limit.kind, input: limit.input, classes: self.classes)
                costs[assignment] = cost
                return cost <= limit.limit
            }
            return try decode(count: count, within: smaller, accept: accept, isRelative: isRelative).map { Decoded(assignment: $0.assignment, score: $0.score, cost: costs[$0.assignment] ?? 0) }
        } catch let error as SpaceError where error.kind == .filter {
            guard let cheapest = costs.values.min(), cheapest > limit.limit else { throw error }
            throw SpaceError(
                .budget, at: "budget", expected: "at least \(NumberText.plain(cheapest)), the cheapest of the \(costs.count) most probable architectures", got: NumberText.plain(limit.limit),
                remedy: "raise the limit, fix decisions (space:fix), or search with a price (nas.price)")
        }
    }

    /// The limit as a budget of what each option adds where it is on, read off the supernet; nil where the cost is no sum over options.
    /// - Throws: for a limit that nothing meets.
    private func budget(_ limit: CostLimit) throws -> Budget? {
        var costs: [Literal: Double] = [:]
        var always = 0.0
        for part in try CostMeasure.parts(limit.kind, input: limit.input ?? [1, 3, 64, 64], parameters: weights(), { try self($0) }) {
            guard !part.places.isEmpty, !part.places.contains([]) else { always += part.cost; continue }
            // Where a state is reached, an arrow leads into it: what it adds belongs to none of them alone.
            guard part.places.count == 1, let place = part.places.first, case .option(let name, let i)? = place.last, isChain(place) else { return nil }
            costs[Literal(decision: name, option: i), default: 0] += part.cost
        }
        let smallest = try always + decisions.smallestCost { costs[$0] ?? 0 }
        guard smallest <= limit.limit else {
            throw SpaceError(
                .budget, at: "budget", expected: "at least \(NumberText.plain(smallest)), the smallest \(limit.kind.name) of an architecture", got: NumberText.plain(limit.limit),
                remedy: "raise the limit, or add cheaper options to the space")
        }
        return Budget(limit: limit.limit, always: always) { costs[$0] ?? 0 }
    }

    /// Whether each gate is inside of the one before by nesting, so that the innermost says all.
    private func isChain(_ place: [Gate.Condition]) -> Bool {
        zip(place, place.dropFirst()).allSatisfy { outer, inner in
            guard case .option(let name, let i) = outer else { return false }
            return decisions[inner.decision]?.parent == Literal(decision: name, option: i)
        }
    }
}
