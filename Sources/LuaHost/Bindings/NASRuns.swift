import Base
import CLua
import Runs
import Tensors

/// `nas.run` and `nas.runs`.
enum RunBinding {
    static let all = [run, runs]

    private static let run = Binding(
        module: "nas", name: "run", parameters: [Argument("directory", .string, "made where it is not there")],
        options: [
            Option("kind", .string, default: "run", "search, training, ... or a word of your own"),
            Option("settings", .table, "plain values by name: settings.json, which `--config` of the scripts takes"),
            Option("seed", .integer, "what decides what is random"), Option("identity", .string, "what tells it from others, see checkpoint.identity"),
            Option("planned", .integer, "how far it is to go"), Option("unit", .string, "of that: epochs, steps"),
            Option("script", .string, "what `trellis runs repeat` runs again, with --config and --out"), Option("words", .list(.string), "what stood on its command line besides options"),
            Option("numbers", .string, "the file in the directory whose lines a repetition has to give again"),
            Option("continuation", .list(.string), "with resume: the options with which it goes on beyond its end; a repetition does so, too"),
            Option("resume", .boolean, default: false, "go on with the run that is there; without one, begin"),
            Option("replace", .boolean, default: false, "begin anew where one is that left nothing to go on with"),
        ],
        returns: [Returns(.object("run"))], summary: "Begins a run: a directory that says what was done, how far it is and what came out.",
        detail: """
            It holds run.json, settings.json, run.log and event files for TensorBoard, together with versions and machine. Other processes are kept out while it goes on. A directory that holds a run \
            already is an error, unless it is to go on. `network:fit` with `out` and the scripts for searches, trainings, comparisons and measurements do so themselves.
            """,
        example: """
            local run = nas.run('mine', {kind = 'training', settings = {lr = 0.1}, seed = 1, planned = 2, unit = 'steps'})
            for step = 1, 2 do run:log(step, {loss = 1 / step}) end
            run:finish{loss = 0.5}
            print(nas.runs('.'):where{kind = 'training'}[1].status)  --> done
            """
    ) { call in
        var card = RunCard(kind: try call.option("kind"))
        card.seed = try call.option(ifPresent: "seed")
        card.identity = try call.option(ifPresent: "identity")
        card.planned = try call.option(ifPresent: "planned")
        card.unit = try call.option(ifPresent: "unit")
        card.script = try call.option(ifPresent: "script")
        card.words = try call.option(ifPresent: "words") ?? []
        card.continuations = try call.option(ifPresent: "continuation", as: [String].self).map { [$0] } ?? []
        card.numbers = try call.option(ifPresent: "numbers")
        let settings = try call.option(ifPresent: "settings", as: PlainValue.self).map { try members($0, "settings") }
        return call.push(RunObject(try begin(
            call.get(1), card, settings: settings, before: call.option("resume") ? .goOn : call.option("replace") ? .replace : .refuse)))
    }

    /// A run with what is known of program and machine.
    static func begin(_ path: String, _ card: RunCard, settings: [JSONValue.Member]?, before known: RunDirectory.Before) throws -> RunDirectory {
        var card = card
        card.versions = [.init("trellis", .string(TrellisModule.version)), .init("lua", .string(luaRelease))]
        card.machine = Doctor.machine.map { .init($0, .string($1)) }
        return try RunDirectory(path, card, settings: settings, before: known)
    }

    /// The members of a table of plain values with names.
    static func members(_ value: PlainValue, _ name: String) throws -> [JSONValue.Member] {
        guard case .object(let members) = try value.json(name) else { throw HostError("option '\(name)': a table with names expected") }
        return members
    }

    private static let runs = Binding(
        module: "nas", name: "runs", parameters: [Argument("directory", .string, default: ".", "where to look, itself and what lies below")],
        returns: [Returns(.object("runs"))], summary: "The runs below a directory, to list, filter and compare.",
        detail: "Every directory with a run.json is one, also inside of another: a comparison holds its search and its trainings. `trellis runs` does the same on the command line.",
        example: """
            for i, lr in ipairs{0.1, 0.2, 0.4} do
              local run = nas.run('sweep/' .. i, {kind = 'training', settings = {lr = lr, batch = 4}})
              run:log(1, {loss = lr})
              run:finish{miou = lr}
            end
            local runs = nas.runs('sweep')
            print(#runs, #runs:where(function(run) return run.results.miou > 0.15 end), runs:sorted('miou', {largest = true})[1].name)  --> 3\t2\t3
            print(table.concat(runs:compare().columns, ' '))  --> name status lr miou
            runs:plot('loss'):save('losses.svg')
            """
    ) { call in call.push(RunsObject(try Run.all(below: call.get(1)))) }
}

/// A list of runs as Lua holds it.
final class RunsObject: LuaObject {
    private let runs: [Run]
    init(_ runs: [Run]) { self.runs = runs }

    static let objectType = ObjectType(
        "runs", of: RunsObject.self, summary: "Runs in order.",
        detail: "From nas.runs. `#runs` is their number, `runs[1]` the first, `for i, run in ipairs(runs)` goes through them; shown, it is a table.",
        methods: [filter, sorted, compare, table, plot],
        metamethods: [
            Binding(name: "__len", parameters: [Argument("runs", .any)], returns: [Returns(.integer)], summary: "Number of runs.") { call in
                call.push(try call.get(1, as: RunsObject.self).runs.count)
            },
        ],
        index: { call in
            let runs = try call.this(as: RunsObject.self).runs
            guard let position = Stack.integer(call.thread, 2) else { throw HostError("runs are indexed by position; runs:where{name = ...} finds one by its name") }
            let at = position < 0 ? runs.count + position : position - 1
            return runs.indices.contains(at) ? call.push(RunObject(runs[at])) : call.pushNil()
        },
        rich: { RichTables.runs(try RunTable.list($0.runs)) }, describe: { $0.runs.isEmpty ? "no runs" : try RunTable.list($0.runs).text })

