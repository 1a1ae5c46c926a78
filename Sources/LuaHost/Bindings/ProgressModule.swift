import Glibc
import Notebook

/// Says how far a long job is: one line drawn over again on a terminal, a display that changes in a notebook, now and then a plain line elsewhere.
public final class ProgressBar: LuaObject {
    let total: Int
    private let label: String
    private let output: any Output
    private let style: ProgressStyle
    /// Whether it shows itself where displays are to be had; else something shows it that holds it.
    private let hasDisplay: Bool
    /// Of the display.
    private let id: String
    private let start = ProgressBar.now
    /// What was done before the start, of a resumed job: it says nothing about the rate.
    private let offset: Int
    private(set) var done: Int
    private var fields: [(name: String, value: LuaValue)] = []
    private var drawn = -Double.infinity
    private var nextShare = 0.1
    private var finished = false
    private var isDisplayed = false

    /// - Parameters: total, done: 0 or more.
    init(total: Int, label: String, done: Int, host: ScriptHost, hasDisplay: Bool = true) {
        self.hasDisplay = hasDisplay
        self.total = total
        self.label = label
        self.done = done
        offset = done
        output = host.output
        style = output.progress
        if case .display = style { id = host.newDisplayID() } else { id = "" }
    }

    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    func update(_ done: Int, _ fields: [(name: String, value: LuaValue)]) {
        guard !finished else { return }
        self.done = max(0, done)
        if !fields.isEmpty { self.fields = fields }
        let time = ProgressBar.now
        switch style {
        // Ten times a second are enough for an eye.
        case .line: if time - drawn >= 0.1 { draw(time) }
        case .display(let every, _): if time - drawn >= every { draw(time) }
        case .log:
            guard share >= nextShare, time - drawn >= 10 else { return }
            draw(time)
            nextShare = (share * 10).rounded(.down) / 10 + 0.1
        }
    }

    /// The last state, and the end of the line.
    func finish() {
        guard !finished else { return }
        finished = true
        draw(ProgressBar.now)
    }

    /// Takes the line away, to print something else above it. A display stays.
    func clear() {
        guard case .line = style, !finished else { return }
        write("\r\u{1B}[K")
        drawn = -.infinity
    }

    private func draw(_ time: Double) {
        drawn = time
        switch style {
        case .line(let columns): write("\r\u{1B}[K" + line(time, width: columns, final: finished) + (finished ? "\n" : ""))
        case .log: write(line(time, width: 200, final: finished) + "\n")
        case .display:
            guard hasDisplay else { return }
            let bundle = MIMEBundle(plain: line(time, width: 200, final: finished), html: html(time))
            if isDisplayed { output.update(bundle, id: id) } else { output.display(bundle, id: id) }
            isDisplayed = true
        }
    }

    private var share: Double { total > 0 ? min(1, Double(done) / Double(total)) : 1 }

    private var head: String { (label.isEmpty ? "" : label + " ") + "\(done)/\(total)" }

    /// What was said with the last step, and how long it takes.
    private func tail(_ time: Double, final: Bool) -> String {
        var tail = fields.map { "  " + ($0.name.isEmpty ? "" : $0.name + " ") + ProgressBar.text($0.value) }.joined()
        let elapsed = time - start
        let steps = Double(done - offset)
        if case .display(_, clock: false) = style { return tail }
        if elapsed > 0, steps > 0 {
            let rate = steps / elapsed
            tail += rate >= 1 ? "  \(ProgressBar.text(.number(rate)))/s" : "  \(ProgressBar.text(.number(1 / rate))) s each"
            tail += final ? "  took \(ProgressBar.clock(elapsed))" : "  \(ProgressBar.clock(Double(total - done) / rate)) left"
        }
        return tail
    }

    /// How far the job is, in one line.
    var text: String { line(ProgressBar.now, width: 200, final: finished) }

    /// `label 12/80 ━━━━──── loss 1.234  3.1/s  0:12 left`
    func line(_ time: Double, width: Int, final: Bool) -> String {
        var head = head
        let tail = tail(time, final: final)
        if case .line = style {
            let room = min(30, width - 2 - head.count - tail.count)
            if room >= 8 {
                let full = Int((share * Double(room)).rounded(.down))
                head += " " + String(repeating: "━", count: full) + String(repeating: "─", count: room - full)
            }
        } else {
            head += " (\(Int((share * 100).rounded(.down)))%)"
        }
        return String((head + tail).prefix(max(20, width - 1)))
    }

    func html(_ time: Double) -> String {
        "<div><progress max=\"\(max(1, total))\" value=\"\(total > 0 ? min(done, total) : 1)\"></progress> "
            + HTMLPage.escape(head + tail(time, final: finished)) + "</div>"
    }

