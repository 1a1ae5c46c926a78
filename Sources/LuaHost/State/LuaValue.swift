/// A Lua value as plain Swift data.
public enum LuaValue {
    case `nil`
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case table(LuaTable)
    case object(AnyObject)
    case function(LuaFunction)
}

/// The contents of a table, without metamethods.
public struct LuaTable {
    /// Elements 1...n.
    public var list: [LuaValue] = []
    /// Values under string keys.
    public var fields: [String: LuaValue] = [:]
    /// What has another key.
    public var others: [(key: LuaValue, value: LuaValue)] = []

    public init(list: [LuaValue] = [], fields: [String: LuaValue] = [:], others: [(key: LuaValue, value: LuaValue)] = []) {
        self.list = list
        self.fields = fields
        self.others = others
    }

    public subscript(name: String) -> LuaValue { fields[name] ?? .nil }
    public subscript(position: Int) -> LuaValue { list.indices.contains(position - 1) ? list[position - 1] : .nil }
}

// Only the plain cases appear in defaults, which are shared; tables, objects and functions stay on the thread of their state.
extension LuaValue: @unchecked Sendable {}

extension LuaValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(nilLiteral: ()) { self = .nil }
    public init(arrayLiteral elements: LuaValue...) { self = .table(LuaTable(list: elements)) }
    public init(dictionaryLiteral elements: (String, LuaValue)...) {
        self = .table(LuaTable(fields: Dictionary(elements, uniquingKeysWith: { $1 })))
    }
}

extension LuaValue {
    public var isNil: Bool { if case .nil = self { true } else { false } }

    /// The value as an integer; a number without a fraction counts.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
    public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var table: LuaTable? { if case .table(let value) = self { value } else { nil } }
    public var function: LuaFunction? { if case .function(let value) = self { value } else { nil } }
    public func object<T: AnyObject>(as type: T.Type = T.self) -> T? { if case .object(let value) = self { value as? T } else { nil } }

    /// Whether it is a number, a string, a boolean, nil, or a list or record of such: whether `source` says all of it.
    var isPlain: Bool {
        switch self {
        case .nil, .boolean, .integer, .number, .string: true
        case .table(let table): table.others.isEmpty && table.list.allSatisfy(\.isPlain) && table.fields.values.allSatisfy(\.isPlain)
        case .object, .function: false
        }
    }

    /// The word of Lua's messages.
    public var typeName: String {
        switch self {
        case .nil: "nil"
        case .boolean: "boolean"
        case .integer, .number: "number"
        case .string: "string"
        case .table: "table"
        case .object(let value): (value as? any LuaObject).map { Swift.type(of: $0).objectType.name } ?? "userdata"
        case .function: "function"
        }
    }

    /// The value as Lua source, for help and the reference.
    public var source: String {
        switch self {
        case .nil: return "nil"
        case .boolean(let value): return value ? "true" : "false"
        case .integer(let value): return "\(value)"
        case .number(let value): return "\(value)"
        case .string(let value): return "\"\(value)\""
        case .table(let value):
            let fields = value.fields.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value.source)" }
            return "{" + (value.list.map(\.source) + fields).joined(separator: ", ") + "}"
        case .object, .function: return typeName
        }
    }
}
