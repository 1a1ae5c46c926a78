import Base
import Search
import Tensors

/// Spaces of decisions, for what works with any of them: strategies, trials.
protocol DecisionSpace: AnyObject {
    var decisions: DecisionList { get }
    /// What architectures have to meet besides; nil: nothing.
    var filter: Filter? { get }
    /// An architecture as scripts see it.
    func architecture(_ assignment: Assignment) throws -> any LuaObject
    /// What a value of a script decides; nil for one that is no architecture.
    func assignment(_ value: LuaValue) throws -> Assignment?
}

/// An architecture as a value for each decision, as Lua holds it.
public final class AssignmentObject: LuaObject {
    public let assignment: Assignment
    /// The space that it belongs to.
    public let space: SpaceRecord
    /// The decisions that it decides.
    public var decisions: DecisionList { space.decisions }

    init(_ assignment: Assignment, of space: SpaceRecord) { (self.assignment, self.space) = (assignment, space) }

    /// Names that no decision can have, because they are methods here.
    static let reserved: Set<String> = Set(methods.map(\.name))

    public static let objectType = ObjectType(
        "assignment", of: AssignmentObject.self, summary: "An architecture: a value for each decision that matters in it.",
        detail: "Reads as a table: a[\"op.1\"], a.paths. A choice is an option, a subset a list of options, a number a number, paths a list of {from, to}, a layer each; several paths a "
            + "list of such lists; branches a list of {state, option}. A decision inside of an option that is not chosen is nil.",
        methods: methods,
        metamethods: [
            Binding(name: "__len", parameters: [Argument("a", .any)], returns: [Returns(.integer)], summary: "Number of decisions that matter.") { call in
                call.push(try call.get(1, as: AssignmentObject.self).assignment.values.count)
            },
        ],
        index: { call in
            let object = try call.this(as: AssignmentObject.self)
            guard let name = Stack.string(call.thread, 2), object.assignment[name] != nil else { return call.pushNil() }
            return call.push(LuaValue(json: try object.json[name] ?? .null))
        },
        describe: { try $0.text() })

    /// Values by name, as in files.
    private var json: [String: JSONValue] {
        get throws {
            guard case .object(let members) = try decisions.json(assignment) else { return [:] }
            return Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        }
    }

    /// "op.1 = conv, width = 8", in the order of the decisions.
    private func text() throws -> String {
        decisions.all.compactMap { decision in assignment[decision.name].map { "\(decision.name) = \(decisions.text($0, of: decision))" } }.joined(separator: ", ")
    }

    private static func method(
        _ name: String, _ parameters: [Argument] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "assignment", name: name, parameters: parameters, returns: returns, summary: summary, detail: detail, example: DecisionObject.sample + example, body: body)
    }

    private static let methods: [Binding] = [
        SpaceRecordMethods.space,
        method(
            "save", [Argument("path", .string, "a JSON file")], "Writes it as JSON, with the record of its space: decisions, and the script that makes it.", "Whole or not at all. space:load and nas.load read it.",
            example: "space:random{seed = 1}:save('random.json')\nprint(space:load('random.json'):same(space:random{seed = 1}))  --> true"
        ) { call in
            let object = try call.this(as: AssignmentObject.self)
            try ArchitectureFile(object.assignment, of: object.space).save(to: call.get(1))
            return 0
        },
        method("json", returns: [Returns(.string)], "The JSON that `save` writes.", example: "print(space:random{seed = 1}:json():sub(1, 1))  --> {") { call in
            let object = try call.this(as: AssignmentObject.self)
            return call.push(ArchitectureFile(object.assignment, of: object.space).json)
        },
        method("same", [Argument("other", .object("assignment"))], returns: [Returns(.boolean)], "Whether both decide the same.", example: "local a = space:random{seed = 1}\nprint(a:same(a))  --> true") { call in
            call.push(try call.this(as: AssignmentObject.self).assignment == call.get(1, as: AssignmentObject.self).assignment)
        },
        method("values", returns: [Returns(.table)], "All values by name.", example: "print(space:random{seed = 1}:values().op ~= nil)  --> true") { call in
            call.push(LuaValue(json: try call.this(as: AssignmentObject.self).decisions.json(call.this(as: AssignmentObject.self).assignment)))
        },
    ]
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
