import Base
import Foundation

/// One number of a grid: an ordered choice.
public struct Number: Hashable, Sendable {
    public let low: Double
    public let high: Double
    /// The distance of neighbours; their ratio on a logarithmic grid.
    public let step: Double
    public let isLogarithmic: Bool
    /// low, low + step, ... or low, low · step, ... up to and with `high` where the grid meets it.
    public let values: [Double]

    /// - Parameter step: 1 when nil; 2 on a logarithmic grid, where it is a factor.
    /// - Throws: `SpaceError` for a grid without a number or with too many.
    public init(low: Double, high: Double, step: Double? = nil, isLogarithmic: Bool = false) throws {
        let step = step ?? (isLogarithmic ? 2 : 1)
        func check(_ place: String, _ number: Double, _ expected: String, _ isFine: Bool, _ remedy: String) throws {
            guard number.isFinite, isFine else {
                throw SpaceError(.size, at: place, expected: expected, got: NumberText.plain(number), remedy: remedy)
            }
        }
        try check("low", low, isLogarithmic ? "a number above 0" : "a finite number", !isLogarithmic || low > 0, "give the grid's first number")
        try check("high", high, "a finite number of at least low, \(NumberText.plain(low))", high >= low, "give the grid's last number")
        try check(
            "step", step, isLogarithmic ? "a factor above 1" : "a number above 0", step > (isLogarithmic ? 1 : 0),
            isLogarithmic ? "neighbours of a logarithmic grid have this ratio; 2 when left out" : "1 when left out")
        // The last number may miss `high` by rounding.
        let steps = isLogarithmic ? log(high / low) / log(step) : (high - low) / step
        guard steps < Double(Domain.mostOptions) else {
            throw SpaceError(.size, at: "step", expected: "at most \(Domain.mostOptions) numbers from low to high", got: "more", remedy: "take larger steps")
        }
        let count = Int((steps + 1e-9).rounded(.down)) + 1
        var values = (0..<count).map { isLogarithmic ? low * pow(step, Double($0)) : low + Double($0) * step }
        if abs(steps - Double(count - 1)) <= 1e-9 { values[count - 1] = high }
        guard zip(values, values.dropFirst()).allSatisfy(<) else {
            throw SpaceError(.size, at: "step", expected: "numbers that differ", got: "steps below the precision of numbers", remedy: "take larger steps")
        }
        self.low = low
        self.high = high
        self.step = step
        self.isLogarithmic = isLogarithmic
        self.values = values
    }

    /// The numbers as people write them.
    public var labels: [String] { values.map(NumberText.plain) }

    /// The position of a number of the grid, up to rounding; nil for another.
    public func position(of number: Double) -> Int? {
        values.firstIndex { abs($0 - number) <= 1e-9 * max(abs($0), abs(number)) }
    }
}
