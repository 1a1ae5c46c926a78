import Base
import Foundation

extension StockStrategy {
    /// Bayesian optimisation: a Gaussian process over encodings predicts scores with their uncertainty, and the architecture with the largest expected improvement on the best
    /// prediction is tried next (Jones et al., "Efficient global optimization of expensive black-box functions", 1998). What is out counts as told with its prediction.
    /// - Parameters:
    ///   - initial: random architectures before the first prediction.
    ///   - candidates: so many random architectures are predicted at each request, and the neighbours of the best; all where the space has no more.
    /// - Throws: `SpaceError` for settings that make no sense.
    public static func predictor(
        _ decisions: DecisionList, where filter: Filter? = nil, initial: Int = 10, candidates: Int = 500, seed: UInt64 = 0
    ) throws -> StockStrategy {
        guard (2...100_000).contains(initial) else {
            throw SpaceError(.size, at: "initial", expected: "2 to 100000", got: "\(initial)", remedy: "10 when left out")
        }
        guard (1...100_000).contains(candidates) else {
            throw SpaceError(.size, at: "candidates", expected: "1 to 100000", got: "\(candidates)", remedy: "500 when left out")
        }
        return StockStrategy(PredictorRule(initial: initial, candidates: candidates), decisions, where: filter, seed: seed)
    }
}

struct PredictorRule: StrategyRule {
    private struct Scored: Sendable {
        let assignment: Assignment
        let score: Double
    }

    private let initial: Int
    private let candidates: Int
    private var told: [Scored] = []
    /// What was asked for, of this round.
    private var seen = SeenAssignments()

    /// The work grows with the cube of the results that a prediction goes by: the best and the latest of more.
    private static let mostPoints = 400
    /// By how many length and noise are chosen.
    private static let mostFitted = 40
    /// Whose neighbours are candidates.
    private static let parents = 3

    init(initial: Int, candidates: Int) { (self.initial, self.candidates) = (initial, candidates) }

    var name: String { "predictor" }
    var settings: [JSONValue.Member] { [.init("initial", .integer(initial)), .init("candidates", .integer(candidates))] }

    mutating func propose(_ context: inout StrategyContext) throws -> TrialRequest {
        var next: Assignment?
        if told.count < 2 || told.count + context.requests.count < initial { next = try context.unseen(seen.set) } else { next = try mostPromising(&context) }
        if next == nil {
            seen.removeAll()
            next = try context.random()
        }
        let assignment = try next ?? context.random()
        seen.insert(assignment)
        return TrialRequest(assignment)
    }

    // MARK: Predictions

    private func mostPromising(_ context: inout StrategyContext) throws -> Assignment? {
        let pool = try pool(&context)
        guard !pool.isEmpty else { return nil }
        let encode = { [decisions = context.decisions] (assignment: Assignment) in try decisions.encode(assignment) }
        var points = try known().map { (place: try encode($0.assignment), score: $0.score) }
        var process = Self.process(points)
        for request in context.requests {
            let place = try encode(request.assignment)
            points.append((place, process.value(at: Self.distances(place, points)).mean))
        }
        if !context.requests.isEmpty { process = Self.process(points, like: process) }
        let best = points.map { process.value(at: Self.distances($0.place, points)).mean }.max() ?? 0
        var (chosen, most) = (pool[0], -Double.infinity)
        for assignment in pool {
            try checkInterrupt()
            let (mean, deviation) = process.value(at: Self.distances(try encode(assignment), points))
            let improvement = Self.improvement(mean, deviation, on: best)
            if improvement > most { (chosen, most) = (assignment, improvement) }
        }
        return chosen
    }

    /// What a prediction goes by.
    private func known() -> [Scored] {
        guard told.count > PredictorRule.mostPoints else { return told }
        let half = PredictorRule.mostPoints / 2
        return told.dropLast(half).sorted { $0.score > $1.score }.prefix(half) + told.suffix(half)
    }

    /// Architectures that were not asked for: neighbours of the best, and others by chance.
    private func pool(_ context: inout StrategyContext) throws -> [Assignment] {
        if let count = try context.decisions.count().int, count <= candidates {
            return try context.decisions.each().filter { try !seen.set.contains($0) && context.filter?($0) ?? true }
        }
        var pool = SeenAssignments()
        let order = told.indices.sorted { (-told[$0].score, $0) < (-told[$1].score, $1) }
        for i in order.prefix(PredictorRule.parents) {
            for neighbour in try context.decisions.neighbours(of: told[i].assignment, where: context.filter) where !seen.set.contains(neighbour) { pool.insert(neighbour) }
        }
        for _ in 0..<candidates {
            let drawn = try context.random()
            if !seen.set.contains(drawn) { pool.insert(drawn) }
        }
        if pool.list.isEmpty, let last = try context.unseen(seen.set) { pool.insert(last) }
        return pool.list
    }

    private static func process(_ points: [(place: [Float], score: Double)], like other: GaussianProcess? = nil) -> GaussianProcess {
        GaussianProcess(distances: points.map { distances($0.place, points) }, values: points.map(\.score), fitted: mostFitted, like: other)
    }

    private static func distances(_ place: [Float], _ points: [(place: [Float], score: Double)]) -> [Double] {
        points.map { point in
            Double(zip(place, point.place).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) })
        }
    }

    /// The expectation of max(value - best, 0) of a normal distribution.
    static func improvement(_ mean: Double, _ deviation: Double, on best: Double) -> Double {
        let z = (mean - best) / deviation
        return (mean - best) * 0.5 * erfc(-z / 2.0.squareRoot()) + deviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
    }

    // MARK: Results

    mutating func take(_ request: TrialRequest, _ result: TrialResult, _ context: inout StrategyContext) {
        told.append(Scored(assignment: request.assignment, score: result.score))
    }

    func drop(_ request: TrialRequest, _ context: inout StrategyContext) {}

    func memory(_ decisions: DecisionList) throws -> [JSONValue.Member] {
        [.init("told", .array(try told.map { try decisions.json($0.assignment, score: $0.score) })), .init("seen", try decisions.json(seen.list))]
    }

    func remembering(_ memory: JSONReader, _ decisions: DecisionList) throws -> PredictorRule {
        try memory.allow(["told", "seen"])
        var rule = self
        rule.told = try memory.required("told").items().map { item in
            let (assignment, score) = try item.scored(of: decisions)
            guard let score else { throw item.error("a member \"score\"", got: "none") }
            return Scored(assignment: assignment, score: score)
        }
        rule.seen = SeenAssignments(try memory.required("seen").assignments(of: decisions))
        return rule
    }
}
