import CLua
import Networks
import Search
import Tensors

/// A decision as Lua holds it.
public final class DecisionObject: LuaObject {
    public let decision: BuiltDecision
    /// The options, states or numbers as the script gave them.
    let options: [LuaValue]

    init(_ decision: BuiltDecision, options: [LuaValue]) { (self.decision, self.options) = (decision, options) }

    /// A decision of a list, outside of a network.
    convenience init(_ decision: Decision) {
        let labels = decision.domain.labels
        self.init(BuiltDecision(bare: decision), options: labels.map { Double($0).map(Self.number) ?? .string($0) })
    }

    private static func number(_ value: Double) -> LuaValue { Int(exactly: value).map { .integer($0) } ?? .number(value) }

    fileprivate func value(ofState state: Int) -> LuaValue { options.indices.contains(state) ? options[state] : .nil }

    public static let objectType = ObjectType(
        "decision", of: DecisionObject.self, summary: "Something that is open in a network, with its name.",
        detail: "Made by nas.choice, nas.subset, nas.paths, nas.number and nas.branches in the function of a space. Options, arrows and states count from 1. In the network of "
            + "one architecture only what was chosen is on.",
        methods: methods,
        fields: [
            Field("name", .string, "Its name.", of: { (d: DecisionObject) in d.decision.decision.name }),
            Field("kind", .string, "choice, subset, paths, number or branches.", of: { (d: DecisionObject) in d.decision.decision.domain.kind }),
            Field("options", .list(.any), "Options of a choice, a subset or branches, numbers of a number, states of paths.", of: { (d: DecisionObject) in LuaValue.table(LuaTable(list: d.options)) }),
            Field("shape", .list(.integer), "The shape of its logits.", of: { (d: DecisionObject) in d.decision.decision.shape }),
        ],
        describe: { "\($0.decision.decision.name): \($0.decision.decision.domain.summary)" })

    static let sample = """
        local space = nas.space(function(c)
          local op = nas.choice('op', {'skip_connect', 'sep_conv_3x3'})
          return nas.mix(op, function(name) return nas.parts.operator(name, 4) end)
        end)

        """

    private static func method(
        _ name: String, _ parameters: [Argument] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String, body: @escaping Body
    ) -> Binding {
        Binding(module: "decision", name: name, parameters: parameters, returns: returns, summary: summary, detail: detail, example: sample + example, body: body)
    }

    private static let methods: [Binding] = [
        method("count", returns: [Returns(.union([.integer, .string]))], "The number of its values, exactly; digits where that is no integer of Lua.", example: "print(space.decisions[1]:count())  --> 2") { call in
            call.push(count: try call.this(as: DecisionObject.self).decision.decision.count())
        },
        method(
            "on", [Argument("i", .integer, "an option, or the id of an arrow")], returns: [Returns(.boolean)], "Whether option i exists in this network.",
            "A supernet has all; build what is on.", example: "print(space.decisions[1]:on(2))  --> true"
        ) { call in
            let decision = try call.this(as: DecisionObject.self).decision
            return call.push(decision.isOn(try call.option(1, of: decision)))
        },
        method(
            "weight", [Argument("i", .integer, "an option, or the id of an arrow")], returns: [Returns(.object("gate"), "nil where that option is off for good", optional: true)],
            "What multiplies what option i gives: a handle with w, the weight, and p, the probability that the option is used.", "For nas.when. In the network of one architecture both are 1.",
            example: "print(space.decisions[1]:weight(2).w)  --> 1"
        ) { call in
            let decision = try call.this(as: DecisionObject.self).decision
            guard let gate = try decision.gate(call.option(1, of: decision)) else { return call.pushNil() }
            return call.push(GateObject(gate))
        },
        pathMethod(
            "arrows", [Argument("layer", .integer)], "Goes over the arrows into a layer that exist: source, target and id.",
            "for from, to, id in paths:arrows(layer) do ... end; states as they were given."
        ) { object, call in
            let arrows = try object.decision.arrows(intoLayer: call.layer(1, from: 1))
            return iterator(call, arrows.map { arrow in { $0.push(object.value(ofState: arrow.from)) + $0.push(object.value(ofState: arrow.to)) + $0.push(arrow.id + 1) } })
        },
        pathMethod(
            "into", [Argument("layer", .integer), Argument("state", .any, "as it was given")], "Goes over the arrows into a state: source, handle and id.",
            "for from, weight, id in paths:into(layer, state) do ... end. An arrow's weight is 0 where its source is not reached, as far as weights can be 0."
        ) { object, call in
            let arrows = try object.decision.into(layer: call.layer(1, from: 1), state: object.state(call, 2))
            return iterator(call, arrows.map { arrow in { $0.push(object.value(ofState: arrow.from)) + $0.push(GateObject(arrow.gate)) + $0.push(arrow.id + 1) } })
        },
        pathMethod(
            "reached", [Argument("layer", .integer, "0: where paths start")], "Goes over the states that are reached after a layer: state and handle.",
            "for state, weight in paths:reached(layer) do ... end. The handle multiplies by 1, and closes what it is for in runs in which no active arrow leads to the state."
        ) { object, call in
            let states = try object.decision.reached(layer: call.layer(1, from: 0))
            return iterator(call, states.map { state in { $0.push(object.value(ofState: state.state)) + $0.push(GateObject(state.gate)) } })
        },
    ]

