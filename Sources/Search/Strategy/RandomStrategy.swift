import Base

extension StockStrategy {
    /// Architectures by chance, each equally likely, none again before all others were asked for; then from the beginning, in another order.
    public static func random(_ decisions: DecisionList, where filter: Filter? = nil, seed: UInt64 = 0) -> StockStrategy {
        StockStrategy(RandomRule(), decisions, where: filter, seed: seed)
    }
}

struct RandomRule: StrategyRule {
    /// Of this round.
    private var seen = SeenAssignments()

    var name: String { "random" }
    var settings: [JSONValue.Member] { [] }

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        var drawn = try context.unseen(seen.set)
        if drawn == nil {
            seen.removeAll()
            drawn = try context.random()
        }
        let assignment = try drawn ?? context.random()
        seen.insert(assignment)
        return TrialRequest(assignment)
    }

    func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) {}
    func drop(_ request: TrialRequest, _ context: inout StrategyContext) {}

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] { [.init("seen", try decisions.json(seen.list))] }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> RandomRule {
        try memory.allow(["seen"])
        var rule = self
        rule.seen = SeenAssignments(try memory.required("seen").assignments(of: decisions))
        return rule
    }
}
