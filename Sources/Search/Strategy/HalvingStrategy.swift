import Base
import Foundation

extension StockStrategy {
    /// Successive halving (Jamieson and Talwalkar, AISTATS 2016): `count` architectures by chance are trained for `rungs[0]` steps, the best of them, one in `eta`, on to `rungs[1]`,
    /// and so on; then others from the beginning. `best` is the best of those that went furthest.
    ///
    /// Where all that a bracket has to ask for is being tried, another one begins beside.
    /// - Parameters:
    ///   - rungs: steps of a training in all, ascending.
    ///   - count: nil: so many that one reaches the last rung.
    /// - Throws: `SpaceError` for settings that make no sense.
    public static func halving(
        _ decisions: DecisionList, where filter: Filter? = nil, rungs: [Int], eta: Int = 2, count: Int? = nil, seed: UInt64 = 0
    ) throws -> StockStrategy {
        try HalvingRule.check(rungs, eta)
        let count = try count ?? HalvingRule.power(eta, rungs.count - 1)
        guard (1...1_000_000).contains(count) else {
            throw SpaceError(.size, at: "count", expected: "1 to 1000000", got: "\(count)", remedy: "eta to the power of the number of rungs less one is usual")
        }
        return StockStrategy(HalvingRule(name: "halving", rungs: rungs, eta: eta, kinds: [.init(first: 0, count: count)]), decisions, where: filter, seed: seed)
    }

    /// Hyperband (Li et al., JMLR 2018, algorithm 1): brackets of successive halving one after the other, the first with many architectures and few steps, the last with few and
    /// all; then from the beginning.
    /// - Throws: `SpaceError` for settings that make no sense.
    public static func hyperband(_ decisions: DecisionList, where filter: Filter? = nil, rungs: [Int], eta: Int = 2, seed: UInt64 = 0) throws -> StockStrategy {
        try HalvingRule.check(rungs, eta)
        let kinds = try rungs.indices.map { first in
            let halvings = rungs.count - 1 - first
            return HalvingRule.Kind(first: first, count: (rungs.count * (try HalvingRule.power(eta, halvings)) + halvings) / (halvings + 1))
        }
        return StockStrategy(HalvingRule(name: "hyperband", rungs: rungs, eta: eta, kinds: kinds), decisions, where: filter, seed: seed)
    }
}

struct HalvingRule: StrategyRule {
    /// How a bracket begins.
    struct Kind: Sendable {
        /// Its first rung, from 0.
        let first: Int
        /// How many architectures begin there.
        let count: Int
    }

    private struct Scored {
        let assignment: Assignment
        let score: Double
    }

    /// One run of successive halving, at a rung.
    private struct Bracket {
        /// Of how many it began.
        let kind: Int
        var rung: Int
        /// Still to be drawn, at its first rung.
        var missing: Int
        /// Promoted to the rung and to ask for, the next one last.
        var queue: [Assignment] = []
        /// Asked for at the rung and not told yet.
        var waiting: [Assignment] = []
        /// Told at the rung.
        var results: [Scored] = []

        var isDone: Bool { missing == 0 && queue.isEmpty && waiting.isEmpty }
    }

    let name: String
    private let rungs: [Int]
    private let eta: Int
    private let kinds: [Kind]
    /// Brackets that began.
    private var begun = 0
    private var brackets: [Bracket] = []
    /// Architectures that began in some bracket, of this round.
    private var seen = SeenAssignments()

    init(name: String, rungs: [Int], eta: Int, kinds: [Kind]) { (self.name, self.rungs, self.eta, self.kinds) = (name, rungs, eta, kinds) }

    var settings: [JSONValue.Member] {
        [.init("rungs", .array(rungs.map { .integer($0) })), .init("eta", .integer(eta)), .init("counts", .array(kinds.map { .integer($0.count) }))]
    }

    static func check(_ rungs: [Int], _ eta: Int) throws {
        guard let first = rungs.first, first > 0, zip(rungs, rungs.dropFirst()).allSatisfy({ $0 < $1 }), rungs.count <= 32 else {
            throw SpaceError(
                .size, at: "rungs", expected: "1 to 32 ascending numbers of steps from 1", got: rungs.map(String.init).joined(separator: ", "),
                remedy: "{50, 100, 200, 400}, say")
        }
        guard (2...1000).contains(eta) else { throw SpaceError(.size, at: "eta", expected: "2 to 1000", got: "\(eta)", remedy: "one in eta is trained on; 2 to 4 are usual") }
    }

