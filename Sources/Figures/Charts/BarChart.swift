import Base

/// Named values as horizontal bars or dots: long names stay readable.
///
/// Several values under one name (one a run, say) show as a bar of their mean with a dot each; with `bars` off only the dots and a
/// short line at the mean: the way to compare runs.
public struct BarChart: Figure {
    /// A name and its values.
    public struct Group: Hashable, Sendable {
        public var name: String
        public var values: [Double]

        /// A name and its values.
        public init(_ name: String, _ values: [Double]) {
            self.name = name
            self.values = values
        }
    }

    public var groups: [Group]
    public var title: String?
    public var axis: Axis
    /// Bars from zero; without, dots only, on an axis that need not hold the zero.
    public var bars: Bool
    public var theme = Theme.light
    /// Width of the whole figure.
    public var width = 520.0

    /// Rows of one or more values each.
    public init(_ groups: [Group], title: String? = nil, axis: Axis = Axis(), bars: Bool = true) {
        self.groups = groups
        self.title = title
        self.axis = axis
        self.bars = bars
    }

    /// One bar a name.
    public init(_ values: [(String, Double)], title: String? = nil, axis: Axis = Axis()) {
        self.init(values.map { Group($0.0, [$0.1]) }, title: title, axis: axis)
    }

    /// Dots for comparing runs: one row a name, one dot a value.
    public static func dots(_ groups: [Group], title: String? = nil, axis: Axis = Axis()) -> BarChart {
        BarChart(groups, title: title, axis: axis, bars: false)
    }

    var scale: AxisScale {
        AxisScale(axis, values: groups.flatMap(\.values), pad: 0.06, includeZero: bars)
    }

    /// Mean of the values that are numbers; NaN without any.
    static func mean(_ values: [Double]) -> Double {
        let finite = values.filter(\.isFinite)
        return finite.isEmpty ? .nan : finite.reduce(0) { $0 + $1 / Double(finite.count) }
    }

    private static let rowHeight = 26.0
    private static let margin = 14.0

    private var top: Double { BarChart.margin + (title == nil ? 0 : theme.title.lineHeight + 6) }

    public var size: Size {
        let rows = Double(max(1, groups.count)) * BarChart.rowHeight
        return Size(
            max(200, width.isFinite ? min(width, 4000) : 520, title.map { theme.title.width($0) + 28 } ?? 0),
            top + rows + 8 + theme.small.lineHeight + (axis.label.isEmpty ? 0 : theme.label.lineHeight) + BarChart.margin)
    }

    public func draw(on canvas: Canvas) {
        let size = self.size
        let margin = BarChart.margin
        if let title { canvas.text(title, at: Point(margin, 12), theme.title, theme.ink, .left, .top) }
        let names = groups.map { theme.small.fitted($0.name, to: size.width * 0.45) }
        let scale = self.scale
        let numbers = theme.tiny.width(groups.map(written))
        let left = margin + theme.small.width(names) + 8
        let plot = Rect(left, top, max(40, size.width - left - margin - numbers - 10), Double(max(1, groups.count)) * BarChart.rowHeight)
        var ticks = scale.ticks(max(2, Int(plot.width / 70)))
        while ticks.count > 2, theme.small.width(ticks.map(\.label)) + 8 > plot.width / Double(ticks.count - 1) {
            let shorter = scale.ticks(ticks.count / 2)
            guard shorter.count < ticks.count else { break }
            ticks = shorter
        }
        for tick in ticks {
            guard let u = scale.position(tick.value) else { continue }
            let x = plot.x + u * plot.width
            canvas.line(Point(x, plot.y), Point(x, plot.maxY), theme.grid)
            canvas.text(tick.label, at: Point(x, plot.maxY + 6), theme.small, theme.ink, .centre, .top)
        }
        for (row, group) in groups.enumerated() {
            let y = plot.y + (Double(row) + 0.5) * BarChart.rowHeight
            canvas.text(names[row], at: Point(plot.x - 8, y), theme.small, theme.ink, .right, .middle)
            let end = draw(group, at: y, scale, plot, canvas)
            canvas.text(written(group), at: Point(end + 8, y), theme.tiny, theme.muted, .left, .middle)
        }
        let zero = plot.x + (bars && !scale.isLog ? max(0, min(1, scale.position(0) ?? 0)) : 0) * plot.width
        canvas.line(Point(zero, plot.y), Point(zero, plot.maxY), theme.outline)
        if groups.isEmpty { canvas.text("no data", at: Point(plot.midX, plot.midY), theme.label, theme.muted, .centre, .middle) }
        if !axis.label.isEmpty {
            canvas.text(axis.label, at: Point(plot.midX, size.height - margin), theme.label, theme.ink, .centre, .bottom)
        }
    }

