import Search
import Tensors

/// How large a space is, as Lua holds it.
final class SpaceCountObject: LuaObject {
    let count: SpaceCount
    init(_ count: SpaceCount) { self.count = count }

    private static func number(_ name: String, _ doc: String, _ get: @escaping (SpaceCount) -> LuaValue) -> Field {
        Field(name, .union([.integer, .string]), doc, of: { (c: SpaceCountObject) in get(c.count) })
    }

    static let objectType = ObjectType(
        "space_count", of: SpaceCountObject.self, summary: "The size of a search space, exactly.",
        detail: "Numbers beyond Lua's integers are strings of their digits.",
        fields: [
            number("nodes", "Nodes that hold a cell.") { .integer($0.nodes) }, number("arrows", "Arrows of the trellis.") { .integer($0.arrows) },
            number("edges", "Edges of the cell.") { .integer($0.edges) }, number("paths", "Paths from the stem to layer L.") { $0.paths.luaValue },
            number("paths_from_finest", "Of these, those that start at the finest stride.") { $0.pathsFromFinest.luaValue },
            number("cells", "Cells as the paper counts them: Π over blocks of n²·K², n states, K operators.") { $0.cells.luaValue },
            number("decodable_cells", "Cells that decoding can give: two different states a block, no 'none'.") { $0.decodableCells.luaValue },
            number("joint", "Paths times cells.") { $0.joint.luaValue },
        ],
        describe: { $0.count.description })
}

extension Natural {
    var luaValue: LuaValue { int.map { .integer($0) } ?? .string(description) }
}

/// What a supernet will cost, as Lua holds it.
final class SpaceEstimateObject: LuaObject {
    let estimate: SpaceEstimate
    init(_ estimate: SpaceEstimate) { self.estimate = estimate }

    private static func number(_ name: String, _ doc: String, _ get: @escaping (SpaceEstimate) -> Int) -> Field {
        Field(name, .integer, doc, of: { (e: SpaceEstimateObject) in get(e.estimate) })
    }

    static let objectType = ObjectType(
        "space_estimate", of: SpaceEstimateObject.self, summary: "What a supernet will cost, from sizes alone.",
        detail: "Counts follow the mathematics as written, every arrow with its whole cell; a compiled plan shares what is equal and keeps less.",
        fields: [
            number("parameters", "Weights, without alpha and beta.") { $0.parameters },
            number("architecture_parameters", "Entries of alpha and beta.") { $0.architectureParameters },
            number("multiply_adds", "Of one forward pass of the batch.") { $0.multiplyAdds },
            number("weight_step", "Multiply-adds of a step of the weights.") { $0.weightStepMultiplyAdds },
            number("architecture_step", "Multiply-adds of a step of alpha and beta.") { $0.architectureStepMultiplyAdds },
            number("search_step", "Multiply-adds of both.") { $0.searchStepMultiplyAdds },
            number("activation_bytes", "Bytes that the backward pass reads again.") { $0.activationBytes },
            number("weight_bytes", "Bytes of weights, gradients and momentum.") { $0.weightBytes },
            number("total_bytes", "Bytes of both.") { $0.totalBytes },
            Field("parts", .list(.table), "Stem, layers, heads: {name, nodes, arrows, parameters, multiply_adds, activations}, the last two for one image.",
                of: { (e: SpaceEstimateObject) in
                    e.estimate.parts.map { part in
                        LuaValue.table(LuaTable(fields: [
                            "name": .string(part.name), "nodes": .integer(part.nodes), "arrows": .integer(part.arrows),
                            "parameters": .integer(part.cost.parameters), "multiply_adds": .integer(part.cost.multiplyAdds),
                            "activations": .integer(part.cost.activations),
                        ]))
                    }
                }),
        ],
        describe: { $0.estimate.description })
}

