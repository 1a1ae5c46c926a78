import Base
import CLua
import Networks
import Search
import Tensors

/// Methods of spaces, whatever their decisions.
enum SpaceMethods {
    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (SpaceObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "space", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: DecisionObject.sample + example, body: { call in try body(call.this(as: SpaceObject.self), call) })
    }

    private static let architecture = Argument("architecture", .object("architecture"))
    private static let seed = Option("seed", .integer, default: 0, "which one")
    private static let one = [Returns(.object("architecture"))]
    private static let classes = Option("classes", .integer, "number of classes, instead of the space's; nas.trellis has none of its own and needs it")

    /// What argument `i` decides.
    private static func assignment(_ space: SpaceObject, _ call: Call, _ i: Int) throws -> Assignment { try space.assignment(of: call.get(i, as: ArchitectureObject.self)) }

    static let all: [Binding] = [
        method(
            "count", returns: [Returns(.union([.object("space_count"), .integer, .string]))], "How many architectures there are, exactly.",
            "Of nas.trellis a table with the fields paths, cells, joint, nodes, arrows, edges and more, which prints as a text; else a number, or its digits where that is no integer of Lua. A "
                + "filter of `where` is not counted.",
            example: "print(space:count())  --> 2\nprint(nas.trellis{}:count().paths, nas.trellis{}:count().cells)  --> 75025\t556627761561600"
        ) { space, call in
            if space.isWhole, let trellis = space.space.trellis { return call.push(SpaceCountObject(trellis.count())) }
            return call.push(count: try space.decisions.count())
        },
        method("random", options: [seed], returns: one, "An architecture, each equally likely.", "The baseline that a search has to beat.", example: "print(#space:random{seed = 1})  --> 1") { space, call in
            let seed: UInt64 = try call.option("seed")
            let drawn = try space.decisions.random(seed: seed, where: space.filter)
            return call.push(try ArchitectureObject(drawn, in: space.space, Provenance(seed: seed, source: "drawn at random")))
        },
        method(
            "mutate", [architecture], options: [seed], returns: one, "The architecture with one decision drawn anew among its other values.", "What becomes active is drawn.",
            example: "local a = space:random{seed = 1}\nprint(space:mutate(a, {seed = 2}):same(a))  --> false"
        ) { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            return call.push(try space.architecture(space.decisions.mutate(assignment(space, call, 1), using: &generator, where: space.filter)))
        },
        method("neighbours", [architecture], returns: [Returns(.list(.object("architecture")))], "All that differ in the smallest change of one decision.",
            example: "print(#space:neighbours(space:random{seed = 1}))  --> 1") { space, call in
            let all = try space.decisions.neighbours(of: assignment(space, call, 1), where: space.filter).map { try space.architecture($0) }
            return call.push(LuaValue.table(LuaTable(list: all.map { .object($0) })))
        },
        method("cross", [architecture, Argument("other", .object("architecture"))], options: [seed], returns: one, "Each decision from one of two parents.",
            example: "local a = space:random{seed = 1}\nprint(space:cross(a, a):same(a))  --> true") { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            let (a, b) = (try assignment(space, call, 1), try assignment(space, call, 2))
            return call.push(try space.architecture(space.decisions.cross(a, b, using: &generator, where: space.filter)))
        },
        method("each", returns: [Returns(.function, "an iterator for `for`")], "Goes over all architectures, in a fixed order.",
            example: "local n = 0\nfor a in space:each() do n = n + 1 end\nprint(n)  --> 2") { space, call in
            var rest = try space.decisions.each()
            return call.push(function: "each", holding: space) { call in
                while let next = rest.next() {
                    if try space.filter?(next) ?? true { return call.push(try space.architecture(next)) }
                }
                return call.pushNil()
            }
        },
        method("encode", [architecture], returns: [Returns(.tensor, "[entries]")], "One-hot of all decisions, zeros where inactive.", example: "print(space:encode(space:random{seed = 1}):sum():item())  --> 1.0") { space, call in
            let code = try space.space.decisions.encode(assignment(space, call, 1))
            return call.push(try Tensor(code, shape: [code.count]))
        },
        method("distance", [architecture, Argument("other", .object("architecture"))], returns: [Returns(.integer)], "How much two architectures differ: entries of `encode`.",
            example: "local a = space:random{seed = 1}\nprint(space:distance(a, a))  --> 0") { space, call in
            call.push(try space.space.decisions.distance(assignment(space, call, 1), assignment(space, call, 2)))
        },
        method("load", [Argument("path", .string, "a JSON file that architecture:save wrote")], returns: one, "Reads an architecture of this space.", "A file of another space is an error that says what differs.",
            example: "space:random{seed = 1}:save('found.json')\nprint(#space:load('found.json'))  --> 1") { space, call in
            let path: String = try call.get(1)
            let file = try ArchitectureFile(contentsOf: path), assignment = try file.assignment(in: space.space.record, at: path)
            if space.space.trellis != nil, let found = try file.architecture(file: path, catalogue: ScriptOperators.catalogue) { return call.push(ArchitectureObject(found)) }
            return call.push(try space.architecture(assignment))
        },
        method("where", [Argument("accepts", .function, "of an architecture, returns a boolean")], returns: [Returns(.object("space"))], "The same space without what `accepts` refuses.",
            "random, mutate, cross, neighbours, each and decoding follow it; 1,000 refusals in a row are an error.",
            example: "print(space:where(function(a) return a.op == 'skip_connect' end):random{seed = 1}.op)  --> skip_connect") { space, call in
            let anchor = LuaAnchor(call.thread), accepts = try call.get(1, as: LuaFunction.self).kept(by: anchor), before = space.filter, whole = space.space
            return call.push(SpaceObject(whole, decisions: space.decisions, filter: { assignment in
                guard try before?(assignment) ?? true else { return false }
                return try accepts.call(ArchitectureObject(assignment, in: whole), returning: Bool.self, expected: .boolean, from: "the function of space:where")
            }, anchors: space.anchors + [anchor]))
        },
        method("fix", [Argument("values", .table, "by the names of decisions, as architectures have them")], returns: [Returns(.object("space"))],
            "The space with some decisions made: fewer decisions over the same function.", "A supernet of the larger space decodes into it: net:decode{within = smaller}.",
            example: "print(space:fix{op = 'skip_connect'}:count())  --> 1") { space, call in
            let values = try call.value(1).table?.fields ?? [:]
            var fixed: [String: Value] = [:]
            for (name, value) in values {
                guard let decision = space.decisions[name] else { throw SpaceError.unknown("decision", name, known: space.decisions.decisions.map(\.name), at: "fix") }
                fixed[name] = try space.decisions.value(json: value.json { call.bad(1, $0) }, of: decision, at: name)
            }
            return call.push(SpaceObject(space.space, decisions: try space.decisions.fixing(fixed), filter: space.filter, anchors: space.anchors))
        },
        method(
            "supernet",
            options: [
                classes, Option("seed", .integer, default: 0, "decides every initial weight and logit"),
                Option("ignore", .integer, default: 255, "label of pixels that do not count; to be said with more than 255 classes"),
                Option("relax", .table, "relaxations by names and patterns of decisions (\"*\" for any characters): the exact name first, then the longest pattern; softmax where none fits. Hard ones "
                    + "compute what was drawn only"),
                Option(
                    "recompute", .choice(Recomputation.allCases.map(\.rawValue)), default: "cheap",
                    """
                    what a step computes again instead of keeping it from the forward pass: 'none' is the fastest; 'cheap' repeats what takes one pass over memory; \
                    'convolutions' repeats those too, one cell at a time, for the least memory
                    """),
            ], returns: [Returns(.object("supernet"))], "The network that holds every architecture of the space at once, with logits for each decision.",
            "Logits start as 0.001 · N(0, 1). Those of nas.trellis are alpha and beta, its weights uniform in ±1/sqrt(fan-in); see space:estimate for what it needs.",
            example: """
                print(space:supernet{relax = {['*'] = nas.gumbel{hard = true}}}:architecture():names()[1])  --> op
                local trellis = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
                local supernet = trellis:supernet{classes = 3, seed = 1}
                print(#supernet:architecture(), table.concat(supernet:alpha().shape, ' '))  --> 2	2 2
                """
        ) { space, call in
            let classes: Int? = try call.option(ifPresent: "classes"), ignore = try call.ignoredLabel(of: classes ?? space.space.classes ?? 0)
            let (relax, anchors) = try RelaxationBindings.relaxations(call, call.option(ifPresent: "relax"))
            let net = try space.space.supernet(classes: classes, seed: call.option("seed"), relax: relax)
            net.ignore = ignore
            net.recompute = Recomputation(rawValue: try call.option("recompute")) ?? .cheap
            return call.push(SupernetObject(net, space: space, anchors: anchors, losses: ScriptedLosses(call)))
        },
        method(
            "network", [architecture],
            options: [Option("from", .object("supernet"), "whose weights it starts with, by name and where shapes allow"), classes, Option("seed", .integer, default: 0, "of its initial weights")],
            returns: [Returns(.object("module"))], "The network of an architecture, a module as any other: fit, evaluate, export, count, save.",
            "The space's function again, building only what was chosen. Of nas.trellis what the paper trains after a search, with the space's filters; architecture:network has more options.",
            example: "print(space:network(space:random{seed = 1})(tensor.ones(1, 4, 5, 5)):size(2))  --> 4"
        ) { space, call in
            let object: ArchitectureObject = try call.get(1), assignment = try space.assignment(of: object)
            let source = try call.option(ifPresent: "from", as: SupernetObject.self)?.net
            let (classes, seed): (Int?, UInt64) = (try call.option(ifPresent: "classes"), try call.option("seed"))
            let network = try space.space.network(assignment, from: source, classes: classes, seed: seed)
            if let found = object.trellis { (network as? DerivedNetwork)?.note(found) }
            if !(network is DerivedNetwork) {
                ModelRecord.of(network) { $0.origin = NetworkOrigin(ArchitectureFile(assignment, of: space.space.record), classes: classes ?? source?.classes ?? space.space.classes, seed: seed) }
            }
            return call.push(network)
        },
        method(
            "cost", [architecture, CostBindings.kind], options: [Option("input", .list(.integer), "shape of the input; not needed for parameters"), classes],
            returns: [Returns(.union([.integer, .number]))], "What the network of an architecture costs, exactly.", "What space:network(architecture):count() says.",
            example: "print(space:cost(space:fix{op = 'sep_conv_3x3'}:random{}, nas.cost.parameters))  --> 104"
        ) { space, call in
            let cost = try space.space.cost(
                assignment(space, call, 1), CostBindings.kind(call, 2), input: call.option(ifPresent: "input"), classes: call.option(ifPresent: "classes"))
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