    private static func pathMethod(
        _ name: String, _ parameters: [Argument], _ summary: String, _ detail: String, _ body: @escaping (DecisionObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "decision", name: name, parameters: parameters, returns: [Returns(.function, "an iterator for `for`")], summary: summary, detail: detail,
            example: """
                local seen = {}
                local space = nas.space(function(c)
                  local paths = nas.paths('paths', {layers = 2, states = {4, 8}})
                  for from, to, id in paths:arrows(2) do seen[#seen + 1] = from .. '-' .. to end
                  return nn.relu()
                end)
                print(table.concat(seen, ' '))  --> 4-4 4-8 8-4 8-8
                """
        ) { call in try body(call.this(as: DecisionObject.self), call) }
    }

    /// Pushes a function that pushes the next of `items` at each call.
    private static func iterator(_ call: Call, _ items: [(Call) throws -> Int]) -> Int {
        var next = 0
        return call.push(function: "iterator") { call in
            guard next < items.count else { return call.pushNil() }
            next += 1
            return try items[next - 1](call)
        }
    }

    /// The position of a state that an argument names.
    private func state(_ call: Call, _ i: Int) throws -> Int {
        let wanted = try call.value(i).source
        if let position = options.firstIndex(where: { $0.source == wanted }) { return position }
        throw call.bad(i, "one of the states \(options.map(\.source).joined(separator: ", ")) expected, got \(wanted)")
    }
}

/// What multiplies an option, as Lua holds it.
public final class GateObject: LuaObject {
    let gate: Gate
    init(_ gate: Gate) { self.gate = gate }

    public static let objectType = ObjectType(
        "gate", of: GateObject.self, summary: "A handle from decision:weight: for nas.when.",
        fields: [
            Field("w", .union([.tensor, .number]), "The weight, a tensor [1]; 1 in the network of one architecture.", get: { call in
                let gate = try call.this(as: GateObject.self).gate
                return gate.weight.map { call.push($0) } ?? call.push(1)
            }),
            Field("p", .union([.tensor, .number]), "The probability that the option is used, a tensor [1]; 1 in the network of one architecture.", get: { call in
                let gate = try call.this(as: GateObject.self).gate
                return try gate.probability().map { call.push($0) } ?? call.push(1)
            }),
        ],
        describe: { "gate of \($0.gate.condition.decision)" })
}

