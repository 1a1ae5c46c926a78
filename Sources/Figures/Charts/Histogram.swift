import Base

/// How often values fall into equal intervals.
public struct Histogram: Figure {
    public var series: [(name: String, values: [Double])]
    public var title: String?
    public var x: Axis
    /// Number of intervals; from the data when nil (Freedman and Diaconis).
    public var bins: Int?
    public var size: Size
    public var theme = Theme.light

    /// Several distributions lie transparently over each other.
    public init(
        _ series: [(name: String, values: [Double])], title: String? = nil, x: Axis = Axis(), bins: Int? = nil,
        size: Size = Size(520, 300)
    ) {
        self.series = series
        self.title = title
        self.x = x
        self.bins = bins.map { max(1, min($0, 10_000)) }
        self.size = Size(max(160, size.width), max(120, size.height))
    }

    /// One distribution.
    public init(_ values: [Double], title: String? = nil, x: Axis = Axis(), bins: Int? = nil) {
        self.init([("", values)], title: title, x: x, bins: bins)
    }

    /// Edges of the intervals and the counts of each series; values that are no numbers are left out.
    func counted() -> (edges: [Double], counts: [[Int]]) {
        let linear = Axis(range: x.range)
        let finite = series.map { $0.values.filter { AxisScale.shows($0, false) } }
        let scale = AxisScale(linear, values: finite.joined(), pad: 0)
        let count = bins ?? Histogram.intervals(Array(finite.joined()), scale.high - scale.low)
        let edges = (0...count).map { scale.low + (scale.high - scale.low) * Double($0) / Double(count) }
        let counts = finite.map { values -> [Int] in
            var counts = [Int](repeating: 0, count: count)
            for value in values where value >= scale.low && value <= scale.high {
                counts[min(count - 1, Int((value - scale.low) / (scale.high - scale.low) * Double(count)))] += 1
            }
            return counts
        }
        return (edges, counts)
    }

    /// Width 2 · (interquartile range) / n^(1/3), between 5 and 60 intervals.
    private static func intervals(_ values: [Double], _ span: Double) -> Int {
        guard values.count > 1 else { return 5 }
        let sorted = values.sorted()
        let spread = sorted[sorted.count * 3 / 4] - sorted[sorted.count / 4]
        let width = 2 * spread / power10(logarithm10(Double(values.count)) / 3)
        return width > 0 ? max(5, min(60, Int((span / width).rounded(.up)))) : 20
    }

    public func draw(on canvas: Canvas) {
        let (edges, counts) = counted()
        let legend = series.enumerated().filter { !$1.name.isEmpty }.map {
            Legend.Entry(name: $1.name, mark: .box(theme.series($0).opacity(0.6)))
        }
        let frame = ChartFrame(
            title: title, x: x, y: Axis("count"), xScale: AxisScale(Axis(range: (edges.first ?? 0)...(edges.last ?? 1)), values: []),
            yScale: AxisScale(Axis(), values: counts.joined().map(Double.init) + [0, 1], pad: 0.05, includeZero: true), yWhole: true,
            legend: legend, theme: theme)
        let layout = frame.layout(size)
        frame.draw(canvas, size, layout)
        if counts.joined().allSatisfy({ $0 == 0 }) { frame.drawEmpty(canvas, layout.plot) }
        for (index, counts) in counts.enumerated() {
            let colour = theme.series(index)
            for (bin, count) in counts.enumerated() where count > 0 {
                guard let low = frame.place(edges[bin], Double(count), layout.plot), let high = frame.place(edges[bin + 1], 0, layout.plot)
                else { continue }
                let bar = Rect(low.x, low.y, high.x - low.x, high.y - low.y)
                canvas.fill(.rectangle(bar), colour.opacity(series.count > 1 ? 0.45 : 0.8))
                canvas.stroke(.rectangle(bar), Canvas.Stroke(theme.background, width: min(0.8, bar.width / 6), round: false))
            }
        }
    }

    public func text(_ style: TextStyle) -> String {
        let (edges, counts) = counted()
        var parts = title.map { [style.fitted($0, style.width)] } ?? []
        for (index, counts) in counts.enumerated() {
            // Twenty lines tell the shape; more would scroll it away.
            let group = max(1, (counts.count + 19) / 20)
            let groups = stride(from: 0, to: counts.count, by: group).map { start -> BarChart.Group in
                let end = min(counts.count, start + group)
                return BarChart.Group(
                    "\(NumberText.short(edges[start])) to \(NumberText.short(edges[end]))", [Double(counts[start..<end].reduce(0, +))])
            }
            var chart = BarChart(groups, title: series[index].name.isEmpty ? nil : series[index].name)
            chart.theme = theme
            parts.append(chart.text(style))
        }
        return parts.joined(separator: "\n")
    }
}
