import Base

/// What decoding found.
public struct Decoded: Hashable, Sendable {
    public let assignment: Assignment
    /// The sum of the scores of what is on (and off).
    public let score: Double
    /// The sum of the costs of what is on, and of what every architecture has; 0 without a budget.
    public let cost: Double
}

/// A cost that must not be exceeded.
public struct Budget {
    /// What an option adds where it is on (and active); costs are not negative.
    public let cost: (Literal) throws -> Double
    /// What every architecture costs besides.
    public let always: Double
    /// Of the whole cost.
    public let limit: Double

    public init(limit: Double, always: Double = 0, cost: @escaping (Literal) throws -> Double) { (self.limit, self.always, self.cost) = (limit, always, cost) }

    /// What is left for options.
    var rest: Double { limit - always }
}

extension DecisionList {
    /// The assignments with the highest scores, best first; fewer than `count` when there are no more. Exact, whatever the kinds of decisions and
    /// however they are nested.
    ///
    /// The score of an assignment is the sum of the scores of the options that are on, and for subsets and `many` paths of those that are off. Sums are
    /// compared as real numbers, without rounding. Of equal ones that is first which is gone through first (`each`): the lower option, the lower state,
    /// on before off. An option with the score minus infinity is never on.
    /// - Parameters:
    ///   - scores: for each decision a number for each option or arrow, or pair of state and option row by row: logarithms of weights by preference.
    ///     For branches they are to be those of normalised weights: then the `keep` states whose strongest option is strongest are taken (DARTS' rule).
    ///     What of it is `none` does not matter.
    ///   - off: of subsets and `many` paths what an option scores when it is off; 0 where there is none.
    ///   - budget: a cost that must not be exceeded. Exact, too, up to the rounding of sums of costs (none for whole numbers).
    ///   - smaller: a list that `fixing` made of this one: only its assignments are looked at.
    ///   - filter: what it refuses is passed over; the scores decide in what order it is asked.
    /// - Throws: `SpaceError` for scores of another space or such that are no numbers; for a budget that nothing meets, with the smallest cost that can
    ///   be reached; for a filter that refuses the 1,000 best in a row, or all; where more partial architectures have to be kept than fit; `Interrupted`.
    public func decode(
        scores: [String: [Double]], off: [String: [Double]] = [:], count: Int = 1, budget: Budget? = nil, within smaller: DecisionList? = nil,
        accept filter: Filter? = nil
    ) throws -> [Decoded] {
        try check(scores, "score", off) { $0 <= Self.largestScore && ($0 >= -Self.largestScore || $0 == -.infinity) ? nil : "a finite number, or minus infinity for what is never on" }
        return try decode(Self.lookUp(scores, off) { $0 == -.infinity ? nil : ExactSum($0) }, Set(scores.keys), count, budget, smaller, filter)
    }

    /// The same with weights instead of their logarithms: the score of an assignment is the logarithm of the product of the weights of what is on (and
    /// off), and products are compared as the real numbers that they are. So the order is that of `Viterbi`, to the last tie, which sums of rounded
    /// logarithms need not keep.
    /// - Parameters:
    ///   - weights: finite and not negative; 0 is never on.
    ///   - off: 1 where there is none.
    public func decode(
        weights: [String: [Double]], off: [String: [Double]] = [:], count: Int = 1, budget: Budget? = nil, within smaller: DecisionList? = nil,
        accept filter: Filter? = nil
    ) throws -> [Decoded] {
        try check(weights, "weight", off) { $0 >= 0 && $0.isFinite ? nil : "a finite number of at least 0" }
        return try decode(Self.lookUp(weights, off) { $0 == 0 ? nil : Product($0) }, Set(weights.keys), count, budget, smaller, filter)
    }

    /// A score for an edge; nil where it is never taken.
    private typealias Scores<S> = (Decision, Diagram.Edge) -> S?

    private static func lookUp<S: Score>(_ on: [String: [Double]], _ off: [String: [Double]], _ score: @escaping (Double) -> S?) -> Scores<S> {
        { decision, edge in
            guard edge.option >= 0, let row = (edge.isOn ? on : off)[decision.name] else { return S() }
            return score(row[edge.option])
        }
    }

