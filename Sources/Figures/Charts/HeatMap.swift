import Base

/// A table of numbers as colours, with names of rows and columns and the numbers written where there is room.
public struct HeatMap: Figure {
    public let values: [[Double]]
    public let rows: [String]
    public let columns: [String]
    public var title: String?
    /// What the rows and the columns are.
    public var rowTitle = ""
    public var columnTitle = ""
    /// What the numbers are; stands at the colour bar.
    public var valueTitle = ""
    /// The numbers at the ends of the colours; from the data when nil, empty or infinite.
    public var range: ClosedRange<Double>?
    /// Colours; the theme's sequential map when nil.
    public var map: ColourMap?
    /// Whether the numbers are written; when nil, where they fit.
    public var writesValues: Bool?
    /// Digits after the point of written numbers; when nil, what the largest number calls for.
    public var decimals: Int?
    /// Row and column to outline, such as the strongest operator of each edge.
    public var marked: Set<[Int]> = []
    public var theme = Theme.light
    /// Least and greatest number; nil without any.
    private let extremes: ClosedRange<Double>?
    private let isWhole: Bool

    /// - Throws: `FigureError.invalid` when rows differ in length or names and numbers differ in count. Empty names: none are written.
    public init(_ values: [[Double]], rows: [String] = [], columns: [String] = [], title: String? = nil) throws {
        let width = values.first?.count ?? 0
        if let bad = values.firstIndex(where: { $0.count != width }) {
            throw FigureError.invalid("heat map: row \(bad + 1) has \(values[bad].count) values, expected \(width) as in row 1")
        }
        guard rows.isEmpty || rows.count == values.count else {
            throw FigureError.invalid("heat map: \(rows.count) row names for \(values.count) rows")
        }
        guard columns.isEmpty || columns.count == width else {
            throw FigureError.invalid("heat map: \(columns.count) column names for \(width) columns")
        }
        self.values = values
        self.rows = rows
        self.columns = columns
        self.title = title
        let finite = values.joined().filter(\.isFinite)
        extremes = finite.min().flatMap { low in finite.max().map { low...$0 } }
        isWhole = finite.allSatisfy { $0 == $0.rounded() }
    }

    /// Architecture weights: `alpha` is [edges, operators] as it is shown, usually after the softmax. The strongest operator of
    /// each edge other than `none` is outlined, and the colours run from 0 to 1 when the numbers are shares.
    public static func alpha(_ alpha: [[Double]], edges: [String], operators: [String], title: String? = nil) throws -> HeatMap {
        var map = try HeatMap(alpha, rows: edges, columns: operators, title: title)
        map.rowTitle = "edge"
        map.columnTitle = "operator"
        map.valueTitle = "α"
        for (row, weights) in alpha.enumerated() {
            let allowed = weights.indices.filter { operators.isEmpty || operators[$0] != "none" }
            let best = allowed.filter { weights[$0].isFinite }.max { weights[$0] < weights[$1] }
            if let best { map.marked.insert([row, best]) }
        }
        if alpha.joined().allSatisfy({ $0 >= 0 && $0 <= 1 }) { map.range = 0...max(0.01, alpha.joined().max() ?? 1) }
        return map
    }

    /// A confusion matrix: `counts[truth][prediction]`. Colours and numbers are shares of the truth's row, in per cent.
    public static func confusion(_ counts: [[Int]], classes: [String], title: String? = nil) throws -> HeatMap {
        guard counts.allSatisfy({ $0.count == counts.count }) else {
            throw FigureError.invalid(
                "confusion matrix: expected a square table, got rows of \(counts.map(\.count)) values for \(counts.count) rows")
        }
        let shares = counts.map { row -> [Double] in
            let sum = row.reduce(0, +)
            return row.map { sum > 0 ? 100 * Double($0) / Double(sum) : .nan }
        }
        var map = try HeatMap(shares, rows: classes, columns: classes, title: title)
        map.rowTitle = "truth"
        map.columnTitle = "prediction"
        map.valueTitle = "% of truth"
        map.range = 0...100
        map.map = .blues
        map.decimals = 0
        return map
    }

    // MARK: - Numbers

    var width: Int { values.first?.count ?? 0 }

    /// The range of the colours; 0...1 without any number.
    var shownRange: ClosedRange<Double> {
        if let range, range.lowerBound.isFinite, range.upperBound.isFinite, range.lowerBound < range.upperBound { return range }
        guard let extremes else { return 0...1 }
        if extremes.lowerBound < extremes.upperBound { return extremes }
        return (extremes.lowerBound - 0.5)...(extremes.upperBound + 0.5)
    }

