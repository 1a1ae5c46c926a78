import Base
import Figures
import Glibc
import Networks
import Notebook
import Search

/// A curve of a job that goes on, of as few points as a picture can show.
struct LiveCurve {
    /// Steps and means of the values since the point before.
    private(set) var points: [(x: Double, y: Double)] = []
    private var steps = 1
    private var open = (sum: 0.0, count: 0)

    /// So many points at most: then every two become one.
    private static let most = 400

    mutating func add(_ x: Double, _ y: Double) {
        guard y.isFinite else { return }
        open = (open.sum + y, open.count + 1)
        guard open.count >= steps else { return }
        points.append((x, open.sum / Double(open.count)))
        open = (0, 0)
        guard points.count > LiveCurve.most else { return }
        points = stride(from: 1, to: points.count, by: 2).map { (points[$0].x, (points[$0 - 1].y + points[$0].y) / 2) }
        steps *= 2
    }
}

/// A search that goes on, in one display: how far it is, curves, and what the supernet leans to. On a terminal the line of a progress bar.
final class DashboardObject: LuaObject {
    private let supernet: SupernetObject
    private let bar: ProgressBar
    private let every: Double
    private let output: any Output
    private let id: String
    private var curves: [(name: String, curve: LiveCurve)] = []
    private var drawn = -Double.infinity
    /// Seconds that the last drawing took.
    private var cost = 0.0
    /// Twentieths of the job at the last drawing.
    private var part = -1
    private var isShown = false

    init(_ supernet: SupernetObject, _ bar: ProgressBar, every: Double, host: ScriptHost) {
        (self.supernet, self.bar, self.every) = (supernet, bar, every)
        output = host.output
        id = host.newDisplayID()
    }

    func update(_ done: Int, _ fields: [(name: String, value: LuaValue)]) throws {
        bar.update(done, fields)
        guard let showsTimes else { return }
        for (name, value) in fields {
            guard let number = value.number else { continue }
            let place = curves.firstIndex { $0.name == name } ?? curves.count
            if place == curves.count { curves.append((name, LiveCurve())) }
            // What was measured some time ago and is said again is no new point.
            if DashboardObject.isLoss(name) || curves[place].curve.points.last?.y != number { curves[place].curve.add(Double(done), number) }
        }
        let now = ProgressBar.now, part = bar.total > 0 ? 20 * done / bar.total : 0
        // Drawing takes at most a twentieth of the time; where no times are to be seen, it goes by steps.
        if showsTimes ? now - drawn >= max(every, 20 * cost) : part != self.part { try draw(isLast: false) }
        self.part = part
    }

    func finish() throws {
        bar.finish()
        if showsTimes != nil { try draw(isLast: true) }
    }

    /// Whether a display may show what differs from run to run; nil where there are no displays.
    private var showsTimes: Bool? {
        if case .display(_, let clock) = output.progress { clock } else { nil }
    }

    func clear() { bar.clear() }

    // MARK: Drawing

    private static func isLoss(_ name: String) -> Bool { name.lowercased().hasSuffix("loss") }

    private func draw(isLast: Bool) throws {
        let start = ProgressBar.now
        Capture.flush()
        let grid = FigureGrid(try rows(), title: isLast ? bar.text : nil)
        let bundle: MIMEBundle
        if isLast || showsTimes == false {
            bundle = MIMEBundle(plain: bar.text, figure: grid)
        } else {
            // As HTML it need not be drawn as PNG, too, again and again.
            let memory = HTMLPage.escape("tensors \(byteUnits(Memory.live))")
            bundle = MIMEBundle(plain: bar.text, html: bar.html(start).replacing("</div>", with: "  \(memory)</div>") + (try grid.svg()))
        }
        if isShown { output.update(bundle, id: id) } else { output.display(bundle, id: id) }
        isShown = true
        drawn = ProgressBar.now
        cost = drawn - start
    }

    private func rows() throws -> [[any Figure]] {
        let charts = try [("loss", true), ("validation", false)].compactMap { title, isLoss -> Chart? in
            let series = try curves.filter { DashboardObject.isLoss($0.name) == isLoss && !$0.curve.points.isEmpty }.map { name, curve in
                try Series(name, x: curve.points.map(\.x), y: curve.points.map(\.y), style: curve.points.count < 8 ? .both : .line)
            }
            return series.isEmpty ? nil : Chart(series, title: title, x: Axis("step"), size: Figures.Size(460, 240))
        }
        // A picture that cannot be drawn does not end a search.
        return (charts.isEmpty ? [] : [charts]) + ((try? findings()) ?? [])
    }

