/// Which names a cell sets for the cells after it, and which it takes from others. Read off the source: what a name stands for is not known, so that fields
/// changed in place (`net.bias = 1`) are a use of `net` and nothing more.
struct GlobalUse: Equatable, Sendable {
    /// Names that are set at the top level: globals, and locals of the cell, which its host keeps.
    private(set) var written: Set<String> = []
    /// Names that are used and not set before in the cell.
    private(set) var read: Set<String> = []

    /// Names of parameters, loops and blocks: they are the cell's own.
    private var own: Set<String> = []
    /// Names that the statement sets: its right side still takes them from others.
    private var pending: Set<String> = []

    init(_ source: String) {
        let words = GlobalUse.words(source)
        var depth = 0, tables = 0, i = 0
        while i < words.count {
            let word = words[i]
            if i > 0, GlobalUse.beginsStatement(word, after: words[i - 1]) { settle() }
            switch word {
            case "do", "then", "repeat": depth += 1
            // `else` closes a block and opens one.
            case "end", "until", "elseif": depth -= 1
            case "{": tables += 1
            case "}": tables -= 1
            case "function": i = function(words, i, &depth)
            case "local": i = local(words, i, depth)
            case "for": i = loop(words, i)
            default:
                guard GlobalUse.isName(word) else { break }
                let before = i > 0 ? words[i - 1] : "", after = i + 1 < words.count ? words[i + 1] : ""
                if before == "." || before == ":" || (tables > 0 && after == "=" && (before == "{" || before == "," || before == ";")) { break }
                if tables == 0, isAssigned(words, i) { write(word) } else { use(word) }
            }
            i += 1
        }
        settle()
    }

    private mutating func settle() {
        written.formUnion(pending)
        pending = []
    }

    /// Two operands side by side belong to two statements.
    private static func beginsStatement(_ word: String, after before: String) -> Bool {
        let isOperand = isName(before) || ["0", ")", "]", "}", "end", "nil", "true", "false", "break", ";"].contains(before) || before == "..."
        return isOperand && (isName(word) || (keywords.contains(word) && !["and", "or", "not", "do", "then", "in"].contains(word)))
    }

    private mutating func use(_ name: String) { if !own.contains(name), !written.contains(name) { read.insert(name) } }
    private mutating func write(_ name: String) { if !own.contains(name) { pending.insert(name) } }

    /// `function a.b:c(x, y)`, or without a name; where its parameters end.
    private mutating func function(_ words: [String], _ start: Int, _ depth: inout Int) -> Int {
        var i = start + 1
        if i < words.count, GlobalUse.isName(words[i]) {
            if i + 1 < words.count, words[i + 1] == "(" { write(words[i]) } else { use(words[i]) }
            // Known inside of itself.
            settle()
            while i < words.count, words[i] != "(" { i += 1 }
        }
        while i < words.count, words[i] != ")" {
            if GlobalUse.isName(words[i]) { own.insert(words[i]) }
            i += 1
        }
        depth += 1
        return i
    }

    /// `local a <const>, b`, `local function f`; where the names end.
    private mutating func local(_ words: [String], _ start: Int, _ depth: Int) -> Int {
        if start + 1 < words.count, words[start + 1] == "function" {
            if start + 2 < words.count { declare(words[start + 2], depth) }
            return start
        }
        var i = start + 1, names: [String] = []
        while i < words.count, GlobalUse.isName(words[i]) {
            names.append(words[i])
            i += 1
            if i < words.count, words[i] == "<" { i += 3 }
            guard i < words.count, words[i] == "," else { break }
            i += 1
        }
        for name in names { declare(name, depth) }
        return i - 1
    }

    private mutating func declare(_ name: String, _ depth: Int) { if depth == 0 { pending.insert(name) } else { own.insert(name) } }

    /// `for a, b in`; where the names end.
    private mutating func loop(_ words: [String], _ start: Int) -> Int {
        var i = start + 1
        while i < words.count, words[i] != "in", words[i] != "=" {
            if GlobalUse.isName(words[i]) { own.insert(words[i]) }
            i += 1
        }
        return i
    }

    /// Whether the name is one of those in front of a single equals sign.
    private func isAssigned(_ words: [String], _ start: Int) -> Bool {
        var i = start + 1
        while i + 1 < words.count, words[i] == ",", GlobalUse.isName(words[i + 1]) { i += 2 }
        return i < words.count && words[i] == "="
    }

    private static func isName(_ word: String) -> Bool {
        guard let first = word.utf8.first else { return false }
        return (first >= 97 && first <= 122 || first >= 65 && first <= 90 || first == 95) && !keywords.contains(word)
    }

    /// Names, keywords and symbols; strings and numbers are one word that is no name.
    private static func words(_ source: String) -> [String] {
        LuaTokens.of(source).compactMap { token in
            switch token.kind {
            case .comment: nil
            case .string, .number: "0"
            default: token.text
            }
        }
    }
}

/// Cells that ran, and which of them stand on what another cell, edited since, had set.
struct StaleCells: Sendable {
    private struct Run: Sendable {
        let source: String
        let use: GlobalUse
        let number: Int
    }

    private var runs: [String: Run] = [:]

    init() {}

    /// Notes that a cell ran.
    /// - Parameters:
    ///   - id: of the cell: the same for another text of it.
    ///   - number: of the run, from 1.
    /// - Returns: cells by number that read what an earlier text of this cell had set, with the names; none when the text is the same as before.
    mutating func ran(_ id: String, _ source: String, number: Int) -> [(number: Int, names: [String])] {
        let use = GlobalUse(source)
        let before = runs.updateValue(Run(source: source, use: use, number: number), forKey: id)
        guard let before, before.source != source else { return [] }
        let set = before.use.written.union(use.written)
        return runs.filter { $0.key != id && $0.value.number > before.number }.compactMap { _, run in
            let names = run.use.read.intersection(set)
            return names.isEmpty ? nil : (run.number, names.sorted())
        }.sorted { $0.number < $1.number }
    }
}
