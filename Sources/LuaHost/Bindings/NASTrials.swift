import CLua
import Search

/// A strategy of any kind as trials use it: an object of the library or a table of the script, by its methods.
private struct ScriptStrategy {
    let value: ScriptValue

    private func method(_ name: String) throws -> LuaFunction {
        guard let method = try value.method(name) else { throw HostError("the strategy has no function '\(name)' any more") }
        return method
    }

    /// Nil when it has nothing more to try.
    func ask() throws -> (architecture: ScriptValue, steps: Int?)? {
        try method("ask").callRaw([value]) { L, first, count in
            guard count > 0, !clua_is_none_or_nil(L, first), let architecture = ScriptValue.read(L, first) else { return nil }
            guard count > 1, !clua_is_none_or_nil(L, first + 1) else { return (architecture, nil) }
            guard let steps = Int.read(L, first + 1) else { throw HostError("the strategy's function 'ask' should return an architecture, and how many steps or nothing") }
            return (architecture, steps)
        }
    }

    func tell(_ architecture: ScriptValue, _ result: TrialResult) throws { try method("tell").call(value, architecture, result.table) }

    func report(_ architecture: ScriptValue, _ result: TrialResult) throws -> Bool {
        guard let report = try value.method("report") else { return true }
        return try report.call(value, architecture, result.table).first?.boolean ?? true
    }

    func drop(_ architecture: ScriptValue) throws { try value.method("drop")?.call(value, architecture) }
}

/// Trials that are over, by how they ended.
private final class TrialCounts {
    var finished = 0
    var failed = 0
}

/// One architecture that is tried.
final class TrialObject: LuaObject {
    private enum Status: String { case running, finished, failed }

    fileprivate let number: Int
    private let architecture: ScriptValue
    /// How far it is to go in all.
    private let steps: Int?
    private let strategy: ScriptStrategy
    private let counts: TrialCounts
    private let anchor: LuaAnchor
    private var status = Status.running
    private var result: TrialResult?
    private var reason: String?
    private var reports: [(step: Int, score: Double)] = []

    fileprivate init(_ number: Int, _ architecture: ScriptValue, steps: Int?, _ strategy: ScriptStrategy, _ counts: TrialCounts, on anchor: LuaAnchor) {
        (self.number, self.steps, self.strategy, self.counts, self.anchor) = (number, steps, strategy, counts, anchor)
        self.architecture = architecture.kept(by: anchor)
    }

    fileprivate var isRunning: Bool { status == .running }

    private func checkRunning() throws {
        guard !isRunning else { return }
        throw HostError("trial \(number) is over: it \(status == .finished ? "was finished" : "failed" + (reason.map { " (\($0))" } ?? ""))")
    }

    private func report(_ step: Int, _ score: Double) throws -> Bool {
        try checkRunning()
        let result = TrialResult(score: score, step: step)
        try result.check()
        if let last = reports.last?.step, step <= last { throw HostError("step: expected more than the last report's \(last), got \(step)") }
        let goesOn = try strategy.report(architecture, result)
        reports.append((step, score))
        return goesOn
    }

    private func finish(_ result: TrialResult) throws {
        try checkRunning()
        var result = result
        if result.step == nil { result.step = reports.last?.step ?? steps }
        try result.check()
        try strategy.tell(architecture, result)
        self.result = result
        status = .finished
        counts.finished += 1
    }

    fileprivate func fail(_ reason: String?) throws {
        try checkRunning()
        // Failed even where the strategy cannot hear it.
        (status, self.reason) = (.failed, reason)
        counts.failed += 1
        try strategy.drop(architecture)
    }

    // MARK: Lua

