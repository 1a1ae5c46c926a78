/// Numbers as people read them; independent of the locale.
public enum NumberText {
    /// Without a fraction that it does not have: 8 and 0.5.
    public static func plain(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }

    /// `value` with exactly `decimals` digits after the point.
    public static func fixed(_ value: Double, _ decimals: Int) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let decimals = max(0, min(decimals, 12))
        let factor = power(10, decimals)
        guard abs(value) * factor < 9e15 else { return scientific(value, digits: 3) }
        let scaled = Int64((abs(value) * factor).rounded())
        let negative = value < 0 && scaled != 0
        var digits = String(scaled)
        if decimals > 0 {
            if digits.count <= decimals { digits = String(repeating: "0", count: decimals + 1 - digits.count) + digits }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
        }
        return (negative ? "-" : "") + digits
    }

    /// `value` in about `digits` significant digits, without needless zeros; scientific when very large or small.
    public static func short(_ value: Double, digits: Int = 3) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
        let exponent = exponentOf(value)
        if exponent < -4 || exponent >= 7 { return scientific(value, digits: digits) }
        return trimmed(fixed(value, max(0, digits - 1 - exponent)))
    }

    /// Like `1.5e-3`.
    public static func scientific(_ value: Double, digits: Int = 3) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
        var exponent = exponentOf(value)
        var mantissa = value / scale(exponent)
        // Rounding may carry into a new digit: 9.996 at three digits is 10.0.
        if abs((mantissa * power(10, digits - 1)).rounded()) >= power(10, digits) {
            exponent += 1
            mantissa = value / scale(exponent)
        }
        return trimmed(fixed(mantissa, digits - 1)) + "e" + String(exponent)
    }

    /// A whole number in groups of three digits: `10,147,427`.
    public static func grouped(_ value: Int) -> String { (value < 0 ? "-" : "") + grouped(digits: String(value.magnitude)) }

    /// The same of decimal digits, however many.
    public static func grouped(digits: String) -> String {
        var result = ""
        for (i, digit) in digits.enumerated() {
            if i > 0, (digits.count - i) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// The decimal exponent of a finite number other than zero.
    public static func exponentOf(_ value: Double) -> Int {
        var exponent = 0
        var v = abs(value)
        while v >= 10 { v /= 10; exponent += 1 }
        while v < 1 { v *= 10; exponent -= 1 }
        return exponent
    }

    /// 10 to the power `exponent`, of either sign.
    public static func scale(_ exponent: Int) -> Double { exponent >= 0 ? power(10, exponent) : 1 / power(10, -exponent) }

    /// Superscript digits, for ticks of logarithmic axes.
    public static func superscript(_ value: Int) -> String {
        String(
            String(value).map { character in
                if character == "-" { return Character("⁻") }
                let digits: [Character] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]
                return character.wholeNumberValue.map { digits[$0] } ?? character
            })
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<max(0, exponent) { result *= base }
        return result
    }

    /// Without zeros behind the last digit of a fraction.
    public static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var text = text
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
