import CLua
import Search
import Tensors

/// A strategy as Lua holds it, with the space whose architectures it asks for.
final class StrategyObject: LuaObject {
    let strategy: StockStrategy
    private let space: SpaceObject

    init(_ strategy: StockStrategy, of space: SpaceObject) { (self.strategy, self.space) = (strategy, space) }

    static let objectType = ObjectType(
        "strategy", of: StrategyObject.self, summary: "What says which architecture to try next, from the results so far.",
        detail: """
            Made by nas.strategy.random, evolution and their kin. Several architectures may be asked before one is told; higher scores are better. With the same seed and the same calls it \
            gives the same architectures, also after state and load_state. For nas.trials any table with `ask(self)` and `tell(self, architecture, result)` is a strategy; \
            it may have `report(self, architecture, result)`, `drop(self, architecture)`, `state(self)` and `load_state(self, table)`.
            """,
        methods: methods, unique: true, anchors: { $0.space.anchors }, describe: { $0.text })

    private var text: String {
        let best = strategy.best.map { ", best score \($0.result.score)" } ?? ""
        let open = strategy.pending.isEmpty ? "" : ", \(strategy.pending.count) open"
        return "\(strategy.name): \(strategy.told) told\(open)\(best)"
    }

    private func assignment(_ call: Call, _ i: Int) throws -> Assignment {
        guard let object: ArchitectureObject = try call.plain(i).object() else { throw call.bad(i, "an architecture of the strategy's space expected, got \(call.typeName(i))") }
        return try space.assignment(of: object)
    }

    private func push(_ assignment: Assignment, _ call: Call) throws -> Int {
        call.push(try space.architecture(assignment))
    }

    // MARK: Methods

    private static func method(
        _ name: String, _ parameters: [Argument] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (StrategyObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "strategy", name: name, parameters: parameters, returns: returns, summary: summary, detail: detail,
            example: DecisionObject.sample + "local strategy = nas.strategy.random(space, {seed = 1})\n" + example,
            body: { call in try body(call.this(as: StrategyObject.self), call) })
    }

    private static let architecture = Argument("architecture", .any, "one that `ask` gave")
    private static let result = Argument("result", .union([.number, .table]), "a score, or {score =, cost =, step =, loss =}; higher scores are better")