    static let objectType = ObjectType(
        "trial", of: TrialObject.self, summary: "One architecture that is tried.",
        detail: "From nas.trials. It ends with `finish` or `fail`; one that is running when the next one is asked for has failed.",
        methods: [reportBinding, finishBinding, failBinding],
        fields: [
            Field("number", .integer, "From 1.", of: { (t: TrialObject) in t.number }),
            Field("architecture", .any, "What the strategy asks to try.", of: { (t: TrialObject) in t.architecture }),
            Field("steps", .integer, "How far to train it in all, where the strategy says it.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).steps) }),
            Field("status", .string, "running, finished or failed.", of: { (t: TrialObject) in t.status.rawValue }),
            Field("score", .number, "Its score; nil until it is finished.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).result?.score) }),
            Field("cost", .number, "Its cost, where one was given.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).result?.cost) }),
            Field("reason", .string, "Why it failed.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).reason) }),
            Field("reports", .list(.table), "What was reported: {step =, score =}.", of: { (t: TrialObject) in
                t.reports.map { LuaValue.table(LuaTable(fields: ["step": .integer($0.step), "score": .number($0.score)])) }
            }),
        ],
        unique: true, anchors: { [$0.anchor] }, describe: { "trial \($0.number): \($0.status.rawValue)" + ($0.result.map { ", score \($0.score)" } ?? "") })

    private static let sample = DecisionObject.sample + "local strategy = nas.strategy.random(space, {seed = 1})\n"

    private static let reportBinding = Binding(
        module: "trial", name: "report", parameters: [Argument("step", .integer, "more than the last report's"), Argument("score", .number, "higher is better")],
        returns: [Returns(.boolean, "whether the trial is worth going on with")], summary: "A score on the way.",
        detail: "Strategies that stop trials early say false: then finish it with the last score. A score that is NaN or infinite is an error.",
        example: sample + """
            for trial in nas.trials{strategy = strategy, count = 1} do
              for step = 1, 3 do
                if not trial:report(step, step / 3) then break end
              end
              trial:finish{score = 1}
              print(#trial.reports)  --> 3
            end
            """
    ) { call in call.push(try call.this(as: TrialObject.self).report(call.get(1), call.get(2))) }

    private static let finishBinding = Binding(
        module: "trial", name: "finish",
        options: [
            Option("score", .number, required: true, "higher is better"), Option("cost", .number, "for strategies that weigh it against the score"),
            Option("step", .integer, "how far it went; the last report's when left out, else trial.steps"),
        ],
        summary: "Ends the trial, and tells the strategy its result.", detail: "A score or cost that is NaN or infinite is an error, after which the trial still runs: `fail` it.",
        example: sample + """
            for trial in nas.trials{strategy = strategy, count = 2} do trial:finish{score = trial.number, cost = 10} end
            print(select(2, strategy:best()))  --> 2.0
            """
    ) { call in
        try call.this(as: TrialObject.self).finish(
            TrialResult(score: call.option("score"), cost: call.option(ifPresent: "cost"), step: call.option(ifPresent: "step")))
        return 0
    }

    private static let failBinding = Binding(
        module: "trial", name: "fail", parameters: [Argument("reason", .string, optional: true, "for people")], summary: "Ends the trial without a result.",
        detail: "It counts as one of the trials. The strategy is told no result; it is said to drop the architecture, if it has a function for that.",
        example: sample + """
            local trials = nas.trials{strategy = strategy, count = 2}
            for trial in trials do trial:fail('not enough memory') end
            print(trials.failed, strategy:told())  --> 2	0
            """
    ) { call in
        try call.this(as: TrialObject.self).fail(call.get(ifPresent: 1))
        return 0
    }
}

/// Trials of a strategy, one after the other.
final class TrialsObject: LuaObject {
    private let strategy: ScriptStrategy
    private let count: Int?
    private let anchor: LuaAnchor
    private let counts = TrialCounts()
    private var started = 0
    private var current: TrialObject?
    private var isAtEnd = false
    private var hasSaid = false

    private init(_ strategy: ScriptStrategy, count: Int?, on anchor: LuaAnchor) { (self.strategy, self.count, self.anchor) = (strategy, count, anchor) }

    private func next() throws -> TrialObject? {
        if let last = current {
            current = nil
            if last.isRunning {
                if !hasSaid {
                    hasSaid = true
                    Terminal.error("trellis: trial \(last.number) ended without trial:finish{score = ...}: it counts as failed, and its strategy is told no result\n")
                }
                try last.fail("not finished when the next one was asked for")
            }
        }
        guard !isAtEnd, count.map({ started < $0 }) ?? true else { return nil }
        guard let (architecture, steps) = try strategy.ask() else {
            isAtEnd = true
            return nil
        }
        started += 1
        let trial = TrialObject(started, architecture, steps: steps, strategy, counts, on: anchor)
        current = trial
        return trial
    }

    static let objectType = ObjectType(
        "trials", of: TrialsObject.self, summary: "Trials of a strategy, one after the other.", detail: "Made by nas.trials, for `for trial in trials do ... end`.",
        fields: [
            Field("started", .integer, "Trials so far.", of: { (t: TrialsObject) in t.started }),
            Field("finished", .integer, "Those that came to a score.", of: { (t: TrialsObject) in t.counts.finished }),
            Field("failed", .integer, "Those that failed.", of: { (t: TrialsObject) in t.counts.failed }),
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
        unique: true, anchors: { [$0.anchor] }, describe: { "trials: \($0.started) started, \($0.counts.finished) finished, \($0.counts.failed) failed" })

    static let binding = Binding(
        module: "nas", name: "trials",
        options: [
            Option("strategy", .union([.object("strategy"), .table]), required: true, "of nas.strategy, or a table with the functions ask and tell"),
            Option("count", .integer, "so many trials, those that fail included; when left out, until the strategy asks nothing more"),
        ],
        returns: [Returns(.object("trials"), "an iterator for `for`")], summary: "Tries architectures, one after the other.",
        detail: """
            `for trial in nas.trials{...} do ... trial:finish{score = x} end`: each trial has the architecture that the strategy asks for, and its score is told to the strategy. A trial that is \
            not finished when the next one is asked for counts as failed; `trial:fail(reason)` says so at once. A strategy written in Lua ends the trials where its `ask` returns nil; \
            how far to train is what its `ask` returns second.
            """,
        example: DecisionObject.sample + """
            local strategy = nas.strategy.random(space, {seed = 1})
            for trial in nas.trials{strategy = strategy, count = 2} do
              trial:finish{score = trial.architecture.op == 'skip_connect' and 1 or 0}
            end
            print(strategy:best().op)  --> skip_connect
            """
    ) { call in
        let anchor = LuaAnchor(call.thread)
        let value = try call.option("strategy", as: ScriptValue.self).kept(by: anchor)
        for name in ["ask", "tell"] where try value.method(name) == nil { throw call.badOption("strategy", "a strategy expected, got a table without the function '\(name)'") }
        let count: Int? = try call.option(ifPresent: "count")
        if let count, count < 0 { throw call.badOption("count", "0 or more expected, got \(count)") }
        return call.push(TrialsObject(ScriptStrategy(value: value), count: count, on: anchor))
    }
}
