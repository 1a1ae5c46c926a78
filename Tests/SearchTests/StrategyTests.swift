import Base
import Tensors
import XCTest
@testable import Search

/// Strategies on landscapes that are known.
final class StrategyTests: XCTestCase {
    /// `digits` numbers from 0 to `high`.
    private func grid(_ digits: Int, high: Int = 4) throws -> DecisionList {
        var builder = DecisionListBuilder()
        for i in 0..<digits { try builder.meet("d\(i)", .number(Number(low: 0, high: Double(high)))) }
        return builder.list()
    }

    private func digit(_ assignment: Assignment, _ i: Int) -> Int {
        guard case .option(let option)? = assignment["d\(i)"] else { return 0 }
        return option
    }

    /// One hill: the best is 1, 2, 3, 4, 0, 1, ...
    private func hill(_ assignment: Assignment) -> Double {
        -(0..<assignment.values.count).reduce(0) { sum, i in
            let difference = Double(digit(assignment, i) - (i + 1) % 5)
            return sum + difference * difference
        }
    }

    private typealias Maker = (_ seed: UInt64) throws -> StockStrategy

    private func makers(_ list: DecisionList, where filter: Filter? = nil) -> [(name: String, make: Maker)] {
        [
            ("random", { .random(list, where: filter, seed: $0) }),
            ("evolution", { try .evolution(list, where: filter, population: 8, sample: 3, seed: $0) }),
            ("crossing", { try .evolution(list, where: filter, population: 8, sample: 3, crossing: 0.5, repeats: true, seed: $0) }),
            ("best", { .localSearch(list, where: filter, seed: $0) }),
            ("first", { .localSearch(list, where: filter, move: .first, seed: $0) }),
            ("halving", { try .halving(list, where: filter, rungs: [10, 20, 40], seed: $0) }),
            ("hyperband", { try .hyperband(list, where: filter, rungs: [10, 20, 40], seed: $0) }),
            ("pareto", { try .pareto(list, where: filter, population: 8, seed: $0) }),
            ("predictor", { try .predictor(list, where: filter, initial: 6, candidates: 20, seed: $0) }),
        ]
    }

    @discardableResult
    private func run(_ strategy: StockStrategy, _ count: Int, _ score: (Assignment) -> Double) throws -> [Assignment] {
        try (0..<count).map { _ in
            let assignment = try strategy.ask().assignment
            try strategy.tell(assignment, TrialResult(score: score(assignment), cost: 1))
            return assignment
        }
    }

    /// Asks and tells in a manner of its own for each step: several are out, results come in any order, some never.
    private func muddle(_ strategy: StockStrategy, _ count: Int, from first: Int = 0, _ score: (Assignment) -> Double) throws -> [Assignment] {
        try (first..<(first + count)).flatMap { i -> [Assignment] in
            var generator = SplitMix64(seed: UInt64(i))
            let asked = try (0..<(1 + SplitMix64.below(3, using: &generator))).map { _ in try strategy.ask().assignment }
            for _ in 0..<SplitMix64.below(4, using: &generator) where !strategy.pending.isEmpty {
                let open = strategy.pending[SplitMix64.below(strategy.pending.count, using: &generator)]
                if SplitMix64.below(5, using: &generator) == 0 { try strategy.drop(open) } else { try strategy.tell(open, TrialResult(score: score(open), cost: 2, step: i)) }
            }
            return asked
        }
    }

    // MARK: All of them

    func testTheBestIsFound() throws {
        let list = try grid(3)
        for (name, make) in makers(list) {
            for seed in 0..<5 as Range<UInt64> {
                let strategy = try make(seed)
                // Of halving four of seven are new; who predicts needs fewer.
                let count = ["halving": 224, "hyperband": 240, "predictor": 50][name] ?? 125
                try run(strategy, count, hill)
                XCTAssertEqual(strategy.best?.result.score, 0, "\(name), seed \(seed)")
                XCTAssertEqual(strategy.best.map { hill($0.assignment) }, 0)
                XCTAssertEqual(strategy.told, count)
            }
        }
    }

