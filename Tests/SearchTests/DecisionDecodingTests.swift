import XCTest
@testable import Search

final class DecisionDecodingTests: XCTestCase {
    private let fuzz = ProcessInfo.processInfo.environment["TRELLIS_FUZZ"].flatMap { Int($0) } ?? 60

    private struct Scored {
        let assignment: Assignment
        let score: Double
        let cost: Double
    }

    /// All assignments with their scores, best first, of equal ones in the order of `each`.
    private func brute(_ list: DecisionList, _ scores: [String: [Double]], _ off: [String: [Double]] = [:], cost: (Literal) -> Double = { _ in 0 }) throws -> [Scored] {
        let all = try list.each().map { assignment in
            var (score, total) = (0.0, 0.0)
            for decision in list.all {
                guard let value = assignment[decision.name] else { continue }
                for (i, isOn) in bruteFlags(decision.domain, value).enumerated() {
                    if isOn {
                        score += scores[decision.name]![i]
                        total += cost(Literal(decision: decision.name, option: i))
                    } else {
                        score += off[decision.name]?[i] ?? 0
                    }
                }
            }
            return Scored(assignment: assignment, score: score, cost: total)
        }
        return all.enumerated().filter { $1.score > -.infinity }.sorted { (-$0.element.score, $0.offset) < (-$1.element.score, $1.offset) }.map(\.element)
    }

    private func off(_ list: DecisionList, _ lists: inout RandomLists) -> [String: [Double]] {
        lists.scores(list).filter { list[$0.key]!.domain.isSet && lists.below(2) == 0 }
    }

    private func assertSame(_ decoded: [Decoded], _ expected: some Sequence<Scored>, _ message: String, line: UInt = #line) {
        let expected = Array(expected)
        XCTAssertEqual(decoded.map(\.assignment), expected.map(\.assignment), message, line: line)
        XCTAssertEqual(decoded.map(\.score), expected.map(\.score), message, line: line)
        XCTAssertEqual(decoded.map(\.cost), expected.map(\.cost), message, line: line)
    }

