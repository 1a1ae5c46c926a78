import Glibc

/// Numbers as people read them, the same in every language of the user.
enum Decimals {
    /// With `places` digits after the point.
    static func fixed(_ value: Double, _ places: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        let unit = Int(pow(10, Double(places)))
        let scaled = Int((abs(value) * Double(unit)).rounded())
        let rest = String(scaled % unit)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return sign + String(scaled / unit) + (places > 0 ? "." + String(repeating: "0", count: places - rest.count) + rest : "")
    }

    /// With `digits` significant digits, without trailing zeros, as C's %g has them.
    static func significant(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        guard value != 0 else { return "0" }
        let exponent = Int(log10(abs(value)).rounded(.down))
        guard exponent >= -5, exponent < 15 else { return "\(Float(value))" }
        let places = max(0, digits - 1 - exponent)
        var text = fixed(value, min(places, 12))
        if text.contains(".") {
            while text.last == "0" { text.removeLast() }
            if text.last == "." { text.removeLast() }
        }
        return text
    }
}