/// Methods of spaces.
enum SpaceMethods {
    static let all: [Binding] = [count, estimate, random, sizes, has, draw, supernet]

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "space", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: example,
            body: body)
    }

    private static let count = method(
        "count", returns: [Returns(.object("space_count"))], "How large the space is, exactly.",
        "Fields paths, cells, joint, nodes, arrows, edges and more; prints as a text. Pure arithmetic, whatever the size.",
        example: "print(nas.trellis{}:count().paths, nas.trellis{}:count().cells)  --> 75025\t556627761561600"
    ) { call in call.push(SpaceCountObject(try call.this(as: SpaceObject.self).space.count())) }

    private static let estimate = method(
        "estimate",
        options: [
            Option("crop", Kind.integers, default: 321, "side of the pictures, or {height, width}"), Option("batch", .integer, default: 2, "pictures in a batch"),
            Option("classes", .integer, default: 19, "of the heads"),
        ], returns: [Returns(.object("space_estimate"))], "What the supernet will cost: parameters, multiply-adds, memory.",
        "Nothing is allocated. Multiply-adds are those of convolutions, as the field counts them. Fields parameters, multiply_adds, search_step, total_bytes and more; prints as a table.",
        example: "print(nas.trellis{layers = 4}:estimate{crop = {96, 128}, batch = 4, classes = 5}.multiply_adds > 1e9)  --> true"
    ) { call in
        let (height, width) = try call.pair("crop")
        return call.push(SpaceEstimateObject(try call.this(as: SpaceObject.self).space.estimate(
            height: height, width: width, batch: call.option("batch"), classes: call.option("classes"), catalogue: ScriptOperators.catalogue)))
    }

    private static let random = method(
        "random", options: [Option("seed", .integer, default: 0, "which one")], returns: [Returns(.object("architecture"))],
        "An architecture of the space, each equally likely.", "The baseline that a search has to beat.",
        example: "print(#nas.trellis{layers = 6}:random{seed = 1}.path)  --> 6"
    ) { call in call.push(ArchitectureObject(try call.this(as: SpaceObject.self).space.randomArchitecture(seed: call.option("seed")))) }

    private static let sizes = method(
        "sizes", [Argument("crop", Kind.integers, "side of the picture, or {height, width}")], returns: [Returns(.list(.list(.integer)), "{height, width} of each stride")],
        "The size of the nodes of each stride: halved by ceil.", example: "print(nas.trellis{}:sizes(321)[2][1])  --> 41"
    ) { call in
        let crop: [Int] = try call.get(1)
        guard (1...2).contains(crop.count), crop.allSatisfy({ (1...1 << 20).contains($0) }) else {
            throw call.bad(1, "a side or {height, width} expected, each 1 to \(1 << 20)")
        }
        return call.push(try call.this(as: SpaceObject.self).space.sizes(height: crop[0], width: crop[crop.count - 1]).map { [$0.height, $0.width] })
    }

    private static let has = method(
        "has", [Argument("layer", .integer, "1 to L"), Argument("from", .integer, "stride"), Argument("to", .integer, "stride")], returns: [Returns(.boolean)],
        "Whether the arrow into that layer exists.", example: "print(nas.trellis{layers = 3}:has(1, 4, 16))  --> false"
    ) { call in
        let space = try call.this(as: SpaceObject.self).space
        let (from, to): (Int, Int) = (try call.get(2), try call.get(3))
        guard let source = space.level(ofStride: from), let target = space.level(ofStride: to), let move = Move(rawValue: target - source + 1) else {
            return call.push(false)
        }
        return call.push(space.contains(TrellisArrow(layer: try call.get(1), from: source, move: move)))
    }

    private static let draw = method(
        "draw", returns: [Returns(.string)], "The nodes and arrows that exist, as text.", example: "print(nas.trellis{layers = 2}:draw():match('layer'))  --> layer"
    ) { call in call.push(try call.this(as: SpaceObject.self).space.drawing) }

    private static let supernet = method(
        "supernet",
        options: [
            Option("classes", .integer, required: true, "number of classes, 2 or more"), Option("seed", .integer, default: 0, "decides every initial weight"),
            Option("ignore", .integer, default: 255, "label of pixels that do not count; to be said with more than 255 classes"),
            Option(
                "relax", .table,
                "relaxations of the decisions \"paths\" and \"cell.1\", \"cell.2\", ... by names and patterns (\"*\" for any characters); softmax where none fits. Hard ones compute what was drawn only"),
            Option(
                "recompute", .choice(Recomputation.allCases.map(\.rawValue)), default: "cheap",
                """
                what a step computes again instead of keeping it from the forward pass: 'none' is the fastest; 'cheap' repeats what takes one pass over memory; \
                'convolutions' repeats those too, one cell at a time, for the least memory
                """),
        ], returns: [Returns(.object("supernet"))], "The network that holds every architecture of the space at once.",
        "Weights uniform in ±1/sqrt(fan-in), alpha and beta 0.001 · N(0, 1). See space:estimate for what it needs.",
        example: """
            local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
            local supernet = space:supernet{classes = 3, seed = 1}
            print(#supernet:architecture(), table.concat(supernet:alpha().shape, ' '))  --> 2	2 2
            """
    ) { call in
        let classes: Int = try call.option("classes"), ignore = try call.ignoredLabel(of: classes)
        let net = try Supernet(call.this(as: SpaceObject.self).space, classes: classes, seed: call.option("seed"))
        net.ignore = ignore
        net.recompute = Recomputation(rawValue: try call.option("recompute")) ?? .cheap
        let (relax, anchors) = try RelaxationBindings.relaxations(call, call.option(ifPresent: "relax"))
        if call.hasOption("relax") { try net.relax(relax) }
        return call.push(SupernetObject(net, anchors: anchors, losses: ScriptedLosses(call)))
    }
}
