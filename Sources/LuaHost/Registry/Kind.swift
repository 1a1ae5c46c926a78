/// What a parameter, an option or a result may be.
public indirect enum Kind: Hashable, Sendable {
    case any
    case boolean
    case number
    /// A number without a fraction; 3.0 counts.
    case integer
    case string
    case table
    case function
    /// A userdata of the registered type of that name.
    case object(String)
    /// A table whose elements 1...n are all of one kind.
    case list(Kind)
    /// One of some strings.
    case choice([String])
    case union([Kind])

    /// A size: positions given one by one or as one list.
    public static let integers: Kind = .union([.integer, .list(.integer)])

    /// The words of messages and of the reference: "tensor or number", "list of integers".
    public var words: String {
        switch self {
        case .any: "value"
        case .boolean: "boolean"
        case .number: "number"
        case .integer: "integer"
        case .string: "string"
        case .table: "table"
        case .function: "function"
        case .object(let name): name
        case .list(.any): "list"
        case .list(let element): "list of " + element.plural
        case .choice(let names): (names.count == 1 ? "" : "one of ") + names.map { "'\($0)'" }.joined(separator: ", ")
        case .union(let kinds): kinds.map(\.words).joined(separator: " or ")
        }
    }

    private var plural: String {
        switch self {
        case .list(let element): "lists" + (element == .any ? "" : " of " + element.plural)
        case .union(let kinds): kinds.map(\.plural).joined(separator: " or ")
        case .choice: words
        default: words + "s"
        }
    }

    /// The kind in LuaCATS's notation.
    var annotation: String {
        switch self {
        case .any: "any"
        case .object(let name): ObjectType.className(name)
        case .list(.union(let kinds)): "(" + kinds.map(\.annotation).joined(separator: "|") + ")[]"
        case .list(.choice(let names)): "(" + Kind.choice(names).annotation + ")[]"
        case .list(let element): element.annotation + "[]"
        case .choice(let names): names.map { "\"\($0)\"" }.joined(separator: "|")
        case .union(let kinds): kinds.map(\.annotation).joined(separator: "|")
        default: words
        }
    }

    /// Whether a table with names can be of this kind: lists have positions only.
    var acceptsNames: Bool {
        switch self {
        case .any, .table: true
        case .union(let kinds): kinds.contains(where: \.acceptsNames)
        default: false
        }
    }

    /// Whether a table can be of this kind: such an argument is not taken for the options.
    var acceptsTable: Bool {
        switch self {
        case .any, .table, .list: true
        case .union(let kinds): kinds.contains(where: \.acceptsTable)
        default: false
        }
    }
}
