import Search

/// An architecture as Lua holds it: plain data, read only.
public final class ArchitectureObject: LuaObject {
    public let architecture: Architecture
    public init(_ architecture: Architecture) { self.architecture = architecture }

    public static let objectType = ObjectType(
        "architecture", of: ArchitectureObject.self, summary: "A decided architecture: a path through the trellis and a cell.",
        detail: "Plain data: from supernet:decode, space:random, nas.load, nas.architecture or nas.gallery. Printing it draws the path and lists the cell.",
        methods: methods, fields: fields,
        rich: { RichTables.architecture($0.architecture) }, describe: { $0.architecture.description })

    private static func field(_ name: String, _ kind: Kind, _ doc: String, _ get: @escaping (Architecture) -> some LuaPushable) -> Field {
        Field(name, kind, doc, of: { (a: ArchitectureObject) in get(a.architecture) })
    }

    private static func optional(_ name: String, _ kind: Kind, _ doc: String, _ get: @escaping (Architecture) -> some LuaPushable) -> Field {
        Field(name, kind, doc, optional: true, get: { call in call.push(get(try call.this(as: ArchitectureObject.self).architecture)) })
    }

    private static let fields: [Field] = [
        field("path", .list(.integer), "A stride for each layer.") { $0.path },
        field("cell", .list(.table), "Blocks, each two branches {operator =, state =}; states: 1 two-back, 2 previous, 2 + b block b.") { $0.cellValue },
        optional("score", .number, "Log probability of the path; nil when unknown.") { $0.scores.pathLogProbability },
        field("strengths", .list(.number), "The weight of each branch's operator, block by block; empty when unknown.") { $0.scores.strengths },
        optional("name", .string, "Its name, if it has one.") { $0.name },
        field("layers", .integer, "Layers of its space.") { $0.space.layers }, field("strides", .list(.integer), "Strides of its space.") { $0.space.strides },
        field("filters", .integer, "Filters of its space, where it was searched.") { $0.space.filters },
        field("blocks", .integer, "Blocks of its cell.") { $0.space.blocks },
        field("operators", .list(.string), "Candidate operators of its space.") { $0.space.operators },
        field("head_reach", .integer, "How far the heads' atrous taps looked in the search, in pixels; the ASPP of its network follows.") { $0.space.headReach },
        field("provenance", .table, "seed, date, data, source, as far as known.") { $0.provenanceValue },
        field("notes", .list(.string), "What the reader should know.") { $0.notes },
        field("skip_share", .number, "Share of skip_connect among the branches.") { $0.cell.skipShare },
        field(
            "decodable", .boolean,
            "Whether decoding could give its cell; a block that reads one state twice, as NASNet-A has them, is counted by the paper and decoded by nobody."
        ) { $0.cell.undecodableBlocks.isEmpty },
        optional("warning", .string, "What to say when the cell has collapsed to skip_connect, else nil.") { $0.cell.collapseWarning() },
    ]

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "architecture", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: example, body: body)
    }

    private static let methods: [Binding] = [
        NetworkBinding.method,
        method(
            "save", [Argument("path", .string, "a JSON file")], "Writes the architecture as JSON.",
            "Whole or not at all: beside the file first, then renamed.",
            example: "nas.gallery.auto_deeplab:save('published.json')\nprint(nas.load('published.json').path[12])  --> 8"
        ) { call in
            try call.this(as: ArchitectureObject.self).architecture.save(to: call.get(1))
            return 0
        },
        method("json", returns: [Returns(.string)], "The JSON that `save` writes.", example: "print(nas.gallery.auto_deeplab:json():sub(1, 1))  --> {") { call in
            call.push(try call.this(as: ArchitectureObject.self).architecture.json)
        },
        method("draw", returns: [Returns(.string)], "Its path in the trellis, as text.", example: "print(nas.gallery.auto_deeplab:draw():match('layer'))  --> layer") { call in
            call.push(try call.this(as: ArchitectureObject.self).architecture.drawing)
        },
        method(
            "same", [Argument("other", .object("architecture"))], returns: [Returns(.boolean)], "Whether path and cell agree.",
            "The order of a block's two branches does not matter, nor do scores and names.",
            example: "print(nas.gallery.auto_deeplab:same(nas.gallery.auto_deeplab))  --> true"
        ) { call in
            let (a, b) = (try call.this(as: ArchitectureObject.self).architecture, try call.get(1, as: ArchitectureObject.self).architecture)
            return call.push(a.path == b.path && a.cell.canonical == b.cell.canonical)
        },
        method(
            "fits", [Argument("space", .object("space"))], returns: [Returns(.boolean), Returns(.string, "why not; or why no decoding gives it", optional: true)],
            "Whether it can be said in a space: layers, strides, arrows, blocks, operators, states.",
            "Filters may differ. A block that reads one state twice fits, and the second result says that no decoding gives it.",
            example: "print((nas.gallery.auto_deeplab:fits(nas.trellis{layers = 3})))  --> false"
        ) { call in
            do {
                try call.this(as: ArchitectureObject.self).architecture.validate(in: call.get(1, as: SpaceObject.self).space)
                return call.push(true) + call.push(try call.this(as: ArchitectureObject.self).architecture.cell.undecodableNote)
            } catch let error as SpaceError {
                return call.push(false) + call.push(error.description)
            }
        },
        method(
            "estimate",
            options: [
                Option("filters", .integer, default: 20, "F of the network"), Option("classes", .integer, default: 19, "number of classes"),
                Option("height", .integer, default: 512, "of the picture"), Option("width", .integer, default: 512, "of the picture"),
            ] + NetworkBinding.widths, returns: [Returns(.object("network_estimate"))], "What its derived network costs, without building it.",
            "Stem 64, 64, 128; cells; ASPP of 256; DeepLabv3+'s decoder, or other widths. Exactly what `network` has and does. Fields parameters, multiply_adds, parts; prints as a table.",
            example: "print(nas.gallery.auto_deeplab:estimate{filters = 20, classes = 19}.parameters)  --> 10147427"
        ) { call in
            call.push(DerivedEstimateObject(try call.this(as: ArchitectureObject.self).architecture.estimate(
                filters: call.option("filters"), classes: call.option("classes"), height: call.option("height"), width: call.option("width"),
                widths: NetworkBinding.widths(call), catalogue: ScriptOperators.catalogue)))
        },
    ]
}

