import Base
import CLua
import Figures
import Runs
import Tensors

/// A run as Lua holds it: one that goes on, which can be written, or one that was listed.
final class RunObject: LuaObject {
    /// Of this process; nil of one that was listed.
    let writer: RunDirectory?
    private let listed: Run?

    init(_ writer: RunDirectory) { (self.writer, listed) = (writer, nil) }
    init(_ run: Run) { (writer, listed) = (nil, run) }

    /// As it stands: of one that goes on now, of others when they were listed.
    var run: Run {
        guard let run = listed ?? writer?.run else { preconditionFailure("a run is listed or written") }
        return run
    }

    private func open() throws -> RunDirectory {
        guard let writer else { throw HostError("\(run.directory) was listed, and can only be read; nas.run(DIR, {resume = true}) goes on with a run") }
        return writer
    }

    static let objectType = ObjectType(
        "run", of: RunObject.self, summary: "A search, a training, or what else a script did, with what it left in its directory.",
        detail: """
            From nas.run, which begins one to write into, or nas.runs, which lists them. In its directory: run.json (what it is, how far, its results, versions and machine), settings.json (its \
            options; `--config` takes it), run.log (what was said), event files with numbers, histograms and images by step, which `tensorboard --logdir DIR` shows, and what else the script writes.
            """,
        methods: [log, histogram, image, say, note, finish, fail, curve, value], fields: fields, unique: true, describe: { $0.text })

    private static func fact(_ name: String, _ kind: Kind, _ doc: String, _ get: @escaping (Run) throws -> (any LuaPushable)?) -> Field {
        Field(name, kind, doc, optional: true) { call in
            guard let value = try get(call.this(as: RunObject.self).run) else { return call.pushNil() }
            value.push(call.thread)
            return 1
        }
    }

    private static func table(_ members: [JSONValue.Member]) throws -> PlainValue { try PlainValue(.object(members)) }

    private static let fields: [Field] = [
        fact("directory", .string, "Where it lies.") { $0.directory },
        fact("name", .string, "Its directory below the one that was listed.") { $0.name },
        fact("kind", .string, "search, training, comparison, evaluation, sweep, or what its script says.") { $0.card.kind },
        fact("status", .string, "running, done, interrupted (Ctrl-C), failed, stopped (its program ended before it did) or killed.") { $0.card.status.rawValue },
        fact("reason", .string, "Why it failed.") { $0.card.reason },
        fact("seed", .integer, "What decides what is random.") { $0.card.seed },
        fact("settings", .table, "The options it began with.") { try table($0.settings()) },
        fact("results", .table, "What it came to by now.") { try table($0.card.results) },
        fact("done", .integer, "How far it is, in units.") { $0.card.done },
        fact("planned", .integer, "How far it was to go.") { $0.card.planned },
        fact("unit", .string, "Of these: epochs, steps.") { $0.card.unit },
        fact("began", .string, "When, in UTC.") { $0.card.began },
        fact("seconds", .number, "Computing time of all its starts.") { $0.card.seconds },
        fact("identity", .string, "What tells it from others, see checkpoint.identity.") { $0.card.identity },
        fact("versions", .table, "Of Trellis and of Lua.") { try table($0.card.versions) },
        fact("machine", .table, "What it ran on.") { try table($0.card.machine) },
        fact("curves", .list(.string), "Names of the numbers by step, for run:curve and runs:plot.") { try $0.curves().points.keys.sorted() },
    ]

    private var text: String {
        let card = run.card
        let results = card.results.map { "\($0.key) \(RunTable.cell($0.value))" }.joined(separator: ", ")
        let parts = [card.status.rawValue + (card.reason.map { ": \($0)" } ?? ""), card.progress, results.isEmpty ? nil : results, card.seed.map { "seed \($0)" }, "\(NumberText.short(card.seconds)) s", "began \(card.began)"]
        return "\(card.kind) \(run.directory): " + parts.compactMap { $0 }.joined(separator: "; ")
    }

    // MARK: Writing

