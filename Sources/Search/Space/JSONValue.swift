/// A JSON value that remembers the order of its members and the digits of its numbers, so that what was written is what is
/// read, a 64-bit seed included, and a file reads the same way twice.
public indirect enum JSONValue: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: JSONValue

        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case bool(Bool)
    /// The number as written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number("\(value)") }

    /// The shortest digits that give the number back; null for one that is not finite, which JSON cannot say.
    public static func real(_ value: Double) -> JSONValue { value.isFinite ? .number("\(value)") : .null }

    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

// MARK: - Writing

extension JSONValue {
    /// Lines of at most `width` columns where a list or an object fits on one, else a line for each member; two columns a
    /// level; an outermost object always has a line for each member. Ends without a newline.
    public func text(width: Int = 120, indent: Int = 0) -> String {
        let line = compact
        let pad = String(repeating: " ", count: indent + 2)
        let end = "\n" + String(repeating: " ", count: indent)
        switch self {
        case .array(let items) where !items.isEmpty && indent + line.count > width:
            return "[\n" + items.map { pad + $0.text(width: width, indent: indent + 2) }.joined(separator: ",\n") + end + "]"
        case .object(let members) where !members.isEmpty && (indent == 0 || indent + line.count > width):
            let lines = members.map { pad + Self.quote($0.key) + ": " + $0.value.text(width: width, indent: indent + 2) }
            return "{\n" + lines.joined(separator: ",\n") + end + "}"
        default:
            return line
        }
    }

    /// On one line.
    public var compact: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let digits): digits
        case .string(let value): Self.quote(value)
        case .array(let items): "[" + items.map(\.compact).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { Self.quote($0.key) + ": " + $0.value.compact }.joined(separator: ", ") + "}"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