    func testSeedsDecide() throws {
        let list = try grid(4)
        for (name, make) in makers(list) {
            let count = name == "predictor" ? 20 : 60
            XCTAssertEqual(try run(make(3), count, hill), try run(make(3), count, hill), name)
            XCTAssertNotEqual(try run(make(3), count, hill), try run(make(4), count, hill), name)
            XCTAssertEqual(try muddle(make(3), count, hill), try muddle(make(3), count, hill), name)
        }
    }

    /// Saved as text at any place, with architectures out, and loaded by another strategy: the same goes on.
    func testStatesGoOn() throws {
        for seed in 0..<8 as Range<UInt64> {
            var lists = RandomLists(seed: seed)
            let list = try seed == 0 ? grid(4) : lists.list()
            let values = { (assignment: Assignment) in Double(abs((try? list.json(assignment).text().utf8.reduce(7) { ($0 &* 31 &+ Int($1)) % 1009 }) ?? 0)) / 10 }
            for (name, make) in makers(list) where name != "predictor" || seed < 1 {
                // A prediction takes long where nothing is optimised.
                let (cuts, rest) = name == "predictor" ? ([0, 7], 10) : ([0, 1, 7, 30], 40)
                for cut in cuts {
                    let (whole, first) = (try make(seed), try make(seed))
                    _ = try muddle(whole, cut, values)
                    _ = try muddle(first, cut, values)
                    let state = try JSONValue.parse(first.state.text().utf8)
                    let second = try make(99)
                    try second.load(state)
                    XCTAssertEqual(try second.state, try first.state, "\(name), seed \(seed), cut at \(cut)")
                    XCTAssertEqual(second.told, first.told)
                    XCTAssertEqual(second.best?.result, first.best?.result)
                    XCTAssertEqual(try muddle(second, rest, from: cut, values), try muddle(whole, rest, from: cut, values), "\(name), seed \(seed), cut at \(cut)")
                    XCTAssertEqual(try second.state, try whole.state)
                }
            }
        }
    }

    func testWhatIsNotAskedIsAnError() throws {
        let list = try grid(3)
        let other = try grid(2)
        for (name, make) in makers(list) {
            let strategy = try make(1)
            let asked = try strategy.ask().assignment
            let before = try strategy.state
            let strange = try XCTUnwrap(try list.each().first { $0 != asked })
            assertError(".result", "asked for and not told yet") { try strategy.tell(strange, TrialResult(score: 1)) }
            assertError(".result", "asked for and not told yet") { try strategy.drop(strange) }
            assertError(".result", "asked for and not told yet") { _ = try strategy.report(strange, TrialResult(score: 1)) }
            assertError(".misfit", "another space") { try strategy.tell(other.random(seed: 1), TrialResult(score: 1)) }
            for score in [Double.nan, .infinity, -.infinity] {
                assertError(".result", "a finite number") { try strategy.tell(asked, TrialResult(score: score)) }
                assertError(".result", "a finite number") { _ = try strategy.report(asked, TrialResult(score: score)) }
            }
            assertError(".result", "cost") { try strategy.tell(asked, TrialResult(score: 1, cost: .nan)) }
            XCTAssertEqual(try strategy.state, before, name)
            XCTAssertTrue(try strategy.report(asked, TrialResult(score: 1, cost: 1, step: 1)))
            try strategy.tell(asked, TrialResult(score: 1, cost: 1))
            assertError(".result", "asked for and not told yet") { try strategy.tell(asked, TrialResult(score: 1, cost: 1)) }
            XCTAssertEqual(strategy.told, 1)
        }
    }

