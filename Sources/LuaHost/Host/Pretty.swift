import CLua

/// Values as a person wants to read them: tables opened, sorted, cut where they get long.
public struct Pretty {
    /// Tables inside tables that are still opened.
    public var depth = 4
    /// Entries of a table that are shown.
    public var items = 60
    /// Characters of a string inside a table that are shown.
    public var text = 200
    /// Columns after which a table is broken into lines.
    public var width = 80

    public init() {}

    /// The value at `index`; a string by itself stands as it is, inside tables it is quoted.
    func describe(_ L: LuaThread, _ index: Int32) -> String {
        guard isPlainTable(L, index) else { return Stack.display(L, index) }
        var open: [UnsafeRawPointer] = []
        return table(L, lua_absindex(L, index), indent: 0, &open)
    }

    private func isPlainTable(_ L: LuaThread, _ index: Int32) -> Bool {
        guard lua_type(L, index) == LUA_TTABLE else { return false }
        guard lua_getmetatable(L, index) != 0 else { return true }
        Stack.rawGet(L, -1, "__tostring")
        defer { clua_pop(L, 2) }
        return clua_is_none_or_nil(L, -1)
    }

    private func value(_ L: LuaThread, _ index: Int32, indent: Int, _ open: inout [UnsafeRawPointer]) -> String {
        if lua_type(L, index) == LUA_TSTRING { return quoted(Stack.string(L, index) ?? "") }
        if isPlainTable(L, index) { return table(L, lua_absindex(L, index), indent: indent, &open) }
        let shown = Stack.display(L, index)
        return shown.contains("\n") ? shown.replacing("\n", with: "\n" + String(repeating: " ", count: indent)) : shown
    }

    private func table(_ L: LuaThread, _ index: Int32, indent: Int, _ open: inout [UnsafeRawPointer]) -> String {
        guard let address = lua_topointer(L, index) else { return "{}" }
        if open.contains(address) { return "{... itself}" }
        if open.count >= depth { return "{...}" }
        guard lua_checkstack(L, 8) != 0 else { return "{...}" }
        open.append(address)
        defer { open.removeLast() }

        var entries: [String] = []
        let count = Int(lua_rawlen(L, index))
        for position in stride(from: 1, through: min(count, items), by: 1) {
            lua_rawgeti(L, index, lua_Integer(position))
            entries.append(value(L, -1, indent: indent + 2, &open))
            clua_pop(L, 1)
        }
        let keys = sortedKeys(L, index, after: count)
        let shown = max(0, min(keys.count, items - entries.count))
        for key in keys.prefix(shown) {
            key.push(L)
            lua_rawget(L, index)
            entries.append(key.label + " = " + value(L, -1, indent: indent + 2, &open))
            clua_pop(L, 1)
        }
        let hidden = max(0, count - items) + keys.count - shown
        if hidden > 0 { entries.append("... \(hidden) more") }
        let line = "{" + entries.joined(separator: ", ") + "}"
        if indent + line.count <= width, !line.contains("\n") { return line }
        let margin = String(repeating: " ", count: indent + 2)
        return "{\n" + lines(entries, margin: margin) + String(repeating: " ", count: indent) + "}"
    }

    /// Short entries share lines, others have one each.
    private func lines(_ entries: [String], margin: String) -> String {
        guard entries.allSatisfy({ $0.count <= 16 && !$0.contains("\n") }) else {
            return entries.map { margin + $0 + ",\n" }.joined()
        }
        var text = "", line = margin
        for entry in entries {
            if line.count + entry.count + 2 > width, line.count > margin.count {
                text += line + "\n"
                line = margin
            }
            line += (line.count > margin.count ? " " : "") + entry + ","
        }
        return text + line + "\n"
    }

    // MARK: Keys

    private enum Key {
        case number(LuaValue, Double)
        case name(String)
        /// Any other value: kept where it lies in the registry.
        case other(String, LuaReference)

        var label: String {
            switch self {
            case .number(let value, _): "[" + value.source + "]"
            case .name(let name): isIdentifier(name) ? name : "[" + luaQuoted(name, limit: 200) + "]"
            case .other(let text, _): "[" + text + "]"
            }
        }

        func push(_ L: LuaThread) {
            switch self {
            case .number(let value, _): value.push(L)
            case .name(let name): Stack.push(L, name)
            case .other(_, let reference): reference.push(L)
            }
        }
    }

    /// Keys beside 1...count: numbers, then names, then the rest.
    private func sortedKeys(_ L: LuaThread, _ index: Int32, after count: Int) -> [Key] {
        var numbers: [(LuaValue, Double)] = [], names: [String] = [], others: [Key] = []
        Stack.forEach(L, index) {
            switch lua_type(L, -2) {
            case LUA_TNUMBER:
                if let position = Stack.integer(L, -2), position >= 1, position <= count { return }
                numbers.append((Stack.integer(L, -2).map { .integer($0) } ?? .number(lua_tonumberx(L, -2, nil)), lua_tonumberx(L, -2, nil)))
            case LUA_TSTRING:
                // Bytes that are no text are looked up as they are.
                if let name = Stack.text(L, -2) { names.append(name) } else { others.append(.other(Stack.display(L, -2), LuaReference(L, -2))) }
            default: others.append(.other(Stack.display(L, -2), LuaReference(L, -2)))
            }
        }
        return numbers.sorted { $0.1 < $1.1 }.map { Key.number($0.0, $0.1) } + names.sorted().map(Key.name) + others
    }

    private func quoted(_ string: String) -> String { luaQuoted(string, limit: text) }
}

/// A string as Lua source.
func luaQuoted(_ string: String, limit: Int) -> String {
    var result = "\""
    for character in string.unicodeScalars.prefix(limit) {
        switch character {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        default: result += character.value < 32 || character.value == 127 ? "\\\(character.value)" : String(character)
        }
    }
    let hidden = string.unicodeScalars.count - limit
    return result + "\"" + (hidden > 0 ? "... \(hidden) more characters" : "")
}

let keywords: Set<String> = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
    "return", "then", "true", "until", "while",
]

/// Whether a name can stand before "=" in a table.
func isIdentifier(_ name: String) -> Bool {
    guard let first = name.utf8.first, isIdentifierByte(first), !(48...57).contains(first) else { return false }
    return name.utf8.allSatisfy(isIdentifierByte) && !keywords.contains(name)
}

func isIdentifierByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
}
