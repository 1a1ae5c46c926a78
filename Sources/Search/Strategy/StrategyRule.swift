import Base

/// How a stock strategy goes on, and what it remembers for that. A value: where a call fails halfway, the strategy keeps the one it had.
protocol StrategyRule: Sendable {
    var name: String { get }
    /// What it was made with besides space and seed.
    var settings: [JSONValue.Member] { get }
    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest
    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) throws
    /// There will be no result of it.
    mutating func drop(_ request: TrialRequest, _ context: inout StrategyContext) throws
    /// What it remembers, for `load`.
    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member]
    /// The same rule with what `memory` gave.
    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> Self
}

/// What a rule works with.
struct StrategyContext {
    let decisions: DecisionList
    let filter: Filter?
    var generator: SplitMix64
    /// Asked and not told, in order.
    var requests: [TrialRequest]

    var pending: [Assignment] { requests.map(\.assignment) }

    mutating func random() throws -> Assignment { try decisions.random(using: &generator, where: filter) }
    mutating func mutate(_ assignment: Assignment) throws -> Assignment { try decisions.mutate(assignment, using: &generator, where: filter) }
    mutating func below(_ bound: Int) -> Int { SplitMix64.below(bound, using: &generator) }
    /// Whether something that happens in this share of cases does.
    mutating func happens(_ share: Double) -> Bool { share > 0 && Double(generator.next() >> 11) * 0x1p-53 < share }

    mutating func shuffle<T>(_ list: inout [T]) {
        for i in list.indices.dropFirst().reversed() { list.swapAt(i, below(i + 1)) }
    }

    /// Spaces of at most so many architectures are gone through when the last ones are hard to hit.
    private static var mostEnumerated: Int { 1 << 16 }
    private static var mostTries: Int { 200 }

    /// Whether these are all architectures, without a look at the filter.
    func isKnown(_ seen: Set<Assignment>) throws -> Bool { try decisions.count().int.map { seen.count >= $0 } ?? false }

    /// An architecture that was not seen yet, each of them equally likely; nil when there is none. In a larger space of which a filter leaves little, one that is not found
    /// by 200 draws counts as none.
    /// - Parameter seen: architectures of this space.
    mutating func unseen(_ seen: Set<Assignment>) throws -> Assignment? {
        if try isKnown(seen) { return nil }
        for _ in 0..<StrategyContext.mostTries {
            let drawn = try random()
            if !seen.contains(drawn) { return drawn }
        }
        guard let count = try decisions.count().int, count <= StrategyContext.mostEnumerated else { return nil }
        let rest = try decisions.each().filter { assignment in
            try checkInterrupt()
            return try !seen.contains(assignment) && filter?(assignment) ?? true
        }
        return rest.isEmpty ? nil : rest[below(rest.count)]
    }
}

/// Architectures in the order in which they came, each once.
struct SeenAssignments: Sendable {
    private(set) var list: [Assignment] = []
    private(set) var set: Set<Assignment> = []

    init(_ assignments: [Assignment] = []) { for assignment in assignments { insert(assignment) } }

    mutating func insert(_ assignment: Assignment) {
        if set.insert(assignment).inserted { list.append(assignment) }
    }

    mutating func removeAll() { self = SeenAssignments() }
}

// MARK: - States as JSON

extension DecisionList {
    func json(_ assignments: [Assignment]) throws -> JSONValue { .array(try assignments.map { try json($0) }) }

    /// `[{"architecture": ..., "steps": ...}]`.
    func json(_ requests: [TrialRequest]) throws -> JSONValue {
        .array(try requests.map { request in
            .object([.init("architecture", try json(request.assignment))] + (request.steps.map { [.init("steps", .integer($0))] } ?? []))
        })
    }

    /// `{"architecture": ..., "score": ...}`.
    func json(_ assignment: Assignment, score: Double?) throws -> JSONValue {
        .object([.init("architecture", try json(assignment))] + (score.map { [.init("score", .number($0))] } ?? []))
    }
}

extension JSONReader {
    func assignment(of decisions: DecisionList) throws -> Assignment {
        // Lua's empty table is no object.
        try decisions.assignment(json: value == .array([]) ? .object([]) : value, at: place)
    }

    func assignments(of decisions: DecisionList) throws -> [Assignment] { try items().map { try $0.assignment(of: decisions) } }

    func finite() throws -> Double {
        let number = try double()
        guard number.isFinite else { throw error("a finite number", got: "\(number)") }
        return number
    }

    func count() throws -> Int {
        let number = try int()
        guard number >= 0 else { throw error("0 or more", got: "\(number)") }
        return number
    }

    /// One of what `json(_:)` wrote.
    func request(of decisions: DecisionList) throws -> TrialRequest {
        try allow(["architecture", "steps"])
        return TrialRequest(try required("architecture").assignment(of: decisions), steps: try optional("steps")?.count())
    }

    /// What `json(_:score:)` wrote.
    func scored(of decisions: DecisionList) throws -> (assignment: Assignment, score: Double?) {
        try allow(["architecture", "score"])
        return (try required("architecture").assignment(of: decisions), try optional("score")?.finite())
    }
}