    private func decode<S: Score>(
        _ scores: Scores<S>, _ known: Set<String>, _ count: Int, _ budget: Budget?, _ smaller: DecisionList?, _ filter: Filter?
    ) throws -> [Decoded] {
        guard count >= 1 else {
            throw SpaceError(.size, at: "count", expected: "at least 1", got: "\(count)", remedy: "1 when left out")
        }
        let list = smaller ?? self
        for decision in list.all {
            guard let mine = self[decision.name], mine.domain == decision.domain else {
                throw SpaceError(
                    .misfit, at: "within: \(decision.name)", expected: "a space that was made of this one by fixing decisions",
                    got: self[decision.name] == nil ? "a decision that this one has not" : "a decision with other options", remedy: "use space:fix")
            }
            guard known.contains(decision.name) else {
                throw SpaceError(.shape, at: decision.name, expected: "\(decision.optionCount) scores", got: "none", remedy: "was it made for another space?")
            }
        }
        guard let filter else { return try list.best(scores, count, budget) }

        var asked = 0
        var rejections = 0
        var found: [Decoded] = []
        var wanted = max(count, 16)
        while true {
            let best = try list.best(scores, wanted, budget)
            for candidate in best.dropFirst(asked) {
                if try filter(candidate.assignment) {
                    found.append(candidate)
                    rejections = 0
                    if found.count == count { return found }
                } else {
                    rejections += 1
                    if rejections == mostRejections {
                        if !found.isEmpty { return found }
                        throw nothingAccepted("decode", "the \(mostRejections) best, all of which it refused")
                    }
                }
            }
            if best.count < wanted {
                guard !found.isEmpty else { throw nothingAccepted("decode", "all \(best.count), which it refused") }
                return found
            }
            asked = best.count
            wanted = min(wanted * 4, asked + mostRejections + count)
        }
    }

    /// The smallest cost of an assignment.
    public func smallestCost(_ cost: (Literal) throws -> Double) throws -> Double {
        try fold(Cheapest()) { decision, option, isOn in isOn ? try Self.checked(cost, decision, option) : 0 }
    }

    private func best<S: Score>(_ scores: Scores<S>, _ count: Int, _ budget: Budget?) throws -> [Decoded] {
        // A cost is asked for once, whatever asks: it may take long.
        let costs = try all.map { decision in
            try budget.map { budget in try (0..<decision.optionCount).map { try decision.domain.canBeOn($0) ? Self.checked(budget.cost, decision, $0) : 0 } }
        }
        let result = try fold(Best<S>(count: count, limit: budget?.rest)) { decision, edge, position, taken in
            let cost = edge.isOn ? costs[position]?[edge.option] ?? 0 : 0
            guard let score = scores(decision, edge), cost <= budget?.rest ?? .infinity else { return [] }
            return [Candidate(score: score, cost: cost, taken: taken)]
        }.total
        if result.isEmpty { throw try nothingFound(scores, costs, budget) }
        return try result.prefix(count).map { candidate in
            var on: [Int: [Int]] = [:]
            for taken in candidate.edges {
                let edge = try diagram(taken.decision).edges[taken.node][taken.edge]
                on[taken.decision, default: []] += edge.isOn ? [edge.option] : []
            }
            return Decoded(assignment: assignment(on: on), score: candidate.score.value, cost: candidate.cost + (budget?.always ?? 0))
        }
    }

    /// Why there is no result: no assignment that may be on at all, or none that is cheap enough.
    private func nothingFound<S: Score>(_ scores: Scores<S>, _ costs: [[Double]?], _ budget: Budget?) throws -> SpaceError {
        let cheapest = try fold(Cheapest()) { decision, edge, position, _ in
            scores(decision, edge) == nil ? .infinity : edge.isOn ? costs[position]?[edge.option] ?? 0 : 0
        }.total
        guard let budget, cheapest < .infinity else {
            return SpaceError(
                .noPath, at: "decode", expected: "an architecture with a weight above 0", got: "weights of 0 in every one", remedy: "check the weights for zeros and the logits for minus infinity")
        }
        return SpaceError(
            .budget, at: "budget", expected: "at least \(NumberText.plain(cheapest + budget.always)), the smallest cost that can be reached", got: NumberText.plain(budget.limit),
            remedy: "raise the limit, or add cheaper options to the space")
    }

    private static func checked(_ cost: (Literal) throws -> Double, _ decision: Decision, _ option: Int) throws -> Double {
        let value = try cost(Literal(decision: decision.name, option: option))
        guard value.isFinite, value >= 0 else {
            throw SpaceError(
                .size, at: "cost of \(decision.name), \(decision.domain.label(of: option))", expected: "a finite number of at least 0", got: "\(value)",
                remedy: "costs are added up; count what an option adds")
        }
        return value
    }

    /// - Parameter complaint: what was expected instead of a number; nil for one that will do.
    private func check(_ on: [String: [Double]], _ what: String, _ off: [String: [Double]], _ complaint: (Double) -> String?) throws {
        for (rows, what) in [(on, what), (off, what + " when off")] {
            for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
                guard let decision = self[name] else { throw SpaceError.unknown("decision", name, known: all.map(\.name), at: what + "s") }
                guard row.count == decision.optionCount else {
                    throw SpaceError(
                        .shape, at: name, expected: "\(decision.optionCount) numbers, one \(what) for each option", got: "\(row.count)",
                        remedy: "was it made for another space?")
                }
                for (option, number) in row.enumerated() where decision.domain.canBeOn(option) {
                    guard let expected = complaint(number) else { continue }
                    throw SpaceError(
                        .probability, at: "\(name), \(decision.domain.label(of: option))", expected: expected, got: "\(number)",
                        remedy: "the search has diverged; lower the rate or clip the gradient")
                }
            }
        }
    }

    /// Sums stay far from overflow.
    private static let largestScore = 1e200
}