    static func power(_ base: Int, _ exponent: Int) throws -> Int {
        let power = pow(Double(base), Double(exponent))
        guard power <= 1_000_000 else {
            throw SpaceError(.size, at: "rungs", expected: "at most a million architectures to begin with", got: "\(base)^\(exponent)", remedy: "take fewer rungs, or a smaller eta")
        }
        return Int(power)
    }

    // MARK: Asking

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        let open = brackets.firstIndex { $0.missing > 0 || !$0.queue.isEmpty }
        if open == nil {
            let kind = begun % kinds.count
            brackets.append(Bracket(kind: kind, rung: kinds[kind].first, missing: kinds[kind].count))
            begun += 1
        }
        let i = open ?? brackets.count - 1
        let assignment = try brackets[i].queue.popLast() ?? newcomer(for: i, &context)
        brackets[i].waiting.append(assignment)
        return TrialRequest(assignment, steps: rungs[brackets[i].rung])
    }

    private mutating func newcomer(for i: Int, _ context: inout StrategyContext) throws -> Assignment {
        brackets[i].missing -= 1
        var drawn = try context.unseen(seen.set)
        if drawn == nil {
            seen.removeAll()
            drawn = try context.random()
        }
        let assignment = try drawn ?? context.random()
        seen.insert(assignment)
        return assignment
    }

    // MARK: Results

    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) {
        close(request) { $0.results.append(Scored(assignment: request.assignment, score: result.score)) }
    }

    mutating func drop(_ request: TrialRequest, _ context: inout StrategyContext) { close(request) { _ in } }

    private mutating func close(_ request: TrialRequest, _ change: (inout Bracket) -> Void) {
        guard let i = brackets.firstIndex(where: { rungs[$0.rung] == request.steps && $0.waiting.contains(request.assignment) }),
            let place = brackets[i].waiting.firstIndex(of: request.assignment)
        else { return }
        brackets[i].waiting.remove(at: place)
        change(&brackets[i])
        if brackets[i].isDone { promote(i) }
    }

    /// Takes a bracket to its next rung, or ends it.
    private mutating func promote(_ i: Int) {
        let (bracket, kind) = (brackets[i], kinds[brackets[i].kind])
        let next = bracket.rung + 1
        var kept = kind.count
        for _ in 0..<(next - kind.first) { kept /= eta }
        let order = bracket.results.indices.sorted { (-bracket.results[$0].score, $0) < (-bracket.results[$1].score, $1) }
        let promoted = order.prefix(max(kept, 1)).map { bracket.results[$0].assignment }
        guard next < rungs.count, !promoted.isEmpty else {
            brackets.remove(at: i)
            return
        }
        brackets[i].rung = next
        (brackets[i].queue, brackets[i].results) = (promoted.reversed(), [])
    }

    // MARK: State

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] {
        [
            .init("begun", .integer(begun)),
            .init("brackets", .array(try brackets.map { bracket in
                .object([
                    .init("kind", .integer(bracket.kind)), .init("rung", .integer(bracket.rung)), .init("missing", .integer(bracket.missing)),
                    .init("queue", try decisions.json(bracket.queue)), .init("waiting", try decisions.json(bracket.waiting)),
                    .init("results", .array(try bracket.results.map { try decisions.json($0.assignment, score: $0.score) })),
                ])
            })),
            .init("seen", try decisions.json(seen.list)),
        ]
    }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> HalvingRule {
        try memory.allow(["begun", "brackets", "seen"])
        var rule = self
        rule.begun = try memory.required("begun").count()
        rule.brackets = try memory.required("brackets").items().map { item in
            try item.allow(["kind", "rung", "missing", "queue", "waiting", "results"])
            let (kind, rung) = (try item.required("kind"), try item.required("rung"))
            guard kinds.indices.contains(try kind.int()) else { throw kind.error("0 to \(kinds.count - 1)", got: "\(try kind.int())") }
            guard rungs.indices.contains(try rung.int()) else { throw rung.error("0 to \(rungs.count - 1)", got: "\(try rung.int())") }
            let results = try item.required("results").items().map { item in
                let (assignment, score) = try item.scored(of: decisions)
                guard let score else { throw item.error("a member \"score\"", got: "none") }
                return Scored(assignment: assignment, score: score)
            }
            return Bracket(
                kind: try kind.int(), rung: try rung.int(), missing: try item.required("missing").count(), queue: try item.required("queue").assignments(of: decisions),
                waiting: try item.required("waiting").assignments(of: decisions), results: results)
        }
        rule.seen = SeenAssignments(try memory.required("seen").assignments(of: decisions))
        return rule
    }
}