    /// What the supernet leans to now.
    private func findings() throws -> [[any Figure]] {
        let net = supernet.net
        guard let space = net.space.trellis else {
            let pictures = try DecisionPictures(net, architecture: net.decode()[0].assignment)
            return try pictures.figures(pictures.decisions.all.map(\.name), title: nil).map { [$0] }
        }
        let found = try net.strongest(), beta = try net.arrowProbabilities().floats()
        let trellis = try PlotSearch.drawing(space, found.path) { Double(beta[space.betaIndex(of: $0)]) }
        let alpha = try HeatMap.alpha(
            PlotValues.rows(.object(net.operatorProbabilities())) ?? [], edges: CellDrawing.edgeNames(blocks: space.cell.blocks), operators: space.cell.operators,
            title: "softmax(α)")
        return [[TrellisFigure(trellis, title: "β and the decoded path")], [CellFigure(try PlotSearch.drawing(found), title: "the decoded cell"), alpha]]
    }

    // MARK: For Lua

    static let objectType = ObjectType(
        "dashboard", of: DashboardObject.self, summary: "A search that goes on, in one display.", methods: [updateBinding, finishBinding, clearBinding],
        fields: [
            Field("done", .integer, "Steps done.", of: { (d: DashboardObject) in d.bar.done }),
            Field("total", .integer, "Steps in all.", of: { (d: DashboardObject) in d.bar.total }),
        ],
        unique: true, anchors: { $0.supernet.allAnchors }, describe: { "dashboard, step \($0.bar.done) of \($0.bar.total)" })

    private static let sample = SupernetMethods.tiny + "local board = plot.dashboard(supernet, {total = 3})\n"

    private static let updateBinding = Binding(
        module: "dashboard", name: "update",
        parameters: [
            Argument("done", .integer, "steps done so far"),
            Argument("fields", .table, optional: true, "numbers, each a curve, and other values: {loss = 1.2} or, in order, {{\"loss\", 1.2}}"),
        ],
        summary: "Says how far the search is; draws only as often as is of use.", example: sample + "for i = 1, 3 do board:update(i, {loss = 1 / i}) end\nprint(board.done)  --> 3"
    ) { call in
        try call.this(as: DashboardObject.self).update(call.get(1), ProgressBar.fields(call.value(2)))
        return 0
    }

    private static let finishBinding = Binding(
        module: "dashboard", name: "finish", summary: "Shows the last state.", example: sample + "board:finish()"
    ) { call in
        try call.this(as: DashboardObject.self).finish()
        return 0
    }

    private static let clearBinding = Binding(
        module: "dashboard", name: "clear", summary: "On a terminal, takes the line away so that something can be printed.", example: sample + "board:clear()"
    ) { call in
        try call.this(as: DashboardObject.self).clear()
        return 0
    }

    /// `plot.dashboard`.
    static let binding = Binding(
        module: "plot", name: "dashboard", parameters: [Argument("supernet", .object("supernet"))],
        options: [
            Option("total", .integer, required: true, "steps in all"), Option("label", .string, default: "search", "what stands in front"),
            Option("done", .integer, default: 0, "steps that were done before, of a resumed search"),
            Option("every", .number, default: 2, "seconds between two drawings, at least"),
        ],
        returns: [Returns(.object("dashboard"))], summary: "Shows a search while it goes on, in one display of a notebook: curves, beta, cell, alpha, how fast and how long.",
        detail: "`board:update(step, {loss = ..., miou = ...})` after each step, `board:finish()` at the end. Each number is a curve by its name: those whose names end in loss in one "
            + "chart, the others in another one. Of spaces other than nas.trellis it shows the decisions. Drawing takes at most a twentieth of the time. On a terminal it is the line of progress.bar.",
        example: sample + "for i = 1, 3 do board:update(i, {loss = 1 / i, miou = i / 4}) end\nboard:finish()\nprint(board)  --> dashboard, step 3 of 3"
    ) { call in
        let total: Int = try call.option("total"), done: Int = try call.option("done"), every: Double = try call.option("every")
        guard total >= 0 else { throw call.badOption("total", "0 or more expected, got \(total)") }
        guard done >= 0 else { throw call.badOption("done", "0 or more expected, got \(done)") }
        guard every >= 0, every.isFinite else { throw call.badOption("every", "0 seconds or more expected, got \(every)") }
        let bar = ProgressBar(total: total, label: try call.option("label"), done: done, host: call.host, hasDisplay: false)
        return call.push(DashboardObject(try call.get(1), bar, every: every, host: call.host))
    }
}
