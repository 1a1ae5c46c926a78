import Base
import Tensors
import XCTest
@testable import Search

final class DecisionsTests: XCTestCase {
    private let fuzz = ProcessInfo.processInfo.environment["TRELLIS_FUZZ"].flatMap { Int($0) } ?? 60

    // MARK: Counts and order

    func testAllAreGoneThroughOnce() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: seed)
            let list = try lists.list()
            let expected = Set(bruteAssignments(list))
            XCTAssertEqual(try list.count(), Natural(expected.count), "seed \(seed)")
            let all = Array(try list.each())
            XCTAssertEqual(all.count, expected.count, "seed \(seed)")
            XCTAssertEqual(Set(all), expected, "seed \(seed)")
            for (i, assignment) in all.enumerated() {
                XCTAssertNoThrow(try list.check(assignment))
                XCTAssertEqual(try list.number(of: assignment), Natural(i))
                XCTAssertEqual(try list.assignment(at: Natural(i)), assignment)
            }
            XCTAssertNil(try list.assignment(at: Natural(all.count)))
            // Every decision's values alone.
            for decision in list.all { XCTAssertEqual(try decision.count(), Natural(bruteValues(decision.domain).count)) }
        }
    }

    func testTheOrder() throws {
        var builder = DecisionListBuilder()
        try builder.meet("set", .subset(Subset(options: ["x", "y"], least: 1)))
        try builder.meet("deep", .choice(Choice(options: ["none", "p", "q"])), within: [Literal(decision: "set", option: 0)])
        try builder.meet("top", .number(Number(low: 1, high: 2)))
        let list = builder.list()
        let texts = try list.each().map { assignment in
            try list.json(assignment).text()
        }
        XCTAssertEqual(
            texts,
            [
                #"{"set":["x","y"],"deep":"p","top":1}"#, #"{"set":["x","y"],"deep":"p","top":2}"#,
                #"{"set":["x"],"deep":"p","top":1}"#, #"{"set":["x"],"deep":"p","top":2}"#,
                #"{"set":["x","y"],"deep":"q","top":1}"#, #"{"set":["x","y"],"deep":"q","top":2}"#,
                #"{"set":["x"],"deep":"q","top":1}"#, #"{"set":["x"],"deep":"q","top":2}"#,
                #"{"set":["y"],"top":1}"#, #"{"set":["y"],"top":2}"#,
            ])
        XCTAssertEqual(Array(try DecisionList(all: []).each()), [Assignment()])
        XCTAssertEqual(try DecisionList(all: []).count(), 1)
    }

    func testLargeCounts() throws {
        let chain = try Paths(layers: 12, states: ["4", "8", "16", "32"]) { _, from, to in abs(from - to) <= 1 }
        var builder = DecisionListBuilder()
        XCTAssertEqual(try builder.meet("paths", .paths(chain)).count(), 75_025)
        var published: Natural = 1
        for block in 1...5 {
            let states = (1...(block + 1)).map(String.init)
            let branches = try Branches(states: states, options: ["none", "a", "b", "c", "d", "e", "f", "g"])
            published *= branches.published
            let decision = try builder.meet("cell.\(block)", .branches(branches))
            let n = block + 1
            XCTAssertEqual(try decision.count(), Natural(n * (n - 1) / 2 * 49))
        }
        XCTAssertEqual(published.grouped, "556,627,761,561,600")
        let list = builder.list()
        XCTAssertEqual(try list.count(), try list.all.reduce(1) { try $0 * $1.count() })
        XCTAssertEqual(chain.reached(0), [0])
        XCTAssertEqual(chain.reached(1), [0, 1])
        XCTAssertEqual(chain.reached(12), [0, 1, 2, 3])
        // A number of 62 bits and back.
        var generator = SplitMix64(seed: 3)
        for _ in 0..<20 {
            let drawn = try list.random(using: &generator)
            XCTAssertEqual(try list.assignment(at: list.number(of: drawn)), drawn)
        }
        // Several paths at the paper's size.
        let many = try Paths(layers: 12, states: ["4", "8", "16", "32"], isMany: true) { _, from, to in abs(from - to) <= 1 }
        builder = DecisionListBuilder()
        XCTAssertEqual(try builder.meet("many", .paths(many)).count(), manyCount(layers: 12, states: 4))
        // Sums over sets, not over 2^200 of them.
        let wide = try Subset(options: (0..<200).map { "\($0)" }, least: 100, most: 101)
        builder = DecisionListBuilder()
        XCTAssertGreaterThan(try builder.meet("wide", .subset(wide)).count().bitWidth, 196)
    }

    /// By reached sets alone: the sets of arrows from all of one set to all of another, by inclusion and exclusion over targets and sources.
    private func manyCount(layers: Int, states: Int) -> Natural {
        let full = 1 << states
        func sub(_ set: Int, _ below: (Int) -> Int) -> Int {
            (0..<full).filter { $0 & ~set == 0 }.reduce(0) { $0 + ((set ^ $1).nonzeroBitCount % 2 == 0 ? 1 : -1) * below($1) }
        }
        func arrows(_ from: Int, _ to: Int) -> Int {
            var count = 0
            for a in 0..<states where from >> a & 1 == 1 {
                for b in 0..<states where to >> b & 1 == 1 && abs(a - b) <= 1 { count += 1 }
            }
            return count
        }
        func ways(_ from: Int, _ to: Int) -> Int { sub(to) { target in sub(from) { source in 1 << arrows(source, target) } } }
        var counts = [Natural](repeating: 1, count: full)
        for _ in 1...layers {
            let before = counts
            for from in 0..<full {
                counts[from] = 0
                for to in 1..<full { counts[from] += Natural(ways(from, to)) * before[to] }
            }
        }
        return counts[1]
    }

    func testPathsKeepArrowsOnAWay() throws {
        // 8 is reached in layer 1 and left nowhere; 16 is never reached; 4 jumps to 32.
        let paths = try Paths(layers: 2, states: ["4", "8", "16", "32"], start: [0]) { layer, from, to in
            [[1, 0, 1], [1, 0, 0], [1, 0, 3], [2, 0, 0], [2, 3, 0], [2, 2, 2]].contains([layer, from, to])
        }
        XCTAssertEqual(paths.arrows, [Arrow(layer: 1, from: 0, to: 0), Arrow(layer: 1, from: 0, to: 3), Arrow(layer: 2, from: 0, to: 0), Arrow(layer: 2, from: 3, to: 0)])
        XCTAssertEqual(paths.arrows(2), 2..<4)
        XCTAssertEqual(paths.outgoing(1, 3), [3])
        XCTAssertEqual(paths.incoming(2, 0), [2, 3])
        XCTAssertEqual(paths.reached(1), [0, 3])
        XCTAssertEqual(paths.label(of: 1), "4 -> 32 into layer 1")
        XCTAssertEqual(paths.id(of: Arrow(layer: 2, from: 3, to: 0)), 3)
        XCTAssertNil(paths.id(of: Arrow(layer: 2, from: 3, to: 3)))
    }

    // MARK: The tree

    func testNearestCommonAncestor() throws {
        func choice(_ options: String...) throws -> Domain { .choice(try Choice(options: options)) }
        func lit(_ decision: String, _ option: Int) -> Literal { Literal(decision: decision, option: option) }
        var builder = DecisionListBuilder()
        try builder.meet("a", choice("1", "2"))
        try builder.meet("b", choice("1", "2"), within: [lit("a", 0)])
        try builder.meet("c", choice("1", "2"), within: [lit("a", 0), lit("b", 1)])
        XCTAssertEqual(builder.list()["c"]?.parent, lit("b", 1))
        // From another option of b: their ancestor is a = 1.
        try builder.meet("c", choice("1", "2"), within: [lit("a", 0), lit("b", 0)])
        XCTAssertEqual(builder.list()["c"]?.parent, lit("a", 0))
        // Met again where it stands: nothing changes.
        try builder.meet("c", choice("1", "2"), within: [lit("a", 0)])
        XCTAssertEqual(builder.list()["c"]?.parent, lit("a", 0))
        XCTAssertEqual(builder.list().children(of: lit("a", 0)).map(\.name), ["b", "c"])
        // d = 2 is inside of b; b moves to the top, and d with it.
        try builder.meet("d", choice("1", "2"), within: [lit("a", 0), lit("b", 1)])
        try builder.meet("b", choice("1", "2"), within: [lit("a", 1)])
        XCTAssertNil(builder.list()["b"]?.parent)
        XCTAssertEqual(builder.list()["d"]?.parent, lit("b", 1))
        // Inside of itself: it stays.
        try builder.meet("a", choice("1", "2"), within: [lit("b", 1), lit("d", 0), lit("a", 0)])
        XCTAssertNil(builder.list()["a"]?.parent)
        XCTAssertEqual(builder.list().topLevel.map(\.name), ["a", "b"])
        XCTAssertEqual(builder.list().all.map(\.name), ["a", "b", "c", "d"])
        XCTAssertEqual(Set(try builder.list().each()), Set(bruteAssignments(builder.list())))
    }

    func testOneNameOneDecision() throws {
        var builder = DecisionListBuilder()
        try builder.meet("op", .choice(Choice(options: ["a", "b"])), place: "space.lua:3")
        XCTAssertNoThrow(try builder.meet("op", .choice(Choice(options: ["a", "b"])), place: "space.lua:4"))
        let other = spaceError { try builder.meet("op", .choice(Choice(options: ["a", "c"])), place: "space.lua:9") }
        XCTAssertEqual(
            other?.description,
            "space.lua:9: expected the decision 'op' as it was met first at space.lua:3: a choice of a, b, got a choice of a, c; one name is one decision; give this one another name")
        XCTAssertEqual(spaceError { try builder.meet("", .choice(Choice(options: ["a"]))) }?.kind, .size)
        let unknown = spaceError { try builder.meet("x", .choice(Choice(options: ["a"])), within: [Literal(decision: "oq", option: 0)]) }
        XCTAssertEqual(unknown?.kind, .unknownName)
        XCTAssertEqual(unknown?.remedy, "did you mean 'op'? known are op")
        XCTAssertEqual(spaceError { try builder.meet("x", .choice(Choice(options: ["a"])), within: [Literal(decision: "op", option: 2)]) }?.expected, "option 1 to 2 of 'op'")
        try builder.meet("block", .branches(Branches(states: ["1", "2"], options: ["none", "a"])))
        XCTAssertEqual(
            spaceError { try builder.meet("x", .choice(Choice(options: ["a"])), within: [Literal(decision: "block", option: 1)]) }?.got, "'block', branches")
        try builder.meet("edge", .choice(Choice(options: ["none", "a"])))
        XCTAssertEqual(
            spaceError { try builder.meet("x", .choice(Choice(options: ["a"])), within: [Literal(decision: "edge", option: 0)]) }?.expected, "an option that can be on")
        XCTAssertEqual(builder.list().all.count, 3)
        // The same states and counts, other arrows.
        try builder.meet("p", .paths(Paths(layers: 1, states: ["4", "8"]) { _, _, to in to == 0 }))
        XCTAssertEqual(spaceError { try builder.meet("p", .paths(Paths(layers: 1, states: ["4", "8"]) { _, _, to in to == 1 })) }?.got, "one with other arrows")
    }

    func testDomainsThatAreNone() throws {
        XCTAssertEqual(spaceError { try Choice(options: []) }?.expected, "at least one option")
        XCTAssertEqual(spaceError { try Choice(options: ["none"]) }?.expected, "an option other than 'none'")
        XCTAssertEqual(spaceError { try Choice(options: ["a", "b", "a"]) }?.got, "'a' again (first at 1)")
        XCTAssertEqual(spaceError { try Choice(options: ["a", ""]) }?.location, "options[2]")
        XCTAssertEqual(spaceError { try Choice(options: (0...10_000).map(String.init)) }?.expected, "at most 10000")
        XCTAssertEqual(spaceError { try Subset(options: ["a", "none"]) }?.location, "options[2]")
        XCTAssertEqual(spaceError { try Subset(options: ["a"], least: 2) }?.location, "least")
        XCTAssertEqual(spaceError { try Subset(options: ["a"], least: -1) }?.location, "least")
        XCTAssertEqual(spaceError { try Subset(options: ["a", "b"], least: 2, most: 1) }?.expected, "2 to 2, the number of options")
        XCTAssertEqual(spaceError { try Subset(options: ["a", "b"], least: 0, most: 0) }?.location, "most")
        XCTAssertEqual(spaceError { try Number(low: .nan, high: 3) }?.location, "low")
        XCTAssertEqual(spaceError { try Number(low: 0, high: .infinity) }?.location, "high")
        XCTAssertEqual(spaceError { try Number(low: 3, high: 2) }?.location, "high")
        XCTAssertEqual(spaceError { try Number(low: 1, high: 2, step: 0) }?.location, "step")
        XCTAssertEqual(spaceError { try Number(low: 1, high: 2, step: 1e-9) }?.location, "step")
        XCTAssertEqual(spaceError { try Number(low: 1e300, high: 1e300 + 1e285, step: 1e280) }?.location, "step")
        XCTAssertEqual(spaceError { try Number(low: 0, high: 8, isLogarithmic: true) }?.location, "low")
        XCTAssertEqual(spaceError { try Number(low: 1, high: 8, step: 1, isLogarithmic: true) }?.location, "step")
        XCTAssertEqual(spaceError { try Branches(states: ["a"], options: ["x"], keep: 2) }?.location, "keep")
        XCTAssertEqual(spaceError { try Branches(states: ["a", "b"], options: ["none"]) }?.location, "options")
        XCTAssertEqual(spaceError { try Paths(layers: 0, states: ["a"]) }?.location, "layers")
        XCTAssertEqual(spaceError { try Paths(layers: 2, states: []) }?.location, "states")
        XCTAssertEqual(spaceError { try Paths(layers: 2, states: ["a"], start: []) }?.location, "start")
        XCTAssertEqual(spaceError { try Paths(layers: 2, states: ["a"], start: [1]) }?.location, "start[1]")
        XCTAssertEqual(spaceError { try Paths(layers: 3, states: ["a"]) { layer, _, _ in layer < 3 } }?.got, "none into layer 3")
        XCTAssertEqual(spaceError { try Paths(layers: 1000, states: (0..<1000).map(String.init), start: Array(0..<1000)) }?.expected, "at most 100000")
        struct Mine: Error {}
        XCTAssertThrowsError(try Paths(layers: 2, states: ["a"]) { _, _, _ in throw Mine() }) { XCTAssert($0 is Mine) }
        // Too many sets of states: the decision can be built, not counted.
        var builder = DecisionListBuilder()
        try builder.meet("wide", .paths(Paths(layers: 2, states: (0..<65).map(String.init), start: Array(0..<65), isMany: true)))
        XCTAssertEqual(spaceError { try builder.list().count() }?.location, "wide")
    }

    func testNumbers() throws {
        XCTAssertEqual(try Number(low: 8, high: 16, step: 4).values, [8, 12, 16])
        XCTAssertEqual(try Number(low: 8, high: 17, step: 4).values, [8, 12, 16])
        XCTAssertEqual(try Number(low: 0.1, high: 0.5, step: 0.1).values.count, 5)
        XCTAssertEqual(try Number(low: 0.1, high: 0.5, step: 0.1).values[4], 0.5)
        XCTAssertEqual(try Number(low: 4, high: 64, isLogarithmic: true).values, [4, 8, 16, 32, 64])
        XCTAssertEqual(try Number(low: 1e-4, high: 1e-1, step: 10, isLogarithmic: true).values.count, 4)
        XCTAssertEqual(try Number(low: -2, high: -2).labels, ["-2"])
        XCTAssertEqual(try Number(low: 0.1, high: 0.5, step: 0.1).position(of: 0.3), 2)
        XCTAssertNil(try Number(low: 0, high: 1, step: 0.5).position(of: 0.25))
    }

    // MARK: Drawing

    func testDrawnEvenly() throws {
        for seed in 0..<UInt64(min(fuzz, 40)) {
            var lists = RandomLists(seed: 1000 + seed)
            let list = try lists.list()
            let kinds = try XCTUnwrap(list.count().int)
            guard kinds <= 150 else { continue }
            var counts: [Assignment: Int] = [:]
            let rounds = 20 * kinds
            for _ in 0..<rounds { counts[try list.random(using: &lists.generator), default: 0] += 1 }
            for assignment in counts.keys { XCTAssertNoThrow(try list.check(assignment)) }
            assertEven(Array(counts.values), kinds, rounds)
        }
        var lists = RandomLists(seed: 5)
        let list = try lists.list()
        XCTAssertEqual(try list.random(seed: 3), try list.random(seed: 3))
    }

    func testMutation() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 2000 + seed)
            let list = try lists.list()
            var now = try list.random(using: &lists.generator)
            for _ in 0..<20 {
                let next = try list.mutate(now, using: &lists.generator)
                XCTAssertNoThrow(try list.check(next))
                let changed = list.all.filter { now[$0.name] != next[$0.name] }
                let isOpen = list.all.contains { now[$0.name] != nil && bruteValues($0.domain).count > 1 }
                XCTAssertEqual(changed.isEmpty, !isOpen)
                // One of them was redrawn; the others became active or inactive by it.
                for decision in changed.dropFirst() { XCTAssert((now[decision.name] == nil) != (next[decision.name] == nil), "seed \(seed)") }
                now = next
            }
        }
    }

    func testMutationIsEven() throws {
        // b has two values in a = 1 and three in a = 2; c is free.
        var builder = DecisionListBuilder()
        try builder.meet("a", .choice(Choice(options: ["1", "2", "3"])))
        try builder.meet("b", .choice(Choice(options: ["1", "2"])), within: [Literal(decision: "a", option: 1)])
        try builder.meet("c", .choice(Choice(options: ["only"])))
        let list = builder.list()
        let start = Assignment(["a": .option(0), "c": .option(0)])
        var generator = SplitMix64(seed: 8)
        var seen: [Assignment: Int] = [:]
        for _ in 0..<4000 { seen[try list.mutate(start, using: &generator), default: 0] += 1 }
        XCTAssertEqual(seen.count, 3)
        XCTAssertEqual(Double(seen[Assignment(["a": .option(2), "c": .option(0)])] ?? 0), 2000, accuracy: 200)
        XCTAssertEqual(Double(seen[Assignment(["a": .option(1), "b": .option(1), "c": .option(0)])] ?? 0), 1000, accuracy: 150)
    }

    func testCrossing() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 3000 + seed)
            let list = try lists.list()
            for _ in 0..<10 {
                let (a, b) = (try list.random(using: &lists.generator), try list.random(using: &lists.generator))
                let child = try list.cross(a, b, using: &lists.generator)
                XCTAssertNoThrow(try list.check(child))
                for decision in list.all where child[decision.name] != nil && (a[decision.name] != nil || b[decision.name] != nil) {
                    XCTAssert([a[decision.name], b[decision.name]].contains(child[decision.name]))
                }
                XCTAssertEqual(try list.cross(a, a, using: &lists.generator), a)
            }
        }
    }

    func testFilters() throws {
        var builder = DecisionListBuilder()
        try builder.meet("n", .number(Number(low: 0, high: 99)))
        let list = builder.list()
        func value(_ assignment: Assignment) -> Int { if case .option(let option)? = assignment["n"] { option } else { -1 } }
        var generator = SplitMix64(seed: 4)
        for _ in 0..<20 { XCTAssertEqual(value(try list.random(using: &generator) { value($0) % 10 == 3 }) % 10, 3) }
        XCTAssertEqual(spaceError { try list.random(using: &generator) { _ in false } }?.kind, .filter)
        var asked = 0
        XCTAssertNotNil(
            spaceError {
                try list.mutate(Assignment(["n": .option(5)]), using: &generator) { _ in
                    asked += 1
                    return false
                }
            })
        XCTAssertEqual(asked, 1000)
        XCTAssertEqual(try list.neighbours(of: Assignment(["n": .option(5)])) { value($0) > 5 }.map(value), [6])
        XCTAssertThrowsError(try list.random(using: &generator) { _ in throw CancellationError() }) { XCTAssert($0 is CancellationError) }
    }

    // MARK: Neighbours

    func testNeighbours() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 4000 + seed)
            let list = try lists.list(nested: seed % 3 == 0)
            let all = bruteAssignments(list)
            let isFlat = list.all.allSatisfy { $0.parent == nil }
            for assignment in all.shuffled(using: &lists.generator).prefix(30) {
                let neighbours = try list.neighbours(of: assignment)
                XCTAssertEqual(Set(neighbours).count, neighbours.count)
                XCTAssert(Set(neighbours).isSubset(of: Set(all)))
                XCTAssertFalse(neighbours.contains(assignment))
                guard isFlat else { continue }
                // By trying every assignment.
                let expected = all.filter { other in
                    let changed = list.all.filter { other[$0.name] != assignment[$0.name] }
                    guard changed.count == 1 else { return false }
                    return isStep(changed[0].domain, assignment[changed[0].name]!, other[changed[0].name]!)
                }
                let longer = list.all.contains { if case .paths(let paths) = $0.domain { !paths.isMany } else { false } }
                if longer {
                    XCTAssert(Set(expected).isSubset(of: Set(neighbours)), "seed \(seed)")
                } else {
                    XCTAssertEqual(Set(neighbours), Set(expected), "seed \(seed)")
                    for neighbour in neighbours { XCTAssert(try list.neighbours(of: neighbour).contains(assignment)) }
                }
            }
        }
    }

    /// Whether one value is a smallest change of the other.
    private func isStep(_ domain: Domain, _ a: Value, _ b: Value) -> Bool {
        let (first, second) = (bruteFlags(domain, a), bruteFlags(domain, b))
        let changed = first.indices.filter { first[$0] != second[$0] }
        switch domain {
        case .choice(let choice) where choice.isOrdered:
            let (low, high) = (changed.min()!, changed.max()!)
            return !((low + 1)..<high).contains { choice.options[$0] != "none" }
        case .choice: return true
        case .number: return changed.max()! - changed.min()! == 1
        case .subset(let subset): return subset.least == subset.most ? changed.count == 2 : changed.count == 1
        case .branches(let branches):
            guard changed.count == 2 else { return false }
            // Another option on one state, or another state with one option.
            return changed[0] / branches.options.count == changed[1] / branches.options.count
                || changed[0] % branches.options.count == changed[1] % branches.options.count
        case .paths(let paths) where paths.isMany:
            guard changed.count == 2 else { return changed.count == 1 }
            let (into, on) = (paths.arrows[changed[0]], paths.arrows[changed[1]])
            return first[changed[0]] == first[changed[1]] && into.layer + 1 == on.layer && into.to == on.from
        case .paths(let paths):
            guard case .path(let a) = a, case .path(let b) = b else { return false }
            let states = { (ids: [Int]) in [paths.arrows[ids[0]].from] + ids.map { paths.arrows[$0].to } }
            return zip(states(a), states(b)).filter { $0 != $1 }.count == 1
        }
    }

    func testLongerDetours() throws {
        // Two tracks that meet only at the ends.
        let paths = try Paths(layers: 3, states: ["a", "b", "c"]) { layer, from, to in
            layer == 1 ? to > 0 : layer == 2 ? from == to : to == 0
        }
        var builder = DecisionListBuilder()
        try builder.meet("p", .paths(paths))
        let list = builder.list()
        let all = Array(try list.each())
        XCTAssertEqual(all.count, 2)
        XCTAssertEqual(try list.neighbours(of: all[0]), [all[1]])
        XCTAssertEqual(try list.neighbours(of: all[1]), [all[0]])
    }

    // MARK: Numbers of it, and files

    func testEncodingAndDistance() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 5000 + seed)
            let list = try lists.list()
            let some = try (0..<5).map { _ in try list.random(using: &lists.generator) }
            func encoded(_ assignment: Assignment) -> [[Bool]] {
                list.all.map { decision in assignment[decision.name].map { bruteFlags(decision.domain, $0) } ?? .init(repeating: false, count: decision.optionCount) }
            }
            for a in some {
                XCTAssertEqual(try list.encode(a), encoded(a).flatMap { $0.map { $0 ? 1 : 0 } })
                XCTAssertEqual(try list.encode(a).count, list.encodingLength)
                for b in some {
                    let expected = zip(encoded(a), encoded(b)).reduce(0) { sum, rows in
                        let pairs = zip(rows.0, rows.1)
                        return sum + max(pairs.filter { $0 && !$1 }.count, pairs.filter { $1 && !$0 }.count)
                    }
                    XCTAssertEqual(try list.distance(a, b), expected)
                    XCTAssertEqual(try list.distance(b, a), expected)
                    XCTAssertEqual(expected == 0, a == b)
                    for c in some { XCTAssertLessThanOrEqual(expected, try list.distance(a, c) + list.distance(c, b)) }
                }
            }
        }
    }

    func testFilesComeBack() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 6000 + seed)
            let list = try lists.list()
            let text = list.identity
            let again = try DecisionList(record: JSONValue.parse(text.utf8))
            XCTAssertEqual(again, list)
            XCTAssertEqual(again.identity, text)
            XCTAssertEqual(again.fingerprint.count, 16)
            for _ in 0..<5 {
                let drawn = try list.random(using: &lists.generator)
                XCTAssertEqual(try again.assignment(json: JSONValue.parse(list.json(drawn).text().utf8)), drawn)
                // Fixed, a decision stays in the record.
                let open = list.all.filter { drawn[$0.name] != nil }
                let name = open[lists.below(open.count)].name
                let smaller = try list.fixing(name, to: drawn[name]!)
                XCTAssertEqual(try DecisionList(record: JSONValue.parse(smaller.identity.utf8)), smaller)
                XCTAssertNotEqual(smaller.identity, text)
            }
        }
    }

    func testFixing() throws {
        for seed in 0..<UInt64(fuzz) {
            var lists = RandomLists(seed: 7000 + seed)
            let list = try lists.list()
            let drawn = try list.random(using: &lists.generator)
            let active = list.all.filter { drawn[$0.name] != nil }
            let names = [active[lists.below(active.count)].name, active[lists.below(active.count)].name]
            let smaller = try list.fixing(Dictionary(uniqueKeysWithValues: Set(names).map { ($0, drawn[$0]!) }))
            XCTAssertEqual(smaller.decisions.count + smaller.fixed.count, smaller.all.count)
            // Those of the larger list that have these values where they have one.
            let expected = bruteAssignments(list).filter { assignment in names.allSatisfy { assignment[$0] == nil || assignment[$0] == drawn[$0] } }
            XCTAssertEqual(Set(try smaller.each()), Set(expected), "seed \(seed)")
            XCTAssertEqual(try smaller.count(), Natural(expected.count))
            for assignment in expected.prefix(20) {
                XCTAssertNoThrow(try smaller.check(assignment))
                XCTAssertNoThrow(try list.check(assignment))
                for neighbour in try smaller.neighbours(of: assignment) { XCTAssertNoThrow(try smaller.check(neighbour)) }
                XCTAssertNoThrow(try smaller.check(smaller.mutate(assignment, using: &lists.generator)))
            }
        }
        var builder = DecisionListBuilder()
        try builder.meet("a", .choice(Choice(options: ["x", "y"])))
        try builder.meet("b", .choice(Choice(options: ["x", "y"])), within: [Literal(decision: "a", option: 1)])
        let list = builder.list()
        let smaller = try list.fixing("a", to: .option(0))
        XCTAssertEqual(smaller.all.map(\.name), ["a"])
        XCTAssertEqual(smaller.decisions, [])
        XCTAssertEqual(spaceError { try list.fixing("c", to: .option(0)) }?.kind, .unknownName)
        XCTAssertEqual(spaceError { try list.fixing("a", to: .option(2)) }?.got, "option 3 of 2")
        XCTAssertEqual(spaceError { try list.fixing(["a": .option(0), "b": .option(0)]) }?.expected, "a decision that can be active")
        XCTAssertEqual(spaceError { try smaller.fixing("a", to: .option(1)) }?.expected, "what it was fixed to before, x")
        XCTAssertEqual(spaceError { try smaller.check(Assignment(["a": .option(1)])) }?.expected, "what it was fixed to, x")
    }

    func testPublishedBlocks() throws {
        // A state twice is data, but none of those that are counted.
        var builder = DecisionListBuilder()
        try builder.meet("block", .branches(Branches(states: ["1", "2"], options: ["none", "a", "b"])))
        let list = builder.list()
        let twice = Assignment(["block": .branches([.init(state: 1, option: 2), .init(state: 1, option: 1)])])
        XCTAssertNoThrow(try list.check(twice))
        XCTAssertEqual(twice, Assignment(["block": .branches([.init(state: 1, option: 1), .init(state: 1, option: 2)])]))
        XCTAssertEqual(try list.assignment(json: list.json(twice)), twice)
        XCTAssertEqual(spaceError { try list.number(of: twice) }?.got, "one state twice")
        var generator = SplitMix64(seed: 2)
        XCTAssertNoThrow(try list.check(list.mutate(twice, using: &generator)))
        XCTAssertFalse(try list.neighbours(of: twice).isEmpty)
        let same = Assignment(["block": .branches([.init(state: 0, option: 1), .init(state: 0, option: 1)])])
        XCTAssertEqual(try list.distance(same, twice), 2)
        XCTAssertEqual(try list.fixing("block", to: same["block"]!).count(), 1)
        XCTAssertEqual(Array(try list.fixing("block", to: same["block"]!).each()), [same])
    }

    func testValuesOfAnotherSpace() throws {
        var builder = DecisionListBuilder()
        try builder.meet("op", .choice(Choice(options: ["none", "conv", "pool"])))
        try builder.meet("set", .subset(Subset(options: ["a", "b", "c"], least: 1, most: 2)), within: [Literal(decision: "op", option: 1)])
        try builder.meet("way", .paths(Paths(layers: 2, states: ["4", "8"])))
        try builder.meet("many", .paths(Paths(layers: 2, states: ["4", "8"], isMany: true)))
        try builder.meet("width", .number(Number(low: 8, high: 16, step: 4)))
        try builder.meet("block", .branches(Branches(states: ["1", "2"], options: ["none", "a"])))
        let list = builder.list()
        let good = Assignment([
            "op": .option(1), "set": .set([true, false, true]), "way": .path([0, 2]), "many": .set([true, true, true, false, false, true]),
            "width": .option(2), "block": .branches([.init(state: 0, option: 1), .init(state: 1, option: 1)]),
        ])
        XCTAssertNoThrow(try list.check(good))
        XCTAssertEqual(
            try list.json(good).text(),
            #"{"op":"conv","set":["a","c"],"way":[["4","4"],["4","4"]],"many":[[["4","4"],["4","8"]],[["4","4"],["8","8"]]],"width":16,"block":[["1","a"],["2","a"]]}"#)
        func complaint(_ name: String, _ value: Value?) -> String? {
            var bad = good
            bad[name] = value
            let error = spaceError { try list.check(bad) }
            return error.map { "\($0.location): expected \($0.expected), got \($0.got)" }
        }
        XCTAssertEqual(complaint("op", .option(0)), "op: expected one of conv, pool, got 'none', which is never chosen")
        XCTAssertEqual(complaint("op", .option(-1)), "op: expected one of conv, pool, got option 0 of 3")
        XCTAssertEqual(complaint("op", .set([true])), "op: expected one option, got a set")
        XCTAssertEqual(complaint("op", .option(2)), "set: expected no value, as 'op = conv' is not on, got one")
        XCTAssertEqual(complaint("set", nil), "set: expected a subset of a, b, c, 1 to 2 of them, got no value")
        XCTAssertEqual(complaint("set", .set([true, true, true])), "set: expected 1 to 2 of a, b, c, got 3 of them")
        XCTAssertEqual(complaint("set", .set([true])), "set: expected 3 flags, one an option, got 1")
        XCTAssertEqual(complaint("way", .path([0])), "way: expected 2 arrows, one a layer, got 1")
        XCTAssertEqual(complaint("way", .path([2, 2])), "way: expected an arrow into layer 1, got 4 -> 4 into layer 2")
        XCTAssertEqual(complaint("way", .path([0, 5])), "way: expected an arrow into layer 2 that leaves 4, where the last arrived, got 8 -> 8 into layer 2")
        XCTAssertEqual(complaint("way", .path([0, 99])), "way: expected an arrow into layer 2, got arrow 100 of 6")
        XCTAssertEqual(complaint("many", .set([true, true, true, false, false, false]))?.hasPrefix("many: expected arrows into layer 2 that leave exactly"), true)
        XCTAssertEqual(complaint("many", .set([true, true, false, false, false, false])), "many: expected an arrow into each layer, got none into layer 2")
        XCTAssertEqual(complaint("many", .path([0, 2])), "many: expected a set of arrows, got a path")
        XCTAssertEqual(complaint("width", .option(3)), "width: expected one of the 3 numbers 8, 12, 16, got number 4")
        XCTAssertEqual(complaint("block", .branches([])), "block: expected 2 pairs of a state and an option, got 0")
        XCTAssertEqual(complaint("block", .branches([.init(state: 0, option: 0), .init(state: 1, option: 1)])), "block: expected options from a, got 'none'")
        XCTAssertEqual(complaint("block", .branches([.init(state: 2, option: 1), .init(state: 1, option: 1)])), "block: expected states from 1, 2, got state 3 of 2")
        XCTAssertEqual(complaint("wid", .option(0)), "architecture: expected a known decision, got 'wid'")

        func read(_ text: String) -> SpaceError? { spaceError { try list.assignment(json: JSONValue.parse(text.utf8), at: "found.json") } }
        XCTAssertEqual(read("[]")?.kind, .format)
        XCTAssertEqual(read(#"{"op": "konv"}"#)?.remedy, "did you mean 'conv'? known are none, conv, pool")
        XCTAssertEqual(read(#"{"ob": "conv"}"#)?.location, "found.json")
        XCTAssertEqual(read(#"{"op": true}"#)?.location, "found.json.op")
        XCTAssertEqual(read(#"{"width": 9}"#)?.expected, "one of 8, 12, 16")
        XCTAssertEqual(read(#"{"width": "8"}"#)?.expected, "a number")
        XCTAssertEqual(read(#"{"set": ["a", "a"]}"#)?.location, "found.json.set[2]")
        XCTAssertEqual(read(#"{"way": [["4", "4"], ["4"]]}"#)?.location, "found.json.way[2]")
        XCTAssertEqual(read(#"{"way": [[4, 4]]}"#)?.expected, "2 layers")
        XCTAssertEqual(read(#"{"way": [[8, 4], [4, 4]]}"#)?.got, "8 -> 4 into layer 1")
        XCTAssertEqual(read(#"{"op": "pool"}"#)?.location, "way")
        XCTAssertEqual(read(#"{"op": "none"}"#)?.kind, .misfit)
        // Labels that are numbers may be written as such.
        XCTAssertEqual(try list.assignment(json: JSONValue.parse(list.json(good).text().replacingOccurrences(of: "\"4\"", with: "4").utf8)), good)

        func record(_ text: String) -> SpaceError? { spaceError { try DecisionList(record: JSONValue.parse(text.utf8)) } }
        XCTAssertEqual(record(#"{"decisions": 3}"#)?.kind, .format)
        XCTAssertEqual(record(#"{"decision": []}"#)?.kind, .unknownName)
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choise", "options": ["x"]}]}"#)?.kind, .unknownName)
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choice", "options": ["x"], "least": 1}]}"#)?.kind, .unknownName)
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choice", "options": ["x"]}, {"name": "a", "kind": "choice", "options": ["x"]}]}"#)?.got, "'a' again")
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choice", "options": ["x"], "within": ["b", 1]}]}"#)?.kind, .unknownName)
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "paths", "states": ["4", "8"], "start": ["4"], "arrows": [[[1, 1], [1, 2]], [[1, 1]]]}]}"#)?.got, "1 that are not")
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choice", "options": ["x"]}], "fixed": 4}"#)?.kind, .format)
        XCTAssertEqual(record(#"{"decisions": [{"name": "a", "kind": "choice", "options": ["x"]}], "fixed": {"b": "x"}}"#)?.kind, .unknownName)
    }
}
