import Base
import Foundation

/// A path through states, and the logarithm of its probability.
public struct ScoredPath: Hashable, Sendable {
    /// One state for each layer, from 0.
    public let states: [Int]
    /// Sum of the logarithms from the first layer to the last.
    public let logProbability: Double
}

/// The most probable paths through a table of transitions, by dynamic programming (paper, section 3.4).
///
/// The order of paths is total and exact: the larger product of probabilities first, where the product is that of the given
/// floating-point numbers as real numbers; of equal products the path that is lexicographically smaller, that is, which has
/// the lower state in the first layer where they differ. Logarithms decide wherever they are further apart than their
/// rounding; where they are not, the products are compared exactly. So neither the order of a sum nor its rounding ever
/// decides, and a search over all paths agrees to the last tie. Paths of probability zero are no paths.
public enum Viterbi {
    /// The best path from state 0.
    /// - Parameters:
    ///   - table: the probabilities; those that leave a state need not sum to 1.
    ///   - exists: the arrows that exist, one flag for each entry of the table; nil for all that stay within the states.
    /// - Throws: `SpaceError` for a reachable entry that is no probability, and when every path has probability zero.
    public static func best(_ table: TransitionTable, exists: [Bool]? = nil) throws -> ScoredPath {
        guard let path = try best(table, count: 1, exists: exists).first else { throw noPath(table) }
        return path
    }

    /// The `count` best paths, best first; fewer when there are no more.
    /// - Throws: also for more paths than fit into memory; `Interrupted`.
    public static func best(_ table: TransitionTable, count: Int, exists: [Bool]? = nil) throws -> [ScoredPath] {
        if let exists, exists.count != table.values.count {
            throw SpaceError(
                .shape, at: "arrows", expected: "\(table.values.count) flags, one for each probability", got: "\(exists.count)",
                remedy: "give the mask the table's shape")
        }
        let paths = min(Double(count), pow(Double(Move.allCases.count), Double(table.layers)))
        guard paths * Double(table.layers * table.states) <= mostPrefixes else {
            throw SpaceError(
                .size, at: "count", expected: "at most \(Int(mostPrefixes) / (table.layers * table.states)) paths through so many layers and states",
                got: "\(count)", remedy: "ask for fewer paths")
        }
        var search = PathSearch(table)
        // The best prefixes that end in each state; a prefix of a best path is a best prefix.
        var ending: [[Int]] = [[PathSearch.start]] + Array(repeating: [], count: table.states - 1)
        for layer in 0..<table.layers {
            var candidates = [[Int]](repeating: [], count: table.states)
            for state in 0..<table.states where !ending[state].isEmpty {
                for move in Move.allCases {
                    let next = state + move.step
                    let position = (layer * table.states + state) * Move.allCases.count + move.rawValue
                    guard (0..<table.states).contains(next), exists?[position] ?? true else { continue }
                    let probability = table.values[position]
                    try check(probability, layer: layer, state: state, move: move)
                    guard probability > 0 else { continue }
                    candidates[next] += ending[state].map { search.extend($0, to: next, probability) }
                }
            }
            ending = try candidates.map { try search.best($0, count) }
        }
        return try search.best(ending.flatMap { $0 }, count).map(search.path)
    }

    /// Prefixes of paths that are kept, each with its exact product.
    private static let mostPrefixes = 2e7

    /// What float32 numbers that were made to sum to 1 may be above it.
    private static let rounding = 1e-6

    private static func check(_ probability: Double, layer: Int, state: Int, move: Move) throws {
        guard probability >= 0, probability <= 1 + rounding else {
            throw SpaceError(
                .probability, at: "probabilities[\(layer + 1)][\(state + 1)][\(move.rawValue + 1)]", expected: "a probability",
                got: "\(probability)", remedy: "give probabilities, not their logarithms; softmax makes them from raw weights")
        }
    }

    private static func noPath(_ table: TransitionTable) -> SpaceError {
        SpaceError(
            .noPath, at: "probabilities", expected: "a path of \(table.layers) arrows from state 1 with a probability above 0",
            got: "an arrow of probability 0 on every path", remedy: "check the table for rows of zeros and for underflow")
    }
}

/// Prefixes of paths as a growing tree, and their exact order.
private struct PathSearch {
    struct Entry {
        let state: Int
        let parent: Int
        let log: Double
        let product: ExactProduct
    }

    static let start = 0
    private var entries = [Entry(state: 0, parent: -1, log: 0, product: ExactProduct())]
    /// Far above the rounding of a sum of `layers` logarithms, each right to a few units in its last place and at most 746
    /// in size, far below any difference that matters.
    private let doubt: Double

    init(_ table: TransitionTable) { doubt = Double(table.layers) * Double(table.layers) * 1e-12 }

    mutating func extend(_ parent: Int, to state: Int, _ probability: Double) -> Int {
        var product = entries[parent].product
        product.multiply(by: probability)
        entries.append(Entry(state: state, parent: parent, log: entries[parent].log + log(probability), product: product))
        return entries.count - 1
    }

    func best(_ candidates: [Int], _ count: Int) throws -> [Int] {
        // The usual case needs no sorting.
        if count == 1 { return try candidates.min(by: precedes).map { [$0] } ?? [] }
        return Array(try candidates.sorted(by: precedes).prefix(count))
    }

    /// Whether `a` comes before `b`, which is as long.
    private func precedes(_ a: Int, _ b: Int) throws -> Bool {
        try checkInterrupt()
        let difference = entries[a].log - entries[b].log
        if abs(difference) > doubt { return difference > 0 }
        if entries[a].product != entries[b].product { return entries[b].product < entries[a].product }
        return path(a).states.lexicographicallyPrecedes(path(b).states)
    }

    func path(_ entry: Int) -> ScoredPath {
        var states: [Int] = []
        var at = entry
        while entries[at].parent >= 0 {
            states.append(entries[at].state)
            at = entries[at].parent
        }
        return ScoredPath(states: states.reversed(), logProbability: entries[entry].log)
    }
}

/// A product of positive doubles without rounding: an odd whole number times a power of two.
struct ExactProduct: Comparable {
    private(set) var significand: Natural = 1
    private(set) var exponent = 0

    /// - Precondition: `factor` is positive and finite.
    mutating func multiply(by factor: Double) {
        // 52 fraction bits make the significand whole; its trailing zeros go to the exponent.
        let whole = UInt64(factor.significand * 0x1p52)
        let zeros = whole.trailingZeroBitCount
        significand *= Natural(whole >> UInt64(zeros))
        exponent += Int(factor.exponent) - 52 + zeros
    }

    mutating func multiply(by other: ExactProduct) {
        significand *= other.significand
        exponent += other.exponent
    }

    static func < (a: ExactProduct, b: ExactProduct) -> Bool {
        let (high, other) = (a.significand.bitWidth + a.exponent, b.significand.bitWidth + b.exponent)
        if high != other { return high < other }
        let low = min(a.exponent, b.exponent)
        return a.significand << (a.exponent - low) < b.significand << (b.exponent - low)
    }
}
