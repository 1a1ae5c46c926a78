import Base
import CLua
import CTruth
import Search
import Tensors

/// A truth as Lua holds it, with the space whose architectures it knows.
final class TruthObject: LuaObject {
    private let truth: Truth
    private let space: SpaceObject

    private init(_ truth: Truth, of space: SpaceObject) { (self.truth, self.space) = (truth, space) }

    static let objectType = ObjectType(
        "truth", of: TruthObject.self, summary: "What trainings of all architectures of a space came to.",
        detail: """
            From nas.truth. A strategy asks (`query`) for validation scores of one seed's trainings, at the price of their steps; what it found is judged (`judge`) by test scores of the other \
            seeds, which it never saw.
            """,
        methods: methods,
        fields: [
            Field("name", .string, "Its name.", of: { (t: TruthObject) in t.truth.name }), Field("space", .object("space"), "Its architectures.", of: { (t: TruthObject) in t.space }),
            Field("seeds", .list(.integer), "Of the trainings of each architecture.", of: { (t: TruthObject) in t.truth.seeds }),
            Field("checkpoints", .list(.integer), "Steps after which trainings were measured; the last is their end.", of: { (t: TruthObject) in t.truth.checkpoints }),
            Field("settings", .any, "How it was made.", get: { call in call.push(try PlainValue(try call.this(as: TruthObject.self).truth.settings)) }),
        ],
        unique: true, anchors: { $0.space.anchors },
        describe: { object in
            let truth = object.truth
            return "truth '\(truth.name)': \(truth.entries.count) architectures, seeds \(list(truth.seeds)), after \(list(truth.checkpoints)) steps"
        })

    private static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

    private func assignment(_ call: Call) throws -> Assignment { try space.assignment(of: call.get(1, as: ArchitectureObject.self)) }

    // MARK: Methods

    private static let architecture = Argument("architecture", .object("architecture"), "of its space")
    private static let except = Option("except", .integer, "the seed that is left out: the one that was asked about")

    private static func method(
        _ name: String, _ parameters: [Argument], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (TruthObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "truth", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: "local truth = nas.truth('streets')\nlocal a = truth.space:random{seed = 1}\n" + example, body: { call in try body(call.this(as: TruthObject.self), call) })
    }

    private static let methods = [
        method(
            "query", [architecture], options: [Option("steps", .integer, "one of `checkpoints`; the last when left out"), Option("seed", .integer, "one of `seeds`; the first when left out")],
            returns: [Returns(.number, "validation score: mIoU, 0 to 1"), Returns(.integer, "its price, in steps of training"), Returns(.number, "its own loss, the mean over the second half of these steps; nil where it was not kept")],
            "What one training of an architecture comes to after some steps.",
            example: "print(select(2, truth:query(a, {steps = truth.checkpoints[1], seed = 2})) == truth.checkpoints[1])  --> true"
        ) { object, call in
            let (score, cost, loss) = try object.truth.score(object.assignment(call), steps: call.option(ifPresent: "steps"), seed: call.option(ifPresent: "seed"))
            return call.push(score) + call.push(cost) + call.push(loss)
        },
        method(
            "judge", [architecture], options: [except], returns: [Returns(.number, "mean test score at the end of the trainings")], "How good an architecture is, by images and seeds that a strategy never saw.",
            example: "print(truth:judge(a, {except = 1}) > 0)  --> true"
        ) { object, call in call.push(try object.truth.judge(object.assignment(call), except: call.option(ifPresent: "except"))) },
        method(
            "rank", [architecture], options: [except], returns: [Returns(.integer, "1 is the best")], "Its place among all architectures, by `judge`; equal ones share the better place.",
            example: "print(truth:rank(a) >= 1)  --> true"
        ) { object, call in call.push(try object.truth.rank(object.assignment(call), except: call.option(ifPresent: "except"))) },
        method(
            "percentile", [architecture], options: [except], returns: [Returns(.number, "above 0, 100 for the worst")], "100 times its rank over the number of architectures: up to 5 it is among the best 5 %.",
            example: "print(truth:percentile(a) <= 100)  --> true"
        ) { object, call in
            call.push(100 * Double(try object.truth.rank(object.assignment(call), except: call.option(ifPresent: "except"))) / Double(object.truth.entries.count))
        },
        method("parameters", [architecture], returns: [Returns(.integer)], "Trained numbers of its network.", example: "print(truth:parameters(a) > 0)  --> true") { object, call in
            call.push(try object.truth.entry(object.assignment(call)).parameters)
        },
        method("multiply_adds", [architecture], returns: [Returns(.integer)], "Multiply-adds of its network on an image.", example: "print(truth:multiply_adds(a) > 0)  --> true") { object, call in
            call.push(try object.truth.entry(object.assignment(call)).multiplyAdds)
        },
        method(
            "ceiling", [], options: [Option("steps", .integer, "of the trainings that are believed, one of `checkpoints`; the last when left out")], returns: [Returns(.number, "up to 1")],
            "How well trainings know the judge: Kendall's rank correlation of validation scores of one seed with `judge` of the others, the mean over seeds.",
            "No belief about architectures that costs less than training them can be expected to agree better.", example: "print(truth:ceiling() > truth:ceiling{steps = truth.checkpoints[1]})  --> true"
        ) { object, call in call.push(try object.truth.ceiling(steps: call.option(ifPresent: "steps"))) },
        method("save", [Argument("path", .string, "a JSON file")], "Writes it, for nas.truth.", "Scores are rounded to 0.00001.", example: "truth:save('mine.json')\nprint(#nas.truth('mine.json').seeds == #truth.seeds)  --> true") { object, call in
            try object.truth.save(to: call.get(1))
            return 0
        },
    ]

