import Base

extension StockStrategy {
    /// NSGA-II (Deb et al. 2002) one child at a time: a population that begins with random architectures; of two pairs, each drawn by chance, those of the better front, then with more room on
    /// it, become parents; their child joins, and the last of the worst front with the least room goes. Results need a cost; `front` is what was found.
    /// - Parameter crossing: the share of children that have each decision from one of two parents before one is drawn anew.
    /// - Throws: `SpaceError` for settings that make no sense.
    public static func pareto(
        _ decisions: DecisionList, where filter: Filter? = nil, population: Int = 50, crossing: Double = 0.5, seed: UInt64 = 0
    ) throws -> StockStrategy {
        guard (2...100_000).contains(population) else {
            throw SpaceError(.size, at: "population", expected: "2 to 100000", got: "\(population)", remedy: "50 when left out")
        }
        guard crossing >= 0, crossing <= 1 else {
            throw SpaceError(.size, at: "crossing", expected: "a share from 0 to 1", got: "\(crossing)", remedy: "0.5 when left out")
        }
        return StockStrategy(ParetoRule(population: population, crossing: crossing), decisions, where: filter, seed: seed)
    }
}

struct ParetoRule: StrategyRule {
    private struct Individual: Sendable {
        let assignment: Assignment
        let point: ParetoPoint
    }

    private let population: Int
    private let crossing: Double
    private var individuals: [Individual] = []
    /// What was asked for.
    private var seen = SeenAssignments()

    private static let mostMutations = 100

    init(population: Int, crossing: Double) { (self.population, self.crossing) = (population, crossing) }

    var name: String { "pareto" }
    var settings: [JSONValue.Member] { [.init("population", .integer(population)), .init("crossing", .number(crossing))] }

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        let isYoung = individuals.isEmpty || individuals.count + context.requests.count < population
        let assignment = try isYoung ? context.unseen(seen.set) ?? context.random() : child(&context)
        seen.insert(assignment)
        return TrialRequest(assignment)
    }

    private func child(_ context: inout StrategyContext) throws -> Assignment {
        let points = individuals.map(\.point), ranks = ParetoPoint.ranks(points), room = ParetoPoint.crowding(points, ranks: ranks)
        func winner(_ context: inout StrategyContext) -> Assignment {
            let (i, j) = (context.below(individuals.count), context.below(individuals.count))
            return individuals[(ranks[j], -room[j]) < (ranks[i], -room[i]) ? j : i].assignment
        }
        var child = winner(&context)
        if context.happens(crossing) { child = try context.decisions.cross(child, winner(&context), using: &context.generator, where: context.filter) }
        child = try context.mutate(child)
        guard try !context.isKnown(seen.set) else { return child }
        for _ in 0..<ParetoRule.mostMutations where seen.set.contains(child) { child = try context.mutate(child) }
        return try seen.set.contains(child) ? context.unseen(seen.set) ?? child : child
    }

    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) throws {
        guard result.cost != nil else {
            throw SpaceError(.result, at: "cost", expected: "a number", got: "none", remedy: "tell {score = ..., cost = ...}: this strategy weighs one against the other")
        }
        individuals.append(Individual(assignment: request.assignment, point: ParetoPoint(result)))
        guard individuals.count > population else { return }
        let points = individuals.map(\.point), ranks = ParetoPoint.ranks(points), room = ParetoPoint.crowding(points, ranks: ranks)
        var last = 0
        for i in individuals.indices where (ranks[i], -room[i]) >= (ranks[last], -room[last]) { last = i }
        individuals.remove(at: last)
    }

    func drop(_ request: TrialRequest, _ context: inout StrategyContext) {}

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] {
        [
            .init("population", .array(try individuals.map { one in
                .object([
                    .init("architecture", try decisions.json(one.assignment)), .init("score", .number(one.point.score)), .init("cost", .number(one.point.cost)),
                ])
            })),
            .init("seen", try decisions.json(seen.list)),
        ]
    }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> ParetoRule {
        try memory.allow(["population", "seen"])
        var rule = self
        let stored = try memory.required("population")
        rule.individuals = try stored.items().map { item in
            try item.allow(["architecture", "score", "cost"])
            let point = ParetoPoint(score: try item.required("score").finite(), cost: try item.required("cost").finite())
            return Individual(assignment: try item.required("architecture").assignment(of: decisions), point: point)
        }
        guard rule.individuals.count <= population else { throw stored.error("at most \(population) architectures", got: "\(rule.individuals.count)") }
        rule.seen = SeenAssignments(try memory.required("seen").assignments(of: decisions))
        return rule
    }
}
