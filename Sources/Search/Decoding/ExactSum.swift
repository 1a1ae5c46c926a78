/// A sum of doubles without rounding (Shewchuk's expansions): scores are compared as the real numbers that they are, so neither the order of a sum
/// nor its rounding ever decides between two architectures.
struct ExactSum: Comparable, Sendable {
    /// Parts that do not overlap, the smallest first, none zero.
    private var parts: [Double] = []

    init() {}

    /// - Precondition: `number` is finite, and far enough from overflow for what is added to it.
    init(_ number: Double) { if number != 0 { parts = [number] } }

    /// The nearest double to within a unit in the last place.
    var value: Double { parts.reduce(0, +) }

    private mutating func add(_ number: Double) {
        var high = number
        var kept = 0
        for part in parts {
            let (a, b) = abs(high) < abs(part) ? (part, high) : (high, part)
            let sum = a + b
            let low = b - (sum - a)
            if low != 0 {
                parts[kept] = low
                kept += 1
            }
            high = sum
        }
        parts.removeSubrange(kept...)
        if high != 0 { parts.append(high) }
    }

    static func + (a: ExactSum, b: ExactSum) -> ExactSum {
        var sum = a
        for part in b.parts { sum.add(part) }
        return sum
    }

    static func == (a: ExactSum, b: ExactSum) -> Bool { a.parts == b.parts || a.sign(minus: b) == 0 }
    static func < (a: ExactSum, b: ExactSum) -> Bool { a.sign(minus: b) < 0 }

    private func sign(minus other: ExactSum) -> Int {
        var difference = self
        for part in other.parts { difference.add(-part) }
        return difference.parts.last.map { $0 > 0 ? 1 : -1 } ?? 0
    }
}