extension Call {
    /// Argument `i` as a position of an option from 0.
    fileprivate func option(_ i: Int, of decision: BuiltDecision) throws -> Int {
        let number: Int = try get(i)
        guard (1...max(decision.decision.optionCount, 1)).contains(number) else {
            throw bad(i, "decision '\(decision.decision.name)' has options 1 to \(decision.decision.optionCount), got \(number)")
        }
        return number - 1
    }

    fileprivate func layer(_ i: Int, from least: Int) throws -> Int {
        let number: Int = try get(i)
        guard number >= least else { throw bad(i, "a layer from \(least) on expected, got \(number)") }
        return number
    }

    /// Pushes a count: an integer where Lua has it, else its digits.
    func push(count: Natural) -> Int { count.int.map { push($0) } ?? push("\(count)") }
}

/// `nas.choice`, `nas.subset`, `nas.paths`, `nas.number`, `nas.branches`.
enum DecisionBindings {
    static let all = [choice, subset, paths, number, branches]

    private static let name = Argument("name", .string, "one name, one decision: a second call with it gives the first again")
    private static let within = Option("within", .table, "{decision, i}: it matters only where option (arrow) i of that decision is on")

    private static func binding(
        _ name: String, _ parameters: [Argument], _ options: [Option], _ summary: String, _ detail: String, example: String, _ make: @escaping (Call) throws -> (Domain, [LuaValue])
    ) -> Binding {
        Binding(
            module: "nas", name: name, parameters: [DecisionBindings.name] + parameters, options: options + [within], returns: [Returns(.object("decision"))], summary: summary,
            detail: detail + " Only in the function of nas.space; elsewhere an error. The name decides: sharing a decision is using its name again, another domain under it is an error that names both places.",
            example: example
        ) { call in
            let decided: String = try call.get(1)
            let construction = try Construction.required(for: "nas.\(name)")
            let (domain, options) = try make(call)
            guard !ArchitectureObject.reserved.contains(decided) else { throw call.bad(1, "'\(decided)' is a method of architectures, another name expected") }
            let decision = try construction.decide(decided, domain, within: literal(call), place: Stack.place(call.thread))
            return call.push(DecisionObject(decision, options: options))
        }
    }

    private static func literal(_ call: Call) throws -> Literal? {
        guard let table = try call.option(ifPresent: "within", as: LuaValue.self)?.table else { return nil }
        guard let outer: DecisionObject = table[1].object(), let i = table[2].integer else {
            throw call.badOption("within", "{decision, i} expected: a decision and one of its options, or arrows, from 1")
        }
        return Literal(decision: outer.decision.decision.name, option: i - 1)
    }

    /// Labels of a list of names and numbers.
    private static func labels(_ values: [LuaValue], _ fail: (String) -> any Error) throws -> [String] {
        try values.enumerated().map { i, value in
            switch value {
            case .string(let text): return text
            case .integer, .number, .boolean: return value.source
            default: throw fail("element \(i + 1) is a \(value.typeName); names or numbers expected")
            }
        }
    }

    private static func list(_ call: Call, _ i: Int) throws -> (values: [LuaValue], labels: [String]) {
        let values = try call.get(i, as: [LuaValue].self)
        return (values, try labels(values) { call.bad(i, $0) })
    }

    private static let options = Argument("options", .list(.any), "names or numbers")

    private static let choice = binding(
        "choice", [options], [Option("ordered", .boolean, default: false, "neighbours are the next options only")],
        "One of several options.", "\"none\" stands for nothing: it has a logit, and it is never decoded, counted or drawn by space:random.",
        example: DecisionObject.sample + "print(space:count())  --> 2"
    ) { call in
        let (values, labels) = try list(call, 2)
        return (.choice(try Choice(options: labels, isOrdered: call.option("ordered"))), values)
    }

    private static let subset = binding(
        "subset", [options], [Option("least", .integer, default: 1, "of options that are on"), Option("most", .integer, "of options that are on; all when left out")],
        "A set of options.", "", example: "print(nas.space(function(c) nas.subset('rates', {1, 2, 3}) return nn.relu() end):count())  --> 7"
    ) { call in
        let (values, labels) = try list(call, 2)
        return (.subset(try Subset(options: labels, least: call.option("least"), most: call.option(ifPresent: "most"))), values)
    }

