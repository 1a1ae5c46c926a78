/// Shares of a whole over steps: bands one on the other, in the order of the series from below.
public struct StackedAreas: Figure {
    public let x: [Double]
    public let series: [(name: String, values: [Double])]
    public var title: String?
    public var xAxis: Axis
    public var yAxis: Axis
    public var requestedSize: Size
    public var theme = Theme.light

    /// - Throws: `FigureError.invalid` when a series has not as many values as there are steps, or a value is negative or no number.
    public init(
        _ series: [(name: String, values: [Double])], x: [Double], title: String? = nil, xAxis: Axis = Axis(), yAxis: Axis = Axis(),
        size: Size = Size(520, 320)
    ) throws {
        for (name, values) in series {
            guard values.count == x.count else {
                throw FigureError.invalid("areas: '\(name)' has \(values.count) values for \(x.count) steps")
            }
            guard let bad = values.first(where: { !($0.isFinite && $0 >= 0) }) else { continue }
            throw FigureError.invalid("areas: '\(name)' has \(bad), expected numbers that are not negative")
        }
        self.x = x
        self.series = series
        self.title = title
        self.xAxis = xAxis
        self.yAxis = yAxis
        requestedSize = Size(max(160, size.width), max(120, size.height))
    }

    public var size: Size { requestedSize }

    /// Upper borders of the bands, from the lowest.
    private var borders: [[Double]] {
        var sums = [Double](repeating: 0, count: x.count)
        return series.map { item in
            for (step, value) in item.values.enumerated() { sums[step] += value }
            return sums
        }
    }

    private var frame: ChartFrame {
        let highest = borders.last?.max() ?? 1
        let legend = series.enumerated().map { Legend.Entry(name: $1.name, mark: .box(theme.series($0))) }
        return ChartFrame(
            title: title, x: xAxis, y: yAxis, xScale: AxisScale(xAxis, values: x, pad: 0),
            yScale: AxisScale(Axis(range: yAxis.range ?? 0...max(highest, .leastNormalMagnitude)), values: [], pad: 0),
            xWhole: x.allSatisfy { $0 == $0.rounded() }, legend: legend, theme: theme)
    }

    public func draw(on canvas: Canvas) {
        let (frame, borders) = (frame, borders)
        let layout = frame.layout(size)
        guard x.count > 1, !series.isEmpty else {
            frame.draw(canvas, size, layout)
            return frame.drawEmpty(canvas, layout.plot)
        }
        var lower = [Double](repeating: 0, count: x.count)
        for (index, upper) in borders.enumerated() {
            let top = x.indices.compactMap { frame.place(x[$0], upper[$0], layout.plot) }
            let bottom = x.indices.compactMap { frame.place(x[$0], lower[$0], layout.plot) }
            canvas.fill(Path(through: top + bottom.reversed(), closed: true), theme.series(index).opacity(0.85))
            canvas.stroke(Path(through: top), Canvas.Stroke(theme.background, width: 1))
            lower = upper
        }
        // The grid would be hidden below the bands.
        frame.draw(canvas, size, layout)
    }

    public func text(_ style: TextStyle) -> String {
        // In characters bands cannot be told apart; curves can.
        let curves = series.compactMap { try? Series($0.name, x: x, y: $0.values) }
        return Chart(curves, title: title, x: xAxis, y: yAxis, size: requestedSize).themed(theme).text(style)
    }
}
