import Base
import Notebook
import Search
import Tensors

/// An architecture as Lua holds it: a value for each decision of its space, read only.
public final class ArchitectureObject: LuaObject {
    /// Of the stock trellis, with what is known of it besides; nil for one of another space.
    public let trellis: Architecture?
    /// What it decides, and the space that it belongs to.
    private var known: (assignment: Assignment, space: SpaceRecord)?

    /// - Parameter provenance: where it comes from; kept of the stock trellis.
    init(_ assignment: Assignment, in space: ModuleSpace, _ provenance: Provenance = Provenance()) throws {
        var trellis = try space.trellis?.architecture(of: assignment)
        trellis?.provenance = provenance
        (self.trellis, known) = (trellis, (assignment, space.record))
    }

    public init(_ trellis: Architecture) { (self.trellis, known) = (trellis, nil) }

    /// Of a file, of a space that is no stock trellis.
    init(_ file: ArchitectureFile) { (trellis, known) = (nil, (file.assignment, file.space)) }

    /// What files have of it.
    func file() throws -> ArchitectureFile {
        if let trellis { return try ArchitectureFile(trellis) }
        guard let known else { throw HostError("an architecture without decisions") }
        return ArchitectureFile(known.assignment, of: known.space)
    }

    /// What it decides, and of which decisions.
    /// - Throws: for an architecture of the trellis that does not fit the space that it names, with operators of a script that is not there say.
    func decided() throws -> (assignment: Assignment, decisions: DecisionList) {
        if let known { return (known.assignment, known.space.decisions) }
        guard let trellis else { throw HostError("an architecture without decisions") }
        let space = try trellis.space.space(catalogue: ScriptOperators.catalogue)
        let decided = (assignment: try space.assignment(of: trellis), space: try SpaceRecord(space))
        known = decided
        return (decided.assignment, decided.space.decisions)
    }

    /// The architecture of the stock trellis.
    /// - Throws: for one of another space.
    func requireTrellis(for what: String) throws -> Architecture {
        if let trellis { return trellis }
        throw HostError("\(what): an architecture of nas.trellis expected, got one that decides \(try decided().decisions.all.map(\.name).joined(separator: ", "))")
    }

    /// Names that no decision can have, because they are methods here.
    static let reserved: Set<String> = Set(methods.map(\.name))

    public static let objectType = ObjectType(
        "architecture", of: ArchitectureObject.self, summary: "A decided architecture: a value for each decision that matters in it.",
        detail: "From net:decode, space:random, strategies, nas.load, nas.architecture or nas.gallery. Reads as a table: a[\"op.1\"], a.paths. A choice is an option, a subset a list of "
            + "options, a number a number, paths a list of {from, to}, a layer each; several paths a list of such lists; branches a list of {state, option}. A decision inside of an option "
            + "that is not chosen is nil. Those of nas.trellis have the fields below besides, and print as a drawing of the path and the cell; of other spaces they are nil.",
        methods: methods, fields: fields,
        metamethods: [
            Binding(name: "__len", parameters: [Argument("a", .any)], returns: [Returns(.integer)], summary: "Number of decisions that matter.") { call in
                call.push(try call.get(1, as: ArchitectureObject.self).decided().assignment.values.count)
            },
        ],
        index: { call in
            guard let name = Stack.string(call.thread, 2), let value = try call.this(as: ArchitectureObject.self).value(of: name) else { return call.pushNil() }
            return call.push(value)
        },
        mayLack: { _, _ in true },
        rich: { $0.trellis.map(RichTables.architecture) ?? MIMEBundle(plain: "") }, describe: { try $0.trellis?.description ?? $0.text() })

    /// What is decided under a name; nil where nothing is.
    private func value(of name: String) throws -> LuaValue? {
        let (assignment, decisions) = try decided()
        guard let value = assignment[name], let decision = decisions[name] else { return nil }
        return LuaValue(json: decision.domain.json(value))
    }

    /// "op.1 = conv, width = 8", in the order of the decisions.
    private func text() throws -> String {
        let (assignment, decisions) = try decided()
        return decisions.all.compactMap { decision in assignment[decision.name].map { "\(decision.name) = \(decisions.text($0, of: decision))" } }.joined(separator: ", ")
    }

    /// A field of those of the trellis. A decision of another space may have its name.
    private static func field(_ name: String, _ kind: Kind, _ doc: String, _ get: @escaping (Architecture) -> some LuaPushable) -> Field {
        Field(name, kind, doc, optional: true) { call in
            let object = try call.this(as: ArchitectureObject.self)
            if let trellis = object.trellis { return call.push(get(trellis)) }
            return try object.value(of: name).map { call.push($0) } ?? call.pushNil()
        }
    }

