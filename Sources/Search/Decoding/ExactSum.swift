import Foundation

/// What candidates are ordered by: summed over what is on, compared without rounding.
protocol Score: Comparable, Sendable {
    /// Of nothing.
    init()
    static func + (a: Self, b: Self) -> Self
    /// For people.
    var value: Double { get }
}

/// A sum of doubles without rounding (Shewchuk's expansions): scores are compared as the real numbers that they are, so neither the order of a sum
/// nor its rounding ever decides between two architectures.
struct ExactSum: Score {
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

/// A product of positive doubles without rounding, with its logarithm, which decides wherever it is further apart than its rounding.
struct Product: Score {
    private var product = ExactProduct()
    private var terms = 0
    private(set) var value = 0.0

    init() {}

    /// - Precondition: `weight` is positive and finite.
    init(_ weight: Double) {
        product.multiply(by: weight)
        terms = 1
        value = log(weight)
    }

    static func + (a: Product, b: Product) -> Product {
        var sum = a
        sum.product.multiply(by: b.product)
        sum.terms += b.terms
        sum.value += b.value
        return sum
    }

    static func == (a: Product, b: Product) -> Bool { abs(a.value - b.value) <= doubt(a, b) && a.product == b.product }

    static func < (a: Product, b: Product) -> Bool {
        abs(a.value - b.value) > doubt(a, b) ? a.value < b.value : a.product < b.product
    }

    /// Far above the rounding of a sum of so many logarithms, each right to a few units in its last place and at most 746 in size.
    private static func doubt(_ a: Product, _ b: Product) -> Double {
        let terms = Double(max(a.terms, b.terms))
        return terms * terms * 1e-12
    }
}
