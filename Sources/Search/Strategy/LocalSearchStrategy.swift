import Base

/// To which neighbour a local search moves.
public enum LocalMove: String, CaseIterable, Sendable {
    /// To the best of all, once all were tried.
    case best
    /// To the first that is better.
    case first
}

extension StockStrategy {
    /// Local search (White et al., "Exploring the loss landscape in neural architecture search", UAI 2021): from a random architecture its neighbours in random order, then on to
    /// a better one, until none is; then from another random one. An architecture whose score is known is not tried again, so in a space that is known to its last
    /// architecture all is forgotten and it begins anew.
    ///
    /// Where all that is to be tried is being tried by others already, another climb begins beside.
    public static func localSearch(_ decisions: DecisionList, where filter: Filter? = nil, move: LocalMove = .best, seed: UInt64 = 0) -> StockStrategy {
        StockStrategy(LocalSearchRule(move: move), decisions, where: filter, seed: seed)
    }
}

struct LocalSearchRule: StrategyRule {
    private struct Best {
        let assignment: Assignment
        let score: Double
    }

    /// One way up.
    private struct Climb {
        var centre: Assignment
        /// Nil until it is told.
        var score: Double?
        /// Neighbours to ask for, the next one last.
        var queue: [Assignment] = []
        /// Neighbours that were asked for, by this climb or another, and not told yet.
        var waiting: [Assignment] = []
        /// The best neighbour so far, the first of equals.
        var best: Best?

        var isDone: Bool { queue.isEmpty && waiting.isEmpty }

        /// Whether the architecture was a neighbour whose score it lacks, which it is no more.
        mutating func settles(_ assignment: Assignment) -> Bool {
            if let position = waiting.firstIndex(of: assignment) { waiting.remove(at: position) } else
            if let position = queue.firstIndex(of: assignment) { queue.remove(at: position) } else { return false }
            return true
        }

        mutating func consider(_ assignment: Assignment, _ score: Double) {
            if best.map({ score > $0.score }) ?? true { best = Best(assignment: assignment, score: score) }
        }
    }

    private let move: LocalMove
    /// Scores of what was told; nil of what was dropped.
    private var known: [Assignment: Double?] = [:]
    /// The same in the order in which they came.
    private var order: [Assignment] = []
    private var climbs: [Climb] = []
    /// Architectures of which no neighbour is better, in the order in which they were found.
    private(set) var optima: [Assignment] = []

    init(move: LocalMove) { self.move = move }

    var name: String { "local_search" }
    var settings: [JSONValue.Member] { [.init("move", .string(move.rawValue))] }

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        for i in climbs.indices where climbs[i].score != nil {
            guard let next = climbs[i].queue.last else { continue }
            for j in climbs.indices where climbs[j].settles(next) { climbs[j].waiting.append(next) }
            return TrialRequest(next)
        }
        let seen = Set(order).union(context.pending)
        var drawn = try context.unseen(seen)
        if drawn == nil {
            (known, order) = ([:], [])
            drawn = try context.random()
        }
        let start = try drawn ?? context.random()
        climbs.append(Climb(centre: start))
        return TrialRequest(start)
    }

    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) throws {
        let assignment = request.assignment
        note(assignment, result.score)
        for i in climbs.indices {
            if climbs[i].score == nil, climbs[i].centre == assignment {
                climbs[i].score = result.score
                try expand(i, &context)
            } else if climbs[i].settles(assignment) {
                climbs[i].consider(assignment, result.score)
            }
        }
        try goOn(&context)
    }

    mutating func drop(_ request: TrialRequest, _ context: inout StrategyContext) throws {
        let assignment = request.assignment
        note(assignment, nil)
        climbs.removeAll { $0.score == nil && $0.centre == assignment }
        for i in climbs.indices { _ = climbs[i].settles(assignment) }
        try goOn(&context)
    }

    private mutating func note(_ assignment: Assignment, _ score: Double?) {
        if known.updateValue(score, forKey: assignment) == nil { order.append(assignment) }
    }

    /// Looks around from a centre.
    private mutating func expand(_ i: Int, _ context: inout StrategyContext) throws {
        var neighbours = try context.decisions.neighbours(of: climbs[i].centre, where: context.filter)
        context.shuffle(&neighbours)
        (climbs[i].queue, climbs[i].waiting, climbs[i].best) = ([], [], nil)
        for neighbour in neighbours {
            if let score = known[neighbour] {
                if let score { climbs[i].consider(neighbour, score) }
            } else if context.pending.contains(neighbour) {
                climbs[i].waiting.append(neighbour)
            } else {
                climbs[i].queue.append(neighbour)
            }
        }
    }

    /// Moves the climbs that can move, and ends those that are at an optimum.
    private mutating func goOn(_ context: inout StrategyContext) throws {
        var i = 0
        while i < climbs.count {
            try checkInterrupt()
            let climb = climbs[i]
            if let score = climb.score, let best = climb.best, best.score > score, move == .first || climb.isDone {
                if climbs.contains(where: { $0.centre == best.assignment }) {
                    climbs.remove(at: i)
                } else {
                    climbs[i] = Climb(centre: best.assignment, score: best.score)
                    try expand(i, &context)
                }
            } else if climb.score != nil, climb.isDone {
                if !optima.contains(climb.centre) { optima.append(climb.centre) }
                climbs.remove(at: i)
            } else {
                i += 1
            }
        }
    }

    // MARK: State

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] {
        [
            .init("known", .array(try order.map { try decisions.json($0, score: known[$0] ?? nil) })),
            .init("climbs", .array(try climbs.map { climb in
                var members: [JSONValue.Member] = [.init("centre", try decisions.json(climb.centre, score: climb.score))]
                members += [.init("queue", try decisions.json(climb.queue)), .init("waiting", try decisions.json(climb.waiting))]
                if let best = climb.best { members.append(.init("best", try decisions.json(best.assignment, score: best.score))) }
                return .object(members)
            })),
            .init("optima", try decisions.json(optima)),
        ]
    }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> LocalSearchRule {
        try memory.allow(["known", "climbs", "optima"])
        var rule = LocalSearchRule(move: move)
        for item in try memory.required("known").items() {
            let (assignment, score) = try item.scored(of: decisions)
            rule.note(assignment, score)
        }
        rule.climbs = try memory.required("climbs").items().map { item in
            try item.allow(["centre", "queue", "waiting", "best"])
            let centre = try item.required("centre").scored(of: decisions)
            let best = try item.optional("best").map { reader in
                let (assignment, score) = try reader.scored(of: decisions)
                guard let score else { throw reader.error("a member \"score\"", got: "none") }
                return Best(assignment: assignment, score: score)
            }
            return Climb(
                centre: centre.assignment, score: centre.score, queue: try item.required("queue").assignments(of: decisions),
                waiting: try item.required("waiting").assignments(of: decisions), best: best)
        }
        rule.optima = try memory.required("optima").assignments(of: decisions)
        return rule
    }
}