    private static let methods: [Binding] = [
        method(
            "ask", returns: [Returns(.any, "an architecture"), Returns(.integer, "how far to train it in all, in steps or epochs; nil: as far as trials go", optional: true)],
            "The next architecture to try.",
            "May be called again before the last one is told. A strategy that trains many for a short time and few for a long one says how far, and asks for the same architecture again with more.",
            example: "print(strategy:ask().op ~= nil)  --> true\nprint(select(2, nas.strategy.halving(space, {rungs = {10, 20}}):ask()))  --> 10"
        ) { object, call in
            let request = try object.strategy.ask()
            return try object.push(request.assignment, call) + (request.steps.map { call.push($0) } ?? 0)
        },
        method(
            "tell", [architecture, result], "The result of an architecture that was asked for.",
            "In any order. What was asked for with several numbers of steps is told by the result's step, else that which was asked first. An architecture that was not asked for, or was told already, is an error, and so is a score that is NaN or infinite: a trial that failed is dropped.",
            example: "strategy:tell(strategy:ask(), {score = 0.5, cost = 100})\nprint(strategy)  --> random: 1 told, best score 0.5"
        ) { object, call in
            try object.strategy.tell(object.assignment(call, 1), TrialResult(call, 2))
            return 0
        },
        method(
            "report", [architecture, result], returns: [Returns(.boolean, "whether the trial is worth going on with")],
            "A result on the way, of an architecture that is not told yet.", "Strategies that stop nothing early say true. Where it is false, tell the last result as the final one.",
            example: "local a = strategy:ask()\nprint(strategy:report(a, {score = 0.1, step = 10}))  --> true"
        ) { object, call in
            call.push(try object.strategy.report(object.assignment(call, 1), TrialResult(call, 2)))
        },
        method(
            "drop", [architecture], "There will be no result of an architecture that was asked for.", "Its trial failed. It is not asked for again soon, and nothing waits for it.",
            example: "strategy:drop(strategy:ask())\nprint(strategy:told())  --> 0"
        ) { object, call in
            try object.strategy.drop(object.assignment(call, 1))
            return 0
        },
        method("told", returns: [Returns(.integer)], "How many results were told.", example: "strategy:tell(strategy:ask(), 0.5)\nprint(strategy:told())  --> 1") { object, call in
            call.push(object.strategy.told)
        },
        method(
            "best", returns: [Returns(.any, "an architecture; nil before the first result", optional: true), Returns(.number, "its score", optional: true)],
            "The architecture with the highest score that was told, the first of equals.", "Where trials go differently far, of those that were asked to go furthest.", example: "strategy:tell(strategy:ask(), 0.5)\nprint(select(2, strategy:best()))  --> 0.5"
        ) { object, call in
            guard let best = object.strategy.best else { return call.pushNil() }
            return try object.push(best.assignment, call) + call.push(best.result.score)
        },
        method(
            "front", returns: [Returns(.list(.table), "{architecture =, score =, cost =} each, by ascending cost")], "What no other result beats in score and cost at once.",
            "Of the results that were told with a cost, and, where trials go differently far, of those that were asked to go furthest. Of equal ones the first.",
            example: """
                for i = 1, 2 do
                  local a = strategy:ask()
                  strategy:tell(a, {score = a.op == 'sep_conv_3x3' and 2 or 1, cost = a.op == 'sep_conv_3x3' and 100 or 10})
                end
                print(#strategy:front(), strategy:front()[1].cost, strategy:front()[2].architecture.op)  --> 2	10.0	sep_conv_3x3
                """
        ) { object, call in
            call.push(LuaValue.table(LuaTable(list: try object.strategy.front.map { told in
                .table(LuaTable(fields: ["architecture": .object(try object.space.architecture(told.assignment)), "score": .number(told.result.score), "cost": .number(told.result.cost ?? 0)]))
            })))
        },
        method(
            "state", returns: [Returns(.table, "names, numbers and lists of them")], "All that it goes on from: the generator, what was asked and not told, what it remembers.", "For load_state.",
            example: "print(strategy:state().strategy)  --> random"
        ) { object, call in call.push(LuaValue(json: try object.strategy.state)) },
        method(
            "load_state", [Argument("state", .table, "what `state` returned")], returns: [Returns(.object("strategy"))], "Goes on from a state.",
            "Of a strategy of the same kind and settings over the same space, else it is an error; nothing has changed then.",
            example: "local other = nas.strategy.random(space):load_state(strategy:state())\nprint(other:ask():same(strategy:ask()))  --> true"
        ) { object, call in
            try object.strategy.load(call.value(1).json { call.bad(1, $0) })
            return call.pushThis()
        },
    ]
}

extension TrialResult {
    /// Argument `i` of a call: a number, or a table.
    fileprivate init(_ call: Call, _ i: Int) throws {
        let value = try call.value(i)
        guard let table = value.table else {
            self.init(score: try call.get(i))
            return
        }
        let known = ["score", "cost", "step", "loss"]
        if !table.list.isEmpty || !table.others.isEmpty { throw call.bad(i, "{score =, cost =, step =, loss =} expected") }
        for name in table.fields.keys.sorted() where !known.contains(name) { throw call.bad(i, "unknown field '\(name)', there are \(known.joined(separator: ", "))") }
        guard let score = table["score"].number else { throw call.bad(i, "field 'score': number expected, got \(table["score"].typeName)") }
        self.init(score: score)
        func number(_ name: String) throws -> Double? {
            if table[name].isNil { return nil }
            guard let number = table[name].number else { throw call.bad(i, "field '\(name)': number expected, got \(table[name].typeName)") }
            return number
        }
        (cost, loss) = (try number("cost"), try number("loss"))
        if !table["step"].isNil {
            guard let number = table["step"].integer else { throw call.bad(i, "field 'step': integer expected, got \(table["step"].typeName)") }
            step = number
        }
    }

