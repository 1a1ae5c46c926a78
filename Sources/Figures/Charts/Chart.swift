/// One series of a chart: points by their coordinates. A point with a NaN or infinite coordinate is a gap.
public struct Series: Hashable, Sendable {
    /// How the points are shown.
    public enum Style: String, Sendable { case line, dots, both }

    public var name: String
    public var x: [Double]
    public var y: [Double]
    public var style: Style
    /// Position in the palette; the position in the chart when nil.
    public var colourIndex: Int?

    /// - Throws: `FigureError.invalid` when there are not as many x as y.
    public init(_ name: String = "", x: [Double], y: [Double], style: Style = .line, colourIndex: Int? = nil) throws {
        guard x.count == y.count else {
            throw FigureError.invalid("series '\(name)': expected as many x as y, got \(x.count) and \(y.count)")
        }
        self.name = name
        self.x = x
        self.y = y
        self.style = style
        self.colourIndex = colourIndex
    }

    /// Values over the steps 1, 2, 3 ...
    public init(_ name: String = "", _ y: [Double], style: Style = .line, colourIndex: Int? = nil) {
        self.name = name
        x = y.indices.map { Double($0 + 1) }
        self.y = y
        self.style = style
        self.colourIndex = colourIndex
    }
}

/// Curves and scattered points over two numeric axes.
public struct Chart: Figure {
    public var series: [Series]
    public var title: String?
    public var x: Axis
    public var y: Axis
    /// Size asked for; the chart grows in height where its legend needs more than two lines.
    public var requestedSize: Size
    public var theme = Theme.light
    /// At least this much room left of the plot; `Panels` sets it so that plots line up.
    var minimumLeft = 0.0

    /// A chart of the series in one plot; sizes below 160 x 120 are raised to that.
    public init(_ series: [Series], title: String? = nil, x: Axis = Axis(), y: Axis = Axis(), size: Size = Size(520, 320)) {
        self.series = series
        self.title = title
        self.x = x
        self.y = y
        requestedSize = Size(max(160, size.width), max(120, size.height))
    }

    public var size: Size {
        let lines = Legend(entries: legend, theme: theme).height(requestedSize.width - 28) / (theme.small.lineHeight * 1.15)
        return Size(requestedSize.width, requestedSize.height + max(0, lines - 2) * theme.small.lineHeight * 1.15)
    }

    /// A scatter plot of one cloud of points.
    public static func scatter(
        x: [Double], y: [Double], name: String = "", title: String? = nil, xLabel: String = "", yLabel: String = ""
    ) throws -> Chart {
        Chart([try Series(name, x: x, y: y, style: .dots)], title: title, x: Axis(xLabel), y: Axis(yLabel))
    }

    func colour(_ index: Int) -> Colour { theme.series(series[index].colourIndex ?? index) }

    private var legend: [Legend.Entry] {
        series.enumerated().filter { !$1.name.isEmpty }.map { index, s in
            let line = Legend.Mark.line(colour(index), dash: theme.dash(s.colourIndex ?? index), points: s.style == .both)
            return Legend.Entry(name: s.name, mark: s.style == .dots ? .dot(colour(index)) : line)
        }
    }

    var frame: ChartFrame {
        let shown = series.map { s in
            s.x.indices.filter { AxisScale.shows(s.x[$0], x.scale == .log) && AxisScale.shows(s.y[$0], y.scale == .log) }
        }
        let xs = zip(series, shown).flatMap { s, indices in indices.map { s.x[$0] } }
        let ys = zip(series, shown).flatMap { s, indices in indices.map { s.y[$0] } }
        let onlyDots = !series.isEmpty && series.allSatisfy { $0.style == .dots }
        return ChartFrame(
            title: title, x: x, y: y, xScale: AxisScale(x, values: xs, pad: onlyDots ? 0.05 : 0.02),
            yScale: AxisScale(y, values: ys, pad: 0.05), xWhole: !xs.isEmpty && xs.allSatisfy { $0 == $0.rounded() }, legend: legend,
            theme: theme, minimumLeft: minimumLeft)
    }

