/// The frame that charts with two numeric axes share: title, legend, axes with ticks and grid, and the plot area.
struct ChartFrame {
    var title: String?
    var x: Axis
    var y: Axis
    var xScale: AxisScale
    var yScale: AxisScale
    var xWhole = false
    var yWhole = false
    var legend: [Legend.Entry] = []
    var theme: Theme
    /// At least this much room left of the plot, so that panels in a column line up.
    var minimumLeft = 0.0

    /// Where the numbers are drawn, and what stands around it.
    struct Layout {
        var plot: Rect
        var legendY: Double
        var xTicks: [AxisScale.Tick]
        var yTicks: [AxisScale.Tick]
        var tickWidth: Double
    }

    private static let margin = 14.0

    /// Room that labels take on the left for a height.
    func left(_ size: Size) -> Double { layout(size).plot.x }

    func layout(_ size: Size) -> Layout {
        let margin = ChartFrame.margin
        var top = margin
        if title != nil { top += theme.title.lineHeight + 4 }
        let legendY = top
        let legendHeight = Legend(entries: legend, theme: theme).height(size.width - 2 * margin)
        top += legendHeight + (legendHeight > 0 ? 8 : 4)
        var bottom = size.height - margin - theme.small.lineHeight - 4
        if !x.label.isEmpty { bottom -= theme.label.lineHeight }
        let height = max(20, bottom - top)
        let yTicks = yScale.ticks(max(2, Int(height / 42)), whole: yWhole)
        let tickWidth = theme.small.width(yTicks.map(\.label))
        let left = max(minimumLeft, margin + (y.label.isEmpty ? 0 : theme.label.lineHeight + 2) + tickWidth + 8)
        // The last label may reach half its width over the end of the axis.
        var right = margin
        var xTicks: [AxisScale.Tick] = []
        var count = max(2, Int((size.width - left - right) / 70))
        while count >= 1 {
            xTicks = xScale.ticks(count, whole: xWhole)
            right = max(margin, theme.small.width(xTicks.last?.label ?? "") / 2 + 4)
            let room = (size.width - left - right) / Double(max(1, xTicks.count - 1))
            if theme.small.width(xTicks.map(\.label)) + 10 <= room || count == 1 { break }
            count -= 1
        }
        return Layout(
            plot: Rect(left, top, max(20, size.width - left - right), height), legendY: legendY, xTicks: xTicks, yTicks: yTicks,
            tickWidth: tickWidth)
    }

    /// The place of a point, or nil where an axis cannot show it.
    func place(_ px: Double, _ py: Double, _ plot: Rect) -> Point? {
        guard let u = xScale.position(px), let v = yScale.position(py) else { return nil }
        return Point(plot.x + u * plot.width, plot.maxY - v * plot.height)
    }

    func draw(_ canvas: Canvas, _ size: Size, _ layout: Layout) {
        let (plot, margin) = (layout.plot, ChartFrame.margin)
        if let title {
            let fitted = theme.title.fitted(title, to: size.width - 2 * margin)
            canvas.text(fitted, at: Point(margin, margin - 2), theme.title, theme.ink, .left, .top)
        }
        Legend(entries: legend, theme: theme).draw(canvas, at: Point(margin, layout.legendY), width: size.width - 2 * margin)
        for tick in layout.yTicks {
            guard let v = yScale.position(tick.value) else { continue }
            let y = plot.maxY - v * plot.height
            canvas.line(Point(plot.x, y), Point(plot.maxX, y), theme.grid)
            canvas.text(tick.label, at: Point(plot.x - 8, y), theme.small, theme.ink, .right, .middle)
        }
        for tick in layout.xTicks {
            guard let u = xScale.position(tick.value) else { continue }
            let x = plot.x + u * plot.width
            canvas.line(Point(x, plot.y), Point(x, plot.maxY), theme.grid.opacity(0.6))
            canvas.line(Point(x, plot.maxY), Point(x, plot.maxY + 4), theme.outline)
            canvas.text(tick.label, at: Point(x, plot.maxY + 6), theme.small, theme.ink, .centre, .top)
        }
        canvas.line(Point(plot.x, plot.maxY), Point(plot.maxX, plot.maxY), theme.outline)
        canvas.line(Point(plot.x, plot.y), Point(plot.x, plot.maxY), theme.outline)
        if !x.label.isEmpty {
            let label = theme.label.fitted(x.label, to: size.width - 2 * margin)
            // Long labels are centred on the page where they would leave it under the plot.
            let half = theme.label.width(label) / 2
            let centre = min(max(plot.midX, margin + half), size.width - margin - half)
            canvas.text(label, at: Point(centre, size.height - margin), theme.label, theme.ink, .centre, .bottom)
        }
        if !y.label.isEmpty {
            let label = theme.label.fitted(y.label, to: size.height - 2 * margin)
            let half = theme.label.width(label) / 2
            let centre = min(max(plot.midY, margin + half), size.height - margin - half)
            canvas.text(
                label, at: Point(margin + theme.label.size / 2, centre), theme.label, theme.ink, .centre, .middle, rotation: -90)
        }
    }

    /// Says so where there is nothing to show.
    func drawEmpty(_ canvas: Canvas, _ plot: Rect) {
        canvas.text("no data", at: Point(plot.midX, plot.midY), theme.label, theme.muted, .centre, .middle)
    }
}
