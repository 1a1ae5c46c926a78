import Base

/// A strategy of the library: a rule, and the books of what was asked and told.
public final class StockStrategy: Strategy {
    private var rule: any StrategyRule
    private var context: StrategyContext
    public private(set) var told = 0
    public var best: (assignment: Assignment, result: TrialResult)? { leader.map { ($0.assignment, $0.result) } }
    private var leader: Told?
    /// What no other result beats in score and cost at once, of those that were asked for with the most steps and told with a cost; by ascending cost, of equal results the first.
    public var front: [(assignment: Assignment, result: TrialResult)] { frontier.map { ($0.assignment, $0.result) } }
    private var frontier: [Told] = []

    /// A result, and with how many steps it was asked for.
    private struct Told {
        let assignment: Assignment
        let result: TrialResult
        let steps: Int
    }

    init(_ rule: any StrategyRule, _ decisions: DecisionList, where filter: Filter?, seed: UInt64) {
        self.rule = rule
        context = StrategyContext(decisions: decisions, filter: filter, generator: SplitMix64(seed: seed), requests: [])
    }

    public var name: String { rule.name }
    public var decisions: DecisionList { context.decisions }
    /// Asked and not told yet, in order.
    public var pending: [Assignment] { context.pending }

    public func ask() throws -> TrialRequest {
        var (rule, context) = (rule, context)
        let request = try rule.propose(&context)
        context.requests.append(request)
        (self.rule, self.context) = (rule, context)
        return request
    }

    public func tell(_ assignment: Assignment, _ result: TrialResult) throws {
        try result.check()
        var result = result
        let request = try close(assignment, steps: result.step) { rule, request, context in
            result.step = result.step ?? request.steps
            try rule.take(request, result, &context)
        }
        told += 1
        note(Told(assignment: assignment, result: result, steps: request.steps ?? 0))
    }

    private func note(_ new: Told) {
        if leader.map({ (new.steps, new.result.score) > ($0.steps, $0.result.score) }) ?? true { leader = new }
        guard new.result.cost != nil else { return }
        let rivals = frontier.first.map { $0.steps < new.steps } ?? false ? [] : frontier
        if let rival = rivals.first, rival.steps > new.steps { return }
        let point = ParetoPoint(new.result)
        guard !rivals.contains(where: { ParetoPoint($0.result).isNoWorse(than: point) }) else { return }
        let rest = rivals.filter { !point.isNoWorse(than: ParetoPoint($0.result)) }
        let place = rest.firstIndex { ParetoPoint($0.result).cost > point.cost } ?? rest.count
        frontier = rest[..<place] + [new] + rest[place...]
    }

    public func report(_ assignment: Assignment, _ result: TrialResult) throws -> Bool {
        try result.check()
        _ = try position(of: assignment, steps: nil)
        return true
    }

    public func drop(_ assignment: Assignment) throws { try close(assignment, steps: nil) { try $0.drop($1, &$2) } }

    @discardableResult
    private func close(
        _ assignment: Assignment, steps: Int?, _ change: (inout any StrategyRule, TrialRequest, inout StrategyContext) throws -> Void
    ) throws -> TrialRequest {
        var (rule, context) = (rule, context)
        let request = context.requests.remove(at: try position(of: assignment, steps: steps))
        try change(&rule, request, &context)
        (self.rule, self.context) = (rule, context)
        return request
    }

    private func position(of assignment: Assignment, steps: Int?) throws -> Int {
        try decisions.check(assignment)
        let open = context.requests.indices.filter { context.requests[$0].assignment == assignment }
        guard let position = open.first(where: { steps != nil && context.requests[$0].steps == steps }) ?? open.first else {
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
                .init("generator", .string(String(repeating: "0", count: 16 - digits.count) + digits)), .init("asked", try decisions.json(context.requests)),
                .init("told", .integer(told)),
            ]
            if !rule.settings.isEmpty { members.insert(.init("settings", .object(rule.settings)), at: 2) }
            if let leader { members.append(.init("best", try json(leader))) }
            members.append(.init("front", .array(try frontier.map(json))))
            return .object(members + [.init("memory", .object(try rule.memory(decisions)))])
        }
    }

    private func json(_ told: Told) throws -> JSONValue {
        var entries: [JSONValue.Member] = [.init("architecture", try decisions.json(told.assignment)), .init("score", .number(told.result.score))]
        if let cost = told.result.cost { entries.append(.init("cost", .number(cost))) }
        if let step = told.result.step { entries.append(.init("step", .integer(step))) }
        if told.steps > 0 { entries.append(.init("asked", .integer(told.steps))) }
        return .object(entries)
    }

    private func told(_ reader: JSONReader) throws -> Told {
        try reader.allow(["architecture", "score", "cost", "step", "asked"])
        let result = TrialResult(score: try reader.required("score").finite(), cost: try reader.optional("cost")?.finite(), step: try reader.optional("step")?.count())
        return Told(assignment: try reader.required("architecture").assignment(of: decisions), result: result, steps: try reader.optional("asked")?.count() ?? 0)
    }

    public func load(_ state: JSONValue) throws {
        let reader = JSONReader(state, at: "state")
        try reader.allow(["strategy", "space", "settings", "generator", "asked", "told", "best", "front", "memory"])
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
        context.requests = try reader.required("asked").items().map { try $0.request(of: decisions) }
        let told = try reader.required("told").count()
        let leader = try reader.optional("best").map(self.told)
        let frontier = try reader.required("front").items().map(self.told)
        let rule = try rule.remembering(reader.required("memory"), decisions)
        (self.rule, self.context, self.told, self.leader, self.frontier) = (rule, context, told, leader, frontier)
    }
}

extension JSONReader {
    /// Whether both are the same: 1 and 1.0 are.
    fileprivate func means(_ other: JSONReader) -> Bool {
        if let number = try? double(), let second = try? other.double() { return number == second }
        return value == other.value
    }
}
