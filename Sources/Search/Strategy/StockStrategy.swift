import Base

/// A strategy of the library: a rule, and the books of what was asked and told.
public final class StockStrategy: Strategy {
    private var rule: any StrategyRule
    private var context: StrategyContext
    public private(set) var told = 0
    public private(set) var best: (assignment: Assignment, result: TrialResult)?

    init(_ rule: any StrategyRule, _ decisions: DecisionList, where filter: Filter?, seed: UInt64) {
        self.rule = rule
        context = StrategyContext(decisions: decisions, filter: filter, generator: SplitMix64(seed: seed), pending: [])
    }

    public var name: String { rule.name }
    public var decisions: DecisionList { context.decisions }
    /// Asked and not told yet, in order.
    public var pending: [Assignment] { context.pending }

    public func ask() throws -> Assignment {
        var (rule, context) = (rule, context)
        let assignment = try rule.propose(&context)
        context.pending.append(assignment)
        (self.rule, self.context) = (rule, context)
        return assignment
    }

    public func tell(_ assignment: Assignment, _ result: TrialResult) throws {
        try result.check()
        try close(assignment) { try $0.take(assignment, result, &$1) }
        told += 1
        if best.map({ result.score > $0.result.score }) ?? true { best = (assignment, result) }
    }

    public func report(_ assignment: Assignment, _ result: TrialResult) throws -> Bool {
        try result.check()
        _ = try position(of: assignment)
        return true
    }

    public func drop(_ assignment: Assignment) throws { try close(assignment) { try $0.drop(assignment, &$1) } }

    private func close(_ assignment: Assignment, _ change: (inout any StrategyRule, inout StrategyContext) throws -> Void) throws {
        var (rule, context) = (rule, context)
        context.pending.remove(at: try position(of: assignment))
        try change(&rule, &context)
        (self.rule, self.context) = (rule, context)
    }

    private func position(of assignment: Assignment) throws -> Int {
        try decisions.check(assignment)
        guard let position = context.pending.firstIndex(of: assignment) else {
            throw SpaceError(
                .result, at: "architecture", expected: "one that was asked for and not told yet", got: "another one",
                remedy: "tell what ask() gave, once for each time that it gave it")
        }
        return position
    }

    // MARK: State

    public var state: JSONValue {
        get throws {
            let digits = String(context.generator.state, radix: 16)
            var members: [JSONValue.Member] = [
                .init("strategy", .string(rule.name)), .init("space", .string(decisions.fingerprint)),
                .init("generator", .string(String(repeating: "0", count: 16 - digits.count) + digits)), .init("asked", try decisions.json(context.pending)),
                .init("told", .integer(told)),
            ]
            if !rule.settings.isEmpty { members.insert(.init("settings", .object(rule.settings)), at: 2) }
            if let best {
                var entries: [JSONValue.Member] = [.init("architecture", try decisions.json(best.assignment)), .init("score", .number(best.result.score))]
                if let cost = best.result.cost { entries.append(.init("cost", .number(cost))) }
                if let step = best.result.step { entries.append(.init("step", .integer(step))) }
                members.append(.init("best", .object(entries)))
            }
            return .object(members + [.init("memory", .object(try rule.memory(decisions)))])
        }
    }

    public func load(_ state: JSONValue) throws {
        let reader = JSONReader(state, at: "state")
        try reader.allow(["strategy", "space", "settings", "generator", "asked", "told", "best", "memory"])
        func agree(_ what: String, _ reader: JSONReader, _ own: String) throws {
            let got = try reader.string()
            guard got == own else {
                throw SpaceError(
                    .misfit, at: reader.place, expected: "\(what) '\(own)'", got: "'\(got)'", remedy: "a state continues in a strategy made as the one that it is of, over the same space")
            }
        }
        try agree("the strategy", reader.required("strategy"), rule.name)
        try agree("the space", reader.required("space"), decisions.fingerprint)
        if !rule.settings.isEmpty {
            let settings = try reader.required("settings")
            try settings.allow(rule.settings.map(\.key))
            for member in rule.settings {
                let stored = try settings.required(member.key)
                guard JSONReader(member.value, at: "").means(stored) else {
                    throw SpaceError(
                        .misfit, at: stored.place, expected: member.value.text(), got: stored.value.text(), remedy: "make the strategy with the settings that it was made with")
                }
            }
        }
        var context = context
        let generator = try reader.required("generator")
        guard let bits = UInt64(try generator.string(), radix: 16) else { throw generator.error("16 hexadecimal digits", got: "'\(try generator.string())'") }
        context.generator = SplitMix64(seed: bits)
        context.pending = try reader.required("asked").assignments(of: decisions)
        let told = try reader.required("told").count()
        let best = try reader.optional("best").map { reader in
            try reader.allow(["architecture", "score", "cost", "step"])
            let result = TrialResult(
                score: try reader.required("score").finite(), cost: try reader.optional("cost")?.finite(), step: try reader.optional("step")?.count())
            return (assignment: try reader.required("architecture").assignment(of: decisions), result: result)
        }
        let rule = try rule.remembering(reader.required("memory"), decisions)
        (self.rule, self.context, self.told, self.best) = (rule, context, told, best)
    }
}

extension JSONReader {
    /// Whether both are the same: 1 and 1.0 are.
    fileprivate func means(_ other: JSONReader) -> Bool {
        if let number = try? double(), let second = try? other.double() { return number == second }
        return value == other.value
    }
}