    var shownMap: ColourMap { map ?? theme.sequential }

    /// Share of the range, for the colour; NaN for NaN, and the ends for what lies outside.
    func share(_ value: Double) -> Double {
        let range = shownRange
        if value.isNaN { return .nan }
        if value.isInfinite { return value < 0 ? 0 : 1 }
        // Halves, so that the difference of the largest numbers does not overflow.
        return (value / 2 - range.lowerBound / 2) / max(.leastNormalMagnitude, range.upperBound / 2 - range.lowerBound / 2)
    }

    /// How a number is written in its cell.
    func written(_ value: Double) -> String {
        if value.isNaN { return "–" }
        if value.isInfinite { return value < 0 ? "-∞" : "∞" }
        if let decimals { return NumberText.fixed(value, decimals) }
        let largest = extremes.map { max(abs($0.lowerBound), abs($0.upperBound)) } ?? 0
        if largest == 0 { return "0" }
        let exponent = NumberText.exponentOf(largest)
        if exponent >= 5 || exponent <= -4 { return NumberText.short(value, digits: 2) }
        return NumberText.fixed(value, isWhole ? 0 : max(0, 2 - max(0, exponent) + (exponent < -1 ? -exponent - 1 : 0)))
    }

    // MARK: - Drawing

    private struct Layout {
        var grid = Rect(0, 0, 0, 0)
        var cell = Size(0, 0)
        var size = Size(0, 0)
        var writes = false
        var slanted = false
        var everyRow = 1
        var everyColumn = 1
        var bar = Rect(0, 0, 0, 0)
        var barTicks: [AxisScale.Tick] = []
    }

    private var cellFont: Font { theme.tiny }

    private var layout: Layout {
        var l = Layout()
        let (rowCount, columnCount) = (max(1, values.count), max(1, width))
        let widest = cellFont.width(values.joined().prefix(4000).map(written)) + 8
        l.writes = writesValues ?? (rowCount <= 40 && columnCount <= 32)
        let columnLabel = theme.small.width(columns)
        // Without numbers the cells are squares.
        let square = max(3, min(24, 620 / Double(max(rowCount, columnCount))))
        var cellWidth = l.writes ? max(34, widest) : square
        // A little wider is better than slanted names.
        if l.writes, columnLabel + 10 <= max(64, cellWidth) { cellWidth = max(cellWidth, columnLabel + 10) }
        l.cell = Size(cellWidth, l.writes ? 24 : square)
        l.slanted = columnLabel + 6 > cellWidth
        l.everyRow = max(1, Int((theme.small.lineHeight / l.cell.height).rounded(.up)))
        // Lines of slanted text are a line height apart across the slant.
        l.everyColumn = l.slanted ? max(1, Int((theme.small.lineHeight * 1.42 / cellWidth).rounded(.up))) : 1
        let rowLabel = theme.small.width(rows)
        let margin = 14.0
        var left = margin + (rowTitle.isEmpty ? 0 : theme.label.lineHeight + 2) + (rows.isEmpty ? 0 : rowLabel + 8)
        if l.slanted {
            // Slanted names end under their column and begin further left, perhaps left of the table.
            let reaches = columns.enumerated().map { theme.small.width($1) * 0.7072 - (Double($0) + 0.5) * cellWidth }
            left = max(left, margin + (reaches.max() ?? 0) + theme.small.size * 0.7)
        }
        let top = margin + (title == nil ? 0 : theme.title.lineHeight + 6)
        l.grid = Rect(left, top, cellWidth * Double(columnCount), l.cell.height * Double(rowCount))
        var bottom = l.grid.maxY + 6
        if !columns.isEmpty { bottom += l.slanted ? columnLabel * 0.7072 + theme.small.size : theme.small.lineHeight }
        if !columnTitle.isEmpty { bottom += theme.label.lineHeight }
        l.bar = Rect(l.grid.maxX + 22, top, 12, max(60, min(l.grid.height, 260)))
        let scale = AxisScale(Axis(range: shownRange), values: [])
        l.barTicks = scale.ticks(max(2, Int(l.bar.height / 36)))
        let barWidth = 12 + 8 + theme.small.width(l.barTicks.map(\.label)) + (valueTitle.isEmpty ? 0 : theme.small.lineHeight + 2)
        l.size = Size(
            max(l.bar.x + barWidth + margin, title.map { theme.title.width($0) + 2 * margin } ?? 0), max(bottom, l.bar.maxY) + margin)
        return l
    }

