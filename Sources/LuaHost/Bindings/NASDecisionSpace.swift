import CLua
import Networks
import Search
import Tensors

/// A space of decisions as Lua holds it.
public final class DecisionSpaceObject: LuaObject, DecisionSpace {
    let space: ModuleSpace
    /// All of the space's decisions, or those that `fix` left open.
    let decisions: DecisionList
    let filter: Filter?
    let anchors: [LuaAnchor]

    init(_ space: ModuleSpace, decisions: DecisionList, filter: Filter?, anchors: [LuaAnchor]) {
        (self.space, self.decisions, self.filter, self.anchors) = (space, decisions, filter, anchors)
    }

    func architecture(_ assignment: Assignment) -> any LuaObject { AssignmentObject(assignment, of: space.record) }
    func assignment(_ value: LuaValue) -> Assignment? { value.object(as: AssignmentObject.self)?.assignment }

    public static let objectType = ObjectType(
        "decision_space", of: DecisionSpaceObject.self, summary: "A search space: a function that builds a network in which named decisions occur.",
        detail: "Made by nas.space. Printing it lists the decisions and how many architectures there are.",
        methods: DecisionSpaceMethods.all + [SpaceRecordMethods.record("decision_space") { (s: DecisionSpaceObject) in s.space.record }, SpaceRecordMethods.flow],
        fields: [
            Field("decisions", .list(.object("decision")), "The decisions that are open.", of: { (s: DecisionSpaceObject) in
                LuaValue.table(LuaTable(list: s.decisions.decisions.map { .object(DecisionObject($0)) }))
            }),
        ],
        unique: true, anchors: { $0.anchors }, describe: { try $0.text() })

    private func text() throws -> String {
        let count = try decisions.count()
        let rows = decisions.all.map { decision -> [String] in
            let fixed = decisions.fixed[decision.name].map { "fixed: \(decisions.text($0, of: decision))" }
            let parent = decision.parent.map { " (where \($0.decision) is \(decisions[$0.decision]?.domain.label(of: $0.option) ?? ""))" } ?? ""
            return [decision.name, fixed ?? decision.domain.summary + parent]
        }
        let width = rows.map(\.[0].count).max() ?? 0
        return rows.map { $0[0] + String(repeating: " ", count: width - $0[0].count + 2) + $0[1] }.joined(separator: "\n") + "\n\(decisions.decisions.count) decisions, \(count.int.map { Module.grouped($0) } ?? "\(count)") architectures"
            + (filter == nil ? "" : ", some of which a filter refuses")
    }
}

