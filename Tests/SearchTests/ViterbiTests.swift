import XCTest
@testable import Search

final class ViterbiTests: XCTestCase {
    /// Every path, its probability as an exact product, in the order that `Viterbi` promises: larger products first, then
    /// lexicographically. No dynamic programming, no logarithm.
    private func bruteForce(_ table: TransitionTable, exists: [Bool]? = nil) -> [[Int]] {
        var paths: [(states: [Int], product: ExactProduct)] = [([], ExactProduct())]
        for layer in 0..<table.layers {
            paths = paths.flatMap { path in
                let state = path.states.last ?? 0
                return Move.allCases.compactMap { move -> (states: [Int], product: ExactProduct)? in
                    let next = state + move.step
                    let position = (layer * table.states + state) * 3 + move.rawValue
                    guard (0..<table.states).contains(next), exists?[position] ?? true, table.values[position] > 0 else { return nil }
                    var product = path.product
                    product.multiply(by: table.values[position])
                    return (path.states + [next], product)
                }
            }
        }
        return paths.sorted { a, b in
            a.product == b.product ? a.states.lexicographicallyPrecedes(b.states) : b.product < a.product
        }.map(\.states)
    }

    private func table(_ layers: Int, _ states: Int, _ value: () -> Double) throws -> TransitionTable {
        try TransitionTable(shape: [layers, states, 3], values: (0..<(layers * states * 3)).map { _ in value() })
    }

    func testAgainstAllPaths() throws {
        var generator = SplitMix64(seed: 1)
        func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
        // Tables that tie in every way: few values, thirds, permutations of the same factors, powers of one, float neighbours.
        let draws: [(String, () -> Double)] = [
            ("uniform", uniform),
            ("float", { Double(Float(uniform())) }),
            ("all equal", { 1.0 / 3 }),
            ("few", { [0.2, 0.3, 0.5][Int(generator.next() % 3)] }),
            ("few and zero", { [0, 0, 0.1, 0.7, 0.2][Int(generator.next() % 5)] }),
            ("dyadic", { [0.5, 0.25, 0.125, 1][Int(generator.next() % 4)] }),
            ("neighbours", { [0.1, 0.1.nextUp, 0.1.nextDown][Int(generator.next() % 3)] }),
            ("tiny", { [1e-300, 2e-300, .leastNonzeroMagnitude, 1][Int(generator.next() % 4)] }),
        ]
        for (name, draw) in draws {
            for layers in 1...6 {
                for states in 1...4 {
                    for _ in 0..<2 {
                        let table = try table(layers, states, draw)
                        let expected = bruteForce(table)
                        let found = try Viterbi.best(table, count: 7)
                        XCTAssertEqual(found.map(\.states), Array(expected.prefix(7)), name)
                        if let best = expected.first {
                            XCTAssertEqual(try Viterbi.best(table).states, best, name)
                        } else {
                            XCTAssertEqual(spaceError { try Viterbi.best(table) }?.kind, .noPath)
                        }
                    }
                }
            }
        }
    }

    func testAgainstAllPathsWithMasks() throws {
        var generator = SplitMix64(seed: 2)
        for _ in 0..<50 {
            let table = try table(5, 4) { [0.2, 0.3, 0.5, 0.25][Int(generator.next() % 4)] }
            let exists = table.values.map { _ in generator.next() % 10 < 7 }
            let expected = bruteForce(table, exists: exists)
            XCTAssertEqual(try Viterbi.best(table, count: expected.count + 1, exists: exists).map(\.states), expected)
        }
    }

    /// Powers of two multiply without rounding, so that the plain product is an oracle without any big number.
    func testAgainstPlainProducts() throws {
        var generator = SplitMix64(seed: 8)
        for _ in 0..<100 {
            let table = try table(6, 3) { [0, 0.125, 0.25, 0.5, 1][Int(generator.next() % 5)] }
            var best: (path: [Int], product: Double) = ([], 0)
            for path in bruteForcePaths(layers: 6, strides: [1, 2, 4], { _, _, _ in true }) {
                var product = 1.0
                for (layer, state) in path.enumerated() {
                    let from = layer == 0 ? 0 : path[layer - 1]
                    product *= table[layer, from, Move(rawValue: state - from + 1)!]
                }
                // Paths come in lexicographic order: the first of equals stays.
                if product > best.product { best = (path, product) }
            }
            XCTAssertEqual(try? Viterbi.best(table).states, best.product > 0 ? best.path : nil)
        }
    }