    private static let number = binding(
        "number", [Argument("low", .number), Argument("high", .number)],
        [Option("step", .number, "1 when left out; on a logarithmic grid a factor, 2 when left out"), Option("log", .boolean, default: false, "a logarithmic grid")],
        "One number of a grid.", "An ordered choice; `options` are the numbers.", example: "print(nas.space(function(c) nas.number('width', 8, 16, {step = 4}) return nn.relu() end):count())  --> 3"
    ) { call in
        let number = try Number(low: call.get(2), high: call.get(3), step: call.option(ifPresent: "step"), isLogarithmic: call.option("log"))
        return (.number(number), number.values.map { value in Int(exactly: value).map { .integer($0) } ?? .number(value) })
    }

    private static let branches = binding(
        "branches", [Argument("states", .list(.any)), Argument("options", .list(.any))], [Option("keep", .integer, default: 2, "pairs that a block keeps")],
        "Pairs of a state and an option, as a block of a cell has them (DARTS' rule).",
        "Each state mixes its options by the relaxation of its row; decoding takes each state's strongest option other than \"none\", then the `keep` strongest states. Option of "
            + "`on` and `weight`: (state - 1) * #options + option.",
        example: "print(nas.space(function(c) nas.branches('block', {'a', 'b', 'c'}, {'skip', 'conv'}) return nn.relu() end):count())  --> 12"
    ) { call in
        let (_, states) = try list(call, 2), (values, labels) = try list(call, 3)
        return (.branches(try Branches(states: states, options: labels, keep: call.option("keep"))), values)
    }

    private static let paths = Binding(
        module: "nas", name: "paths", parameters: [name],
        options: [
            Option("layers", .integer, required: true, "arrows of a path"), Option("states", .list(.any), required: true, "names or numbers, strides say"),
            Option("start", .list(.any), "states where paths start; the first when left out"),
            Option("arrows", .function, "of layer, from, to: whether the arrow exists; all when left out"),
            Option("many", .boolean, default: false, "several at once: a non-empty set of arrows a layer, what a layer reaches is what the next leaves from"), within,
        ], returns: [Returns(.object("decision"))], summary: "A way through layers of states: one arrow a layer, each leaving where the last arrived.",
        detail: "Only arrows that lie on a way from a start to the last layer exist; any two states may be joined. Logits [arrows], by layer, source, target.",
        example: "print(nas.space(function(c) nas.paths('paths', {layers = 3, states = {4, 8}}) return nn.relu() end):count())  --> 8"
    ) { call in
        let name: String = try call.get(1)
        let construction = try Construction.required(for: "nas.paths")
        guard !ArchitectureObject.reserved.contains(name) else { throw call.bad(1, "'\(name)' is a method of architectures, another name expected") }
        let values = try call.option("states", as: [LuaValue].self)
        let states = try labels(values) { call.badOption("states", $0) }
        let start = try call.option(ifPresent: "start", as: [LuaValue].self).map { try labels($0) { call.badOption("start", $0) } }
        let positions = try start?.map { label in
            guard let position = states.firstIndex(of: label) else { throw call.badOption("start", "'\(label)' is none of the states \(states.joined(separator: ", "))") }
            return position
        }
        let admits: LuaFunction? = try call.option(ifPresent: "arrows")
        let paths = try Paths(layers: call.option("layers"), states: states, start: positions ?? [0], isMany: call.option("many")) { layer, from, to in
            try admits?.call(layer, values[from], values[to], returning: Bool.self, expected: .boolean, from: "arrows") ?? true
        }
        let decision = try construction.decide(name, .paths(paths), within: literal(call), place: Stack.place(call.thread))
        return call.push(DecisionObject(decision, options: values))
    }
}
