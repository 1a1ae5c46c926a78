/// What a line means that is no Lua, as IPython has it: ?x, x?, ??x, !ls, %time f(). Each has a function behind it.
struct ShortForms {
    /// Whether a text is Lua.
    let compiles: (String) -> Bool
    /// Whether a dotted name leads nowhere from the globals.
    let isUndefined: (String) -> Bool

    /// The Lua of a text; nil for one that is Lua, or neither.
    func lua(_ text: String) -> String? {
        if text.hasPrefix("??") { return asked(text.dropFirst(2), "source") }
        if text.hasPrefix("?") { return asked(text.dropFirst(), "help") }
        if text.hasPrefix("=") { return String(text.dropFirst()) }
        if text.hasPrefix("!") { return "sh(\(quoted(text.dropFirst().trimmingSpaces)))" }
        if text.hasPrefix("%") { return command(text.dropFirst()) }
        if text.hasSuffix("??"), isChain(text.dropLast(2)) { return asked(text.dropLast(2), "source") }
        if text.hasSuffix("?"), isChain(text.dropLast()) { return asked(text.dropLast(), "help") }
        return nil
    }

    private func quoted(_ text: String) -> String { luaQuoted(text, limit: .max) }

    private func isChain(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isIdentifierByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
    }

    /// "?x": of a name that leads nowhere the registry may know.
    private func asked(_ text: Substring, _ function: String) -> String {
        let subject = text.trimmingSpaces
        if subject.isEmpty { return "help()" }
        let isName = isChain(subject[...]) && (subject.contains(":") || isUndefined(subject))
        return isName ? "help(\(quoted(subject)))" : "\(function)(\(subject))"
    }

    /// Whether a text may name a file as well as be Lua: letters, digits and . : / -
    private func isPath(_ text: String) -> Bool {
        text.utf8.allSatisfy { isIdentifierByte($0) || ".:/-".utf8.contains($0) }
    }

    private func isExpression(_ text: String) -> Bool { compiles("return " + text) }

    // MARK: %

    private static let commands = ["time", "timeit", "who", "whos", "edit", "save", "run", "reload", "debug"]

    private func command(_ text: Substring) -> String {
        let name = String(text.prefix { $0.isLetter }), rest = text.dropFirst(name.count).trimmingSpaces
        switch name {
        case "time", "timeit": return "\(name)(function() \(isExpression(rest) ? "return " + rest : rest) end)"
        case "who", "whos": return "who()"
        case "edit": return rest.isEmpty || isExpression(rest) && !(isPath(rest) && isUndefined(rest)) ? "edit(\(rest))" : "edit(\(quoted(rest)))"
        case "save": return "save_session(\(quoted(rest)))"
        case "run": return "run(\(rest.split(whereSeparator: \.isWhitespace).map { quoted(String($0)) }.joined(separator: ", ")))"
        case "reload", "debug": return "\(name)(\(rest))"
        default: return "error(\(quoted("there is no %\(name); there are \(ShortForms.commands.map { "%" + $0 }.joined(separator: ", "))")), 0)"
        }
    }
}
