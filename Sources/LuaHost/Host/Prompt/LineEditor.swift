import CLua
import Glibc

/// What the prompt shows and does while an entry is typed, for readline (CLua/paint.c, CLua/keys.c). Readline knows one terminal, and its functions get no
/// context: there is one editor at a time.
final class LineEditor {
    private let session: Session
    private let history: PromptHistory
    private let modules: Set<String>
    private nonisolated(unsafe) static var current: LineEditor?

    init(_ session: Session, _ history: PromptHistory) {
        self.session = session
        self.history = history
        modules = Set(session.host.registry.modules.map(\.name))
    }

    /// Lets readline ask this editor.
    func install() {
        LineEditor.current = self
        var functions = clua_editor(
            classify: { text, count, cursor, classes in
                guard let editor = LineEditor.current, let classes, let text = LineEditor.string(text, count) else { return }
                editor.classify(text, Int(cursor), classes, Int(count))
            },
            suggestion: { text, count in
                LineEditor.kept(LineEditor.string(text, count).flatMap { LineEditor.current?.history.suggestion(for: $0) }, in: &LineEditor.suggested)
            },
            signature: { text, count, cursor in
                guard let editor = LineEditor.current, let before = LineEditor.string(text, min(count, cursor)) else { return nil }
                return LineEditor.kept(Completer(editor.session.host).signature(before), in: &LineEditor.described)
            },
            indentation: { text, count, cursor, dedent in
                guard let editor = LineEditor.current, let dedent, let whole = LineEditor.string(text, count) else { return -1 }
                guard let before = LineEditor.string(text, min(count, cursor)) else { return -1 }
                let line = Indentation.nextLine(before)
                dedent.pointee = Int32(clamping: line.dedent)
                return editor.goesOn(whole, Int(cursor)) ? Int32(clamping: line.spaces) : -1
            })
        withUnsafePointer(to: &functions) { clua_line_edit_with($0) }
    }

    // MARK: Texts for C

    private static func string(_ text: UnsafePointer<CChar>?, _ count: Int32) -> String? {
        guard let text, count >= 0 else { return nil }
        return String(validating: UnsafeRawBufferPointer(start: text, count: Int(count)), as: UTF8.self)
    }

    /// Memory that C was given last, until it asks again.
    private nonisolated(unsafe) static var suggested: UnsafeMutablePointer<CChar>?
    private nonisolated(unsafe) static var described: UnsafeMutablePointer<CChar>?

    private static func kept(_ text: String?, in memory: inout UnsafeMutablePointer<CChar>?) -> UnsafePointer<CChar>? {
        free(memory)
        memory = text.flatMap { strdup($0) }
        return memory.map { UnsafePointer($0) }
    }

    // MARK: Colours

    private func classify(_ text: String, _ cursor: Int, _ classes: UnsafeMutablePointer<CChar>, _ count: Int) {
        // A line for help or the shell is no Lua; what follows the mark often is.
        let tokens = LuaTokens.of(text)
        for (i, token) in tokens.enumerated() {
            guard let letter = letter(token, follows: i > 0 ? tokens[i - 1] : nil) else { continue }
            for byte in token.range where byte < count { classes[byte] = CChar(bitPattern: letter) }
        }
        for bracket in LineEditor.brackets(tokens, cursor) where bracket < count { classes[bracket] = CChar(bitPattern: UInt8(ascii: "b")) }
    }

    private func letter(_ token: LuaToken, follows before: LuaToken?) -> UInt8? {
        switch token.kind {
        case .keyword: UInt8(ascii: "k")
        case .string: UInt8(ascii: "s")
        case .number: UInt8(ascii: "n")
        case .comment: UInt8(ascii: "c")
        case .name where modules.contains(token.text) && before?.isSymbol(".") != true && before?.isSymbol(":") != true: UInt8(ascii: "m")
        case .name, .symbol: nil
        }
    }

    /// The bracket before the cursor, or at it, and its partner.
    private static func brackets(_ tokens: [LuaToken], _ cursor: Int) -> [Int] {
        let pairs = ["(": ")", "[": "]", "{": "}"]
        var open: [LuaToken] = []
        for token in tokens where token.kind == .symbol {
            if pairs[token.text] != nil { open.append(token) }
            guard pairs.values.contains(token.text), let start = open.popLast(), pairs[start.text] == token.text else { continue }
            let places = [start.range.lowerBound, token.range.lowerBound]
            if places.contains(cursor - 1) || places.contains(cursor) { return places }
        }
        return []
    }

    // MARK: Return

    /// Whether Return makes a new line, and does not end the entry.
    private func goesOn(_ text: String, _ cursor: Int) -> Bool {
        guard cursor <= text.utf8.count, !text.allSatisfy(\.isWhitespace) else { return false }
        return text.utf8.dropFirst(cursor).contains(10) || session.completeness(text) == .incomplete
    }
}

/// How far lines of Lua are indented: two spaces for each line that leaves blocks or brackets open.
enum Indentation {
    private static let openers: Set<String> = ["function", "do", "then", "repeat", "else", "(", "[", "{"]
    private static let closers: Set<String> = ["end", "until", "else", "elseif", ")", "]", "}"]

    /// The line that follows a text.
    /// - Returns: its spaces, and how many its last line has too many: where that closes a block.
    static func nextLine(_ text: String) -> (spaces: Int, dedent: Int) {
        let lastLine = text.utf8.count { $0 == 10 } + 1
        /// Lines of what is open.
        var open: [Int] = []
        var dedent = 0, start: Int?, onlyCloses = true
        for token in LuaTokens.of(text) {
            let isWord = token.kind == .keyword || token.kind == .symbol
            let closes = isWord && closers.contains(token.text)
            if token.line == lastLine, start == nil { start = spaces(before: token, in: text) }
            let opened = closes ? open.popLast() ?? 0 : 0
            if token.line == lastLine, onlyCloses {
                // As far in as the line that opened what is closed last.
                if closes { dedent = max(0, (start ?? 0) - 2 * Set(open.filter { $0 < opened }).count) }
                onlyCloses = closes
            }
            if isWord, openers.contains(token.text) {
                open.append(token.line)
                if token.line == lastLine { onlyCloses = false }
            }
        }
        return (2 * Set(open).count, dedent)
    }

    private static func spaces(before token: LuaToken, in text: String) -> Int {
        Array(text.utf8)[..<token.range.lowerBound].reversed().prefix { $0 == 32 }.count
    }
}
