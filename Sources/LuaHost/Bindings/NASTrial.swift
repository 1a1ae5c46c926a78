import Base
import CLua
import Search

/// One architecture that is tried.
final class TrialObject: LuaObject {
    let number: Int
    private let architecture: ScriptValue
    private let run: TrialRun<ScriptStrategy>
    private let anchor: LuaAnchor
    /// Whether it was given up by others while it was worked on here.
    private var isLost = false
    /// Whether it ended here, whatever the journal says of it since.
    private var isDone = false

    init(_ number: Int, of run: TrialRun<ScriptStrategy>, on anchor: LuaAnchor) {
        (self.number, self.run, self.anchor) = (number, run, anchor)
        architecture = run.proposal(number)
    }

    private var record: TrialRecord? { isLost ? nil : run.record(number) }
    /// Whether it is left without an end.
    var isOpen: Bool { !isDone && record?.status == .running }

    private var status: String {
        switch record?.status {
        case .running: "running"
        case .finished: "finished"
        case .failed: "failed"
        case nil: "lost"
        }
    }

    private var reason: String? {
        guard case .failed(let reason) = record?.status else { return nil }
        return reason
    }

    /// Does something to a trial that this process works on. Nil, and a word, where it is another's by now: the work goes on with the next one.
    private func working<Result>(_ body: () throws -> Result) throws -> Result? {
        guard !isLost else { return nil }
        do { return try body() } catch let error as TrialError {
            guard case .lost = error else { throw error }
            isLost = true
            Notice.say("\(error)")
            return nil
        }
    }

    func fail(_ reason: String?) throws { isDone = try working { try run.fail(number, reason) } != nil }

    // MARK: Lua

    static let objectType = ObjectType(
        "trial", of: TrialObject.self, summary: "One architecture that is tried.",
        detail: "From nas.trials. It ends with `finish` or `fail`; one that is running when the next one is asked for has failed.",
        methods: [reportBinding, finishBinding, failBinding],
        fields: [
            Field("number", .integer, "From 1.", of: { (t: TrialObject) in t.number }),
            Field("architecture", .any, "What the strategy asks to try.", of: { (t: TrialObject) in t.architecture }),
            Field("steps", .integer, "How far to train it in all, where the strategy says it.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).record?.steps) }),
            Field("status", .string, "running, finished or failed; lost when it is another worker's by now.", of: { (t: TrialObject) in t.status }),
            Field("score", .number, "Its score; nil until it is finished.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).record?.result?.score) }),
            Field("cost", .number, "Its cost, where one was given.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).record?.result?.cost) }),
            Field("step", .integer, "How far it went, where that was said.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).record?.result?.step) }),
            Field("loss", .number, "Its training's own loss, where that was said.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).record?.result?.loss) }),
            Field("values", .table, "What `finish` was given besides.", optional: true, get: { call in
                try call.this(as: TrialObject.self).record?.values.map { call.push(try PlainValue($0)) } ?? call.pushNil()
            }),
            Field("reason", .string, "Why it failed.", optional: true, get: { call in call.push(try call.this(as: TrialObject.self).reason) }),
            Field("reports", .list(.table), "What was reported, by workers that had it before, too: {step =, score =}.", of: { (t: TrialObject) in
                (t.record?.reports ?? []).map { LuaValue.table(LuaTable(fields: ["step": .integer($0.step), "score": .number($0.score)])) }
            }),
            Field("attempts", .integer, "How many workers had it: more than 1 when it is taken up from one that died.", of: { (t: TrialObject) in t.record?.attempts ?? 0 }),
            Field("directory", .string, "A directory for its files, with `out`: whoever takes it up finds there what was left.", optional: true, get: { call in
                let trial = try call.this(as: TrialObject.self)
                return call.push(trial.run.directory(of: trial.number))
            }),
        ],
        unique: true, anchors: { [$0.anchor] }, describe: { "trial \($0.number): \($0.status)" + ($0.record?.result.map { ", score \($0.score)" } ?? "") })

    private static let sample = DecisionObject.sample + "local strategy = nas.strategy.random(space, {seed = 1})\n"

    private static let reportBinding = Binding(
        module: "trial", name: "report", parameters: [Argument("step", .integer, "more than the last report's"), Argument("score", .number, "higher is better")],
        returns: [Returns(.boolean, "whether the trial is worth going on with")], summary: "A score on the way.",
        detail: """
            Strategies that stop trials early say false: then finish it with the last score. A score that is NaN or infinite is an error. Of a trial that was taken up, steps that its worker \
            before reported may be reported once more, and get the same answer.
            """,
        example: sample + """
            for trial in nas.trials{strategy = strategy, count = 1} do
              for step = 1, 3 do
                if not trial:report(step, step / 3) then break end
              end
              trial:finish{score = 1}
              print(#trial.reports)  --> 3
            end
            """
    ) { call in
        let trial = try call.this(as: TrialObject.self)
        let (step, score): (Int, Double) = (try call.get(1), try call.get(2))
        return call.push(try trial.working { try trial.run.report(trial.number, step: step, score: score) } ?? false)
    }

    private static let finishBinding = Binding(
        module: "trial", name: "finish",
        options: [
            Option("score", .number, required: true, "higher is better"), Option("cost", .number, "for strategies that weigh it against the score"),
            Option("step", .integer, "how far it went; the last report's when left out, else trial.steps"),
            Option("loss", .number, "of the training itself at last, for strategies that learn from it; lower is better"),
            Option("values", .table, "what is to be known of it besides: names, numbers, lists of them"),
        ],
        summary: "Ends the trial, and tells the strategy its result.", detail: "A score, cost or loss that is NaN or infinite is an error, after which the trial still runs: `fail` it.",
        example: sample + """
            for trial in nas.trials{strategy = strategy, count = 2} do trial:finish{score = trial.number, cost = 10} end
            print(select(2, strategy:best()))  --> 2.0
            """
    ) { call in
        let trial = try call.this(as: TrialObject.self)
        let result = TrialResult(
            score: try call.option("score"), cost: try call.option(ifPresent: "cost"), step: try call.option(ifPresent: "step"), loss: try call.option(ifPresent: "loss"))
        let values = try call.option(ifPresent: "values", as: PlainValue.self)?.json("values")
        trial.isDone = try trial.working { try trial.run.finish(trial.number, result, values: values) } != nil
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
