import Base

/// Edges of decisions' diagrams in the order in which they are gone through, as a tree that candidates share.
private indirect enum Trail: Sendable {
    case edge(Taken)
    case joined(Trail, Trail)
}

/// A partial assignment with its score and its cost.
struct Candidate<S: Score>: Sendable {
    let score: S
    let cost: Double
    private let trail: Trail?

    /// Nothing decided.
    init() { self.init(score: S(), cost: 0, trail: nil) }

    private init(score: S, cost: Double, trail: Trail?) { (self.score, self.cost, self.trail) = (score, cost, trail) }

    init(score: S, cost: Double, taken: Taken) { self.init(score: score, cost: cost, trail: .edge(taken)) }

    func followed(by next: Candidate) -> Candidate {
        let trail: Trail? =
            switch (self.trail, next.trail) {
            case (let first?, let second?): .joined(first, second)
            case (let first, let second): first ?? second
            }
        return Candidate(score: score + next.score, cost: cost + next.cost, trail: trail)
    }

    /// The edges in order.
    var edges: some Sequence<Taken> {
        sequence(state: trail.map { [$0] } ?? []) { (stack: inout [Trail]) -> Taken? in
            while let top = stack.popLast() {
                switch top {
                case .edge(let taken): return taken
                case .joined(let first, let second): stack += [second, first]
                }
            }
            return nil
        }
    }

    /// The order of results: the larger score first, of equal ones what is gone through first.
    static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
        if a.score != b.score { return b.score < a.score }
        return a.edges.lexicographicallyPrecedes(b.edges) { $0.edge < $1.edge }
    }
}

private final class Tally { var count = 0 }

/// Lists of candidates, best first. `plus` and `times` are given operands in the order in which they are gone through.
///
/// Without a limit on the cost a list holds the `count` best. With one it holds those that fewer than `count` others dominate, that is, precede at
/// no higher cost: whatever is decided around a candidate that `count` others dominate, it is never among the `count` best.
struct Best<S: Score>: Semiring {
    let count: Int
    /// The cost that must not be exceeded; nil where costs do not matter.
    let limit: Double?
    /// The candidates made so far.
    private let made = Tally()

    init(count: Int, limit: Double?) { (self.count, self.limit) = (count, limit) }

    
    var zero: [Candidate<S>] { [] }
    var one: [Candidate<S>] { [Candidate()] }

    func plus(_ a: [Candidate<S>], _ b: [Candidate<S>]) throws -> [Candidate<S>] {
        guard !a.isEmpty, !b.isEmpty else { return a.isEmpty ? b : a }
        // Merged; of equal ones those of `a` are gone through first.
        var merged: [Candidate<S>] = []
        var (i, j) = (0, 0)
        while i < a.count || j < b.count, limit != nil || merged.count < count {
            if j == b.count || (i < a.count && !(a[i].score < b[j].score)) {
                merged.append(a[i])
                i += 1
            } else {
                merged.append(b[j])
                j += 1
            }
        }
        return try kept(merged)
    }

    func times(_ a: [Candidate<S>], _ b: [Candidate<S>]) throws -> [Candidate<S>] {
        guard let limit else { return try product(a, b) }
        if b.count == 1 || a.count == 1 {
            // The order stays.
            return try kept(a.flatMap { first in b.map(first.followed) }.filter { $0.cost <= limit })
        }
        try tally(a.count * b.count)
        return try kept(a.flatMap { first in b.map(first.followed) }.filter { $0.cost <= limit }.sorted(by: Candidate.precedes))
    }

    /// The `count` best sums of two lists: the best that remains is always next to one that was taken.
    private func product(_ a: [Candidate<S>], _ b: [Candidate<S>]) throws -> [Candidate<S>] {
        guard !a.isEmpty, !b.isEmpty else { return [] }
        if a.count == 1 { return b.map(a[0].followed) }
        if b.count == 1 { return a.map { $0.followed(by: b[0]) } }
        try tally(min(count, a.count * b.count))
        var front = Front<S>()
        func push(_ i: Int, _ j: Int) { if i < a.count, j < b.count { front.push((a[i].followed(by: b[j]), i, j)) } }
        push(0, 0)
        var result: [Candidate<S>] = []
        while result.count < count, let (best, i, j) = front.pop() {
            result.append(best)
            push(i, j + 1)
            if j == 0 { push(i + 1, 0) }
        }
        return result
    }

    private func kept(_ candidates: [Candidate<S>]) throws -> [Candidate<S>] {
        guard limit != nil else { return candidates }
        try tally(candidates.count)
        // The lowest costs so far, ascending.
        var lowest: [Double] = []
        return candidates.filter { candidate in
            guard lowest.count < count || candidate.cost < lowest[lowest.count - 1] else { return false }
            lowest.insert(candidate.cost, at: lowest.firstIndex { $0 > candidate.cost } ?? lowest.count)
            if lowest.count > count { lowest.removeLast() }
            return true
        }
    }

    private func tally(_ more: Int) throws {
        try checkInterrupt()
        made.count += more
        guard made.count <= Self.most else {
            throw SpaceError(
                .size, at: "decode", expected: "at most \(Self.most) partial architectures on the way", got: "more",
                remedy: limit == nil ? "ask for fewer architectures" : "ask for fewer architectures, or round the costs to fewer different numbers")
        }
    }

    private static var most: Int { 20_000_000 }
}

/// Sums that may be next, the best first: a binary heap.
private struct Front<S: Score> {
    private var heap: [(candidate: Candidate<S>, i: Int, j: Int)] = []

    mutating func push(_ entry: (candidate: Candidate<S>, i: Int, j: Int)) {
        heap.append(entry)
        var at = heap.count - 1
        while at > 0, case let above = (at - 1) / 2, Candidate.precedes(heap[at].candidate, heap[above].candidate) {
            heap.swapAt(at, above)
            at = above
        }
    }

    mutating func pop() -> (candidate: Candidate<S>, i: Int, j: Int)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var at = 0
        while true {
            var next = at
            for below in [2 * at + 1, 2 * at + 2] where below < heap.count && Candidate.precedes(heap[below].candidate, heap[next].candidate) { next = below }
            guard next != at else { return first }
            heap.swapAt(at, next)
            at = next
        }
    }
}

/// The smallest of sums; infinity where there is none.
struct Cheapest: Semiring {
    var zero: Double { .infinity }
    var one: Double { 0 }
    func plus(_ a: Double, _ b: Double) -> Double { min(a, b) }
    func times(_ a: Double, _ b: Double) -> Double { a + b }
}
