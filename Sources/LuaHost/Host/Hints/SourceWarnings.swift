/// What compiles and is never meant, found when a source is loaded.
struct SourceWarnings {
    struct Warning: Equatable {
        let line: Int
        let text: String
    }

    /// Methods of tensors that give a mask.
    private static let comparisons: Set<String> = ["eq", "ne", "lt", "le", "gt", "ge"]
    private static let pythonWords = ["True": "true", "False": "false", "None": "nil"]

    private let tokens: [LuaToken]

    static func of(_ source: String) -> [Warning] {
        guard isSuspect(source) else { return [] }
        let warnings = SourceWarnings(tokens: LuaTokens.of(source).filter { $0.kind != .comment })
        return (warnings.conditions() + warnings.words() + warnings.tables()).sorted { $0.line < $1.line }
    }

    /// Whether there may be anything: most sources have none of it, and a look at their bytes spares the rest.
    private static func isSuspect(_ source: String) -> Bool {
        var source = source
        return source.withUTF8 { bytes in
            bytes.indices.dropLast(3).contains { i in
                switch bytes[i] {
                case UInt8(ascii: ":"): bytes[i + 3] == UInt8(ascii: "(")
                case UInt8(ascii: "="), UInt8(ascii: "~"): bytes[i + 1] == UInt8(ascii: "=") && isBesideTable(bytes, i)
                case UInt8(ascii: "T"), UInt8(ascii: "F"), UInt8(ascii: "N"):
                    pythonWords.keys.contains { $0.utf8.elementsEqual(bytes[i..<min(i + $0.utf8.count, bytes.count)]) }
                default: false
                }
            }
        }
    }

    /// Whether the comparison of two characters at `i` has a bracket of a table beside it.
    private static func isBesideTable(_ bytes: UnsafeBufferPointer<UInt8>, _ i: Int) -> Bool {
        bytes[(i + 2)...].first { $0 > 32 } == UInt8(ascii: "{") || bytes[..<i].last { $0 > 32 } == UInt8(ascii: "}")
    }

    // MARK: Conditions

    /// `if x:gt(0) then`: Lua takes every tensor for true, and asks no metamethod.
    private func conditions() -> [Warning] {
        tokens.indices.flatMap { i in
            ["if", "elseif", "while", "until"].contains(where: tokens[i].isKeyword) ? masks(in: condition(after: i)) : []
        }
    }

    /// The tokens of the condition that follows the keyword at `start`.
    private func condition(after start: Int) -> ArraySlice<LuaToken> {
        var depth = 0, end = start + 1
        while end < tokens.count {
            let token = tokens[end]
            if depth == 0, token.isKeyword("then") || token.isKeyword("do") || (tokens[start].isKeyword("until") && token.line > tokens[end - 1].line) { break }
            depth += SourceWarnings.nesting(token)
            end += 1
        }
        return tokens[(start + 1)..<end]
    }

    private static func nesting(_ token: LuaToken) -> Int {
        guard token.kind == .symbol else { return 0 }
        return ["(", "[", "{"].contains(token.text) ? 1 : [")", "]", "}"].contains(token.text) ? -1 : 0
    }

    /// Operands of `and`, `or` and `not` that are a mask.
    private func masks(in condition: ArraySlice<LuaToken>) -> [Warning] {
        var operands: [[LuaToken]] = [[]], depth = 0
        for token in condition {
            if depth == 0, ["and", "or", "not"].contains(where: token.isKeyword) {
                operands.append([])
            } else {
                operands[operands.count - 1].append(token)
            }
            depth += SourceWarnings.nesting(token)
        }
        return operands.compactMap(mask)
    }

    private func mask(_ operand: [LuaToken]) -> Warning? {
        guard let last = operand.last, last.isSymbol(")"), let open = opening(operand), open >= 3, operand[open - 2].isSymbol(":"),
            SourceWarnings.comparisons.contains(operand[open - 1].text)
        else { return nil }
        // Anything but a chain of names, brackets and calls compares or computes further.
        var depth = 0
        for token in operand {
            if depth == 0, token.kind == .symbol, ![".", ":", "(", "[", "{"].contains(token.text) { return nil }
            depth += SourceWarnings.nesting(token)
            if depth < 0 { return nil }
        }
        let text = operand.map(\.text).joined()
        return Warning(
            line: last.line,
            text: "of a tensor '\(text)' is a mask, and Lua takes every tensor for true, whatever is in it: write \(text):any() or \(text):all()")
    }

    /// Where the bracket opens that the last token closes.
    private func opening(_ operand: [LuaToken]) -> Int? {
        var depth = 0
        return operand.indices.reversed().first { i in
            depth += SourceWarnings.nesting(operand[i])
            return depth == 0
        }
    }

    // MARK: Tables

    /// `x.shape == {2, 3}`: a table is equal to itself only, and one that is written down is a new one.
    private func tables() -> [Warning] {
        tokens.indices.compactMap { i in
            guard tokens[i].isSymbol("==") || tokens[i].isSymbol("~="), i > 0, i + 1 < tokens.count else { return nil }
            guard tokens[i + 1].isSymbol("{") || isTable(endingAt: i - 1) else { return nil }
            let always = tokens[i].text == "==" ? "false" : "true"
            let text = "a table that is written here is a new one, equal to itself only: this is always \(always); compare what is in it, as in x.shape[1] == 2"
            return Warning(line: tokens[i].line, text: text)
        }
    }

    /// Whether a table is written there, and no call with one: f{...}.
    private func isTable(endingAt end: Int) -> Bool {
        guard tokens[end].isSymbol("}"), let start = opening(Array(tokens[...end])) else { return false }
        guard start > 0 else { return true }
        let before = tokens[start - 1]
        return !(before.kind == .name || before.kind == .string || [")", "]", "}"].contains { before.isSymbol($0) })
    }

    // MARK: Words

    /// `True` is a global that is nil.
    private func words() -> [Warning] {
        SourceWarnings.pythonWords.sorted { $0.key < $1.key }.compactMap { word, here in
            let places = tokens.indices.filter { tokens[$0].kind == .name && tokens[$0].text == word && !isMember($0) }
            guard let first = places.first, !places.contains(where: isDefined) else { return nil }
            return Warning(line: tokens[first].line, text: "'\(word)' is a global variable that holds nil: Lua writes \(here)")
        }
    }

    private func isMember(_ i: Int) -> Bool {
        (i > 0 && (tokens[i - 1].isSymbol(".") || tokens[i - 1].isSymbol(":"))) || isKey(i)
    }

    /// `{None = 1}`.
    private func isKey(_ i: Int) -> Bool {
        i > 0 && i + 1 < tokens.count && tokens[i + 1].isSymbol("=") && (tokens[i - 1].isSymbol("{") || tokens[i - 1].isSymbol(","))
    }

    private func isDefined(_ i: Int) -> Bool {
        (i + 1 < tokens.count && tokens[i + 1].isSymbol("=")) || (i > 0 && (tokens[i - 1].isKeyword("local") || tokens[i - 1].isKeyword("function")))
    }
}
