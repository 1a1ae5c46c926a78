/// What a text that does not compile was meant to be, where it is written as Python, and how Lua writes it.
struct SyntaxHints {
    private let tokens: [LuaToken]
    /// Where the compiler stopped, from 1.
    private let line: Int
    private let message: String

    /// - Parameters:
    ///   - line: where the compiler stopped.
    ///   - message: what it said.
    /// - Returns: a line, or nil when nothing is known.
    static func hint(_ source: String, line: Int, message: String) -> String? {
        let hints = SyntaxHints(tokens: LuaTokens.of(source).filter { $0.kind != .comment }, line: line, message: message)
        // The line itself says most; where something was not closed or begun, an earlier one does.
        for number in Set([line, line - 1]).sorted(by: >) {
            if let hint = hints.hint(on: hints.tokens.filter { $0.line == number }) { return hint }
        }
        for number in Set(hints.tokens.map(\.line)).sorted() {
            if let hint = hints.statement(hints.tokens.filter { $0.line == number }) { return hint }
        }
        return message.hasPrefix("function arguments expected") ? hints.uncalled() : nil
    }

    /// For a method that is named and not called: the last one before the place where the compiler stopped.
    private func uncalled() -> String? {
        let names = zip(tokens, tokens.dropFirst()).filter { $0.isSymbol(":") && $1.kind == .name && $1.line <= line }
        return names.last.map { "a method is called: x:\($0.1.text)()" }
    }

    private func hint(on row: [LuaToken]) -> String? { statement(row) ?? operators(row) ?? brackets(row) ?? words(row) ?? heading(row) }

    // MARK: What a line begins with

    private func statement(_ row: [LuaToken]) -> String? {
        guard let first = row.first else { return nil }
        let next = row.count > 1 ? row[1] : nil, endsWithColon = SyntaxHints.hasColon(row)
        switch first.text {
        case "def" where next?.kind == .name: return "a function is: local function \(next?.text ?? "f")(...) ... end"
        case "import" where next?.kind == .name, "from" where next?.kind == .name: return moduleHint(next?.text ?? "")
        case "class" where next?.kind == .name: return "a network is: local net = nn.module{conv = ..., forward = function(self, x) ... end}; objects are tables with a metatable"
        case "try" where endsWithColon, "except": return "errors are caught by: local ok, err = pcall(function() ... end)"
        case "finally" where endsWithColon: return "what must run at the end of a block: local guard <close> = setmetatable({}, {__close = function() ... end})"
        case "with" where next?.kind == .name: return "for torch.no_grad: trellis.no_grad(function() ... end); files: local file <close> = assert(io.open(path))"
        case "elif": return "Lua writes: elseif ... then"
        case "else" where next?.isKeyword("if") ?? false: return "Lua writes elseif as one word; 'else if' opens a second 'if', which needs its own end"
        case "raise": return "Lua writes: error(\"what is wrong\")"
        case _ where SyntaxHints.called.contains(first.text) && next.map { $0.kind != .symbol && $0.kind != .string } ?? false:
            return "\(first.text) is a function: \(first.text)(x)"
        case "del": return "nothing is deleted by hand: x = nil; x:free() gives a tensor's memory back at once"
        case "pass": return "an empty block needs no word in Lua"
        case "yield": return "Lua's generators are coroutines: coroutine.wrap(function() ... coroutine.yield(x) ... end)"
        case "async", "await": return "Lua has no async; coroutine.wrap is what comes near"
        case "lambda": return SyntaxHints.lambda
        case "if" where endsWithColon, "elseif" where endsWithColon: return "Lua writes: if ... then ... end"
        case "while" where endsWithColon: return "Lua writes: while ... do ... end"
        case "else" where endsWithColon: return "Lua writes else without a colon, and end behind the block"
        case "function" where endsWithColon, "local" where endsWithColon && next?.text == "function":
            return "Lua writes a function without a colon: function f(x) ... end"
        case "for" where endsWithColon || row.contains { $0.text == "range" }: return loop(row)
        case "@": return "Lua has no decorators: f = decorate(f)"
        default: return nil
        }
    }

    /// Functions that are often called without brackets.
    private static let called: Set<String> = ["print", "help", "assert", "type", "require", "who", "run", "edit", "reload"]