/// `nas.space`, and methods of its spaces.
enum DecisionSpaceMethods {
    static let binding = Binding(
        module: "nas", name: "space",
        parameters: [
            Argument("build", .function, "of a table; returns a module, in whose making decisions occur"),
            Argument("context", .table, optional: true, "what the table holds besides: classes, sizes"),
        ], returns: [Returns(.object("decision_space"))], summary: "A search space: a function that builds a network in which named decisions occur.",
        detail: """
            The function is run for the supernet, with all options, and for the network of an architecture, with what was chosen; its argument has `derived`, whether it is the \
            latter, `affine`, the same, and what you give. It must make the same decisions each time. Counts, sampling, the supernet, the network of an architecture and costs \
            follow from the decisions.
            """,
        example: DecisionObject.sample + "print(space:count(), #space.decisions)  --> 2\t1"
    ) { call in
        let build: LuaFunction = try call.get(1)
        let context = try call.has(2) ? call.value(2).table : nil
        let anchor = LuaAnchor(call.thread), kept = build.kept(by: anchor)
        let space = try ModuleSpace(classes: context?["classes"].integer) { told in
            var table = context ?? LuaTable()
            table.fields["derived"] = .boolean(told.isDerived)
            table.fields["affine"] = .boolean(told.isDerived)
            if let classes = told.classes { table.fields["classes"] = .integer(classes) }
            return try kept.call(LuaValue.table(table), returning: Module.self, expected: .object("module"), from: "the function of nas.space")
        }
        return call.push(try SpaceScripts.made(space, by: build, anchor, call))
    }

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (DecisionSpaceObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "decision_space", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: DecisionObject.sample + example, body: { call in try body(call.this(as: DecisionSpaceObject.self), call) })
    }

    private static let architecture = Argument("architecture", .object("assignment"))
    private static let seed = Option("seed", .integer, default: 0, "which one")
    private static let one = [Returns(.object("assignment"))]

    static let all: [Binding] = [
        method("count", returns: [Returns(.union([.integer, .string]))], "How many architectures there are, exactly; digits where that is no integer of Lua.", "A filter of `where` is not counted.",
            example: "print(space:count())  --> 2") { space, call in call.push(count: try space.decisions.count()) },
        method("random", options: [seed], returns: one, "An architecture, each equally likely.", example: "print(#space:random{seed = 1})  --> 1") { space, call in
            call.push(AssignmentObject(try space.decisions.random(seed: call.option("seed"), where: space.filter), of: space.space.record))
        },
        method(
            "mutate", [architecture], options: [seed], returns: one, "The architecture with one decision drawn anew among its other values.", "What becomes active is drawn.",
            example: "local a = space:random{seed = 1}\nprint(space:mutate(a, {seed = 2}):same(a))  --> false"
        ) { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            let a = try call.get(1, as: AssignmentObject.self).assignment
            return call.push(AssignmentObject(try space.decisions.mutate(a, using: &generator, where: space.filter), of: space.space.record))
        },
        method("neighbours", [architecture], returns: [Returns(.list(.object("assignment")))], "All that differ in the smallest change of one decision.",
            example: "print(#space:neighbours(space:random{seed = 1}))  --> 1") { space, call in
            let all = try space.decisions.neighbours(of: call.get(1, as: AssignmentObject.self).assignment, where: space.filter)
            return call.push(LuaValue.table(LuaTable(list: all.map { .object(AssignmentObject($0, of: space.space.record)) })))
        },
        method("cross", [architecture, Argument("other", .object("assignment"))], options: [seed], returns: one, "Each decision from one of two parents.",
            example: "local a = space:random{seed = 1}\nprint(space:cross(a, a):same(a))  --> true") { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            let (a, b) = (try call.get(1, as: AssignmentObject.self).assignment, try call.get(2, as: AssignmentObject.self).assignment)
            return call.push(AssignmentObject(try space.decisions.cross(a, b, using: &generator, where: space.filter), of: space.space.record))
        },
        method("each", returns: [Returns(.function, "an iterator for `for`")], "Goes over all architectures, in a fixed order.",
            example: "local n = 0\nfor a in space:each() do n = n + 1 end\nprint(n)  --> 2") { space, call in
            var rest = try space.decisions.each()
            return call.push(function: "each", holding: space) { call in
                while let next = rest.next() {
                    if try space.filter?(next) ?? true { return call.push(AssignmentObject(next, of: space.space.record)) }
                }
                return call.pushNil()
            }
        },
        method("encode", [architecture], returns: [Returns(.tensor, "[entries]")], "One-hot of all decisions, zeros where inactive.", example: "print(space:encode(space:random{seed = 1}):sum():item())  --> 1.0") { space, call in
            let code = try space.space.decisions.encode(call.get(1, as: AssignmentObject.self).assignment)
            return call.push(try Tensor(code, shape: [code.count]))
        },
        method("distance", [architecture, Argument("other", .object("assignment"))], returns: [Returns(.integer)], "How much two architectures differ: entries of `encode`.",
            example: "local a = space:random{seed = 1}\nprint(space:distance(a, a))  --> 0") { space, call in
            call.push(try space.space.decisions.distance(call.get(1, as: AssignmentObject.self).assignment, call.get(2, as: AssignmentObject.self).assignment))
        },
        method("load", [Argument("path", .string, "a JSON file that architecture:save wrote")], returns: one, "Reads an architecture of this space.", "A file of another space is an error that says what differs.",
            example: "space:random{seed = 1}:save('found.json')\nprint(#space:load('found.json'))  --> 1") { space, call in
            let path: String = try call.get(1)
            return call.push(AssignmentObject(try ArchitectureFile(contentsOf: path).assignment(in: space.space.record, at: path), of: space.space.record))
        },
        method("where", [Argument("accepts", .function, "of an architecture, returns a boolean")], returns: [Returns(.object("decision_space"))], "The same space without what `accepts` refuses.",
            "random, mutate, cross, neighbours, each and decoding follow it; 1,000 refusals in a row are an error.",
            example: "print(space:where(function(a) return a.op == 'skip_connect' end):random{seed = 1}.op)  --> skip_connect") { space, call in
            let anchor = LuaAnchor(call.thread), accepts = try call.get(1, as: LuaFunction.self).kept(by: anchor), before = space.filter, all = space.space.record
            return call.push(DecisionSpaceObject(space.space, decisions: space.decisions, filter: { assignment in
                guard try before?(assignment) ?? true else { return false }
                return try accepts.call(AssignmentObject(assignment, of: all), returning: Bool.self, expected: .boolean, from: "the function of space:where")
            }, anchors: space.anchors + [anchor]))
        },
        method("fix", [Argument("values", .table, "by the names of decisions, as architectures have them")], returns: [Returns(.object("decision_space"))],
            "The space with some decisions made: fewer decisions over the same function.", "A supernet of the larger space decodes into it: net:decode{within = smaller}.",
            example: "print(space:fix{op = 'skip_connect'}:count())  --> 1") { space, call in
            let values = try call.value(1).table?.fields ?? [:]
            var fixed: [String: Value] = [:]
            for (name, value) in values {
                guard let decision = space.decisions[name] else { throw SpaceError.unknown("decision", name, known: space.decisions.decisions.map(\.name), at: "fix") }
                fixed[name] = try space.decisions.value(json: value.json { call.bad(1, $0) }, of: decision, at: name)
            }
            return call.push(DecisionSpaceObject(space.space, decisions: try space.decisions.fixing(fixed), filter: space.filter, anchors: space.anchors))
        },
        method(
            "supernet",
            options: [
                Option("relax", .table, "relaxations by names and patterns of decisions (\"*\" for any characters): the exact name first, then the longest pattern; softmax where none fits"),
                Option("classes", .integer, "instead of the space's"), Option("seed", .integer, default: 0, "of its initial weights and logits"),
                Option("recompute", .choice(Recomputation.allCases.map(\.rawValue)), default: "cheap", "what a step computes again instead of keeping it"),
            ], returns: [Returns(.object("decision_supernet"))], "The network with all options, and logits for each decision.",
            example: "print(space:supernet{relax = {['*'] = nas.gumbel{hard = true}}}:architecture():names()[1])  --> op"
        ) { space, call in
            let (relax, anchors) = try RelaxationBindings.relaxations(call, call.option(ifPresent: "relax"))
            let net = try space.space.supernet(classes: call.option(ifPresent: "classes"), seed: call.option("seed"), relax: relax)
            net.recompute = Recomputation(rawValue: try call.option("recompute")) ?? .cheap
            return call.push(DecisionSupernetObject(net, space: space, anchors: anchors, losses: ScriptedLosses(call)))
        },
        method(
            "network", [architecture],
            options: [
                Option("from", .object("decision_supernet"), "whose weights it starts with, by name"), Option("classes", .integer, "instead of the space's"),
                Option("seed", .integer, default: 0, "of its initial weights"),
            ], returns: [Returns(.object("module"))], "The network of an architecture: the same function, building only what was chosen.", "A module as any other: fit, evaluate, export, count, save.",
            example: "print(space:network(space:random{seed = 1})(tensor.ones(1, 4, 5, 5)):size(2))  --> 4"
        ) { space, call in
            let source: DecisionSupernetObject? = try call.option(ifPresent: "from")
            let (assignment, classes, seed): (Assignment, Int?, UInt64) = (
                try call.get(1, as: AssignmentObject.self).assignment, try call.option(ifPresent: "classes"), try call.option("seed")
            )
            let network = try space.space.network(assignment, from: source?.net, classes: classes, seed: seed)
            ModelRecord.of(network) {
                $0.origin = NetworkOrigin(ArchitectureFile(assignment, of: space.space.record), classes: classes ?? source?.net.classes ?? space.space.classes, seed: seed)
            }
            return call.push(network)
        },
        method(
            "cost", [architecture, CostBindings.kind], options: [Option("input", .list(.integer), "shape of the input; not needed for parameters"), Option("classes", .integer, "instead of the space's")],
            returns: [Returns(.union([.integer, .number]))], "What the network of an architecture costs, exactly.", "What space:network(architecture):count() says.",
            example: "print(space:cost(space:fix{op = 'sep_conv_3x3'}:random{}, nas.cost.parameters))  --> 104"
        ) { space, call in
            let cost = try space.space.cost(
                call.get(1, as: AssignmentObject.self).assignment, CostBindings.kind(call, 2), input: call.option(ifPresent: "input"), classes: call.option(ifPresent: "classes"))
            return Int(exactly: cost).map { call.push($0) } ?? call.push(cost)
        },
    ]
}

extension LuaValue {
    /// A plain value as JSON.
    func json(_ fail: (String) -> any Error) throws -> JSONValue {
        switch self {
        case .nil: return .null
        case .boolean(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(let text): return .string(text)
        case .table(let table) where table.others.isEmpty && (table.fields.isEmpty || table.list.isEmpty):
            if table.fields.isEmpty { return .array(try table.list.map { try $0.json(fail) }) }
            return .object(try table.fields.sorted { $0.key < $1.key }.map { .init($0.key, try $0.value.json(fail)) })
        default: throw fail("names, numbers and lists of them expected, got a \(typeName)")
        }
    }
}
