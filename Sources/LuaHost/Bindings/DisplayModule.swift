import Base
import Figures
import Notebook

/// Something shown that can be shown changed.
final class DisplayObject: LuaObject {
    let id: String
    init(_ id: String) { self.id = id }

    static let objectType = ObjectType(
        "display", of: DisplayObject.self, summary: "Something shown that can change.", methods: [update],
        fields: [Field("id", .string, "Its id.", of: { (d: DisplayObject) in d.id })], unique: true, describe: { "display \($0.id)" })

    private static let update = Binding(
        module: "display", name: "update", parameters: [Argument("x", .any, "what to show now")], summary: "Shows something else in its place.",
        detail: "In a notebook and on a page in the same place; on a terminal below.", example: "local d = display('step 1', {id = 'steps'})\nd:update('step 2')"
    ) { call in
        Capture.flush()
        call.output.update(call.host.bundle(call.thread, call.index(1)), id: try call.this(as: DisplayObject.self).id)
        return 0
    }
}

/// A value with a form that is given as it is: HTML, Markdown.
final class RichObject: LuaObject {
    let bundle: MIMEBundle
    init(_ bundle: MIMEBundle) { self.bundle = bundle }

    static let objectType = ObjectType(
        "rich", of: RichObject.self, summary: "A text in a form of its own, made by display.html and display.markdown.", unique: true, rich: { $0.bundle },
        describe: { $0.bundle.plain })
}

enum DisplayModule {
    static let module = LuaModule(
        "display", summary: "Shows things: display(x) as a picture or a table where there is room for one, in characters elsewhere.",
        detail: "With an id it can be shown again in the same place: `local d = display(x, {id = 'loss'})`, `d:update(y)`.",
        types: [DisplayObject.objectType, RichObject.objectType, LiveObject.objectType], bindings: [html, markdown, clear], call: call)

    private static let call = Binding(
        module: "display", name: "display", parameters: [Argument("x", .any)], options: [Option("id", .string, "of what is to change later")],
        returns: [Returns(.object("display"), "with an id", optional: true)], summary: "Shows a value.",
        detail: "Pictures and tables where the output has them: in notebooks and on pages. With the id of a display of the same cell it is shown in that one's place."
    ) { call in
        Capture.flush()
        let given: String? = try call.option(ifPresent: "id")
        let bundle = call.host.bundle(call.thread, call.index(1))
        call.output.display(bundle, id: given)
        return given.map { call.push(DisplayObject($0)) } ?? 0
    }

    private static let html = Binding(
        module: "display", name: "html", parameters: [Argument("text", .string, "a fragment of HTML")], options: [Option("plain", .string, "for terminals; the text when left out")],
        returns: [Returns(.object("rich"))], summary: "A text that notebooks and pages show as HTML.", example: "display(display.html('<b>done</b>', {plain = 'done'}))"
    ) { call in
        let text: String = try call.get(1)
        return call.push(RichObject(MIMEBundle(plain: try call.option(ifPresent: "plain") ?? text, html: text)))
    }

    private static let markdown = Binding(
        module: "display", name: "markdown", parameters: [Argument("text", .string)], returns: [Returns(.object("rich"))],
        summary: "A text that notebooks and pages show as Markdown.", example: "display(display.markdown('**done**'))"
    ) { call in
        let text: String = try call.get(1)
        return call.push(RichObject(MIMEBundle(plain: text, others: ["text/markdown": text])))
    }

    private static let clear = Binding(
        module: "display", name: "clear", options: [Option("wait", .boolean, default: false, "until something takes its place")],
        summary: "Takes away what the cell has shown so far; on a terminal nothing.", example: "display.clear{wait = true}"
    ) { call in
        Capture.flush()
        call.output.clear(wait: try call.option("wait"))
        return 0
    }
}