    func testStatesOfOthersAreErrors() throws {
        let list = try grid(3)
        let evolution = try StockStrategy.evolution(list, population: 5, sample: 2)
        try run(evolution, 20, hill)
        let state = try evolution.state
        assertError(".misfit", "'random'") { try StockStrategy.random(list).load(state) }
        assertError(".misfit", "the space") { try StockStrategy.evolution(self.grid(2), population: 5, sample: 2).load(state) }
        assertError(".misfit", "state.settings.population") { try StockStrategy.evolution(list, population: 6, sample: 2).load(state) }
        assertError(".misfit", "state.settings.move") { try StockStrategy.localSearch(list, move: .first).load(StockStrategy.localSearch(list).state) }
        // Whatever is missing or damaged changes nothing.
        let target = try StockStrategy.evolution(list, population: 5, sample: 2, seed: 8)
        try run(target, 3, hill)
        let before = try target.state
        guard case .object(let members) = state else { return XCTFail("no object") }
        for i in members.indices where members[i].key != "best" {
            var fewer = members
            fewer.remove(at: i)
            XCTAssertThrowsError(try target.load(.object(fewer)), members[i].key)
            var wrong = members
            wrong[i].value = .bool(true)
            XCTAssertThrowsError(try target.load(.object(wrong)), members[i].key)
        }
        XCTAssertThrowsError(try target.load(.object(members + [.init("more", .null)])))
        XCTAssertEqual(try target.state, before)
    }

    func testFiltersAndFixedDecisions() throws {
        let list = try grid(3).fixing("d1", to: .option(2))
        let filter: Filter = { self.digit($0, 0) != 1 }
        for (name, make) in makers(list, where: filter) {
            let asked = try muddle(make(5), 40, hill)
            XCTAssertTrue(try asked.allSatisfy { try filter($0) && self.digit($0, 1) == 2 }, name)
        }
    }

    /// Where a filter fails halfway, the strategy is as it was.
    func testFailuresChangeNothing() throws {
        struct Stop: Error {}
        for (name, make) in makers(try grid(3)) {
            let plain = try make(2)
            var (left, isHurt) = (0, false)
            let hurt = try XCTUnwrap(makers(try grid(3), where: { _ in
                left -= 1
                if isHurt, left < 0 { throw Stop() }
                return true
            }).first { $0.name == name }).make(2)
            for i in 0..<(name == "predictor" ? 20 : 60) {
                isHurt = i % 2 == 1
                left = i % 7
                var asked: Assignment?
                while asked == nil {
                    asked = try? hurt.ask().assignment
                    left = 1000
                }
                let expected = try plain.ask().assignment
                XCTAssertEqual(asked, expected, name)
                left = i % 5
                while hurt.told < i + 1 {
                    try? hurt.tell(expected, TrialResult(score: hill(expected), cost: 1))
                    left = 1000
                }
                try plain.tell(expected, TrialResult(score: hill(expected), cost: 1))
            }
            XCTAssertEqual(try hurt.state, try plain.state, name)
        }
    }

    // MARK: Random

    func testRandomComesInRounds() throws {
        let list = try grid(3, high: 2)
        let strategy = StockStrategy.random(list, seed: 1)
        let (first, second) = (try run(strategy, 27, hill), try run(strategy, 27, hill))
        XCTAssertEqual(Set(first).count, 27)
        XCTAssertEqual(Set(second).count, 27)
        XCTAssertNotEqual(first, second)
        // With a filter the number is not known beforehand.
        let few = StockStrategy.random(list, where: { self.digit($0, 0) == 0 }, seed: 1)
        XCTAssertEqual(Set(try run(few, 9, hill)).count, 9)
        XCTAssertEqual(Set(try run(few, 9, hill)).count, 9)
        XCTAssertEqual(Set(try run(.random(DecisionList(all: []), seed: 1), 3) { _ in 0 }), [Assignment()])
    }

    func testRandomIsEven() throws {
        var lists = RandomLists(seed: 11)
        let list = try lists.list()
        let all = Array(try list.each())
        // Also the last ones of a round, which are picked from a list.
        for place in [0, all.count - 1] {
            var counts: [Assignment: Int] = [:]
            let rounds = 20 * all.count
            for seed in 0..<rounds { counts[try run(.random(list, seed: UInt64(seed)), place + 1) { _ in 0 }[place], default: 0] += 1 }
            assertEven(Array(counts.values), all.count, rounds)
        }
    }