    private static let fields: [Field] = [
        field("path", .list(.integer), "A stride for each layer.") { $0.path },
        field("cell", .list(.table), "Blocks, each two branches {operator =, state =}; states: 1 two-back, 2 previous, 2 + b block b.") { $0.cellValue },
        field("score", .number, "Log probability of the path; nil when unknown.") { $0.scores.pathLogProbability },
        field("strengths", .list(.number), "The weight of each branch's operator, block by block; empty when unknown.") { $0.scores.strengths },
        field("name", .string, "Its name, if it has one.") { $0.name },
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
        field("warning", .string, "What to say when the cell has collapsed to skip_connect, else nil.") { $0.cell.collapseWarning() },
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
        NetworkBinding.method, SpaceRecordMethods.space,
        method(
            "save", [Argument("path", .string, "a JSON file")], "Writes the architecture as JSON.",
            "Whole or not at all: beside the file first, then renamed. With the record of its space: decisions, and the sizes of a trellis or the script that makes it. space:load and nas.load read it.",
            example: "nas.gallery.auto_deeplab:save('published.json')\nprint(nas.load('published.json').path[12])  --> 8"
        ) { call in
            try call.this(as: ArchitectureObject.self).file().save(to: call.get(1))
            return 0
        },
        method("json", returns: [Returns(.string)], "The JSON that `save` writes.", example: "print(nas.gallery.auto_deeplab:json():sub(1, 1))  --> {") { call in
            call.push(try call.this(as: ArchitectureObject.self).file().json)
        },
        method("draw", returns: [Returns(.string)], "Its path in the trellis, as text; of an architecture of nas.trellis.", example: "print(nas.gallery.auto_deeplab:draw():match('layer'))  --> layer") { call in
            call.push(try call.this(as: ArchitectureObject.self).requireTrellis(for: "draw").drawing)
        },
        method(
            "same", [Argument("other", .object("architecture"))], returns: [Returns(.boolean)], "Whether both decide the same.",
            "The order of a block's two branches does not matter, nor do scores and names; of nas.trellis path and cell, whatever else their spaces have.",
            example: "print(nas.gallery.auto_deeplab:same(nas.gallery.auto_deeplab))  --> true"
        ) { call in
            let (a, b) = (try call.this(as: ArchitectureObject.self), try call.get(1, as: ArchitectureObject.self))
            if let a = a.trellis, let b = b.trellis { return call.push(a.path == b.path && a.cell.canonical == b.cell.canonical) }
            return call.push(try a.decided().assignment == b.decided().assignment)
        },
        method(
            "values", returns: [Returns(.table)], "The values of all decisions by name.",
            example: DecisionObject.sample + "print(space:random{seed = 1}:values().op ~= nil)  --> true"
        ) { call in
            let (assignment, decisions) = try call.this(as: ArchitectureObject.self).decided()
            return call.push(LuaValue(json: try decisions.json(assignment)))
        },
        method(
            "fits", [Argument("space", .object("space"))], returns: [Returns(.boolean), Returns(.string, "why not; or why no decoding gives it", optional: true)],
            "Whether it can be said in a space: decisions and their options; layers, strides, arrows, blocks, operators, states.",
            "Filters may differ. A block that reads one state twice fits, and the second result says that no decoding gives it.",
            example: "print((nas.gallery.auto_deeplab:fits(nas.trellis{layers = 3})))  --> false"
        ) { call in
            do {
                let object = try call.this(as: ArchitectureObject.self)
                _ = try call.get(1, as: SpaceObject.self).assignment(of: object)
                return call.push(true) + call.push(object.trellis?.cell.undecodableNote)
            } catch let error as SpaceError {
                return call.push(false) + call.push(error.description)
            }
        },
        method(
            "estimate",
            options: [
                Option("filters", .integer, default: 20, "F of the network"), Option("classes", .integer, default: 19, "number of classes"),
                Option("height", .integer, default: 512, "of the picture"), Option("width", .integer, default: 512, "of the picture"),
            ] + NetworkBinding.widths, returns: [Returns(.object("network_estimate"))], "What the network of an architecture of nas.trellis costs, without building it.",
            "Stem 64, 64, 128; cells; ASPP of 256; DeepLabv3+'s decoder, or other widths. Exactly what `network` has and does. Fields parameters, multiply_adds, parts; prints as a table.",
            example: "print(nas.gallery.auto_deeplab:estimate{filters = 20, classes = 19}.parameters)  --> 10147427"
        ) { call in
            call.push(DerivedEstimateObject(try call.this(as: ArchitectureObject.self).requireTrellis(for: "estimate").estimate(
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

extension LuaValue {
    init(json: JSONValue) {
        switch json {
        case .null: self = .nil
        case .bool(let value): self = .boolean(value)
        case .string(let text): self = .string(text)
        case .array(let list): self = .table(LuaTable(list: list.map(LuaValue.init(json:))))
        case .object(let members): self = .table(LuaTable(fields: Dictionary(members.map { ($0.key, LuaValue(json: $0.value)) }, uniquingKeysWith: { $1 })))
        case .integer(let value): self = .integer(value)
        case .unsigned(let value): self = .number(Double(value))
        case .number(let value): self = Int(exactly: value).map { .integer($0) } ?? .number(value)
        }
    }
}
