import Base

/// How the numbers of an axis become places.
public struct Axis: Hashable, Sendable {
    /// Spacing of the numbers.
    public enum Scale: String, Sendable {
        case linear
        /// Equal ratios at equal distances; numbers that are not positive cannot be shown and are left out.
        case log
    }

    public var label: String
    public var scale: Scale
    /// The least and greatest number shown; from the data when nil.
    public var range: ClosedRange<Double>?

    /// An axis with its label, scale and range.
    public init(_ label: String = "", scale: Scale = .linear, range: ClosedRange<Double>? = nil) {
        self.label = label
        self.scale = scale
        self.range = range
    }
}

/// An axis fitted to data: positions in 0...1 and ticks.
struct AxisScale: Hashable {
    let low, high: Double
    let isLog: Bool

    struct Tick: Hashable {
        var value: Double
        var label: String
    }

    /// - Parameter pad: share of the range to leave free at both ends when the range comes from the data.
    init(_ axis: Axis, values: some Sequence<Double>, pad: Double = 0.04, includeZero: Bool = false) {
        isLog = axis.scale == .log
        var low = Double.infinity
        var high = -Double.infinity
        for value in values where AxisScale.shows(value, isLog) {
            low = min(low, value)
            high = max(high, value)
        }
        if let range = axis.range, range.lowerBound.isFinite, range.upperBound.isFinite, !isLog || range.lowerBound > 0 {
            (low, high) = (range.lowerBound, range.upperBound)
            if low == high { (low, high) = AxisScale.widened(low, isLog) }
        } else if low > high {
            (low, high) = isLog ? (0.1, 1) : (0, 1)
        } else {
            if includeZero, !isLog { (low, high) = (min(low, 0), max(high, 0)) }
            let span = isLog ? logarithm10(high) - logarithm10(low) : high - low
            // A constant differs from its neighbours by rounding only; without this the axis would show that noise.
            if isLog ? span < 1e-9 : span <= 1e-12 * max(abs(low), abs(high)) {
                (low, high) = AxisScale.widened((low + high) / 2, isLog)
            } else if isLog {
                let factor = power10(span * pad)
                (low, high) = (low / factor, high * factor)
            } else {
                let keepsZero = (includeZero && low == 0, includeZero && high == 0)
                if !keepsZero.0 { low -= span * pad }
                if !keepsZero.1 { high += span * pad }
            }
        }
        // Differences of the largest numbers would overflow.
        self.low = max(low, isLog ? 1e-300 : -1e300)
        self.high = min(high, 1e300)
    }

    static func shows(_ value: Double, _ isLog: Bool) -> Bool { abs(value) < 1e300 && (!isLog || value > 1e-300) }

    private static func widened(_ value: Double, _ isLog: Bool) -> (Double, Double) {
        if isLog { return (value / 2, value * 2) }
        let reach = value == 0 ? 1 : abs(value) * 0.1
        return (value - reach, value + reach)
    }

    /// Place in 0...1 (outside for numbers outside the range), or nil where the axis cannot show the number.
    func position(_ value: Double) -> Double? {
        guard AxisScale.shows(value, isLog) else { return nil }
        if isLog { return (logarithm10(value) - logarithm10(low)) / (logarithm10(high) - logarithm10(low)) }
        return (value - low) / (high - low)
    }

    /// About `count` ticks at round numbers. `whole` keeps linear ticks on integers.
    func ticks(_ count: Int, whole: Bool = false) -> [Tick] {
        isLog ? logTicks(count) : linearTicks(count, whole)
    }

    private func linearTicks(_ count: Int, _ whole: Bool) -> [Tick] {
        var step = AxisScale.niceStep((high - low) / Double(max(1, count)))
        if whole { step = max(1, step.rounded(.up)) }
        let first = (low / step - 1e-9).rounded(.up)
        let last = (high / step + 1e-9).rounded(.down)
        guard last >= first, last - first < 1000 else { return [] }
        let values = stride(from: first, through: last, by: 1).map { $0 * step == 0 ? 0 : $0 * step }
        return zip(values, AxisScale.labels(values, step: step)).map { Tick(value: $0, label: $1) }
    }

    /// 1, 2 or 5 times a power of ten, the one nearest to `rough` by ratio.
    static func niceStep(_ rough: Double) -> Double {
        guard rough.isFinite, rough > 0 else { return 1 }
        let exponent = NumberText.exponentOf(rough)
        let base = NumberText.scale(exponent)
        let mantissa = rough / base
        return (mantissa < 1.42 ? 1 : mantissa < 3.17 ? 2 : mantissa < 7.08 ? 5 : 10) * base
    }

    /// Labels of evenly spaced ticks: all with the same decimals, as many as the step needs; millions as M and so on, and very
    /// small numbers with one power of ten for all.
    static func labels(_ values: [Double], step: Double) -> [String] {
        let largest = values.map(abs).max() ?? 0
        var unit = 1.0
        var suffix = ""
        if largest >= 1e15 || (largest > 0 && largest < 1e-3) {
            let exponent = NumberText.exponentOf(largest)
            (unit, suffix) = (NumberText.scale(exponent), "×10" + NumberText.superscript(exponent))
        } else if largest >= 1e6 {
            (unit, suffix) = largest >= 1e12 ? (1e12, "T") : largest >= 1e9 ? (1e9, "G") : (1e6, "M")
        }
        // A quotient such as 5e-8 / 1e-7 may fall short of its digit by rounding.
        let decimals = max(0, -NumberText.exponentOf(step / unit * (1 + 1e-9)))
        return values.map { $0 == 0 ? "0" + (decimals > 0 && suffix.isEmpty ? "." + String(repeating: "0", count: decimals) : "")
            : NumberText.fixed($0 / unit, decimals) + suffix }
    }

    private func logTicks(_ count: Int) -> [Tick] {
        let (first, last) = (Int(logarithm10(low).rounded(.down)), Int(logarithm10(high).rounded(.up)))
        let decades = logarithm10(high) - logarithm10(low)
        // Within a few powers of ten the steps between are labelled too.
        let mantissas: [Double] = decades < 1.2 ? [1, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1]
        let every = max(1, Int((decades / Double(max(1, count))).rounded(.up)))
        var ticks: [Tick] = []
        for exponent in first...max(first, last) where mantissas.count > 1 || exponent % every == 0 {
            for mantissa in mantissas {
                let value = mantissa * NumberText.scale(exponent)
                guard value >= low * (1 - 1e-9), value <= high * (1 + 1e-9) else { continue }
                let plain = exponent >= -3 && exponent <= 3
                let power = "10" + NumberText.superscript(exponent)
                ticks.append(
                    Tick(value: value, label: plain ? NumberText.short(value) : mantissa == 1 ? power : "\(Int(mantissa))×" + power))
            }
        }
        // A range inside one step has no round number; its ends are better than nothing.
        if ticks.count < 2 { return [low, high].map { Tick(value: $0, label: NumberText.short($0)) } }
        return ticks
    }
}
