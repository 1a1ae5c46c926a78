import Tensors
import XCTest
@testable import Search

/// Strategies that say how far to train, that weigh score against cost, and that predict.
final class FidelityTests: XCTestCase {
    private func grid(_ digits: Int, high: Int) throws -> DecisionList {
        var builder = DecisionListBuilder()
        for i in 0..<digits { try builder.meet("d\(i)", .number(Number(low: 0, high: Double(high)))) }
        return builder.list()
    }

    private func digit(_ assignment: Assignment, _ i: Int) -> Int {
        guard case .option(let option)? = assignment["d\(i)"] else { return 0 }
        return option
    }

    private func number(_ assignment: Assignment) -> Double { Double(10 * digit(assignment, 0) + digit(assignment, 1)) }

    // MARK: Halving

    func testABracketByHand() throws {
        let strategy = try StockStrategy.halving(grid(2, high: 9), rungs: [50, 100, 200, 400], seed: 3)
        var steps: [Int?] = [], spent = 0, reached: [Assignment: Int] = [:], first: [Assignment] = []
        for i in 0..<15 {
            let request = try strategy.ask()
            let before = reached[request.assignment] ?? 0
            steps.append(request.steps)
            spent += try XCTUnwrap(request.steps) - before
            reached[request.assignment] = request.steps
            if i < 8 { first.append(request.assignment) }
            try strategy.tell(request.assignment, TrialResult(score: number(request.assignment)))
        }
        XCTAssertEqual(steps, [50, 50, 50, 50, 50, 50, 50, 50, 100, 100, 100, 100, 200, 200, 400])
        // 8 · 50 + 4 · 50 + 2 · 100 + 200, where trainings are continued.
        XCTAssertEqual(spent, 1000)
        let order = first.sorted { number($0) > number($1) }
        XCTAssertEqual(first.map { reached[$0] ?? 0 }, first.map { [400, 200, 100, 100, 50, 50, 50, 50][order.firstIndex(of: $0) ?? 0] })
        XCTAssertEqual(strategy.best?.assignment, order[0])
        XCTAssertEqual(strategy.best?.result.step, 400)
        // Then eight others.
        XCTAssertEqual(try strategy.ask().steps, 50)
    }

    func testBracketsOfHyperbandByHand() throws {
        let strategy = try StockStrategy.hyperband(grid(2, high: 9), rungs: [1, 3, 9], eta: 3, seed: 1)
        var counts: [[Int]] = []
        for _ in 0..<(9 + 3 + 1 + 5 + 1 + 3) {
            let request = try strategy.ask(), steps = try XCTUnwrap(request.steps)
            if counts.last?.first == steps { counts[counts.count - 1][1] += 1 } else { counts.append([steps, 1]) }
            try strategy.tell(request.assignment, TrialResult(score: number(request.assignment)))
        }
        // Brackets of 9, of ceil(3 / 2 · 3) and of 3.
        XCTAssertEqual(counts, [[1, 9], [3, 3], [9, 1], [3, 5], [9, 4]])
    }

    /// The most steps decide before the score; who is dropped is not promoted, and does not stop the others.
    func testBestAndDropped() throws {
        let strategy = try StockStrategy.halving(grid(2, high: 9), rungs: [1, 2], count: 4, seed: 1)
        let asked = try (0..<4).map { _ in try strategy.ask().assignment }
        for (i, assignment) in asked.enumerated() {
            if i == 2 { try strategy.drop(assignment) } else { try strategy.tell(assignment, TrialResult(score: Double(i))) }
        }
        XCTAssertEqual(strategy.best?.assignment, asked[3])
        XCTAssertEqual(try strategy.ask(), TrialRequest(asked[3], steps: 2))
        XCTAssertEqual(try strategy.ask(), TrialRequest(asked[1], steps: 2))
        try strategy.tell(asked[1], TrialResult(score: -5))
        XCTAssertEqual(strategy.best?.assignment, asked[1])
        try strategy.drop(asked[3])
        // While everything of a bracket is being tried another begins.
        let out = try (0..<9).map { _ in try strategy.ask() }
        XCTAssertEqual(out.map(\.steps), [Int?](repeating: 1, count: 9))
        assertError(".size", "rungs") { _ = try StockStrategy.halving(self.grid(1, high: 2), rungs: [2, 2]) }
        assertError(".size", "rungs") { _ = try StockStrategy.halving(self.grid(1, high: 2), rungs: []) }
        assertError(".size", "eta") { _ = try StockStrategy.hyperband(self.grid(1, high: 2), rungs: [2], eta: 1) }
        assertError(".size", "count") { _ = try StockStrategy.halving(self.grid(1, high: 2), rungs: [2], count: 0) }
    }

