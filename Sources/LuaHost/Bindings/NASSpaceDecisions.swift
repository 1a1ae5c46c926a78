import Networks
import Search
import Tensors

extension SpaceObject: DecisionSpace {
    var decisions: DecisionList { list }
    var filter: Filter? { nil }
    func architecture(_ assignment: Assignment) throws -> any LuaObject { ArchitectureObject(try space.architecture(of: assignment)) }
    func assignment(_ value: LuaValue) throws -> Assignment? { try value.object(as: ArchitectureObject.self).map { try space.assignment(of: $0.architecture) } }
}

/// Methods of the stock space that follow from its decisions.
enum SpaceDecisionMethods {
    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (SpaceObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "space", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: sample + example,
            body: { call in try body(call.this(as: SpaceObject.self), call) })
    }

    private static let sample = "local space = nas.trellis{layers = 3, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}\n"
    private static let architecture = Argument("architecture", .object("architecture"))
    private static let seed = Option("seed", .integer, default: 0, "which one")
    private static let one = [Returns(.object("architecture"))]

    private static func assignment(_ space: SpaceObject, _ call: Call, _ i: Int) throws -> Assignment { try space.space.assignment(of: call.get(i, as: ArchitectureObject.self).architecture) }
    private static func object(_ space: SpaceObject, _ assignment: Assignment) throws -> ArchitectureObject { ArchitectureObject(try space.space.architecture(of: assignment)) }

    static let all: [Binding] = [
        method("mutate", [architecture], options: [seed], returns: one, "The architecture with its path, or one block of its cell, drawn anew.",
            example: "local a = space:random{seed = 1}\nprint(space:mutate(a, {seed = 2}):same(a))  --> false") { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            return call.push(try object(space, space.list.mutate(assignment(space, call, 1), using: &generator)))
        },
        method("neighbours", [architecture], returns: [Returns(.list(.object("architecture")))], "All that differ in the smallest change of the path or of one block.",
            example: "print(#space:neighbours(space:random{seed = 1}) > 1)  --> true") { space, call in
            let all = try space.list.neighbours(of: assignment(space, call, 1)).map { try object(space, $0) }
            return call.push(LuaValue.table(LuaTable(list: all.map { .object($0) })))
        },
        method("cross", [architecture, Argument("other", .object("architecture"))], options: [seed], returns: one, "Path and blocks, each from one of two parents.",
            example: "local a = space:random{seed = 1}\nprint(space:cross(a, a):same(a))  --> true") { space, call in
            var generator = SplitMix64(seed: try call.option("seed"))
            return call.push(try object(space, space.list.cross(assignment(space, call, 1), assignment(space, call, 2), using: &generator)))
        },
        method("each", returns: [Returns(.function, "an iterator for `for`")], "Goes over all architectures, in a fixed order.",
            example: "local n = 0\nfor a in space:each() do n = n + 1 end\nprint(n)  --> 32") { space, call in
            var rest = try space.list.each()
            return call.push(function: "each", holding: space) { call in
                guard let next = rest.next() else { return call.pushNil() }
                return call.push(try object(space, next))
            }
        },
        method("encode", [architecture], returns: [Returns(.tensor, "[entries]")], "One-hot of path and cell.", example: "print(space:encode(space:random{seed = 1}):sum():item())  --> 5.0") { space, call in
            let code = try space.list.encode(assignment(space, call, 1))
            return call.push(try Tensor(code, shape: [code.count]))
        },
        method("distance", [architecture, Argument("other", .object("architecture"))], returns: [Returns(.integer)], "How much two architectures differ: entries of `encode`.",
            example: "local a = space:random{seed = 1}\nprint(space:distance(a, a))  --> 0") { space, call in
            call.push(try space.list.distance(assignment(space, call, 1), assignment(space, call, 2)))
        },
        method(
            "network", [architecture], options: [Option("classes", .integer, required: true, "number of classes"), seed, Option("from", .object("supernet"), "start from its weights where shapes allow")],
            returns: [Returns(.object("module"))], "The network of an architecture, with the space's filters.", "architecture:network has more options.",
            example: "print(space:network(space:random{seed = 1}, {classes = 3}):count().parameters > 0)  --> true"
        ) { space, call in
            let found = try call.get(1, as: ArchitectureObject.self).architecture
            try found.validate(in: space.space)
            let source = try call.option(ifPresent: "from", as: SupernetObject.self)?.net
            let network = try DerivedNetwork(found, DerivedOptions(filters: space.space.filters, classes: call.option("classes")), seed: call.option("seed"), catalogue: ScriptOperators.catalogue)
            if let source { _ = try network.takeWeights(from: source) }
            return call.push(network as Module)
        },
        method(
            "cost", [architecture, CostBindings.kind], options: [Option("input", .list(.integer), "shape of the images; not needed for parameters"), Option("classes", .integer, required: true, "number of classes")],
            returns: [Returns(.union([.integer, .number]))], "What the network of an architecture costs, exactly.", "What space:network(architecture, ...):count() says.",
            example: "print(space:cost(space:random{seed = 1}, nas.cost.parameters, {classes = 3}) > 0)  --> true"
        ) { space, call in
            let found = try call.get(1, as: ArchitectureObject.self).architecture
            try found.validate(in: space.space)
            let network = try DerivedNetwork(found, DerivedOptions(filters: space.space.filters, classes: call.option("classes")), seed: 0, catalogue: ScriptOperators.catalogue)
            let cost = try network.cost(CostBindings.kind(call, 2), input: call.option(ifPresent: "input"))
            return Int(exactly: cost).map { call.push($0) } ?? call.push(cost)
        },
    ]
}
