import Figures
import Tensors

enum PlotModule {
    static let module = LuaModule(
        "plot", summary: "Pictures: spaces, trellises, cells, curves, tables of numbers, images with labels.",
        detail: "Each function returns a figure: `figure:save('x.svg')`, or leave it at the prompt to see it. Numbers are given as lists or tensors.",
        types: [FigureObject.objectType, DashboardObject.objectType], bindings: PlotSearch.bindings + PlotSpaces.bindings + charts + PlotImages.bindings)

    private static let figure = [Returns(.object("figure"))]

    private static let charts = [curves, line, scatter, bar, histogram, heatmap, confusion, grid, LiveObject.binding, DashboardObject.binding]

    private static let curves = Binding(
        module: "plot", name: "curves",
        parameters: [Argument("series", .table, "{name = values}, {{name, values}, ...} in order, or values as {x =, y =, style = 'line', 'dots' or 'both'}")],
        options: [Option("x", PlotValues.numbers, "of all series that have no x of their own; 1, 2, 3 ... when left out")] + PlotValues.axes + PlotValues.labels,
        returns: figure, summary: "Curves in one plot.", detail: "NaN, and false in a list, is a gap.",
        example: "plot.curves({loss = {3, 2, 1.5}, miou = {0.1, 0.3, 0.4}}, {title = 'training', x_label = 'epoch'}):save('curves.svg')"
    ) { call in
        let x = try call.option(ifPresent: "x", as: LuaValue.self).flatMap { try PlotValues.list($0) }
        guard let named = try PlotValues.named(call.value(1)), !named.isEmpty else { throw call.bad(1, "{name = values} or {{name, values}, ...} expected") }
        let series = try named.map { try PlotValues.series($0.name, $0.value, x: x, style: .line) { call.bad(1, $0) } }
        return try chart(call, series)
    }

    private static func chart(_ call: Call, _ series: [Series]) throws -> Int {
        try PlotValues.push(
            call,
            Chart(series, title: call.option(ifPresent: "title"), x: PlotValues.axis(call, "x"), y: PlotValues.axis(call, "y"), size: PlotValues.size(call)))
    }

    /// line(y), line(x, y), the same for scatter.
    private static func xy(_ call: Call, _ style: Series.Style) throws -> Int {
        func numbers(_ i: Int) throws -> [Double] {
            guard let values = try PlotValues.list(call.value(i)) else { throw call.bad(i, "a list of numbers or a tensor expected") }
            return values
        }
        let name = try call.option(ifPresent: "name", as: String.self) ?? ""
        let series = try call.has(2) ? Series(name, x: numbers(1), y: numbers(2), style: style) : Series(name, numbers(1), style: style)
        return try chart(call, [series])
    }

    private static func xyBinding(_ name: String, _ style: Series.Style, _ summary: String, example: String) -> Binding {
        Binding(
            module: "plot", name: name,
            parameters: [Argument("x", PlotValues.numbers, "or y alone, over 1, 2, 3 ..."), Argument("y", PlotValues.numbers, optional: true)],
            options: [Option("name", .string, "in the legend")] + PlotValues.axes + PlotValues.labels, returns: figure, summary: summary, example: example
        ) { call in try xy(call, style) }
    }

    private static let line = xyBinding("line", .line, "One curve.", example: "print(plot.line({1, 4, 9}).width)  --> 520.0")
    private static let scatter = xyBinding("scatter", .dots, "Points.", example: "plot.scatter(tensor.rand(50), tensor.rand(50), {x_label = 'a'}):save('points.png')")

    private static let bar = Binding(
        module: "plot", name: "bar",
        parameters: [Argument("values", .table, "{name = number}, or {{name, number}, ...} in order; a list of numbers for several values under a name")],
        options: [Option("label", .string, default: "", "of the axis"), Option("dots", .boolean, default: false, "dots instead of bars, to compare runs"),
            Option("range", .list(.number), "{least, most}")] + PlotValues.labels,
        returns: figure, summary: "Named values as bars.", example: "plot.bar({{'sky', 0.9}, {'road', 0.8}}, {label = 'IoU'}):save('bars.svg')"
    ) { call in
        guard let named = try PlotValues.named(call.value(1)) else { throw call.bad(1, "{name = number} or {{name, number}, ...} expected") }
        let groups = try named.map { name, value -> BarChart.Group in
            guard let values = try value.number.map({ [$0] }) ?? PlotValues.list(value) else { throw call.bad(1, "'\(name)': a number or a list of numbers expected") }
            return BarChart.Group(name, values)
        }
        let axis = try Axis(call.option("label"), range: PlotValues.range(call, "range"))
        return try PlotValues.push(call, BarChart(groups, title: call.option(ifPresent: "title"), axis: axis, bars: !call.option("dots")))
    }