    private static let sample = "local run = nas.run('mine', {kind = 'training', settings = {lr = 0.1}, seed = 1})\n"

    private static func positive(_ call: Call, _ i: Int) throws -> Int {
        let step: Int = try call.get(i)
        guard step >= 0 else { throw call.bad(i, "a step of 0 or more expected, got \(step)") }
        return step
    }

    private static let log = Binding(
        module: "run", name: "log", parameters: [Argument("step", .integer, "from 0"), Argument("values", .table, "{name = number}")], summary: "Numbers of a step.",
        detail: "They go into the event file, as exact as float32, and are on the disk within two seconds or at the next `note`. Numbers that are not finite are kept as they are.",
        example: sample + "for step = 1, 3 do run:log(step, {loss = 1 / step, gradient_norm = 2}) end\nrun:finish{loss = 1 / 3}\nprint(#run:curve('loss').y)  --> 3"
    ) { call in
        let run = try call.this(as: RunObject.self).open(), step = try positive(call, 1)
        guard let table = try call.value(2).table, table.list.isEmpty, table.others.isEmpty else { throw call.bad(2, "{name = number} expected") }
        try run.add(scalars: table.fields.sorted { $0.key < $1.key }.map { name, value in
            if let number = value.number { return (name, number) }
            if let tensor: Tensor = value.object(), tensor.count == 1 { return (name, try tensor.item()) }
            throw call.bad(2, "'\(name)' should be a number, got a \(value.typeName)")
        }, step: step)
        return 0
    }

    private static let histogram = Binding(
        module: "run", name: "histogram", parameters: [Argument("name", .string), Argument("step", .integer, "from 0"), Argument("values", PlotValues.numbers)],
        summary: "How values are spread at a step.", detail: "Of the event file; values that are not finite are left out.",
        example: sample + "run:histogram('weights', 0, tensor.randn(100))\nrun:finish()"
    ) { call in
        let run = try call.this(as: RunObject.self).open()
        guard let values = try PlotValues.list(call.value(3)) else { throw call.bad(3, "a list of numbers or a tensor expected") }
        try run.add(histogram: values.map(Float.init), tag: call.get(1), step: positive(call, 2))
        return 0
    }

    private static let image = Binding(
        module: "run", name: "image",
        parameters: [Argument("name", .string), Argument("step", .integer, "from 0"), Argument("figure", .object("figure"), "plot.images makes one of tensors")],
        options: [Option("scale", .number, default: 1, "pixels per CSS pixel")],
        summary: "A picture of a step.", detail: "Of the event file.", example: sample + "run:image('input', 0, plot.images{tensor.rand(3, 8, 8)})\nrun:finish()"
    ) { call in
        let run = try call.this(as: RunObject.self).open(), figure: FigureObject = try call.get(3)
        let scale: Double = try call.option("scale")
        guard scale > 0, scale <= 32 else { throw call.badOption("scale", "above 0 and at most 32 expected, got \(scale)") }
        let png = try figure.figure.png(scale: scale)
        guard let header = PNGSize(png) else { throw HostError("the picture came out as no PNG") }
        try run.add(png: png, width: header.width, height: header.height, channels: header.channels, tag: call.get(1), step: positive(call, 2))
        return 0
    }

    private static let say = Binding(
        module: "run", name: "say", parameters: [Argument("text", .string)], summary: "A line of run.log, with its time.",
        detail: "Warnings of the library and the error that ends a run stand there without being asked.", example: sample + "run:say('half of it is done')\nrun:finish()"
    ) { call in
        try call.this(as: RunObject.self).open().say(call.get(1))
        return 0
    }