    // MARK: Pareto

    private func points(_ seed: UInt64, _ count: Int) -> [ParetoPoint] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in ParetoPoint(score: Double(SplitMix64.below(12, using: &generator)), cost: Double(SplitMix64.below(12, using: &generator))) }
    }

    /// By peeling: who is dominated by nobody is front 0; without those again, and so on.
    func testRanksByBruteForce() {
        for seed in 0..<50 as Range<UInt64> {
            let points = points(seed, 40)
            var left = Set(points.indices), expected = [Int](repeating: -1, count: points.count), rank = 0
            while !left.isEmpty {
                let front = left.filter { i in !left.contains { j in
                    points[j].score >= points[i].score && points[j].cost <= points[i].cost && (points[j].score > points[i].score || points[j].cost < points[i].cost)
                } }
                for i in front { expected[i] = rank }
                left.subtract(front)
                rank += 1
            }
            XCTAssertEqual(ParetoPoint.ranks(points), expected)
        }
        let line = [0.0, 1, 3, 4].map { ParetoPoint(score: $0, cost: $0) }
        XCTAssertEqual(ParetoPoint.crowding(line, ranks: ParetoPoint.ranks(line)), [.infinity, 1.5, 1.5, .infinity])
    }

    func testTheFrontByBruteForce() throws {
        let list = try grid(2, high: 9)
        for seed in 0..<5 as Range<UInt64> {
            let strategy = try StockStrategy.pareto(list, population: 20, seed: seed)
            var told: [(Assignment, ParetoPoint)] = []
            for _ in 0..<100 {
                let assignment = try strategy.ask().assignment
                var generator = SplitMix64(seed: UInt64(number(assignment)) + 1000 * seed)
                let point = ParetoPoint(score: Double(SplitMix64.below(30, using: &generator)), cost: Double(SplitMix64.below(30, using: &generator)))
                told.append((assignment, point))
                try strategy.tell(assignment, TrialResult(score: point.score, cost: point.cost))
                let best = told.map(\.1).filter { p in !told.contains { $0.1.dominates(p) } }
                XCTAssertEqual(strategy.front.map { ParetoPoint($0.result) }, Set(best).sorted { $0.cost < $1.cost })
            }
            XCTAssertEqual(Set(told.map(\.0)).count, 100, "the whole space, each once")
        }
    }

    /// Two aims that pull apart: the front of 5^6 is found much better than by chance.
    func testTheFrontIsFound() throws {
        let list = try grid(6, high: 4)
        func point(_ a: Assignment) -> ParetoPoint {
            let digits = (0..<6).map { Double(digit(a, $0)) }
            return ParetoPoint(score: digits.reduce(0) { $0 + $1.squareRoot() }, cost: digits.enumerated().reduce(0) { $0 + $1.element * Double($1.offset + 1) })
        }
        /// The area below the front, to the left of the largest cost.
        func area(_ strategy: StockStrategy) throws -> Double {
            for _ in 0..<300 {
                let assignment = try strategy.ask().assignment, p = point(assignment)
                try strategy.tell(assignment, TrialResult(score: p.score, cost: p.cost))
            }
            let front = strategy.front.map { ParetoPoint($0.result) }
            return zip(front, front.dropFirst().map(\.cost) + [84]).reduce(0) { $0 + $1.0.score * ($1.1 - $1.0.cost) }
        }
        for seed in 0..<3 as Range<UInt64> {
            XCTAssertGreaterThan(try area(.pareto(list, population: 30, seed: seed)), try area(.random(list, seed: seed)) + 20)
        }
        let strategy = try StockStrategy.pareto(list)
        let asked = try strategy.ask().assignment
        assertError(".result", "cost") { try strategy.tell(asked, TrialResult(score: 1)) }
        assertError(".size", "population") { _ = try StockStrategy.pareto(list, population: 1) }
    }

    // MARK: Prediction

    /// At the points without noise, between them, and far from them.
    func testTheProcess() {
        let places = [0.0, 1, 2, 3, 4, 5, 6, 7], values = places.map { sin($0) }
        let process = GaussianProcess(distances: places.map { p in places.map { ($0 - p) * ($0 - p) } }, values: values, fitted: 8)
        for x in stride(from: 0.5, to: 7, by: 1) {
            let (mean, deviation) = process.value(at: places.map { ($0 - x) * ($0 - x) })
            XCTAssertEqual(mean, sin(x), accuracy: 0.1)
            XCTAssertLessThan(deviation, 0.2)
        }
        let (mean, deviation) = process.value(at: places.map { ($0 - 100) * ($0 - 100) })
        XCTAssertEqual(mean, values.reduce(0, +) / 8, accuracy: 1e-9)
        XCTAssertGreaterThan(deviation, 0.5)
    }

    /// Against the closed form for two points: variance 1, covariance c, noise n.
    func testTheProcessByHand() {
        let process = GaussianProcess(distances: [[0, 2], [2, 0]], values: [-1, 1], fitted: 2)
        // Values relative to mean 0 and deviation 1; of (-1, 1) the eigenvalue is 1 + n - c.
        let candidates = GaussianProcess.lengths.flatMap { l in GaussianProcess.noises.map { (l: 2 * l, n: $0) } }
        func evidence(_ l: Double, _ n: Double) -> Double {
            let c = exp(-2 / (2 * l)), v = 1 + n
            return -0.5 * 2 / (v - c) - 0.5 * log(v * v - c * c)
        }
        let best = candidates.max { evidence($0.l, $0.n) < evidence($1.l, $1.n) } ?? (l: 1, n: 1)
        let c = exp(-2 / (2 * best.l)), near = exp(-0.5 / (2 * best.l)), far = exp(-0.5 / (2 * best.l))
        let (mean, deviation) = process.value(at: [0.5, 0.5])
        XCTAssertEqual(mean, (far - near) / (1 + best.n - c), accuracy: 1e-12)
        XCTAssertEqual(deviation * deviation, 1 - 2 * near * near / (1 + best.n + c), accuracy: 1e-12)
    }

    func testImprovementByIntegration() {
        for (mean, deviation, best) in [(0.0, 1.0, 0.0), (1, 0.5, 2), (-1, 2, 0.3)] {
            let step = 1e-3
            let sum = stride(from: -12.0, to: 12, by: step).reduce(0.0) { sum, z in
                sum + max(mean + deviation * z - best, 0) * exp(-z * z / 2) / (2 * Double.pi).squareRoot() * step
            }
            XCTAssertEqual(PredictorRule.improvement(mean, deviation, on: best), sum, accuracy: 1e-4)
        }
    }

    /// With one budget, on a smooth landscape of 5^6 architectures with noise.
    func testPredictionBeatsChance() throws {
        let list = try grid(6, high: 4)
        func value(_ a: Assignment) -> Double { -(0..<6).reduce(0.0) { $0 + pow(Double(digit(a, $1) - ($1 + 1) % 5), 2) } }
        func median(_ make: (UInt64) throws -> StockStrategy) throws -> Double {
            try (0..<3).map { seed in
                let strategy = try make(UInt64(seed))
                var generator = SplitMix64(seed: UInt64(seed))
                var best = -Double.infinity
                for _ in 0..<30 {
                    let assignment = try strategy.ask().assignment
                    best = max(best, value(assignment))
                    try strategy.tell(assignment, TrialResult(score: value(assignment) + Double(SplitMix64.below(100, using: &generator)) / 100))
                }
                return best
            }.sorted()[1]
        }
        XCTAssertGreaterThan(try median { try .predictor(list, initial: 8, candidates: 40, seed: $0) }, try median { .random(list, seed: $0) } + 3)
        assertError(".size", "initial") { _ = try StockStrategy.predictor(list, initial: 1) }
        assertError(".size", "candidates") { _ = try StockStrategy.predictor(list, candidates: 0) }
    }
}