    public var size: Size { layout.size }

    public func draw(on canvas: Canvas) {
        let l = layout
        if let title { canvas.text(title, at: Point(14, 12), theme.title, theme.ink, .left, .top) }
        drawCells(canvas, l)
        drawNames(canvas, l)
        drawBar(canvas, l)
    }

    private func drawCells(_ canvas: Canvas, _ l: Layout) {
        guard width > 0 else {
            canvas.text("no data", at: Point(l.grid.x, l.grid.midY), theme.label, theme.muted, .left, .middle)
            return
        }
        let map = shownMap
        // Narrow lines of background between the cells: they part the cells, and hide the seams of antialiasing.
        // Small cells touch instead, and reach half a unit under the next ones for the same reason.
        let gap = min(l.cell.width, l.cell.height) >= 14 ? 1 : -0.5
        for (row, line) in values.enumerated() {
            for (column, value) in line.enumerated() {
                let corner = Point(l.grid.x + Double(column) * l.cell.width, l.grid.y + Double(row) * l.cell.height)
                let frame = Rect(corner.x, corner.y, l.cell.width - gap, l.cell.height - gap)
                let colour = map(share(value))
                canvas.fill(.rectangle(frame), colour)
                if l.writes {
                    canvas.text(written(value), at: Point(frame.midX, frame.midY), cellFont, colour.ink, .centre, .middle)
                }
                if marked.contains([row, column]) {
                    canvas.stroke(.rectangle(frame.inset(0.9, 0.9)), Canvas.Stroke(theme.accent, width: 1.8, round: false))
                }
            }
        }
    }

    private func drawNames(_ canvas: Canvas, _ l: Layout) {
        for (row, name) in rows.enumerated() where row % l.everyRow == 0 {
            canvas.text(
                name, at: Point(l.grid.x - 8, l.grid.y + (Double(row) + 0.5) * l.cell.height), theme.small, theme.ink, .right, .middle)
        }
        for (column, name) in columns.enumerated() where column % l.everyColumn == 0 {
            let x = l.grid.x + (Double(column) + 0.5) * l.cell.width
            if l.slanted {
                canvas.text(name, at: Point(x + 3, l.grid.maxY + 8), theme.small, theme.ink, .right, .middle, rotation: -45)
            } else {
                canvas.text(name, at: Point(x, l.grid.maxY + 5), theme.small, theme.ink, .centre, .top)
            }
        }
        if !columnTitle.isEmpty {
            canvas.text(columnTitle, at: Point(l.grid.midX, l.size.height - 12), theme.label, theme.ink, .centre, .bottom)
        }
        if !rowTitle.isEmpty {
            canvas.text(
                rowTitle, at: Point(14 + theme.label.size / 2, l.grid.midY), theme.label, theme.ink, .centre, .middle, rotation: -90)
        }
    }

    private func drawBar(_ canvas: Canvas, _ l: Layout) {
        let (map, bar, steps) = (shownMap, l.bar, 64)
        for step in 0..<steps {
            // From here to the top, under what follows: strips side by side would show seams.
            let rest = Rect(bar.x, bar.y, bar.width, bar.height * Double(steps - step) / Double(steps))
            canvas.fill(.rectangle(rest), map((Double(step) + 0.5) / Double(steps)))
        }
        canvas.stroke(.rectangle(bar), Canvas.Stroke(theme.outline, width: 0.8, round: false))
        for tick in l.barTicks {
            let y = bar.maxY - bar.height * share(tick.value)
            canvas.line(Point(bar.maxX, y), Point(bar.maxX + 4, y), theme.outline, width: 0.8)
            canvas.text(tick.label, at: Point(bar.maxX + 8, y), theme.small, theme.ink, .left, .middle)
        }
        if !valueTitle.isEmpty {
            let x = bar.maxX + 8 + theme.small.width(l.barTicks.map(\.label)) + 4 + theme.small.size / 2
            // A single symbol need not lie on its side.
            canvas.text(
                valueTitle, at: Point(x, bar.midY), theme.small, theme.muted, .centre, .middle, rotation: valueTitle.count > 1 ? -90 : 0)
        }
    }

    public func text(_ style: TextStyle) -> String { HeatMapText(self, style).render() }
}
