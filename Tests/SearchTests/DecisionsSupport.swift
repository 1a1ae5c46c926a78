import XCTest
@testable import Search

/// All values of a domain by trying: every option, every set, every sequence of arrows; none of the library's algorithms.
func bruteValues(_ domain: Domain) -> [Value] {
    func sets(_ count: Int) -> [[Bool]] { (0..<(1 << count)).map { bits in (0..<count).map { bits >> $0 & 1 == 1 } } }
    switch domain {
    case .choice(let choice): return choice.options.indices.filter { choice.options[$0] != "none" }.map(Value.option)
    case .number(let number): return number.values.indices.map(Value.option)
    case .subset(let subset): return sets(subset.options.count).filter { (subset.least...subset.most).contains($0.count(where: { $0 })) }.map(Value.set)
    case .branches(let branches):
        let pairs = branches.states.indices.flatMap { state in
            branches.options.indices.filter { branches.options[$0] != "none" }.map { Branches.Pick(state: state, option: $0) }
        }
        return sets(pairs.count).map { flags in pairs.indices.filter { flags[$0] }.map { pairs[$0] } }
            .filter { $0.count == branches.keep && Set($0.map(\.state)).count == branches.keep }.map(Value.branches)
    case .paths(let paths) where paths.isMany:
        return sets(paths.arrows.count).filter { flags in
            (1...paths.layers).allSatisfy { layer in
                let on = paths.arrows.indices.filter { flags[$0] && paths.arrows[$0].layer == layer }
                let before = paths.arrows.indices.filter { flags[$0] && paths.arrows[$0].layer == layer - 1 }
                return !on.isEmpty && (layer == 1 || Set(on.map { paths.arrows[$0].from }) == Set(before.map { paths.arrows[$0].to }))
            }
        }.map(Value.set)
    case .paths(let paths):
        return (1...paths.layers).reduce([[]] as [[Int]]) { heads, layer in
            heads.flatMap { head in
                paths.arrows.indices.filter { paths.arrows[$0].layer == layer }
                    .filter { id in head.last.map { paths.arrows[$0].to == paths.arrows[id].from } ?? true }.map { head + [$0] }
            }
        }.map(Value.path)
    }
}

/// The options that a value has on, as flags.
func bruteFlags(_ domain: Domain, _ value: Value) -> [Bool] {
    var flags = [Bool](repeating: false, count: domain.optionCount)
    switch value {
    case .option(let option): flags[option] = true
    case .set(let set): flags = set
    case .path(let ids): for id in ids { flags[id] = true }
    case .branches(let picks):
        guard case .branches(let branches) = domain else { break }
        for pick in picks { flags[pick.state * branches.options.count + pick.option] = true }
    }
    return flags
}

/// All assignments of a list, decision by decision.
func bruteAssignments(_ list: DecisionList) -> [Assignment] {
    list.all.reduce([Assignment()]) { heads, decision in
        let values = list.fixed[decision.name].map { [$0] } ?? bruteValues(decision.domain)
        return heads.flatMap { head in
            if let parent = decision.parent, let outer = list[parent.decision] {
                guard let value = head[parent.decision], bruteFlags(outer.domain, value)[parent.option] else { return [head] }
            }
            return values.map { value in
                var next = head
                next[decision.name] = value
                return next
            }
        }
    }
}

/// Lists of some decisions of every kind, some of them nested, with few enough assignments to try all.
struct RandomLists {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    mutating func below(_ bound: Int) -> Int { SplitMix64.below(bound, using: &generator) }

    mutating func domain(_ kind: Int) throws -> Domain {
        let options = ["none", "a", "b", "c", "d"]
        switch kind {
        case 0: return .choice(try Choice(options: Array(options[below(2)..<(2 + below(3))]), isOrdered: below(2) == 0))
        case 1:
            let count = 1 + below(4)
            let least = below(count + 1)
            return .subset(try Subset(options: Array("wxyz".prefix(count)).map(String.init), least: least, most: max(1, least + below(count - least + 1))))
        case 2: return .number(try Number(low: 2, high: 2 + Double(below(3)), step: 1))
        case 3: return .branches(try Branches(states: Array("rst".prefix(2 + below(2))).map(String.init), options: Array(options[0...(1 + below(2))]), keep: 1 + below(2)))
        default:
            let seed = generator.next()
            let states = 2 + below(2)
            while true {
                let layers = 1 + below(states == 2 ? 3 : 2)
                let salt = generator.next()
                if let paths = try? Paths(
                    layers: layers, states: ["4", "8", "16"].prefix(states).map { $0 }, start: below(2) == 0 ? [0] : [0, 1], isMany: kind == 5,
                    admits: { layer, from, to in
                        var generator = SplitMix64(seed: seed ^ salt &+ UInt64(layer * 100 + from * 10 + to))
                        return SplitMix64.below(100, using: &generator) < 70
                    }), paths.arrows.count <= 11 { return .paths(paths) }
            }
        }
    }

    mutating func list(nested: Bool = true) throws -> DecisionList {
        while true {
            var builder = DecisionListBuilder()
            var met: [Decision] = []
            for i in 0..<(1 + below(4)) {
                var chain: [Literal] = []
                let outer = met.filter { if case .branches = $0.domain { false } else { true } }
                if nested, !outer.isEmpty, below(3) > 0 {
                    let parent = outer[below(outer.count)]
                    let option = below(parent.optionCount)
                    if parent.domain.canBeOn(option) { chain = [Literal(decision: parent.name, option: option)] }
                }
                met.append(try builder.meet("d\(i)", domain(below(6)), within: chain))
            }
            let list = builder.list()
            // An upper bound: nesting makes it fewer.
            if list.all.reduce(1, { $0 * bruteValues($1.domain).count }) <= 3000 { return list }
        }
    }

    /// Small whole numbers: many sums are equal.
    mutating func scores(_ list: DecisionList, closed: Bool = false) -> [String: [Double]] {
        Dictionary(
            uniqueKeysWithValues: list.all.map { decision in
                (decision.name, (0..<decision.optionCount).map { _ in closed && below(8) == 0 ? -.infinity : Double(below(4) - 2) })
            })
    }
}

/// Pearson's chi-square, six standard deviations wide.
func assertEven(_ counts: [Int], _ kinds: Int, _ rounds: Int, file: StaticString = #filePath, line: UInt = #line) {
    XCTAssertLessThanOrEqual(counts.count, kinds, file: file, line: line)
    guard kinds > 1 else { return }
    let expected = Double(rounds) / Double(kinds)
    let all = counts + [Int](repeating: 0, count: max(0, kinds - counts.count))
    let square = all.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    let freedom = Double(kinds - 1)
    XCTAssertLessThan(square, freedom + 6 * (2 * freedom).squareRoot(), file: file, line: line)
}