    private static let histogram = Binding(
        module: "plot", name: "histogram", parameters: [Argument("values", .union([.table, .tensor]), "numbers, or {name = numbers}")],
        options: [
            Option("bins", .integer, "number of intervals; from the data when left out"), Option("label", .string, default: "", "of the axis"),
            Option("range", .list(.number), "{least, most}"),
        ] + PlotValues.labels, returns: figure, summary: "How often values fall into equal intervals.", example: "plot.histogram(tensor.randn(1000), {bins = 20}):save('h.svg')"
    ) { call in
        var series: [(name: String, values: [Double])] = []
        if let values = try PlotValues.list(call.value(1)) {
            series = [("", values)]
        } else {
            guard let named = try PlotValues.named(call.value(1)) else { throw call.bad(1, "numbers or {name = numbers} expected") }
            series = try named.map { name, value in
                guard let values = try PlotValues.list(value) else { throw call.bad(1, "'\(name)': a list of numbers or a tensor expected") }
                return (name, values)
            }
        }
        let axis = try Axis(call.option("label"), range: PlotValues.range(call, "range"))
        return try PlotValues.push(call, Histogram(series, title: call.option(ifPresent: "title"), x: axis, bins: call.option(ifPresent: "bins")))
    }

    private static let heatmap = Binding(
        module: "plot", name: "heatmap", parameters: [Argument("values", .union([.list(.any), .tensor]), "a matrix")],
        options: [
            Option("rows", .list(.string), "names"), Option("columns", .list(.string), "names"), Option("row_title", .string, default: "", "what the rows are"),
            Option("column_title", .string, default: "", "what the columns are"), Option("value_title", .string, default: "", "what the numbers are"),
            Option("range", .list(.number), "{least, most} of the colours"), Option("map", .choice(ColourMap.names), "colours"),
            Option("decimals", .integer, "digits after the point of written numbers"), Option("values", .boolean, "whether numbers are written; where they fit when left out"),
        ] + PlotValues.labels, returns: figure, summary: "A table of numbers as colours.",
        example: "plot.heatmap(tensor.rand(3, 4), {rows = {'a', 'b', 'c'}, map = 'blues'}):save('heat.png')"
    ) { call in
        guard let values = try PlotValues.rows(call.value(1)) else { throw call.bad(1, "a matrix expected: a tensor [rows, columns] or lists in a list") }
        var map = try HeatMap(
            values, rows: call.option(ifPresent: "rows") ?? [], columns: call.option(ifPresent: "columns") ?? [], title: call.option(ifPresent: "title"))
        map.rowTitle = try call.option("row_title")
        map.columnTitle = try call.option("column_title")
        map.valueTitle = try call.option("value_title")
        map.range = try PlotValues.range(call, "range")
        map.map = try call.option(ifPresent: "map", as: String.self).flatMap { ColourMap.named($0) }
        map.decimals = try call.option(ifPresent: "decimals", as: Int.self).map { max(0, min(10, $0)) }
        map.writesValues = try call.option(ifPresent: "values")
        return try PlotValues.push(call, map)
    }

    private static let confusion = Binding(
        module: "plot", name: "confusion", parameters: [Argument("matrix", .object("confusion"))], options: [Option("names", .list(.string), "of the classes")] + PlotValues.labels,
        returns: figure, summary: "A confusion matrix, each row in per cent of its label's pixels.",
        example: "plot.confusion(metrics.confusion{'sky', 'road'}):save('confusion.svg')"
    ) { call in
        let confusion: ConfusionObject = try call.get(1)
        let matrix = confusion.matrix
        let given = try call.option(ifPresent: "names") ?? confusion.names
        let names = (0..<matrix.classes).map { $0 < given.count ? given[$0] : "\($0)" }
        let counts = (0..<matrix.classes).map { label in (0..<matrix.classes).map { Int(matrix[label, $0]) } }
        return try PlotValues.push(call, HeatMap.confusion(counts, classes: names, title: call.option(ifPresent: "title")))
    }

    private static let grid = Binding(
        module: "plot", name: "grid", parameters: [Argument("rows", .list(.any), "figures one below the other, or lists of figures side by side")],
        options: PlotValues.labels, returns: figure, summary: "Several figures in one.", example: "plot.grid{{plot.line{1, 2}, plot.line{2, 1}}, plot.bar{a = 1}}:save('grid.svg')"
    ) { call in
        let items = try call.value(1).table?.list ?? []
        let rows = try items.enumerated().map { index, item -> [any Figure] in
            if let one: FigureObject = item.object() { return [one.figure] }
            let row = item.table?.list.map { $0.object(as: FigureObject.self) } ?? [nil]
            return try row.map {
                guard let found = $0 else { throw call.bad(1, "row \(index + 1): a figure or a list of figures expected") }
                return found.figure
            }
        }
        guard !rows.isEmpty else { throw call.bad(1, "at least one figure expected") }
        var grid = FigureGrid(rows, title: try call.option(ifPresent: "title"))
        if try call.option("theme") == "dark" { grid.theme = .dark }
        return call.push(FigureObject(grid))
    }
}