    func testBestAndKBest() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: seed)
            let list = try lists.list()
            let scores = lists.scores(list, closed: seed % 4 == 0)
            let off = off(list, &lists)
            let expected = try brute(list, scores, off)
            guard !expected.isEmpty else {
                XCTAssertEqual(spaceError { try list.decode(scores: scores, off: off) }?.kind, .noPath)
                continue
            }
            for count in [1, 2, 7, 50, 10_000] {
                assertSame(try list.decode(scores: scores, off: off, count: count), expected.prefix(count), "seed \(seed), \(count)")
            }
        }
    }

    func testBudgets() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 100 + seed)
            let list = try lists.list()
            let scores = lists.scores(list, closed: seed % 4 == 0)
            let off = off(list, &lists)
            let costs = Dictionary(uniqueKeysWithValues: list.all.map { ($0.name, (0..<$0.optionCount).map { _ in Double(lists.below(6)) }) })
            let cost = { (literal: Literal) in costs[literal.decision]![literal.option] }
            let all = try brute(list, scores, off, cost: cost)
            guard let least = all.map(\.cost).min(), let most = all.map(\.cost).max() else { continue }
            for limit in Set([least, (least + most) / 2, most]) {
                for count in [1, 3, 20, 10_000] {
                    let decoded = try list.decode(scores: scores, off: off, count: count, budget: Budget(limit: limit, cost: cost))
                    assertSame(decoded, all.filter { $0.cost <= limit }.prefix(count), "seed \(seed), \(limit), \(count)")
                }
            }
            let error = spaceError { try list.decode(scores: scores, off: off, budget: Budget(limit: least - 1, cost: cost)) }
            XCTAssertEqual(error?.kind, .budget)
            XCTAssertEqual(error?.expected, "at least \(Int(least)), the smallest cost that can be reached")
            if seed % 4 != 0 { XCTAssertEqual(try list.smallestCost(cost), least) }
        }
    }

    func testWithinASmallerSpace() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 200 + seed)
            let list = try lists.list()
            let scores = lists.scores(list)
            let drawn = try list.random(using: &lists.generator)
            let name = list.topLevel[lists.below(list.topLevel.count)].name
            let smaller = try list.fixing(name, to: drawn[name]!)
            assertSame(
                try list.decode(scores: scores, count: 9, within: smaller), try brute(list, scores).filter { $0.assignment[name] == drawn[name] }.prefix(9), "seed \(seed)")
        }
    }

    func testFilters() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 300 + seed)
            let list = try lists.list()
            let scores = lists.scores(list)
            let salt = lists.below(1000)
            let accept = { (assignment: Assignment) throws -> Bool in (try list.number(of: assignment).int! &* 7919 &+ salt) % 5 == 0 }
            let expected = try brute(list, scores).filter { try accept($0.assignment) }
            guard !expected.isEmpty else {
                XCTAssertEqual(spaceError { try list.decode(scores: scores, accept: accept) }?.kind, .filter)
                continue
            }
            assertSame(try list.decode(scores: scores, count: 4, accept: accept), expected.prefix(4), "seed \(seed)")
        }
        var builder = DecisionListBuilder()
        for i in 0..<8 { try builder.meet("d\(i)", .choice(Choice(options: ["a", "b", "c"]))) }
        let list = builder.list()
        let scores = Dictionary(uniqueKeysWithValues: list.all.map { ($0.name, [0.0, 0, 0]) })
        var asked = 0
        let error = spaceError {
            try list.decode(scores: scores) { _ in
                asked += 1
                return false
            }
        }
        XCTAssertEqual(asked, 1000)
        XCTAssertEqual(error?.got, "the 1000 best, all of which it refused")
        // The last in reach: the 1,000th.
        asked = 0
        XCTAssertNoThrow(
            try list.decode(scores: scores) { _ in
                asked += 1
                return asked == 1000
            })
    }

    func testEqualScoresToTheLastBit() throws {
        // 0.1 + 0.2 and 0.3 differ as sums of doubles, whichever comes first; the same numbers in another order do not.
        var builder = DecisionListBuilder()
        for name in ["x", "y", "z"] { try builder.meet(name, .choice(Choice(options: ["1", "2", "3"]))) }
        let list = builder.list()
        let numbers = [0.1, 0.2, 0.3]
        let decoded = try list.decode(scores: ["x": numbers, "y": numbers, "z": numbers], count: 27)
        let labels = decoded.map { decoded in list.all.compactMap { decision in decoded.assignment[decision.name].map { list.text($0, of: decision) } }.joined() }
        let digits = ["1", "2", "3"]
        let all = digits.flatMap { x in digits.flatMap { y in digits.map { x + y + $0 } } }
        XCTAssertEqual(labels, all.sorted { exact($0) == exact($1) ? $0 < $1 : exact($1) < exact($0) })
        XCTAssertNotEqual(exact("113"), exact("122"))
    }

    /// Numbers of tenths as doubles are, in units of 2^-58.
    private func exact(_ label: String) -> Int {
        label.reduce(0) { $0 + Int([0.1, 0.2, 0.3][Int(String($1))! - 1] * 0x1p58) }
    }

    func testExactSums() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<2000 {
            // Whole multiples of 2^-20 of very different sizes: sums in 64 bits are exact.
            let numbers = (0..<6).map { _ in (Int(truncatingIfNeeded: generator.next()) >> (14 + SplitMix64.below(48, using: &generator))) }
            let doubles = numbers.map { Double($0) * 0x1p-20 }
            let sum = doubles.shuffled(using: &generator).reduce(ExactSum()) { $0 + ExactSum($1) }
            let total = numbers.reduce(0, +)
            XCTAssertEqual(sum.value, Double(total) * 0x1p-20)
            let other = [total - 1, total, total + 1][SplitMix64.below(3, using: &generator)]
            let low = other & ((1 << 25) - 1)
            let parts = ExactSum(Double(low) * 0x1p-20) + ExactSum(Double(other - low) * 0x1p-20)
            XCTAssertEqual(sum == parts, total == other)
            XCTAssertEqual(sum < parts, total < other)
        }
        XCTAssertEqual([1, 1e100, 1, -1e100].reduce(ExactSum()) { $0 + ExactSum($1) }.value, 2)
    }

    func testAgreesWithTheTrellis() throws {
        let operators = ["none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"]
        for seed in 0..<20 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let space = try? TrellisSpace(
                layers: 4, strides: [4, 8, 16], filters: 1, cell: CellSpace(blocks: 3, operators: operators), arrows: randomMask(seed: seed, percent: 85))
            guard let space else { continue }
            var builder = DecisionListBuilder()
            let strides = space.strides
            let paths = try Paths(layers: 4, states: strides.map(String.init)) { layer, from, to in
                guard let move = Move(rawValue: to - from + 1) else { return false }
                return space.contains(TrellisArrow(layer: layer, from: from, move: move))
            }
            try builder.meet("paths", .paths(paths))
            for block in 1...3 { try builder.meet("cell.\(block)", .branches(Branches(states: (1...(block + 1)).map(String.init), options: operators))) }
            let list = builder.list()
            // Eighths: many are equal.
            let alpha = (0..<(space.cell.edgeCount * 4)).map { _ in Double(SplitMix64.below(4, using: &generator)) / 8 }
            let beta = (0..<space.betaShape.reduce(1, *)).map { _ in Double(SplitMix64.below(4, using: &generator)) / 8 }
            let weights = space.normalised(beta: beta)
            var scores = ["paths": paths.arrows.map { weights[space.betaIndex(of: TrellisArrow(layer: $0.layer, from: $0.from, move: Move(rawValue: $0.to - $0.from + 1)!))] }]
            let rows = space.cell.normalised(alpha: alpha)
            var first = 0
            for block in 1...3 {
                scores["cell.\(block)"] = rows[first..<(first + block + 1)].flatMap { $0 }
                first += block + 1
            }
            let found = try list.decode(weights: scores)[0].assignment
            let expected = try space.decode(logits: alpha, beta)
            guard case .path(let ids)? = found["paths"] else { return XCTFail("no path") }
            XCTAssertEqual(ids.map { strides[paths.arrows[$0].to] }, expected.path)
            for block in 1...3 {
                let wanted = expected.cell.blocks[block - 1].branches.map { Branches.Pick(state: $0.state - 1, option: operators.firstIndex(of: $0.operation)!) }
                XCTAssertEqual(found["cell.\(block)"], .branches(wanted))
            }
            let several = try list.fixing(found.values.filter { $0.key != "paths" })
            let ways = try list.decode(weights: scores, count: 12, within: several).map { decoded -> [Int] in
                guard case .path(let ids)? = decoded.assignment["paths"] else { return [] }
                return ids.map { paths.arrows[$0].to }
            }
            XCTAssertEqual(ways, try space.bestPaths(logits: beta, count: 12).map(\.states))
        }
    }

    func testWeights() throws {
        // Powers of two: products in another order, and of other factors, are equal.
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 400 + seed)
            let list = try lists.list()
            let (scores, off) = (lists.scores(list, closed: true), off(list, &lists))
            func weights(_ scores: [String: [Double]]) -> [String: [Double]] { scores.mapValues { $0.map { exp2($0) } } }
            guard case let expected = try brute(list, scores, off), !expected.isEmpty else { continue }
            for count in [1, 9, 1000] {
                let decoded = try list.decode(weights: weights(scores), off: weights(off), count: count)
                XCTAssertEqual(decoded.map(\.assignment), expected.prefix(count).map(\.assignment))
                for (one, other) in zip(decoded, expected) { XCTAssertEqual(one.score, other.score * log(2), accuracy: 1e-9) }
            }
        }
        var builder = DecisionListBuilder()
        for name in ["x", "y"] { try builder.meet(name, .choice(Choice(options: ["1", "2"]))) }
        let list = builder.list()
        // 0 is never on.
        XCTAssertEqual(try list.decode(weights: ["x": [0.3, 0.6], "y": [0.2, 0]], count: 9).map(\.assignment), [Assignment(["x": .option(1), "y": .option(0)]), Assignment(["x": .option(0), "y": .option(0)])])
        XCTAssertEqual(spaceError { try list.decode(weights: ["x": [0.3, -0.6], "y": [0.2, 0]]) }?.expected, "a finite number of at least 0")
        XCTAssertEqual(spaceError { try list.decode(weights: ["x": [0.3, .infinity], "y": [0.2, 0]]) }?.location, "x, 2")
        XCTAssertEqual(spaceError { try list.decode(weights: ["x": [0, 0], "y": [0.2, 0]]) }?.kind, .noPath)
    }

    func testAtThePapersSize() throws {
        var builder = DecisionListBuilder()
        var generator = SplitMix64(seed: 9)
        func random() -> Double { Double(SplitMix64.below(1 << 30, using: &generator)) * 0x1p-30 }
        let paths = try Paths(layers: 12, states: ["4", "8", "16", "32"], start: [0, 1, 2, 3], isMany: true) { _, from, to in abs(from - to) <= 1 }
        try builder.meet("paths", .paths(paths))
        for id in paths.arrows.indices {
            try builder.meet("op.\(id)", .choice(Choice(options: ["none", "a", "b", "c", "d"])), within: [Literal(decision: "paths", option: id)])
        }
        let list = builder.list()
        let scores = Dictionary(uniqueKeysWithValues: list.all.map { ($0.name, (0..<$0.optionCount).map { _ in log(random() + 1e-9) }) })
        let off = ["paths": scores["paths"]!.map { log(1 - exp($0) + 1e-9) }]
        let start = ContinuousClock.now
        let best = try list.decode(scores: scores, off: off, count: 5)
        XCTAssertEqual(best.count, 5)
        XCTAssertEqual(best.map(\.score), best.map(\.score).sorted(by: >))
        for decoded in best { XCTAssertNoThrow(try list.check(decoded.assignment)) }
        XCTAssertNoThrow(try list.check(list.random(using: &generator)))
        print("several paths of 12 layers with nested choices: 5 best in \(ContinuousClock.now - start)")
    }

    func testBadInput() throws {
        var builder = DecisionListBuilder()
        try builder.meet("op", .choice(Choice(options: ["none", "a", "b"])))
        try builder.meet("set", .subset(Subset(options: ["x", "y"], least: 0)))
        let list = builder.list()
        let good = ["op": [9, 1, 2], "set": [1.0, 1]]
        XCTAssertEqual(try list.decode(scores: good)[0].assignment, Assignment(["op": .option(2), "set": .set([true, true])]))
        XCTAssertEqual(spaceError { try list.decode(scores: good, count: 0) }?.location, "count")
        XCTAssertEqual(spaceError { try list.decode(scores: ["op": [9, 1, 2]]) }?.location, "set")
        XCTAssertEqual(spaceError { try list.decode(scores: good.merging(["ob": []]) { a, _ in a }) }?.kind, .unknownName)
        XCTAssertEqual(spaceError { try list.decode(scores: ["op": [9, 1], "set": [1, 1]]) }?.got, "2")
        XCTAssertEqual(spaceError { try list.decode(scores: ["op": [9, .nan, 1], "set": [1, 1]]) }?.location, "op, a")
        XCTAssertEqual(spaceError { try list.decode(scores: ["op": [9, .infinity, 1], "set": [1, 1]]) }?.location, "op, a")
        XCTAssertNoThrow(try list.decode(scores: ["op": [.nan, 1, -1e30], "set": [1, 1]]))
        XCTAssertEqual(spaceError { try list.decode(scores: ["op": [9, -.infinity, -.infinity], "set": [1, 1]]) }?.kind, .noPath)
        XCTAssertEqual(spaceError { try list.decode(scores: good, budget: Budget(limit: 3) { _ in -1 }) }?.got, "-1.0")
        XCTAssertEqual(spaceError { try list.decode(scores: good, budget: Budget(limit: 3) { _ in .nan }) }?.location, "cost of op, a")
        var other = DecisionListBuilder()
        try other.meet("op", .choice(Choice(options: ["none", "a"])))
        XCTAssertEqual(spaceError { try list.decode(scores: good, within: other.list()) }?.location, "within: op")
    }
}