    /// Whether a text is the beginning of a block of Python, whose lines Lua would go on asking for: `for p in net.parameters():`.
    static func isPython(_ source: String) -> Bool {
        let tokens = LuaTokens.of(source).filter { $0.kind != .comment }
        return Set(tokens.map(\.line)).contains { number in
            let row = tokens.filter { $0.line == number }
            return ["for", "if", "while", "elseif", "else", "def", "class", "with", "try"].contains(row[0].text) && hasColon(row)
        }
    }

    /// Whether a line has, outside of brackets, a colon with a gap behind it or at its end: in Lua the name of a method follows at once.
    private static func hasColon(_ row: [LuaToken]) -> Bool {
        var depth = 0
        return row.indices.contains { i in
            if row[i].kind == .symbol { depth += ["(", "[", "{"].contains(row[i].text) ? 1 : [")", "]", "}"].contains(row[i].text) ? -1 : 0 }
            return depth == 0 && row[i].isSymbol(":") && (i + 1 == row.count || row[i + 1].range.lowerBound > row[i].range.upperBound)
        }
    }

    /// For a block whose first line the compiler could not read to its end.
    private func heading(_ row: [LuaToken]) -> String? {
        guard !message.hasSuffix("<eof>") else { return nil }
        if message.hasSuffix("expected near '='") { return "two values are compared by ==" }
        if message.hasPrefix("'then' expected") { return "Lua writes: if ... then ... end" }
        if message.hasPrefix("'do' expected"), row.first?.text == "while" { return "Lua writes: while ... do ... end" }
        return nil
    }

    private func moduleHint(_ name: String) -> String {
        switch name {
        case "torch", "torchvision", "numpy", "matplotlib": "nothing has to be imported: tensor, nn, optim, nas, data and plot are global; help \"pytorch\" tells what is called how"
        default: "Lua writes: local \(name) = require \"\(name)\""
        }
    }

    private func loop(_ row: [LuaToken]) -> String {
        if row.contains(where: { $0.text == "range" }) { return "Lua writes: for i = 1, n do ... end" }
        if row.contains(where: { $0.text == "enumerate" }) { return "Lua writes: for i, value in ipairs(list) do ... end" }
        return "Lua writes: for i, value in ipairs(list) do ... end, or for key, value in pairs(table) do ... end"
    }

    private static let lambda = "a function without a name is: function(x) return x + 1 end"

    // MARK: Operators

    private func operators(_ row: [LuaToken]) -> String? {
        for (a, b) in zip(row, row.dropFirst()) where a.kind == .symbol && a.range.upperBound == b.range.lowerBound {
            switch (a.text, b.text) {
            case ("+", "="), ("-", "="), ("*", "="), ("/", "="), ("//", "="), ("%", "="), ("^", "="), ("..", "="), ("|", "="), ("&", "="):
                let target = self.target(row, before: a)
                return "Lua has no '\(a.text)=': write \(target) = \(target) \(a.text) ..."
            case ("*", "*"): return "a power is written with ^: x ^ 2"
            case ("!", "="), ("!", "=="): return "'not equal' is written ~="
            case ("&", "&"): return "Lua writes: a and b"
            case ("|", "|"): return "Lua writes: a or b"
            case ("+", "+"): return "Lua has no '++': write \(target(row, before: a)) = \(target(row, before: a)) + 1"
            case ("?", _), (_, "?"): continue
            case ("-", ">"): return "types are not written down in Lua"
            case ("=", ">"): return "'at least' is written >=; " + SyntaxHints.lambda
            default: continue
            }
        }
        if row.contains(where: { $0.isSymbol("!") }) { return "Lua writes: not x; 'not equal' is ~=" }
        if row.contains(where: { $0.isSymbol("?") }) { return "Lua writes: condition and a or b; at the prompt a line that begins with ? asks for help" }
        if row.contains(where: { $0.isSymbol("@") }) { return "a product of matrices is a:matmul(b)" }
        if row.contains(where: { $0.isSymbol("$") || $0.isSymbol("`") }) { return nil }
        return nil
    }

    /// What stands on the left of an operator, as far as it is on the line.
    private func target(_ row: [LuaToken], before operation: LuaToken) -> String {
        let left = row.prefix { $0.range.lowerBound < operation.range.lowerBound }
        let text = left.map(\.text).joined()
        return text.isEmpty || left.contains { $0.kind == .keyword } ? "x" : text
    }