    /// Numbers with three significant digits or so, anything else as it is.
    static func text(_ value: LuaValue) -> String {
        guard case .number(let x) = value, x.isFinite else { return value.string ?? value.source }
        let size = abs(x)
        if size >= 1e6 || (size > 0 && size < 1e-4) { return "\(Float(x))" }
        let decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4
        let unit = [1.0, 10, 100, 1000, 10000][decimals]
        let scaled = Int((size * unit).rounded())
        let whole = "\(x < 0 ? "-" : "")\(scaled / Int(unit))"
        guard decimals > 0 else { return whole }
        let rest = "\(scaled % Int(unit))"
        return whole + "." + String(repeating: "0", count: decimals - rest.count) + rest
    }

    /// Seconds as 0:07, 12:30 or 1:02:03.
    static func clock(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "?" }
        let s = Int(max(0, seconds).rounded())
        func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
        return s >= 3600 ? "\(s / 3600):\(two(s / 60 % 60)):\(two(s % 60))" : "\(s / 60):\(two(s % 60))"
    }

    private func write(_ text: String) {
        Terminal.error(text)
    }

    public static let objectType = ObjectType(
        "progress_bar", of: ProgressBar.self, summary: "How far a long job is.", methods: [updateBinding, finishBinding, clearBinding],
        fields: [
            Field("done", .integer, "Steps done.", of: { (b: ProgressBar) in b.done }), Field("total", .integer, "Steps in all.", of: { (b: ProgressBar) in b.total }),
        ],
        unique: true, describe: { "progress \($0.done) of \($0.total)" })

    private static let updateBinding = Binding(
        module: "progress_bar", name: "update",
        parameters: [Argument("done", .integer, "steps done so far"), Argument("fields", .table, optional: true, "what to show: {loss = 1.2} or, in order, {{\"loss\", 1.2}}")],
        summary: "Says how far the job is; draws only as often as is of use.",
        example: "local bar = progress.bar{total = 3}\nfor i = 1, 3 do bar:update(i, {loss = 1 / i}) end\nprint(bar.done)  --> 3"
    ) { call in
        try call.this(as: ProgressBar.self).update(call.get(1), fields(call.value(2)))
        return 0
    }

    /// What is to be shown, in order: {loss = 1.2}, or {{"loss", 1.2}}.
    static func fields(_ value: LuaValue) -> [(name: String, value: LuaValue)] {
        let table = value.table ?? LuaTable()
        let listed = table.list.compactMap { item in item.table?[1].string.map { (name: $0, value: item.table?[2] ?? .nil) } }
        let named = table.fields.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        // The bar keeps what it shows, and no objects of scripts.
        return (listed + named).map { name, value in
            switch value {
            case .table, .object, .function: (name, .string(value.source))
            default: (name, value)
            }
        }
    }

    private static let finishBinding = Binding(
        module: "progress_bar", name: "finish", summary: "Shows the last state and ends the line.", example: "progress.bar{total = 1}:finish()"
    ) { call in
        try call.this(as: ProgressBar.self).finish()
        return 0
    }

    private static let clearBinding = Binding(
        module: "progress_bar", name: "clear", summary: "Takes the line away so that something can be printed; the next update draws it again.",
        example: "progress.bar{total = 1}:clear()"
    ) { call in
        try call.this(as: ProgressBar.self).clear()
        return 0
    }
}

enum ProgressModule {
    static let module = LuaModule(
        "progress", summary: "How far a long job is: a line on stderr, a display in notebooks.", types: [ProgressBar.objectType],
        bindings: [
            Binding(
                module: "progress", name: "bar",
                options: [
                    Option("total", .integer, required: true, "steps in all"), Option("label", .string, default: "", "what stands in front"),
                    Option("done", .integer, default: 0, "steps that were done before, of a resumed job"),
                ],
                returns: [Returns(.object("progress_bar"))], summary: "A progress bar: one line on a terminal, a display that changes in notebooks, now and then a plain line elsewhere.",
                example: "local bar = progress.bar{total = 10, label = 'epoch 1'}\nprint(bar)  --> progress 0 of 10"
            ) { call in
                let total: Int = try call.option("total")
                guard total >= 0 else { throw call.badOption("total", "0 or more expected, got \(total)") }
                let done: Int = try call.option("done")
                guard done >= 0 else { throw call.badOption("done", "0 or more expected, got \(done)") }
                return call.push(ProgressBar(total: total, label: try call.option("label"), done: done, host: call.host))
            },
        ])
}
