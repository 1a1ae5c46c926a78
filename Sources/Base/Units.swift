/// `1.23 G`: three digits and a decimal prefix.
package func decimalUnits(_ value: Int) -> String { scaled(Double(value), by: 1000, ["", " k", " M", " G", " T", " P", " E"]) }

/// `1.23 GB`, in powers of 1000.
package func byteUnits(_ value: Int) -> String { scaled(Double(value), by: 1000, [" B", " kB", " MB", " GB", " TB", " PB", " EB"]) }

private func scaled(_ value: Double, by base: Double, _ units: [String]) -> String {
    var rest = value
    var unit = 0
    while rest >= base, unit < units.count - 1 {
        rest /= base
        unit += 1
    }
    guard unit > 0 else { return "\(Int(rest))" + units[0] }
    let factor: Double = rest < 10 ? 100 : rest < 100 ? 10 : 1
    let rounded = (rest * factor).rounded() / factor
    return (factor == 1 ? "\(Int(rounded))" : "\(rounded)") + units[unit]
}

/// Columns side by side, the first to the left, the others to the right.
package func alignColumns(_ rows: [[String]]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
        let cells = row.enumerated().map { i, text in
            let padding = String(repeating: " ", count: widths[i] - text.count)
            return i == 0 ? text + padding : padding + text
        }
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }.joined(separator: "\n")
}
