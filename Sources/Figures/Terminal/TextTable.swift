/// A table in characters, with lines between the columns.
struct TextTable {
    var header: [String]
    var rows: [[String]]
    var rightAligned: Set<Int> = []

    /// The lines; the widest columns are cut first where `style.width` does not suffice.
    func text(_ style: TextStyle) -> String {
        var widths = header.indices.map { column in
            ([header] + rows).map { column < $0.count ? style.clean($0[column]).columns : 0 }.max() ?? 0
        }
        let frame = 3 * widths.count
        while widths.reduce(0, +) + frame > style.width, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
            widths[widest] > 1
        {
            widths[widest] -= 1
        }
        func line(_ cells: [String]) -> String {
            var parts: [String] = []
            for column in widths.indices {
                let cell = style.fitted(column < cells.count ? cells[column] : "", widths[column])
                parts.append(rightAligned.contains(column) ? cell.indented(widths[column]) : cell.padded(widths[column]))
            }
            var text = " " + parts.joined(separator: style.pick(" │ ", " | "))
            while text.last == " " { text.removeLast() }
            return text
        }
        let rule = widths.map { String(repeating: style.pick("─", "-"), count: $0 + 2) }.joined(separator: style.pick("┼", "+"))
        return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
    }
}
