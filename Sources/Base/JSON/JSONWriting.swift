extension JSONValue {
    /// The document as text whose lists and objects stand on one line where that has at most `width` columns, and have a line for each member
    /// where not; two columns a level. An outermost object always has a line for each member. Ends without a newline.
    public func text(width: Int) -> String { text(width: width, indent: 0) }

    private func text(width: Int, indent: Int) -> String {
        var line = ""
        write(into: &line, level: nil, spaced: true)
        let (inner, end) = (String(repeating: " ", count: indent + 2), "\n" + String(repeating: " ", count: indent))
        let isLong = indent + line.count > width
        switch self {
        case .array(let items) where !items.isEmpty && isLong:
            return "[\n" + items.map { inner + $0.text(width: width, indent: indent + 2) }.joined(separator: ",\n") + end + "]"
        case .object(let members) where !members.isEmpty && (indent == 0 || isLong):
            let lines = members.map { member in
                var line = inner
                JSONValue.quote(member.key, into: &line)
                return line + ": " + member.value.text(width: width, indent: indent + 2)
            }
            return "{\n" + lines.joined(separator: ",\n") + end + "}"
        default: return line
        }
    }

    /// The document as text: on one line, or indented by two spaces a level with short arrays kept on a line.
    ///
    /// Numbers come back as they were: Swift prints the shortest text that reads as the same Double. Infinities and
    /// NaN, which JSON has not, become null.
    public func text(indented: Bool = false) -> String {
        var out = ""
        write(into: &out, level: indented ? 0 : nil, spaced: indented)
        return out
    }

    private var isPlain: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    /// - Parameters:
    ///   - level: of the indentation; nil writes on one line.
    ///   - spaced: a space behind commas and colons within a line.
    private func write(into out: inout String, level: Int?, spaced: Bool) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += String(value)
        case .unsigned(let value): out += String(value)
        case .number(let value): out += value.isFinite ? "\(value)" : "null"
        case .string(let value): JSONValue.quote(value, into: &out)
        case .array(let values):
            let inner = values.allSatisfy(\.isPlain) ? nil : level.map { $0 + 1 }
            JSONValue.list(values, "[", "]", spaced: spaced, inner: inner, into: &out) { value, out in
                value.write(into: &out, level: inner, spaced: spaced)
            }
        case .object(let members):
            let inner = level.map { $0 + 1 }
            JSONValue.list(members, "{", "}", spaced: spaced, inner: inner, into: &out) { member, out in
                JSONValue.quote(member.key, into: &out)
                out += spaced ? ": " : ":"
                member.value.write(into: &out, level: inner, spaced: spaced)
            }
        }
    }

    private static func list<Item>(
        _ items: [Item], _ open: String, _ close: String, spaced: Bool, inner: Int?, into out: inout String,
        write: (Item, inout String) -> Void
    ) {
        out += open
        for (index, item) in items.enumerated() {
            if index > 0 { out += inner == nil && spaced ? ", " : "," }
            if let inner { out += "\n" + String(repeating: "  ", count: inner) }
            write(item, &out)
        }
        if let inner, !items.isEmpty { out += "\n" + String(repeating: "  ", count: inner - 1) }
        out += close
    }

    private static func quote(_ string: String, into out: inout String) {
        out += "\""
        // What stands between two escapes goes in one piece: texts can be megabytes long.
        var rest = string.utf8[...]
        while let place = rest.firstIndex(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
            out += Substring(rest[..<place])
            out += escape(rest[place])
            rest = rest[rest.index(after: place)...]
        }
        out += Substring(rest)
        out += "\""
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\""): "\\\""
        case UInt8(ascii: "\\"): "\\\\"
        case UInt8(ascii: "\n"): "\\n"
        case UInt8(ascii: "\t"): "\\t"
        case UInt8(ascii: "\r"): "\\r"
        default: (byte < 16 ? "\\u000" : "\\u00") + String(byte, radix: 16)
        }
    }
}