    private static let sample = """
        for i = 1, 2 do nas.run('mine/' .. i, {kind = 'training', settings = {lr = i / 10}, seed = i}):finish{miou = i / 4} end
        local runs = nas.runs('mine')

        """

    private static let filter = Binding(
        module: "runs", name: "where", parameters: [Argument("filter", .union([.table, .function]), "{name = value} or {name = {one, of, these}}, or a function of a run")],
        returns: [Returns(.object("runs"))], summary: "Those that fit.", detail: "Names are facts (kind, status, seed, name, ...), results and settings, as `run:value` knows them. All have to fit.",
        example: sample + "print(#runs:where{seed = 1}, #runs:where{kind = {'search', 'training'}, lr = 0.2}, #runs:where(function(r) return r.results.miou > 0.3 end))  --> 1\t1\t1"
    ) { call in
        let runs = try call.this(as: RunsObject.self).runs
        if let keep = LuaFunction.read(call.thread, call.index(1)) {
            return call.push(RunsObject(try runs.filter { run in
                try keep.call(RunObject(run)).first.map { !$0.isNil && $0.boolean != false } ?? false
            }))
        }
        guard let table = try call.value(1).table, table.list.isEmpty, table.others.isEmpty else { throw call.bad(1, "{name = value} or a function expected") }
        let wanted = try table.fields.map { name, value -> (String, [String]) in
            let values = value.table?.list ?? [value]
            return (name, try values.map { item in
                guard let text = text(item) else { throw call.bad(1, "'\(name)': a number, a string or a list of them expected, got a \(item.typeName)") }
                return text
            })
        }
        return call.push(RunsObject(try runs.filter { run in try wanted.allSatisfy { try RunFilter.matches(run, $0.0, anyOf: $0.1) } }))
    }

    private static func text(_ value: LuaValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer, .number, .boolean: value.source
        default: nil
        }
    }

    private static let sorted = Binding(
        module: "runs", name: "sorted", parameters: [Argument("by", .string, "a fact, a result or a setting")],
        options: [Option("largest", .boolean, default: false, "the largest first")], returns: [Returns(.object("runs"))],
        summary: "In the order of a fact, a result or a setting; those without it last.", example: sample + "print(runs:sorted('miou', {largest = true})[1].seed)  --> 2"
    ) { call in
        call.push(RunsObject(try RunFilter.sorted(call.this(as: RunsObject.self).runs, by: call.get(1), largestFirst: call.option("largest"))))
    }

    private static let compare = Binding(
        module: "runs", name: "compare", returns: [Returns(.object("run_table"))], summary: "Side by side: the settings in which they differ, and their results.",
        example: sample + "print(table.concat(runs:compare().columns, ' '))  --> name status lr miou"
    ) { call in call.push(RunTableObject(try RunTable.comparison(call.this(as: RunsObject.self).runs))) }

    private static let table = Binding(
        module: "runs", name: "table", parameters: [Argument("columns", .list(.string), "facts, results and settings")], returns: [Returns(.object("run_table"))],
        summary: "Side by side, by what you say.", example: sample + "print(runs:table{'seed', 'miou'}.rows[2][1])  --> 2"
    ) { call in call.push(RunTableObject(try RunTable(call.this(as: RunsObject.self).runs, columns: call.get(1)))) }

    private static let plot = Binding(
        module: "runs", name: "plot", parameters: [Argument("name", .string, "numbers by step: one of run.curves")], options: PlotValues.axes + PlotValues.labels,
        returns: [Returns(.object("figure"))], summary: "Their curves in one plot.", detail: "Over the steps; runs that have none of that name are left out.",
        example: "for i = 1, 2 do\n  local run = nas.run('mine/' .. i)\n  for step = 1, 5 do run:log(step, {loss = i / step}) end\n  run:finish()\nend\nnas.runs('mine'):plot('loss', {x_label = 'step'}):save('loss.svg')"
    ) { call in
        let name: String = try call.get(1)
        return try PlotValues.push(call, RunPlot.chart(
            call.this(as: RunsObject.self).runs, name, title: call.option(ifPresent: "title"), x: PlotValues.axis(call, "x"), y: PlotValues.axis(call, "y"), size: PlotValues.size(call)))
    }
}

/// A table of runs as Lua holds it.
final class RunTableObject: LuaObject {
    let table: RunTable
    init(_ table: RunTable) { self.table = table }

    static let objectType = ObjectType(
        "run_table", of: RunTableObject.self, summary: "Runs side by side.", detail: "From runs:compare and runs:table; shown, it is a table.",
        fields: [
            Field("columns", .list(.string), "Their names.", of: { (t: RunTableObject) in t.table.columns }),
            Field("rows", .list(.list(.string)), "What stands in the cells, a list for each run.", of: { (t: RunTableObject) in
                t.table.rows.map { LuaValue.table(LuaTable(list: $0.map { .string($0) })) }
            }),
        ],
        unique: true, rich: { RichTables.runs($0.table) }, describe: { $0.table.text })
}