    // MARK: Brackets

    private func brackets(_ row: [LuaToken]) -> String? {
        var open: [(text: String, index: Int)] = []
        for (i, token) in row.enumerated() where token.kind == .symbol || token.kind == .keyword {
            switch token.text {
            case "(", "[", "{": open.append((token.text, i))
            case ")", "]", "}": if !open.isEmpty { open.removeLast() }
            case ":" where open.last?.text == "[" && message.contains("near"):
                return "a part of a tensor is x[{{first, last}}], counted from 1 with the last included; {} is all of a dimension: x[{{}, {1, 2}}]"
            case "..." where open.last?.text == "[": return "all of a dimension is {}: x[{{}, 1}]"
            case ":" where open.last?.text == "{": return "a table is written {name = value}, or {[\"any text\"] = value}"
            case "=" where open.last?.text == "(" && i > 0 && row[i - 1].kind == .name:
                return "options go into one table, last: f(x, {\(row[i - 1].text) = \(i + 1 < row.count ? row[i + 1].text : "...")})"
            case "for" where open.last?.text == "[" || open.last?.text == "(": return "Lua has no comprehensions: local list = {}; for i = 1, n do list[i] = ... end"
            case "," where open.last?.text == "[" && isIndex(row, open[open.count - 1].index): return "several indices go into a table: x[{i, j}]"
            case "," where open.last?.text == "(" && !isCall(row, open[open.count - 1].index):
                return "Lua has no tuples: several values stand without brackets, as in local a, b = 1, 2, and a list in braces: {2, 3}"
            default: continue
            }
        }
        if let i = row.firstIndex(where: { $0.isSymbol("[") }), !isIndex(row, i) { return "a list is written in braces: {1, 2, 3}" }
        return nil
    }

    /// Whether a bracket reads from what stands before it.
    private func isIndex(_ row: [LuaToken], _ bracket: Int) -> Bool {
        guard bracket > 0 else { return false }
        let before = row[bracket - 1]
        return before.kind == .name || before.isSymbol(")") || before.isSymbol("]")
    }

    /// Whether a bracket holds arguments or parameters.
    private func isCall(_ row: [LuaToken], _ bracket: Int) -> Bool {
        bracket > 0 && (isIndex(row, bracket) || row[bracket - 1].kind == .string || row[bracket - 1].isKeyword("function") || row[bracket - 1].isSymbol("}"))
    }

    // MARK: Words

    private func words(_ row: [LuaToken]) -> String? {
        for (i, token) in row.enumerated() {
            let next = i + 1 < row.count ? row[i + 1] : nil
            switch token.text {
            case "lambda" where next?.kind == .name || next?.isSymbol(":") ?? false: return SyntaxHints.lambda
            case "is" where i > 0 && next != nil: return "Lua writes: x == nil, x ~= nil"
            case "in" where i > 0 && row[0].text != "for": return "Lua has no 'in': a table used as a set is asked by set[x]"
            case "if" where i > 0 && row[i - 1].kind != .keyword && row.contains { $0.isKeyword("else") }: return "Lua writes: condition and a or b"
            case "#" where next.map { $0.kind == .name || $0.kind == .keyword || $0.isSymbol("!") } ?? true: return "a comment begins with --"
            case "\"\"" where next?.text.hasPrefix("\"") ?? false: return "a text of several lines is written [[ ... ]]"
            default: break
            }
            if token.kind == .string, let next, next.isSymbol(".") || next.isSymbol(":"), i + 2 < row.count, row[i + 2].kind == .name {
                return row[i + 2].text == "format" ? SyntaxHints.formatted : "a text in quotes stands in brackets where its methods are called: (\"a\"):upper()"
            }
            if token.kind == .number, token.text.contains("_") { return "numbers are written without _" }
            if token.kind == .string, i > 0, row[i - 1].kind == .name, ["f", "r", "b"].contains(row[i - 1].text), row[i - 1].range.upperBound == token.range.lowerBound {
                return SyntaxHints.formatted
            }
        }
        return nil
    }

    static let formatted = "values go into a text by string.format(\"loss %.3f\", loss) or by \"loss \" .. loss"
}