    // MARK: Evolution

    /// Read from the states: who lives, who is the parent of whom.
    func testThePopulation() throws {
        let list = try grid(5)
        let strategy = try StockStrategy.evolution(list, population: 6, sample: 2, seed: 4)
        var told: [Assignment] = []
        for i in 0..<40 {
            let alive = told.suffix(6)
            let asked = try strategy.ask().assignment
            XCTAssertFalse(told.contains(asked))
            // One mutation of one that lives; after tries that were known already, some more.
            if i >= 6 { XCTAssertLessThanOrEqual(try alive.map { try list.distance($0, asked) }.min() ?? 9, 2) }
            try strategy.tell(asked, TrialResult(score: hill(asked), cost: 1))
            told.append(asked)
            guard case .array(let population)? = try strategy.state["memory"]?["population"] else { return XCTFail("no population") }
            XCTAssertEqual(try population.map { try list.assignment(json: XCTUnwrap($0["architecture"])) }, told.suffix(6), "the oldest die, whatever they are worth")
        }
    }

    func testTheBestOfTheSampleIsParent() throws {
        let list = try grid(6)
        // With samples much larger than the population the best of all is in it.
        let strategy = try StockStrategy.evolution(list, population: 4, sample: 4, repeats: true, seed: 1)
        var (told, fromBest) = ([(Assignment, Double)](), 0)
        for i in 0..<200 {
            let asked = try strategy.ask().assignment
            if i >= 4 {
                let alive = told.suffix(4)
                let distances = try alive.map { try list.distance($0.0, asked) }
                XCTAssertTrue(distances.contains(1))
                let best = try XCTUnwrap(alive.map(\.1).max())
                if try alive.contains(where: { try $0.1 == best && list.distance($0.0, asked) == 1 }) { fromBest += 1 }
            }
            let score = hill(asked)
            try strategy.tell(asked, TrialResult(score: score))
            told.append((asked, score))
        }
        // 1 - (3/4)^4 = 0.68 of samples with replacement have it.
        XCTAssertGreaterThan(fromBest, 120)
    }

    func testCrossing() throws {
        let list = try grid(6)
        let strategy = try StockStrategy.evolution(list, population: 5, sample: 2, crossing: 1, repeats: true, seed: 1)
        var told: [Assignment] = []
        for i in 0..<60 {
            let asked = try strategy.ask().assignment
            if i >= 5 {
                let alive = told.suffix(5)
                XCTAssertTrue(alive.contains { a in alive.contains { b in list.all.allSatisfy { asked[$0.name] == a[$0.name] || asked[$0.name] == b[$0.name] } } })
            }
            try strategy.tell(asked, TrialResult(score: hill(asked), cost: 1))
            told.append(asked)
        }
    }

    func testASpaceThatIsUsedUpRepeats() throws {
        let strategy = try StockStrategy.evolution(grid(1), population: 3, sample: 2, seed: 1)
        XCTAssertEqual(Set(try run(strategy, 30, hill)).count, 5)
        assertError(".size", "sample") { _ = try StockStrategy.evolution(self.grid(1), population: 3, sample: 4) }
        assertError(".size", "population") { _ = try StockStrategy.evolution(self.grid(1), population: 0, sample: 1) }
        assertError(".size", "crossing") { _ = try StockStrategy.evolution(self.grid(1), crossing: .nan) }
    }

    /// With one budget, on a smooth landscape of 5^8 architectures.
    func testEvolutionBeatsChance() throws {
        let list = try grid(8)
        func median(_ make: Maker) throws -> Double {
            try (0..<21).map { seed in
                let strategy = try make(UInt64(seed))
                try run(strategy, 150, hill)
                return try XCTUnwrap(strategy.best).result.score
            }.sorted()[10]
        }
        let chance = try median { .random(list, seed: $0) }
        let evolved = try median { try .evolution(list, population: 20, sample: 5, seed: $0) }
        let published = try median { try .evolution(list, population: 20, sample: 5, repeats: true, seed: $0) }
        let climbed = try median { .localSearch(list, seed: $0) }
        XCTAssertGreaterThan(evolved, chance)
        XCTAssertGreaterThan(published, chance)
        XCTAssertGreaterThan(climbed, chance)
    }