/// A figure that is drawn anew while a job goes on.
final class LiveObject: LuaObject {
    private let draw: LuaFunction
    private let anchor: LuaAnchor
    private let every: Double
    private let output: any Output
    private let id: String
    private var drawn = -Double.infinity
    private var isShown = false
    private var isWaiting = false

    init(_ draw: LuaFunction, anchor: LuaAnchor, every: Double, host: ScriptHost) {
        self.draw = draw
        self.anchor = anchor
        self.every = every
        output = host.output
        id = host.newDisplayID()
    }

    /// Seconds between two drawings: a terminal keeps what was drawn before, so it gets fewer of them; where times are not to be seen, every one is drawn.
    private var interval: Double {
        switch output.progress {
        case .display(_, clock: false): 0
        case .display: every
        case .line, .log: max(every, 10)
        }
    }

    fileprivate func update(_ arguments: [LuaValue]) throws {
        let now = monotonicSeconds()
        isWaiting = now - drawn < interval
        if !isWaiting { try show(arguments, now) }
    }

    fileprivate func finish(_ arguments: [LuaValue]) throws {
        if isWaiting || !isShown || !arguments.isEmpty { try show(arguments, monotonicSeconds()) }
        isWaiting = false
    }

    private func show(_ arguments: [LuaValue], _ now: Double) throws {
        guard let figure: FigureObject = try draw.call(all: arguments).first?.object() else { throw HostError("the function of plot.live must return a figure") }
        drawn = now
        Capture.flush()
        let bundle = MIMEBundle(plain: try output.drawing(of: figure.figure), figure: figure.figure)
        if isShown { output.update(bundle, id: id) } else { output.display(bundle, id: id) }
        isShown = true
    }

    static let objectType = ObjectType(
        "live", of: LiveObject.self, summary: "A figure that is drawn anew while a job goes on.", methods: [updateBinding, finishBinding], unique: true,
        anchors: { [$0.anchor] }, describe: { _ in "live figure" })

    private static func arguments(_ call: Call) throws -> [LuaValue] {
        call.count == 0 ? [] : try (1...call.count).map { try call.value($0) }
    }

    private static let example = "local losses = {}\nlocal live = plot.live(function() return plot.line(losses) end)\n"

    private static let updateBinding = Binding(
        module: "live", name: "update", parameters: [Argument("arguments", .any, variadic: true, "what the function is called with")],
        summary: "Draws the figure again, unless that was a moment ago.", example: example + "for i = 1, 3 do losses[i] = 1 / i; live:update() end\nlive:finish()"
    ) { call in
        try call.this(as: LiveObject.self).update(arguments(call))
        return 0
    }

    private static let finishBinding = Binding(
        module: "live", name: "finish", parameters: [Argument("arguments", .any, variadic: true, "what the function is called with")],
        summary: "Draws the last state.", example: example + "losses[1] = 1\nlive:finish()"
    ) { call in
        try call.this(as: LiveObject.self).finish(arguments(call))
        return 0
    }

    /// `plot.live`.
    static let binding = Binding(
        module: "plot", name: "live", parameters: [Argument("draw", .function, "returns a figure")], options: [Option("every", .number, default: 0.5, "seconds between two drawings")],
        returns: [Returns(.object("live"))], summary: "A figure that changes while a job goes on: in a notebook in its place.",
        detail: "`live:update(...)` calls the function with its arguments and shows the figure, at most once in `every` seconds (10 on a terminal, where each is drawn below the last); "
            + "`live:finish(...)` shows the last state.",
        example: example + "for i = 1, 3 do losses[i] = 1 / i; live:update() end\nlive:finish()"
    ) { call in
        let every: Double = try call.option("every")
        guard every >= 0, every.isFinite else { throw call.badOption("every", "0 seconds or more expected, got \(every)") }
        let anchor = LuaAnchor(call.thread)
        return call.push(LiveObject(try call.get(1, as: LuaFunction.self).kept(by: anchor), anchor: anchor, every: every, host: call.host))
    }
}
