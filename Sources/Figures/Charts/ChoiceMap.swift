/// What was chosen, for several things over several steps: a row for each thing, a column for each step, a colour for each choice.
public struct ChoiceMap: Figure {
    public let rows: [String]
    /// Names of the steps; only as many are written as there is room for.
    public let columns: [String]
    public let choices: [String]
    /// `picks[row][column]`, a position in `choices`.
    public let picks: [[Int]]
    /// How sure each pick is, 0 to 1, as the strength of its colour; empty: all alike.
    public var strengths: [[Double]] = []
    public var title: String?
    public var columnTitle = ""
    public var theme = Theme.light

    /// - Throws: `FigureError.invalid` when names and picks differ in number or a pick is none of the choices.
    public init(_ picks: [[Int]], rows: [String], columns: [String], choices: [String], title: String? = nil) throws {
        guard picks.count == rows.count, picks.allSatisfy({ $0.count == columns.count }) else {
            throw FigureError.invalid("choices: expected \(rows.count) rows of \(columns.count), got rows of \(picks.map(\.count))")
        }
        if let bad = picks.joined().first(where: { !choices.indices.contains($0) }) {
            throw FigureError.invalid("choices: \(bad) is none of the \(choices.count) choices, counted from 0")
        }
        self.picks = picks
        self.rows = rows
        self.columns = columns
        self.choices = choices
        self.title = title
    }

    private struct Layout {
        var grid = Rect(0, 0, 0, 0)
        var cell = Size(0, 0)
        var legendY = 0.0
        var size = Size(0, 0)
    }

    private var legend: Legend {
        // Only what was ever chosen, in the colours of the whole list.
        let used = Set(picks.joined())
        let entries = choices.indices.filter(used.contains).map { Legend.Entry(name: choices[$0], mark: .box(theme.series($0))) }
        return Legend(entries: entries, theme: theme)
    }

    private var layout: Layout {
        var l = Layout()
        let margin = 14.0
        l.cell = Size(max(3, min(26, 440 / Double(max(1, columns.count)))), rows.count > 24 ? 12 : 19)
        l.legendY = margin + (title == nil ? 0 : theme.title.lineHeight + 4)
        let left = margin + theme.small.width(rows) + 8
        let width = max(l.cell.width * Double(columns.count), 300)
        let legendHeight = legend.height(left + width - margin)
        l.grid = Rect(left, l.legendY + legendHeight + 8, l.cell.width * Double(columns.count), l.cell.height * Double(rows.count))
        var bottom = l.grid.maxY + 5 + theme.small.lineHeight
        if !columnTitle.isEmpty { bottom += theme.label.lineHeight }
        l.size = Size(left + width + margin, bottom + 8)
        return l
    }

    public var size: Size { layout.size }

    public func draw(on canvas: Canvas) {
        let l = layout
        if let title { canvas.text(title, at: Point(14, 12), theme.title, theme.ink, .left, .top) }
        legend.draw(canvas, at: Point(14, l.legendY), width: l.size.width - 28)
        let gap = l.cell.width >= 8 ? 1.0 : 0
        for (row, line) in picks.enumerated() {
            let y = l.grid.y + Double(row) * l.cell.height
            canvas.text(rows[row], at: Point(l.grid.x - 8, y + l.cell.height / 2), theme.small, theme.ink, .right, .middle)
            for (column, pick) in line.enumerated() {
                let box = Rect(l.grid.x + Double(column) * l.cell.width, y, l.cell.width - gap, l.cell.height - 1)
                canvas.fill(.rectangle(box), theme.series(pick).opacity(opacity(row, column)))
            }
        }
        let widest = theme.small.width(columns) + 12
        let every = max(1, Int((widest / l.cell.width).rounded(.up)))
        for (column, name) in columns.enumerated() where column % every == 0 {
            let x = l.grid.x + (Double(column) + 0.5) * l.cell.width
            canvas.text(name, at: Point(x, l.grid.maxY + 4), theme.small, theme.muted, .centre, .top)
        }
        if !columnTitle.isEmpty {
            canvas.text(columnTitle, at: Point(l.grid.midX, l.size.height - 8), theme.label, theme.ink, .centre, .bottom)
        }
    }

    private func opacity(_ row: Int, _ column: Int) -> Double {
        guard strengths.indices.contains(row), strengths[row].indices.contains(column), strengths[row][column].isFinite else { return 1 }
        return 0.3 + 0.7 * max(0, min(1, strengths[row][column]))
    }

    public func text(_ style: TextStyle) -> String {
        let letters = choices.indices.map { String(UnicodeScalar(UInt8(97 + $0 % 26))) }
        let gutter = min(style.width / 3, rows.map { style.clean($0).columns }.max() ?? 0)
        let shown = max(0, style.width - gutter - 1)
        var lines = title.map { [style.fitted($0, style.width)] } ?? []
        lines += picks.enumerated().map { row, line in
            style.fitted(style.clean(rows[row]), gutter).indented(gutter) + " " + line.prefix(shown).map { letters[$0] }.joined()
        }
        let used = Set(picks.joined())
        lines += choices.indices.filter(used.contains).map { style.fitted("\(letters[$0]) \(style.clean(choices[$0]))", style.width) }
        return lines.joined(separator: "\n")
    }
}
