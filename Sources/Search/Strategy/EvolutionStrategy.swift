import Base

extension StockStrategy {
    /// Regularised evolution (Real et al., "Regularized evolution for image classifier architecture search", AAAI 2019, algorithm 1): a population that begins with random
    /// architectures; of `sample` of them, drawn with replacement, the best one becomes a parent; its child, one decision drawn anew, is tried and joins the population, and
    /// the oldest one dies, however good it was.
    /// - Parameters:
    ///   - crossing: the share of children that have each decision from one of two parents instead.
    ///   - repeats: whether an architecture may be tried again, as published. Otherwise a child that was tried is mutated on, up to 100 times.
    /// - Throws: `SpaceError` for settings that make no sense.
    public static func evolution(
        _ decisions: DecisionList, where filter: Filter? = nil, population: Int = 50, sample: Int = 10, crossing: Double = 0, repeats: Bool = false, seed: UInt64 = 0
    ) throws -> StockStrategy {
        guard (1...1_000_000).contains(population) else {
            throw SpaceError(.size, at: "population", expected: "1 to 1000000", got: "\(population)", remedy: "the paper has 100, of 20000 trials")
        }
        guard (1...population).contains(sample) else {
            throw SpaceError(.size, at: "sample", expected: "1 to \(population), the population", got: "\(sample)", remedy: "the paper has 25, of a population of 100")
        }
        guard crossing >= 0, crossing <= 1 else {
            throw SpaceError(.size, at: "crossing", expected: "a share from 0 to 1", got: "\(crossing)", remedy: "0 when left out")
        }
        return StockStrategy(EvolutionRule(population: population, sample: sample, crossing: crossing, repeats: repeats), decisions, where: filter, seed: seed)
    }
}

struct EvolutionRule: StrategyRule {
    struct Individual: Sendable {
        let assignment: Assignment
        let score: Double
    }

    private let population: Int
    private let sample: Int
    private let crossing: Double
    private let repeats: Bool
    /// Oldest first.
    private var individuals: [Individual] = []
    /// What was asked for; empty where repeats are let through.
    private var seen = SeenAssignments()

    private static let mostMutations = 100

    init(population: Int, sample: Int, crossing: Double, repeats: Bool) {
        (self.population, self.sample, self.crossing, self.repeats) = (population, sample, crossing, repeats)
    }

    var name: String { "evolution" }

    var settings: [JSONValue.Member] {
        [
            .init("population", .integer(population)), .init("sample", .integer(sample)), .init("crossing", .number(crossing)),
            .init("repeats", .bool(repeats)),
        ]
    }

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        let isYoung = individuals.isEmpty || individuals.count + context.pending.count < population
        let assignment = try isYoung ? newcomer(&context) : child(&context)
        if !repeats { seen.insert(assignment) }
        return TrialRequest(assignment)
    }

    private func newcomer(_ context: inout StrategyContext) throws -> Assignment {
        if !repeats, let assignment = try context.unseen(seen.set) { return assignment }
        return try context.random()
    }

    private func child(_ context: inout StrategyContext) throws -> Assignment {
        let parent = winner(&context)
        var child: Assignment
        if context.happens(crossing) {
            let other = winner(&context)
            child = try context.decisions.cross(parent, other, using: &context.generator, where: context.filter)
        } else {
            child = try context.mutate(parent)
        }
        guard try !context.isKnown(seen.set) else { return child }
        for _ in 0..<EvolutionRule.mostMutations where seen.set.contains(child) { child = try context.mutate(child) }
        return child
    }

    /// The best of a sample, the first drawn of equals.
    private func winner(_ context: inout StrategyContext) -> Assignment {
        var best = individuals[context.below(individuals.count)]
        for _ in 1..<sample {
            let other = individuals[context.below(individuals.count)]
            if other.score > best.score { best = other }
        }
        return best.assignment
    }

    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) {
        individuals.append(Individual(assignment: request.assignment, score: result.score))
        if individuals.count > population { individuals.removeFirst() }
    }

    func drop(_ request: TrialRequest, _ context: inout StrategyContext) {}

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] {
        [
            .init("population", .array(try individuals.map { try decisions.json($0.assignment, score: $0.score) })),
            .init("seen", try decisions.json(seen.list)),
        ]
    }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> EvolutionRule {
        try memory.allow(["population", "seen"])
        var rule = self
        let stored = try memory.required("population")
        rule.individuals = try stored.items().map { item in
            let (assignment, score) = try item.scored(of: decisions)
            guard let score else { throw item.error("a member \"score\"", got: "none") }
            return Individual(assignment: assignment, score: score)
        }
        guard rule.individuals.count <= population else { throw stored.error("at most \(population) architectures", got: "\(rule.individuals.count)") }
        rule.seen = SeenAssignments(try memory.required("seen").assignments(of: decisions))
        return rule
    }
}
