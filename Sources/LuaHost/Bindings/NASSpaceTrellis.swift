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

/// Methods of spaces that are about a trellis.
enum TrellisMethods {
    static let all: [Binding] = [estimate, sizes, has, draw]

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns], _ summary: String, _ detail: String = "",
        example: String, body: @escaping (TrellisSpace, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "space", name: name, parameters: parameters, options: options, returns: returns, summary: summary,
            detail: (detail.isEmpty ? "" : detail + " ") + "Of nas.trellis with stock cells; an error for other spaces.", example: example
        ) { call in try body(call.this(as: SpaceObject.self).space.requireTrellis(for: name), call) }
    }

    private static let estimate = method(
        "estimate",
        options: [
            Option("crop", Kind.integers, default: 321, "side of the pictures, or {height, width}"), Option("batch", .integer, default: 2, "pictures in a batch"),
            Option("classes", .integer, default: 19, "of the heads"),
        ], returns: [Returns(.object("space_estimate"))], "What the supernet will cost: parameters, multiply-adds, memory.",
        "Nothing is allocated. Multiply-adds are those of convolutions, as the field counts them. Fields parameters, multiply_adds, search_step, total_bytes and more; prints as a table.",
        example: "print(nas.trellis{layers = 4}:estimate{crop = {96, 128}, batch = 4, classes = 5}.multiply_adds > 1e9)  --> true"
    ) { space, call in
        let (height, width) = try call.pair("crop")
        return call.push(SpaceEstimateObject(try space.estimate(
            height: height, width: width, batch: call.option("batch"), classes: call.option("classes"), catalogue: ScriptOperators.catalogue)))
    }

    private static let sizes = method(
        "sizes", [Argument("crop", Kind.integers, "side of the picture, or {height, width}")], returns: [Returns(.list(.list(.integer)), "{height, width} of each stride")],
        "The size of the nodes of each stride: halved by ceil.", example: "print(nas.trellis{}:sizes(321)[2][1])  --> 41"
    ) { space, call in
        let crop: [Int] = try call.get(1)
        guard (1...2).contains(crop.count), crop.allSatisfy({ (1...1 << 20).contains($0) }) else {
            throw call.bad(1, "a side or {height, width} expected, each 1 to \(1 << 20)")
        }
        return call.push(space.sizes(height: crop[0], width: crop[crop.count - 1]).map { [$0.height, $0.width] })
    }

    private static let has = method(
        "has", [Argument("layer", .integer, "1 to L"), Argument("from", .integer, "stride"), Argument("to", .integer, "stride")], returns: [Returns(.boolean)],
        "Whether the arrow into that layer exists.", example: "print(nas.trellis{layers = 3}:has(1, 4, 16))  --> false"
    ) { space, call in
        let (from, to): (Int, Int) = (try call.get(2), try call.get(3))
        guard let source = space.level(ofStride: from), let target = space.level(ofStride: to), let move = Move(rawValue: target - source + 1) else {
            return call.push(false)
        }
        return call.push(space.contains(TrellisArrow(layer: try call.get(1), from: source, move: move)))
    }

    private static let draw = method(
        "draw", returns: [Returns(.string)], "The nodes and arrows that exist, as text.", example: "print(nas.trellis{layers = 2}:draw():match('layer'))  --> layer"
    ) { space, call in call.push(space.drawing) }
}