    // MARK: nas.truth

    static let binding = Binding(
        module: "nas", name: "truth",
        parameters: [Argument("source", .union([.string, .table]), "'streets', a file that truth:save wrote, or results: {name, space, seeds, checkpoints, settings, results}")],
        options: [Option("run", .boolean, default: false, "let the script run that the file of a truth over a space of nas.space keeps")],
        returns: [Returns(.object("truth"))], summary: "A space of which every architecture was trained, to measure strategies against.",
        detail: """
            'streets' is built in: \(streetsText) scripts/truth.lua makes it again, and others like it.

            A truth of one's own from a table: `results` is a list of {architecture =, parameters =, multiply_adds =, validation =, test =, loss =}, whose scores are lists by seed of lists by checkpoint; \
            `loss`, that of the training itself, may be left out; `settings` says how it was made. Architectures without a result are unknown to it.
            """,
        example: """
            local truth = nas.truth('streets')
            local best, at = 0, nil
            for trial in nas.trials{strategy = nas.strategy.random(truth.space, {seed = 1}), count = 8} do
              local score, steps = truth:query(trial.architecture, {seed = 1})
              trial:finish{score = score, cost = steps}
              if score > best then best, at = score, trial.architecture end
            end
            print(truth:percentile(at, {except = 1}) <= 100)  --> true
            """
    ) { call in
        let value = try call.value(1)
        guard let table = value.table else { return call.push(try read(call.get(1), call)) }
        return call.push(try make(table, call))
    }

    private static let streetsText = """
        the trellis of 4 layers, strides 4 to 32, one block and five operators, on generated street scenes (data.shapes); each training three times, with several checkpoints.
        """

    private static func read(_ source: String, _ call: Call) throws -> TruthObject {
        let truth = source == "streets" ? try streets() : try Truth(contentsOf: source)
        let record = truth.space
        if let trellis = record.trellis {
            return TruthObject(truth, of: SpaceObject(try ModuleSpace(trellis.space(catalogue: ScriptOperators.catalogue), catalogue: { ScriptOperators.catalogue })))
        }
        return TruthObject(truth, of: try SpaceScripts.space(record, isAllowed: call.option("run"), at: source, how: "nas.truth('\(source)', {run = true})", call.thread))
    }

    private static func streets() throws -> Truth {
        let bytes = UnsafeBufferPointer(start: trellis_truth_streets(), count: trellis_truth_streets_count())
        return try Truth(json: JSONValue.parse(bytes), at: "streets")
    }

    private static func make(_ table: LuaTable, _ call: Call) throws -> TruthObject {
        let known = ["name", "space", "seeds", "checkpoints", "settings", "results"]
        if let odd = table.fields.keys.sorted().first(where: { !known.contains($0) }) { throw call.bad(1, "unknown field '\(odd)', there are \(known.joined(separator: ", "))") }
        guard let name = table["name"].string else { throw call.bad(1, "field 'name': string expected, got \(table["name"].typeName)") }
        guard let space: SpaceObject = table["space"].object(), space.isWhole else { throw call.bad(1, "field 'space': a space expected, without where and fix, got \(table["space"].typeName)") }
        let settings = try table["settings"].json { call.bad(1, "field 'settings': \($0)") }
        var entries: [Assignment: Truth.Entry] = [:]
        for (i, item) in (table["results"].table?.list ?? []).enumerated() {
            let at = "results[\(i + 1)]"
            guard let result = item.table, let architecture: ArchitectureObject = result["architecture"].object() else { throw call.bad(1, "\(at): a table with an architecture expected") }
            guard let parameters = result["parameters"].integer, let multiplyAdds = result["multiply_adds"].integer else { throw call.bad(1, "\(at): parameters and multiply_adds expected") }
            entries[try space.assignment(of: architecture)] = Truth.Entry(
                parameters: parameters, multiplyAdds: multiplyAdds, validation: try scores(result["validation"], "\(at).validation", call), test: try scores(result["test"], "\(at).test", call),
                loss: try scores(result["loss"], "\(at).loss", call))
        }
        let truth = try Truth(
            name: name, space: space.space.record, seeds: try integers(table["seeds"], "seeds", call), checkpoints: try integers(table["checkpoints"], "checkpoints", call), settings: settings,
            entries: entries)
        return TruthObject(truth, of: space)
    }

    private static func integers(_ value: LuaValue, _ name: String, _ call: Call) throws -> [Int] {
        try (value.table?.list ?? []).map { item in
            guard let number = item.integer else { throw call.bad(1, "field '\(name)': list of integers expected") }
            return number
        }
    }

    private static func scores(_ value: LuaValue, _ name: String, _ call: Call) throws -> [[Double]] {
        try (value.table?.list ?? []).map { seed in
            try (seed.table?.list ?? []).map { score in
                guard let number = score.number else { throw call.bad(1, "\(name): lists of numbers expected, one for each seed") }
                return number
            }
        }
    }
}