extension Architecture {
    var cellValue: LuaValue {
        .table(LuaTable(list: cell.blocks.map { block in
            .table(LuaTable(list: block.branches.map { .table(LuaTable(fields: ["operator": .string($0.operation), "state": .integer($0.state)])) }))
        }))
    }

    var provenanceValue: LuaValue {
        var fields: [String: LuaValue] = [:]
        if let seed = provenance.seed { fields["seed"] = .integer(Int(truncatingIfNeeded: seed)) }
        for (name, text) in [("date", provenance.date), ("data", provenance.data), ("source", provenance.source)] {
            if let text { fields[name] = .string(text) }
        }
        return .table(LuaTable(fields: fields))
    }
}

/// What a derived network costs, as Lua holds it.
final class DerivedEstimateObject: LuaObject {
    let estimate: DerivedEstimate
    init(_ estimate: DerivedEstimate) { self.estimate = estimate }

    static let objectType = ObjectType(
        "network_estimate", of: DerivedEstimateObject.self, summary: "What a derived network costs, from sizes alone.",
        fields: [
            Field("parameters", .integer, "Weights.", of: { (e: DerivedEstimateObject) in e.estimate.parameters }),
            Field("multiply_adds", .integer, "Of one picture, as the field counts them.", of: { (e: DerivedEstimateObject) in e.estimate.multiplyAdds }),
            Field("parts", .list(.table), "Stem, layers, ASPP, decoder: {name, parameters, multiply_adds}.", of: { (e: DerivedEstimateObject) in
                e.estimate.parts.map { part in
                    LuaValue.table(LuaTable(fields: [
                        "name": .string(part.name), "parameters": .integer(part.cost.parameters), "multiply_adds": .integer(part.cost.multiplyAdds),
                    ]))
                }
            }),
        ],
        describe: { $0.estimate.description })
}