    /// As strategies written in Lua are told it.
    var table: LuaTable {
        var table = LuaTable(fields: ["score": .number(score)])
        if let cost { table.fields["cost"] = .number(cost) }
        if let step { table.fields["step"] = .integer(step) }
        if let loss { table.fields["loss"] = .number(loss) }
        return table
    }
}

/// `nas.strategy.random` and its kin.
enum StrategyBindings {
    static let all = [random, evolution, localSearch, halving, hyperband, pareto, predictor]

    private static let seed = Option("seed", .integer, default: 0, "decides all that is drawn")

    private static func strategy(
        _ name: String, options: [Option], _ summary: String, _ detail: String, example: String, make: @escaping (SpaceObject, Call) throws -> StockStrategy
    ) -> Binding {
        Binding(
            module: "nas", name: "strategy." + name, parameters: [Argument("space", .object("space"))], options: options + [seed],
            returns: [Returns(.object("strategy"))], summary: summary, detail: detail, example: DecisionObject.sample + example
        ) { call in
            let space: SpaceObject = try call.get(1)
            return call.push(StrategyObject(try make(space, call), of: space))
        }
    }

    private static let random = strategy(
        "random", options: [], "Architectures by chance, each equally likely.", "None again before all others were asked for; then from the beginning, in another order.",
        example: "local strategy = nas.strategy.random(space, {seed = 1})\nprint(strategy:ask():same(strategy:ask()))  --> false"
    ) { space, call in .random(space.decisions, where: space.filter, seed: try call.option("seed")) }

    private static let evolution = strategy(
        "evolution",
        options: [
            Option("population", .integer, default: 50, "how many live"), Option("sample", .integer, default: 10, "of how many, drawn with replacement, the best one becomes a parent"),
            Option("crossing", .number, default: 0, "share of children that have each decision from one of two parents"),
            Option("repeats", .boolean, default: false, "whether an architecture may be tried again, as published"),
        ],
        "Regularised evolution (Real et al. 2019).",
        """
        The population begins with random architectures. Then the best of a sample becomes a parent; its child, one decision drawn anew (space:mutate), is tried and joins the \
        population, and the oldest one dies, however good it was. Where scores are noisy, repeats let those die out that were lucky once; without them a child that was tried is \
        mutated on until it is new.
        """,
        example: """
            local strategy = nas.strategy.evolution(space, {population = 2, sample = 2, seed = 1})
            for i = 1, 4 do
              local a = strategy:ask()
              strategy:tell(a, a.op == 'sep_conv_3x3' and 1 or 0)
            end
            print(strategy:best().op)  --> sep_conv_3x3
            """
    ) { space, call in
        try .evolution(
            space.decisions, where: space.filter, population: call.option("population"), sample: call.option("sample"), crossing: call.option("crossing"),
            repeats: call.option("repeats"), seed: call.option("seed"))
    }

    private static let localSearch = strategy(
        "local_search",
        options: [
            Option(
                "move", .choice(LocalMove.allCases.map(\.rawValue)), default: .string(LocalMove.best.rawValue),
                "to the best of all neighbours, once all were tried, or to the first that is better"),
        ],
        "From a random architecture to better and better neighbours (White et al. 2021).",
        """
        Tries the neighbours (space:neighbours) in random order and moves on until none is better; then begins again from another random architecture. What was tried is not \
        tried again until the whole space was.
        """,
        example: """
            local strategy = nas.strategy.local_search(space, {seed = 1})
            for i = 1, 2 do
              local a = strategy:ask()
              strategy:tell(a, a.op == 'sep_conv_3x3' and 1 or 0)
            end
            print(strategy:best().op, #strategy:state().memory.optima)  --> sep_conv_3x3	1
            """
    ) { space, call in
        .localSearch(space.decisions, where: space.filter, move: LocalMove(rawValue: try call.option("move")) ?? .best, seed: try call.option("seed"))
    }