    func testTies() throws {
        // Equal everywhere: the finest state throughout.
        XCTAssertEqual(try Viterbi.best(table(6, 4) { 0.25 }).states, [0, 0, 0, 0, 0, 0])
        // The first layer decides before the last does: 1 0 and 0 1 are equal, 0 1 is lexicographically smaller.
        let table = try TransitionTable([[[0, 0.5, 0.5], [0, 0, 0]], [[0, 0, 1], [1, 0, 0]]])
        XCTAssertEqual(try Viterbi.best(table).states, [0, 1])
        // The same factors in another order are equal, whatever their rounded sums of logarithms.
        let permuted = try TransitionTable([[[0, 0.2, 0.3], [0, 0, 0]], [[0, 0.3, 0], [0, 0.5, 0]], [[0, 0.5, 0], [0, 0.2, 0]]])
        XCTAssertEqual(try Viterbi.best(permuted).states, [0, 0, 0])
    }

    func testLogProbability() throws {
        let table = try TransitionTable([[[9, 0.25, 0.75], [.nan, .nan, .nan]], [[9, 0.5, 0.5], [0.1, 0.9, 9]]])
        let best = try Viterbi.best(table)
        XCTAssertEqual(best.states, [1, 1])
        XCTAssertEqual(best.logProbability, log(0.75) + log(0.9))
        // What underflows as a product does not as a sum.
        let long = try TransitionTable(shape: [400, 1, 3], values: [Double](repeating: 0.01, count: 1200))
        XCTAssertEqual(try Viterbi.best(long).logProbability, 400 * log(0.01), accuracy: 1e-9)
    }

    func testWhatCannotBeReachedDoesNotMatter() throws {
        var table = [[[Double]]](repeating: [[Double]](repeating: [.nan, -1, .infinity], count: 3), count: 2)
        table[0][0] = [.nan, 1, 0]
        table[1][0] = [-7, 0, 0.5]
        XCTAssertEqual(try Viterbi.best(TransitionTable(table)).states, [0, 1])
    }

    func testErrors() throws {
        XCTAssertEqual(spaceError { try TransitionTable(shape: [2, 2], values: [1, 1, 1, 1]) }?.kind, .shape)
        XCTAssertEqual(spaceError { try TransitionTable(shape: [1, 1, 3], values: [1]) }?.kind, .shape)
        XCTAssertEqual(spaceError { try TransitionTable([]) }?.kind, .shape)
        XCTAssertEqual(spaceError { try TransitionTable([[[1, 1, 1]], [[1, 1]]]) }?.location, "probabilities[2]")
        let negative = try TransitionTable([[[0, 0.5, 0.5], [0, 0, 0]], [[0, 0, 1], [-0.5, 0, 0]]])
        XCTAssertEqual(spaceError { try Viterbi.best(negative) }?.location, "probabilities[2][2][1]")
        for shape in [[1001, 1, 3], [1, 1001, 3]] {
            XCTAssertEqual(spaceError { try TransitionTable(shape: shape, values: [Double](repeating: 0, count: 3003)) }?.kind, .size)
        }
        let long = try TransitionTable(shape: [100, 4, 3], values: [Double](repeating: 0.3, count: 1200))
        XCTAssertEqual(spaceError { try Viterbi.best(long, count: 1_000_000) }?.location, "count")
        for wrong in [2, 1.001, -1, .nan, .infinity, -.infinity] {
            let error = spaceError { try Viterbi.best(TransitionTable([[[0, 0.5, wrong], [0, 0, 0]]])) }
            XCTAssertEqual(error?.location, "probabilities[1][1][3]")
            XCTAssertEqual(error?.kind, .probability)
        }
        XCTAssertEqual(try Viterbi.best(TransitionTable([[[0, 0.5, Double(Float(1).nextUp)], [0, 0, 0]]])).states, [1])
        let table = try table(2, 2) { 0.5 }
        XCTAssertEqual(spaceError { try Viterbi.best(table, exists: [true]) }?.kind, .shape)
        XCTAssertEqual(try Viterbi.best(table, count: 2, exists: [Bool](repeating: false, count: 12)), [])
        XCTAssertEqual(try Viterbi.best(table, count: 0), [])
    }

    func testManyLayersAndPaths() throws {
        var generator = SplitMix64(seed: 3)
        let table = try table(100, 4) { [0.2, 0.3, 0.5][Int(generator.next() % 3)] }
        let paths = try Viterbi.best(table, count: 20)
        XCTAssertEqual(Set(paths.map(\.states)).count, 20)
        for (a, b) in zip(paths, paths.dropFirst()) { XCTAssertGreaterThanOrEqual(a.logProbability, b.logProbability - 1e-9) }
    }
}