    /// The number at the end of a row.
    private func written(_ group: Group) -> String {
        let mean = BarChart.mean(group.values)
        return mean.isNaN ? "–" : (group.values.count > 1 ? "mean " : "") + NumberText.short(mean)
    }

    /// Draws one row; returns where it ends on the right.
    private func draw(_ group: Group, at y: Double, _ scale: AxisScale, _ plot: Rect, _ canvas: Canvas) -> Double {
        let mean = BarChart.mean(group.values)
        let colour = theme.series(0)
        func x(_ value: Double) -> Double? { scale.position(value).map { plot.x + max(0, min(1, $0)) * plot.width } }
        if bars, let end = x(mean) {
            let start = scale.isLog ? plot.x : x(0) ?? plot.x
            canvas.fill(
                .rectangle(Rect(min(start, end), y - 8, abs(end - start), 16)), colour.opacity(group.values.count > 1 ? 0.55 : 0.9))
        }
        let right = ((bars ? [mean, 0] : []) + group.values).compactMap(x).max() ?? plot.x
        guard !bars || group.values.count > 1 else { return right }
        if !bars, group.values.count > 1, let middle = x(mean) {
            canvas.line(Point(middle, y - 8), Point(middle, y + 8), theme.ink, width: 2)
        }
        for value in group.values {
            guard let place = x(value) else { continue }
            canvas.fill(.circle(Point(place, y), radius: 3.4), (bars ? theme.ink : colour).opacity(0.65))
        }
        return right
    }

    public func text(_ style: TextStyle) -> String {
        let heading = title.map { style.fitted($0, style.width) + "\n" } ?? ""
        guard !groups.isEmpty else { return heading + "no data" }
        let names = groups.map { style.clean($0.name) }
        let gutter = min(style.width / 3, names.map(\.columns).max() ?? 0)
        let numbers = groups.map { style.clean(written($0)) }
        let room = max(4, style.width - gutter - 2 - (numbers.map(\.columns).max() ?? 0) - 1)
        let scale = self.scale
        let lines = groups.indices.map { row -> String in
            var grid = TextGrid(width: room, height: 1)
            fill(&grid, groups[row], scale, style)
            let line = style.fitted(names[row], gutter).indented(gutter) + style.pick(" │", " |") + grid.text(style)
            return line.strippedColumns < style.width ? line + " " + numbers[row] : line
        }
        return heading + lines.joined(separator: "\n")
    }

    private func fill(_ grid: inout TextGrid, _ group: Group, _ scale: AxisScale, _ style: TextStyle) {
        let ink = style.hasColour ? theme.series(0) : nil
        if bars, let end = scale.position(BarChart.mean(group.values)) {
            let start = scale.isLog ? 0 : max(0, scale.position(0) ?? 0)
            let (low, high) = (min(start, end) * Double(grid.width), max(start, end) * Double(grid.width))
            let blocks: [Character] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
            for x in Int(low)..<max(Int(low), min(grid.width, Int(high.rounded(.up)))) {
                let share = min(1, high - Double(x))
                let block = style.isUnicode ? blocks[max(0, min(7, Int((share * 8).rounded(.up)) - 1))] : "="
                grid[x, 0] = TextGrid.Cell(character: block, ink: ink)
            }
            return
        }
        for value in group.values {
            guard let u = scale.position(value) else { continue }
            grid[Int((u * Double(grid.width - 1)).rounded()), 0] = TextGrid.Cell(character: style.mark("●", "o"), ink: ink)
        }
    }
}

extension String {
    /// Columns without escape sequences.
    var strippedColumns: Int {
        var columns = 0
        var inEscape = false
        for character in self {
            if inEscape {
                inEscape = character != "m"
            } else if character == "\u{1B}" {
                inEscape = true
            } else {
                columns += character.columns
            }
        }
        return columns
    }
}