    private static let rungs = Option("rungs", .list(.integer), required: true, "steps of a training in all, ascending")
    private static let eta = Option("eta", .integer, default: 2, "one in so many is trained on to the next rung")

    private static let halving = strategy(
        "halving", options: [rungs, eta, Option("count", .integer, "how many begin; so many that one reaches the last rung when left out")],
        "Successive halving (Jamieson and Talwalkar 2016).",
        """
        Architectures by chance are trained up to the first rung, the best of them on to the second, and so on; then others from the beginning. `ask` says how far with its second result, nas.trials \
        with trial.steps; a training that was stopped at a rung is best continued. Where all that there is to ask is being tried, another such bracket begins beside.
        """,
        example: """
            local strategy, asked = nas.strategy.halving(space, {rungs = {10, 20}, seed = 1}), {}
            for i = 1, 3 do
              local a, steps = strategy:ask()
              asked[i] = steps
              strategy:tell(a, a.op == 'sep_conv_3x3' and 1 or 0)
            end
            print(table.concat(asked, ' '), strategy:best().op)  --> 10 10 20	sep_conv_3x3
            """
    ) { space, call in
        try .halving(space.decisions, where: space.filter, rungs: call.option("rungs"), eta: call.option("eta"), count: call.option(ifPresent: "count"), seed: call.option("seed"))
    }

    private static let hyperband = strategy(
        "hyperband", options: [rungs, eta], "Brackets of successive halving, from many short trainings to few long ones (Li et al. 2018).",
        "As nas.strategy.halving; each bracket begins one rung later than the one before, with fewer architectures, for where few steps say little of many.",
        example: """
            local strategy, asked = nas.strategy.hyperband(space, {rungs = {10, 20}, seed = 1}), {}
            for i = 1, 5 do
              local a, steps = strategy:ask()
              asked[i] = steps
              strategy:tell(a, 0)
            end
            print(table.concat(asked, ' '))  --> 10 10 20 20 20
            """
    ) { space, call in
        try .hyperband(space.decisions, where: space.filter, rungs: call.option("rungs"), eta: call.option("eta"), seed: call.option("seed"))
    }

    private static let pareto = strategy(
        "pareto",
        options: [
            Option("population", .integer, default: 50, "how many live"), Option("crossing", .number, default: 0.5, "share of children that have each decision from one of two parents before one is drawn anew"),
        ],
        "Score against cost: NSGA-II (Deb et al. 2002), one child at a time.",
        "Results need a cost: tell {score =, cost =}. Those live on that few others beat in both, and among them those that stand apart. strategy:front() is what was found.",
        example: """
            local strategy = nas.strategy.pareto(space, {population = 4, seed = 1})
            for i = 1, 6 do
              local a = strategy:ask()
              strategy:tell(a, {score = a.op == 'sep_conv_3x3' and 1 or 0, cost = a.op == 'sep_conv_3x3' and 9 or 1})
            end
            print(#strategy:front())  --> 2
            """
    ) { space, call in
        try .pareto(space.decisions, where: space.filter, population: call.option("population"), crossing: call.option("crossing"), seed: call.option("seed"))
    }

    private static let predictor = strategy(
        "predictor",
        options: [
            Option("initial", .integer, default: 10, "random architectures before the first prediction"),
            Option("candidates", .integer, default: 500, "how many random ones are predicted each time, beside neighbours of the best; all where the space has no more"),
        ],
        "A Gaussian process predicts scores with their uncertainty; the largest expected improvement is tried next.",
        "Bayesian optimisation over encodings (space:encode). What is out counts with its prediction, so that several may be asked at once. Its own time grows with the cube of the results, up to 400.",
        example: """
            local strategy = nas.strategy.predictor(space, {initial = 2, seed = 1})
            for i = 1, 2 do
              local a = strategy:ask()
              strategy:tell(a, a.op == 'sep_conv_3x3' and 1 or 0)
            end
            print(strategy:best().op)  --> sep_conv_3x3
            """
    ) { space, call in
        try .predictor(space.decisions, where: space.filter, initial: call.option("initial"), candidates: call.option("candidates"), seed: call.option("seed"))
    }
}
