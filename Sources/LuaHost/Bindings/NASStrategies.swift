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
            Made by nas.strategy.random, evolution and local_search. Several architectures may be asked before one is told; higher scores are better. With the same seed and the same calls it \
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
    private static let result = Argument("result", .union([.number, .table]), "a score, or {score =, cost =, step =}; higher scores are better")

    private static let methods: [Binding] = [
        method("ask", returns: [Returns(.any, "an architecture")], "The next architecture to try.", "May be called again before the last one is told.", example: "print(strategy:ask().op ~= nil)  --> true") { object, call in
            try object.push(object.strategy.ask(), call)
        },
        method(
            "tell", [architecture, result], "The result of an architecture that was asked for.",
            "In any order. An architecture that was not asked for, or was told already, is an error, and so is a score that is NaN or infinite: a trial that failed is dropped.",
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
            "The architecture with the highest score that was told, the first of equals.", example: "strategy:tell(strategy:ask(), 0.5)\nprint(select(2, strategy:best()))  --> 0.5"
        ) { object, call in
            guard let best = object.strategy.best else { return call.pushNil() }
            return try object.push(best.assignment, call) + call.push(best.result.score)
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
        let known = ["score", "cost", "step"]
        if !table.list.isEmpty || !table.others.isEmpty { throw call.bad(i, "{score =, cost =, step =} expected") }
        for name in table.fields.keys.sorted() where !known.contains(name) { throw call.bad(i, "unknown field '\(name)', there are score, cost, step") }
        guard let score = table["score"].number else { throw call.bad(i, "field 'score': number expected, got \(table["score"].typeName)") }
        self.init(score: score)
        if !table["cost"].isNil {
            guard let number = table["cost"].number else { throw call.bad(i, "field 'cost': number expected, got \(table["cost"].typeName)") }
            cost = number
        }
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
        return table
    }
}

/// `nas.strategy.random` and its kin.
enum StrategyBindings {
    static let all = [random, evolution, localSearch]

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
}