    public func draw(on canvas: Canvas) {
        let frame = self.frame
        let layout = frame.layout(size)
        frame.draw(canvas, size, layout)
        var empty = true
        canvas.clipped(to: layout.plot.inset(-4, -4)) {
            for index in series.indices {
                let runs = self.runs(index, frame, layout.plot)
                if !runs.isEmpty { empty = false }
                for run in runs { draw(run, index, canvas) }
            }
        }
        if empty { frame.drawEmpty(canvas, layout.plot) }
    }

    /// The places of a series, cut at its gaps.
    private func runs(_ index: Int, _ frame: ChartFrame, _ plot: Rect) -> [[Point]] {
        var runs: [[Point]] = []
        var run: [Point] = []
        for (px, py) in zip(series[index].x, series[index].y) {
            if let point = frame.place(px, py, plot) {
                run.append(point)
            } else if !run.isEmpty {
                runs.append(run)
                run = []
            }
        }
        if !run.isEmpty { runs.append(run) }
        return runs
    }

    private func draw(_ run: [Point], _ index: Int, _ canvas: Canvas) {
        let s = series[index]
        let colour = self.colour(index)
        if s.style != .dots, run.count > 1 {
            let line = run.count > 4000 ? Chart.thinned(run) : run
            canvas.stroke(Path(through: line), Canvas.Stroke(colour, width: 1.8, dash: theme.dash(s.colourIndex ?? index)))
        }
        // A point alone between gaps would not show as a line.
        if s.style != .line || run.count == 1 {
            for point in run {
                canvas.fill(.circle(point, radius: 3.2), colour.opacity(s.style == .dots ? 0.8 : 1))
            }
        }
    }

    /// Keeps the least and greatest of each quarter unit of width: the same picture with a fraction of the points.
    private static func thinned(_ run: [Point]) -> [Point] {
        var result: [Point] = []
        var start = 0
        while start < run.count {
            var end = start
            while end < run.count, abs(run[end].x - run[start].x) < 0.25 { end += 1 }
            end = max(end, start + 1)
            let bucket = run[start..<end].indices
            let low = bucket.min { run[$0].y < run[$1].y } ?? start
            let high = bucket.max { run[$0].y < run[$1].y } ?? start
            for index in Set([start, low, high, end - 1]).sorted() { result.append(run[index]) }
            start = end
        }
        return result
    }

    public func text(_ style: TextStyle) -> String { ChartText(self, style).render() }
}

/// Charts one above the other (or side by side), their plots in line.
public struct Panels: Figure {
    public var charts: [Chart]
    public var title: String?
    /// Number of columns.
    public var columns: Int
    public var theme = Theme.light

    /// Charts in rows of `columns`.
    public init(_ charts: [Chart], title: String? = nil, columns: Int = 1) {
        self.charts = charts
        self.title = title
        self.columns = max(1, columns)
    }

    private var grid: FigureGrid {
        var rows: [[any Figure]] = []
        let lefts = (0..<columns).map { column in
            stride(from: column, to: charts.count, by: columns).map { themed($0).frame.left(charts[$0].size) }.max() ?? 0
        }
        for start in stride(from: 0, to: charts.count, by: columns) {
            rows.append((start..<min(start + columns, charts.count)).map { index -> any Figure in
                var chart = themed(index)
                chart.minimumLeft = lefts[index % columns]
                return chart
            })
        }
        var grid = FigureGrid(rows, title: title)
        grid.theme = theme
        grid.spacing = 4
        return grid
    }

    private func themed(_ index: Int) -> Chart { charts[index].themed(theme) }

    public var size: Size { grid.size }
    public func draw(on canvas: Canvas) { grid.draw(on: canvas) }
    public func text(_ style: TextStyle) -> String { grid.text(style) }
}
