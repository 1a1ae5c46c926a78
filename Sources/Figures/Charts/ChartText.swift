/// A chart in characters: Braille dots for lines where colours tell series apart (or there is only one), else a mark for each series.
struct ChartText {
    private let chart: Chart
    private let style: TextStyle
    private let frame: ChartFrame
    private let height: Int

    private static let unicodeMarks: [Character] = ["●", "▲", "■", "◆", "○", "△", "□", "◇"]
    private static let asciiMarks: [Character] = ["*", "o", "+", "x", "#", "@", "%", "&"]

    init(_ chart: Chart, _ style: TextStyle, height: Int = 12) {
        self.chart = chart
        self.style = style
        self.height = height
        frame = chart.frame
    }

    private var braille: Bool { style.isUnicode && (style.hasColour || chart.series.count <= 1) }

    private func mark(_ index: Int) -> Character {
        let marks = style.isUnicode ? ChartText.unicodeMarks : ChartText.asciiMarks
        return marks[index % marks.count]
    }

    private func label(_ text: String) -> String {
        guard style.charset == .ascii else { return text }
        // 2×10⁻³ as 2e-3.
        let digits: [Character: Character] = [
            "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁻": "-",
        ]
        guard let power = text.firstIndex(where: { digits[$0] != nil }) else { return style.clean(text) }
        let exponent = String(text[power...].compactMap { digits[$0] })
        let mantissa = text[..<power].hasSuffix("×10") ? String(text[..<power].dropLast(3)) : "1"
        return mantissa + "e" + exponent
    }

    func render() -> String {
        let yTicks = frame.yScale.ticks(4, whole: frame.yWhole)
        let gutter = min(style.width / 3, yTicks.map { label($0.label).columns }.max() ?? 0)
        let plotWidth = max(10, style.width - gutter - 2)
        var grid = TextGrid(width: style.width)
        var top = 0
        if let title = chart.title {
            grid.write(style.fitted(title, style.width), 0, top, bold: true)
            top += 1
        }
        top = legend(&grid, top)
        if !chart.y.label.isEmpty {
            grid.write(style.fitted(chart.y.label, style.width), 0, top)
            top += 1
        }
        for row in 0..<height { grid[gutter + 1, top + row] = TextGrid.Cell(character: style.mark("│", "|")) }
        for tick in yTicks {
            guard let v = frame.yScale.position(tick.value), v >= 0, v <= 1 else { continue }
            let row = top + Int(((1 - v) * Double(height - 1)).rounded())
            grid.write(label(tick.label).indented(gutter), 0, row)
            grid[gutter + 1, row].character = style.mark("┤", "+")
        }
        points(&grid, gutter + 2, top, plotWidth)
        axis(&grid, gutter, top + height, plotWidth)
        return grid.text(style)
    }

    /// The names with their marks, in as many lines as they need; returns the next free line.
    private func legend(_ grid: inout TextGrid, _ top: Int) -> Int {
        var (x, y) = (0, top)
        for (index, series) in chart.series.enumerated() where !series.name.isEmpty {
            let name = style.fitted(series.name, style.width - 5)
            if x > 0, x + name.columns + 3 > style.width { (x, y) = (0, y + 1) }
            let key = braille ? (series.style == .dots ? "•" : "━") : String(mark(index))
            grid.write(key, x, y, ink: chart.colour(index))
            grid.write(name, x + 2, y)
            x += name.columns + 5
        }
        return x > 0 ? y + 1 : top
    }

    private func points(_ grid: inout TextGrid, _ left: Int, _ top: Int, _ width: Int) {
        let fine = braille ? (width * 2, height * 4) : (width, height)
        var canvas = BrailleCanvas(columns: width, rows: height)
        var empty = true
        for (index, series) in chart.series.enumerated() {
            let ink = style.hasColour ? chart.colour(index) : nil
            var last: (Int, Int)?
            for (px, py) in zip(series.x, series.y) {
                let inside = -0.01...1.01
                guard let u = frame.xScale.position(px), let v = frame.yScale.position(py), inside.contains(u), inside.contains(v) else {
                    last = nil
                    continue
                }
                empty = false
                let x = Int((u * Double(fine.0 - 1)).rounded())
                let y = Int(((1 - v) * Double(fine.1 - 1)).rounded())
                let dots = series.style == .dots ? [(x, y)] : Raster.line(last?.0 ?? x, last?.1 ?? y, x, y)
                for (dx, dy) in dots {
                    if braille, series.style == .dots {
                        // A single Braille dot is easily overlooked.
                        grid[left + dx / 2, top + dy / 4] = TextGrid.Cell(character: "•", ink: ink)
                    } else if braille {
                        canvas.set(dx, dy, ink)
                    } else if dx >= 0, dx < width, dy >= 0, dy < height {
                        grid[left + dx, top + dy] = TextGrid.Cell(character: mark(index), ink: ink)
                    }
                }
                last = (x, y)
            }
        }
        if braille { canvas.write(into: &grid, left, top) }
        if empty { grid.write("no data", left + max(0, width / 2 - 3), top + height / 2) }
    }

    private func axis(_ grid: inout TextGrid, _ gutter: Int, _ line: Int, _ width: Int) {
        let left = gutter + 2
        grid[gutter + 1, line] = TextGrid.Cell(character: style.mark("└", "+"))
        for x in 0..<width { grid[left + x, line] = TextGrid.Cell(character: style.mark("─", "-")) }
        var free = 0
        for tick in frame.xScale.ticks(max(2, width / 8), whole: frame.xWhole) {
            guard let u = frame.xScale.position(tick.value), u >= 0, u <= 1 else { continue }
            let text = label(tick.label)
            let x = left + Int((u * Double(width - 1)).rounded())
            let start = min(max(0, x - text.columns / 2), style.width - text.columns)
            guard start >= free else { continue }
            grid[x, line].character = style.mark("┴", "+")
            grid.write(text, start, line + 1)
            free = start + text.columns + 1
        }
        if !chart.x.label.isEmpty {
            let text = style.fitted(chart.x.label, width)
            grid.write(text, left + (width - text.columns) / 2, line + 2)
        }
    }
}
