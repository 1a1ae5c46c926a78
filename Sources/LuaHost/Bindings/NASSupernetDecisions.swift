import Networks
import Search
import Tensors

/// Methods of supernets: their decisions, and what is decoded from them.
enum SupernetDecisionMethods {
    static let all: [Binding] = reading + [CurvatureBinding.curvature] + finding

    static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", sample: String = SupernetMethods.small,
        example: String, body: @escaping (SupernetObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "supernet", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: sample + example,
            body: { call in try body(call.this(as: SupernetObject.self), call) })
    }

    private static let name = Argument("name", .string, "of a decision")
    private static let raw = Option("raw", .boolean, default: false, "the parameter itself, before the softmax")

    private static let reading: [Binding] = [
        method(
            "alpha", options: [raw], returns: [Returns(.tensor, "[edges, operators]")], "softmax(alpha): the weight of each operator on each edge, of nas.trellis.",
            "Rows sum to 1. Edges (block, state) in the order (1,1) (1,2) (2,1) ...; columns as the cell's operators. What relaxations make of alpha, where others were given.",
            sample: SupernetMethods.tiny, example: "print(string.format('%.3f', supernet:alpha():sum(2)[1]))  --> 1.000"
        ) { object, call in
            let net = object.net
            return call.push(try call.option("raw") ? net.alpha : net.operatorProbabilities())
        },
        method(
            "beta", options: [raw], returns: [Returns(.tensor, "[layers, strides, moves]")], "softmax(beta): the probability of each arrow among those that leave its node, of nas.trellis.",
            "Auto-DeepLab, eq. 7; 0 where there is no arrow. Moves: to the finer stride, same, to the coarser. What nas.viterbi takes.",
            sample: SupernetMethods.tiny, example: "print(string.format('%.3f', supernet:beta()[1][1]:sum():item()))  --> 1.000"
        ) { object, call in
            let net = object.net
            return call.push(try call.option("raw") ? net.beta : net.arrowProbabilities())
        },
        method(
            "logits", [name], returns: [Returns(.tensor)], "The logits of a decision.", "A parameter; of nas.trellis a part of alpha or beta, for reading: write into those.",
            example: "print(net:logits('op'):size(1))  --> 2"
        ) { object, call in call.push(try object.net.logits(call.get(1))) },
        method(
            "probabilities", [name], returns: [Returns(.tensor)], "How probable each option is under its relaxation, noise aside.",
            "Of paths with one arrow a layer: among the arrows that leave a state.", example: "print(net:probabilities('op'):sum():item())  --> 1.0"
        ) { object, call in call.push(try object.net.probabilities(call.get(1))) },
        method(
            "entropy", [Argument("name", .string, optional: true, "of a decision; all of them when left out")],
            returns: [
                Returns(.union([.number, .table]), "nats; of all decisions of nas.trellis a table: alpha, beta: mean entropy in nats; alpha_relative, beta_relative: 1 undecided, 0 decided"),
                Returns(.number, "relative: 1 undecided, 0 decided", optional: true),
            ], "How undecided the logits are.", "The mean over the distributions of a decision that have a choice.",
            example: "print(string.format('%.2f', select(2, net:entropy('op'))))  --> 1.00\n" + SupernetMethods.tiny + "print(string.format('%.2f', supernet:entropy().alpha_relative))  --> 1.00"
        ) { object, call in
            let net = object.net
            if call.has(1) {
                let entropy = try net.entropy(call.get(1) as String)
                return call.push(entropy.mean) + call.push(entropy.relative)
            }
            if net.space.trellis != nil {
                let (alpha, beta) = try net.entropy()
                return call.push(["alpha": alpha.mean, "beta": beta.mean, "alpha_relative": alpha.relative, "beta_relative": beta.relative])
            }
            let all = try net.decisions.decisions.map { try net.entropy($0.name) }
            let count = Double(max(all.count, 1))
            return call.push(all.reduce(0) { $0 + $1.mean } / count) + call.push(all.reduce(0) { $0 + $1.relative } / count)
        },
        method(
            "cost", [CostBindings.kind], options: [Option("input", .list(.integer), required: true, "shape of the input")], returns: [Returns(.tensor, "one number, with a history")],
            "What it costs: expected under the relaxations, or at the architecture that it computes.",
            "Σ over the parts of the supernet of cost · probability that the part is used; a tensor of parameters counts once. Decisions count as independent; of branches every edge counts. The "
                + "network that nas.trellis derives is built another way: space:cost counts that.",
            example: "print(net:cost(nas.cost.multiply_adds, {input = {1, 3, 4, 4}}):item() > 0)  --> true"
        ) { object, call in call.push(try object.net.cost(CostBindings.kind(call, 1), input: call.option("input"))) },
    ]

    private static let finding: [Binding] = [
        method(
            "sample", options: [Option("seed", .integer, default: 0)], returns: [Returns(.object("architecture"))], "An architecture drawn with the probabilities of the relaxations.",
            example: "print(net:sample{seed = 1}.op ~= nil)  --> true"
        ) { object, call in call.push(try object.architecture(object.net.sample(seed: call.option("seed")))) },
        method(
            "decode",
            options: [
                Option("count", .integer, "the so many best as a list of {architecture =, score =, cost =}"), Option("budget", .table, "{cost = kind, limit = number, input = shape}: only architectures whose networks cost no more"),
                Option("within", .object("space"), "a space that `fix` or `where` made of this one"),
                Option("relative", .boolean, default: false, "probabilities against those of undecided logits"), Option("data", .string, "of nas.trellis: what it was found on, for its provenance"),
                Option("date", .string, "of nas.trellis: when, for its provenance"), Option("name", .string, "of nas.trellis: a name of its own"),
            ] + ScoredDecodingOptions.all,
            returns: [
                Returns(.object("architecture"), "with count a list"),
                Returns(.number, "its score: what `score` gave, else of a space of a function the logarithm of its probability", optional: true),
                Returns(.table, "with `score`: {tried = how many were scored, all = whether there are no others}; after a list the second", optional: true),
            ], "The most probable architecture, or the one with the best score.",
            """
            Exact by the structure of the decisions: choices by sorting, paths by dynamic programming, several paths over sets of states, k best by lists, budgets by labels of score and \
            cost where the cost is a sum over options; else, as of nas.trellis, the most probable architectures are gone through and their networks counted, until 1,000 in a row cost more. \
            Of equal ones the lower option first. Of nas.trellis that is Auto-DeepLab, section 3.4: the path of the largest product of betas by Viterbi; for each block the two states \
            whose strongest operator other than 'none' is strongest, with that operator. As long as beta is nearly uniform that path runs along a border of the trellis, where nodes have \
            two arrows out and not three; with `relative` each arrow counts by its probability times the number of arrows beside it, and undecided logits prefer no path. The seed is part of its provenance; its field `score` is that of the path.

            """ + ScoredDecodingOptions.detail,
            example: "print(net:decode().op ~= nil)  --> true\n" + ScoredDecodingOptions.example + "\n" + SupernetMethods.tiny + "local found = supernet:decode{data = 'nothing'}\nprint(#found.path, found.provenance.seed)  --> 2\t1"
        ) { object, call in
            let count: Int? = try call.option(ifPresent: "count")
            let (name, provenance) = try description(object, call)
            let (found, how) = try decoded(object, call, count: count ?? 1)
            var pushed = 0
            if count == nil, let best = found.first {
                pushed += call.push(try object.architecture(best.assignment, name, provenance))
                if how != nil || object.net.space.trellis == nil { pushed += call.push(best.score) }
            } else {
                pushed += call.push(LuaValue.table(LuaTable(list: try found.map { one in
                    let architecture = try object.architecture(one.assignment, name, provenance)
                    return .table(LuaTable(fields: ["architecture": .object(architecture), "score": .number(one.score), "cost": .number(one.cost)]))
                })))
            }
            if let how { pushed += call.push(LuaValue.table(how)) }
            return pushed
        },
    ]

    private typealias Found = (assignment: Assignment, score: Double, cost: Double)

    /// - Returns: what was found, best first, and of a scored decoding how.
    private static func decoded(_ object: SupernetObject, _ call: Call, count: Int) throws -> (found: [Found], how: LuaTable?) {
        let smaller: SpaceObject? = try call.option(ifPresent: "within")
        let limit = try call.option(ifPresent: "budget", as: LuaValue.self).map { try Self.limit($0, call) }
        let (within, filter) = (smaller?.decisions ?? object.space.decisions, smaller?.filter ?? object.space.filter)
        func probable(_ count: Int) throws -> [Decoded] {
            let isRelative: Bool = try call.option("relative")
            if let limit { return try object.net.decode(count: count, limit: limit, within: within, accept: filter, isRelative: isRelative) }
            return try object.net.decode(count: count, within: within, accept: filter, isRelative: isRelative)
        }
        guard let score = try ScoredDecodingOptions.score(object, call) else { return (try probable(count).map { ($0.assignment, $0.score, $0.cost) }, nil) }
        let present = object.present
        defer { object.present = present }
        let result = try object.net.best(count, of: score.candidates, from: probable, score: score.function)
        let found = result.best.map { ($0.candidate.assignment, $0.score, $0.candidate.cost) }
        return (found, LuaTable(fields: ["tried": .integer(result.tried), "all": .boolean(result.isExhaustive)]))
    }

    /// Name and provenance that a script gives to what is decoded.
    private static func description(_ object: SupernetObject, _ call: Call) throws -> (name: String?, provenance: Provenance) {
        if object.net.space.trellis == nil, let option = ["name", "data", "date"].first(where: call.hasOption) {
            throw call.badOption(option, "goes with architectures of nas.trellis")
        }
        return (try call.option(ifPresent: "name"), Provenance(date: try call.option(ifPresent: "date"), data: try call.option(ifPresent: "data")))
    }

    private static func limit(_ value: LuaValue, _ call: Call) throws -> CostLimit {
        guard let table = value.table, let limit = table["limit"].number, let kind: CostKindObject = table["cost"].object() else {
            throw call.badOption("budget", "{cost = nas.cost.multiply_adds, limit = number, input = shape} expected")
        }
        return CostLimit(kind.kind, limit, input: table["input"].table?.list.compactMap(\.integer))
    }
}

extension SupernetObject {
    /// An architecture with what the supernet thinks of it.
    func architecture(_ assignment: Assignment, _ name: String? = nil, _ provenance: Provenance = Provenance()) throws -> ArchitectureObject {
        guard net.space.trellis != nil else { return try ArchitectureObject(assignment, in: net.space) }
        var found = try net.architecture(of: assignment, provenance)
        found.name = name
        return ArchitectureObject(found)
    }
}