    private static let note = Binding(
        module: "run", name: "note",
        options: [
            Option("done", .integer, "how far it is"), Option("planned", .integer, "how far it is to go"), Option("results", .table, "numbers and texts by name"),
            Option("identity", .string, "what tells it from others"),
        ],
        summary: "Says in run.json how far it is, and what it came to by now.", example: sample + "run:note{done = 3, planned = 10, results = {loss = 0.5}}\nprint(run.done, run.results.loss)  --> 3\t0.5\nrun:finish()"
    ) { call in
        try call.this(as: RunObject.self).open().note { card in
            if let done: Int = try call.option(ifPresent: "done") { card.done = done }
            if let planned: Int = try call.option(ifPresent: "planned") { card.planned = planned }
            if let identity: String = try call.option(ifPresent: "identity") { card.identity = identity }
            if let results: PlainValue = try call.option(ifPresent: "results") { card.results = try RunBinding.members(results, "results") }
        }
        return 0
    }

    private static let finish = Binding(
        module: "run", name: "finish", parameters: [Argument("results", .table, optional: true, "numbers and texts by name; those noted before when left out")],
        summary: "Ends it well: its status is done, its directory free.",
        detail: "A run that is left otherwise has the status failed, interrupted or stopped; one whose process dies counts as killed.",
        example: sample + "run:finish{miou = 0.5}\nprint(run.status, nas.runs('.')[1].results.miou)  --> done\t0.5"
    ) { call in
        let run = try call.this(as: RunObject.self).open()
        if let results: PlainValue = try call.get(ifPresent: 1) { try run.note { $0.results = try RunBinding.members(results, "results") } }
        try run.finish()
        return 0
    }

    private static let fail = Binding(
        module: "run", name: "fail", parameters: [Argument("reason", .string)], summary: "Ends it as failed: its status is that, its directory free.",
        detail: "The error that ends a script does so itself; this is for scripts that go on.", example: sample + "run:fail('the loss is nan')\nprint(run.status, run.reason)  --> failed\tthe loss is nan"
    ) { call in
        try call.this(as: RunObject.self).open().close(as: .failed, because: call.get(1))
        return 0
    }

    // MARK: Reading

    private static let curve = Binding(
        module: "run", name: "curve", parameters: [Argument("name", .string, "one of run.curves")], returns: [Returns(.table, "{x = steps, y = numbers}, as plot.curves takes it")],
        summary: "Numbers by step.", detail: "Of a run that was gone on with after a kill the steps that were done twice count once.",
        example: sample + "run:log(1, {loss = 0.5})\nrun:finish()\nprint(run:curve('loss').y[1])  --> 0.5"
    ) { call in
        let object = try call.this(as: RunObject.self), name: String = try call.get(1)
        let points = try object.points(of: name)
        return call.push(LuaValue.table(LuaTable(fields: [
            "x": .table(LuaTable(list: points.map { .integer($0.step) })), "y": .table(LuaTable(list: points.map { .number($0.value) })),
        ])))
    }

    /// - Throws: `HostError` where there are none of that name.
    private func points(of name: String) throws -> [Curves.Point] {
        let curves = try run.curves()
        guard let points = curves.points[name] else {
            let known = curves.points.keys.sorted().joined(separator: ", ")
            throw HostError("\(run.directory) has no numbers '\(name)' by step; it has \(known.isEmpty ? "none at all" : known)")
        }
        return points
    }

    private static let value = Binding(
        module: "run", name: "value", parameters: [Argument("name", .string, "a fact (kind, status, seed, ...), a result or a setting; settings.NAME is the setting")],
        returns: [Returns(.any, "nil where it has none of that name", optional: true)], summary: "A fact, a result or a setting by its name.",
        example: sample + "run:finish{miou = 0.5}\nprint(run:value('miou'), run:value('lr'), run:value('kind'))  --> 0.5\t0.1\ttraining"
    ) { call in
        guard let value = try call.this(as: RunObject.self).run.value(call.get(1)) else { return call.pushNil() }
        return call.push(try PlainValue(value))
    }
}

/// Size and channels of a PNG file, by its header.
private struct PNGSize {
    let width, height, channels: Int

    init?(_ png: [UInt8]) {
        guard png.count > 26 else { return nil }
        func number(_ at: Int) -> Int { png[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        (width, height) = (number(16), number(20))
        switch png[25] {
        case 0: channels = 1
        case 2: channels = 3
        default: channels = 4
        }
    }
}
