import CLua
import Search

/// Trials of a strategy, one after the other; shared with other processes where they have a directory.
final class TrialsObject: LuaObject {
    private let run: TrialRun<ScriptStrategy>
    private let out: String?
    private let anchor: LuaAnchor
    private var current: TrialObject?
    private var hasSaid = false

    private init(_ run: TrialRun<ScriptStrategy>, _ out: String?, on anchor: LuaAnchor) { (self.run, self.out, self.anchor) = (run, out, anchor) }

    private func next() throws -> TrialObject? {
        if let last = current {
            current = nil
            if last.isOpen {
                if !hasSaid {
                    hasSaid = true
                    Terminal.error("trellis: trial \(last.number) ended without trial:finish{score = ...}: it counts as failed, and its strategy is told no result\n")
                }
                try last.fail("not finished when the next one was asked for")
            }
        }
        current = try run.next().map { TrialObject($0, of: run, on: anchor) }
        return current
    }

    private var all: [TrialObject] { run.records.map { TrialObject($0.number, of: run, on: anchor) } }
    private var finished: Int { run.records.filter { $0.status == .finished }.count }
    private var failed: Int { run.records.filter { $0.status != .finished && $0.status != .running }.count }

    static let objectType = ObjectType(
        "trials", of: TrialsObject.self, summary: "Trials of a strategy, one after the other.",
        detail: "Made by nas.trials, for `for trial in trials do ... end`. With `out` the numbers are those of all processes, as far as this one has heard: it hears at each call.",
        fields: [
            Field("started", .integer, "Trials so far.", of: { (t: TrialsObject) in t.run.records.count }),
            Field("finished", .integer, "Those that came to a score.", of: { (t: TrialsObject) in t.finished }),
            Field("failed", .integer, "Those that failed.", of: { (t: TrialsObject) in t.failed }),
            Field("all", .list(.object("trial")), "All trials so far, in the order in which they were asked for.", of: { (t: TrialsObject) in t.all }),
            Field("out", .string, "Their directory; nil without one.", optional: true, get: { call in call.push(try call.this(as: TrialsObject.self).out) }),
        ],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("state", .any, optional: true), Argument("last", .any, optional: true)],
                returns: [Returns(.object("trial"), "nil after the last", optional: true)], summary: "The next trial.",
                example: DecisionObject.sample + """
                    local trials = nas.trials{strategy = nas.strategy.random(space, {seed = 1}), count = 1}
                    trials():finish{score = 1}
                    print(trials())  --> nil
                    """,
                body: { call in call.push(try call.this(as: TrialsObject.self).next()) }),
        ],
        unique: true, anchors: { [$0.anchor] }, describe: { "trials: \($0.run.records.count) started, \($0.finished) finished, \($0.failed) failed" })

    static let binding = Binding(
        module: "nas", name: "trials",
        options: [
            Option("strategy", .union([.object("strategy"), .table]), required: true, "of nas.strategy, or a table with the functions ask and tell"),
            Option("count", .integer, "so many trials, those that fail included; when left out, until the strategy asks nothing more"),
            Option("out", .string, "a directory in which the trials are kept, and which any number of processes share"),
            Option("lease", .number, default: 60, "with out: seconds without a sign of life after which a process of another machine counts as dead"),
        ],
        returns: [Returns(.object("trials"), "an iterator for `for`")], summary: "Tries architectures, one after the other, alone or with other processes.",
        detail: """
            `for trial in nas.trials{...} do ... trial:finish{score = x} end`: each trial has the architecture that the strategy asks for, and its score is told to the strategy. A trial that is \
            not finished when the next one is asked for counts as failed; `trial:fail(reason)` says so at once. A strategy written in Lua ends the trials where its `ask` returns nil; \
            how far to train is what its `ask` returns second.

            With `out` the same script runs once or in many processes, on one machine or on several with a common file system (`xargs -P`, a Slurm array, mpirun: scripts/cluster). They share \
            the journal in the directory: each trial is one process's, all strategies hear all results, and a trial whose process died is taken up by another, with its reports and \
            `trial.directory` (`network:fit(set, {out = trial.directory, resume = true})` goes on bit for bit). Started again, the script goes on where it was; started when all is over, its strategy knows all and the loop \
            ends at once. A process that finds nothing to do waits for the trials of the others. Where a strategy's `ask` returns nil while trials run, it is asked again when one is over.

            For that each process makes the same strategy, and what a strategy of one's own asks for follows from its settings and what it was told: no clock, no math.random. Its \
            architectures are plain values then, or architectures; with `state` and `load_state` it can follow a journal that lost lines. Clocks do not matter.
            """,
        example: DecisionObject.sample + """
            local function strategy() return nas.strategy.random(space, {seed = 1}) end
            for trial in nas.trials{strategy = strategy(), count = 2, out = 'trials'} do
              trial:finish{score = trial.architecture.op == 'skip_connect' and 1 or 0}
            end
            local again = strategy()
            for trial in nas.trials{strategy = again, count = 2, out = 'trials'} do error('nothing is left to do') end
            print(again:best().op)  --> skip_connect
            """
    ) { call in
        let anchor = LuaAnchor(call.thread)
        let value = try call.option("strategy", as: ScriptValue.self).kept(by: anchor)
        for name in ["ask", "tell"] where try value.method(name) == nil { throw call.badOption("strategy", "a strategy expected, got a table without the function '\(name)'") }
        let (count, out): (Int?, String?) = (try call.option(ifPresent: "count"), try call.option(ifPresent: "out"))
        if let count, count < 0 { throw call.badOption("count", "0 or more expected, got \(count)") }
        if let out, out.isEmpty { throw call.badOption("out", "the name of a directory expected, got an empty one") }
        let lease: Double = try call.option("lease")
        guard lease >= 0.1, lease <= 1e6 else { throw call.badOption("lease", "0.1 to 1000000 seconds expected, got \(lease)") }
        let run = try TrialRun(ScriptStrategy(value, on: anchor), count: count, directory: out, lease: lease)
        return call.push(TrialsObject(run, out, on: anchor))
    }
}