    // MARK: Local search

    /// Two hills and a rough plain.
    private func rough(_ assignment: Assignment) -> Double {
        var generator = SplitMix64(seed: UInt64(digit(assignment, 0) * 25 + digit(assignment, 1) * 5 + digit(assignment, 2)))
        return hill(assignment) + Double(SplitMix64.below(9, using: &generator))
    }

    func testLocalSearchStopsAtOptima() throws {
        let list = try grid(3)
        let optima = try Set(list.each().filter { a in try list.neighbours(of: a).allSatisfy { self.rough($0) <= self.rough(a) } })
        XCTAssertGreaterThan(optima.count, 1)
        for move in LocalMove.allCases {
            let strategy = StockStrategy.localSearch(list, move: move, seed: 1)
            XCTAssertEqual(Set(try run(strategy, 125, rough)).count, 125, "each once, while there are others")
            guard case .array(let found)? = try strategy.state["memory"]?["optima"] else { return XCTFail("no optima") }
            let stopped = try found.map { try list.assignment(json: $0) }
            XCTAssertTrue(Set(stopped).isSubset(of: optima))
            XCTAssertEqual(Set(stopped).count, stopped.count)
            XCTAssertGreaterThan(stopped.count, 1)
            XCTAssertEqual(strategy.best.map { $0.result.score }, try list.each().map(rough).max())
        }
    }

    /// One climb, by hand: which neighbours are asked for, and where it moves.
    func testTheMoves() throws {
        let list = try grid(3)
        for move in LocalMove.allCases {
            for seed in 0..<10 as Range<UInt64> {
                let strategy = StockStrategy.localSearch(list, move: move, seed: seed)
                var centre = try XCTUnwrap(run(strategy, 1, hill).first)
                var known: Set<Assignment> = [centre]
                while true {
                    let neighbours = try list.neighbours(of: centre)
                    var best: Assignment?
                    while !Set(neighbours).isSubset(of: known) {
                        let asked = try XCTUnwrap(run(strategy, 1, hill).first)
                        XCTAssertTrue(neighbours.contains(asked))
                        XCTAssertTrue(known.insert(asked).inserted)
                        if move == .first, hill(asked) > hill(centre) {
                            best = asked
                            break
                        }
                    }
                    if move == .best { best = neighbours.max { hill($0) < hill($1) } }
                    guard let next = best, hill(next) > hill(centre) else { break }
                    // Of equals the first one told: the next architecture that is asked for says which.
                    if move == .best {
                        let equals = neighbours.filter { hill($0) == hill(next) }
                        guard equals.count == 1 else { break }
                    }
                    centre = next
                }
                if hill(centre) == 0 { XCTAssertEqual(try strategy.state["memory"]?["optima"], .array([try list.json(centre)])) }
            }
        }
    }

    /// A trial that never ends stops nobody, and neither does one that fails.
    func testLocalSearchWaitsForNobody() throws {
        let list = try grid(3, high: 2)
        let strategy = StockStrategy.localSearch(list, seed: 1)
        let out = try (0..<20).map { _ in try strategy.ask().assignment }
        XCTAssertEqual(Set(out).count, 20)
        for assignment in out.reversed() { try strategy.tell(assignment, TrialResult(score: hill(assignment))) }
        try run(strategy, 7, hill)
        XCTAssertEqual(strategy.best?.result.score, try list.each().map(hill).max())
        // Half of all architectures fail.
        let hard = StockStrategy.localSearch(list, seed: 2)
        var asked: [Assignment] = []
        while asked.count < 27 {
            let next = try hard.ask().assignment
            asked.append(next)
            if digit(next, 2) == 0 { try hard.drop(next) } else { try hard.tell(next, TrialResult(score: hill(next))) }
        }
        XCTAssertEqual(Set(asked).count, 27, "what failed is not tried again")
    }
}
