/// What was entered into a session.
final class SessionLog {
    struct Entry {
        /// As in "[3]".
        let number: Int
        /// What was typed.
        let text: String
        /// The Lua of it: another one for a short form.
        let lua: String
        /// Whether it ended without an error.
        let isDone: Bool
    }

    private(set) var entries: [Entry] = []
    /// Texts to run next, as if they had been typed.
    private var queued: [String] = []

    func note(_ entry: Entry) { entries.append(entry) }
    func queue(_ text: String) { queued.append(text) }
    func takeQueued() -> String? { queued.isEmpty ? nil : queued.removeFirst() }

    /// The entries that ended well as a script in the percent format, a cell each, which runs as a notebook and as plain Lua.
    /// - Parameter compiles: whether a text is Lua.
    func script(compiles: (String) -> Bool) -> String {
        entries.filter(\.isDone).compactMap { cell($0.lua.trimmingSpaces, compiles) }.map { "-- %%\n" + $0 + "\n" }.joined(separator: "\n")
    }

    /// An entry as statements: an expression is printed, what asks about the session is left out.
    private func cell(_ lua: String, _ compiles: (String) -> Bool) -> String? {
        if lua.isEmpty || ["help(", "source(", "who(", "edit(", "save_session(", "debug("].contains(where: lua.hasPrefix) { return nil }
        if ["sh(", "time(", "timeit(", "reload("].contains(where: lua.hasPrefix) { return "session." + lua }
        guard let end = LuaTokens.of(lua).last(where: { $0.kind != .comment })?.range.upperBound else { return lua }
        // A comment stays behind the code that it is about.
        let code = String(decoding: lua.utf8.prefix(end), as: UTF8.self), comment = String(decoding: lua.utf8.dropFirst(end), as: UTF8.self)
        let isSilent = code.hasSuffix(";"), bare = isSilent ? String(code.dropLast()).trimmingSpaces : code
        guard compiles("return " + bare) else { return lua }
        if isSilent || code.hasPrefix("print(") { return compiles(bare) ? bare + comment : nil }
        return "print(\(bare))\(comment)"
    }
}
