/// An error as a person reads it: what, the line of source that it is in, who called.
public struct ErrorReport: Sendable {
    /// "[2]:1: attempt to index a nil value (global 'x')".
    public let message: String
    /// The line, and a caret below what the message names, where that can be told: "  2 | local y = x.a" and so on.
    public let excerpt: String?
    /// What helps, where that is known.
    public let hint: String?
    /// The user's frames, innermost first, under a heading; nil when there are none but the entry itself.
    public let traceback: String?

    /// Everything, ending in a newline.
    public func text(coloured: Bool) -> String {
        let first = coloured ? "\u{1b}[31m\(message)\u{1b}[0m" : message
        return ([first] + [excerpt, hint.map { "hint: " + $0 }, traceback].compactMap { $0 }).joined(separator: "\n") + "\n"
    }

    public init(message: String, excerpt: String? = nil, hint: String? = nil, traceback: String? = nil) {
        self.message = message
        self.excerpt = excerpt
        self.hint = hint
        self.traceback = traceback
    }
}

/// The line of source that an error is in.
struct SourceExcerpt {
    /// Texts by the name that chunks have in messages ("[2]", "cell 3", a path).
    let sources: (String) -> String?

    /// - Parameter message: begins with "NAME:LINE: ", where it says where it is.
    func excerpt(_ message: String) -> String? {
        guard let place = SourceExcerpt.place(message), let text = sources(place.name) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(place.line - 1) else { return nil }
        let line = String(lines[place.line - 1]).replacing("\t", with: " ")
        let shown = String(line.prefix(160))
        guard !shown.allSatisfy(\.isWhitespace) else { return nil }
        let margin = "  \(place.line) | "
        guard let column = SourceExcerpt.column(of: place.rest, in: shown) else { return margin + shown }
        return margin + shown + "\n" + String(repeating: " ", count: margin.count + column) + "^"
    }

    /// "NAME:LINE: rest" taken apart; the first such place in the message's first line.
    static func place(_ message: String) -> (name: String, line: Int, rest: String)? {
        let first = message.prefix { $0 != "\n" }
        var start = first.startIndex
        while let colon = first[start...].firstIndex(of: ":") {
            let digits = first[first.index(after: colon)...].prefix { $0.isASCII && $0.isNumber }
            if let line = Int(digits), digits.endIndex < first.endIndex, first[digits.endIndex] == ":" {
                return (String(first[..<colon]), line, String(first[first.index(after: digits.endIndex)...]))
            }
            start = first.index(after: colon)
        }
        return nil
    }

    /// Where the name that the message is about stands in the line, if it stands there once.
    static func column(of message: String, in line: String) -> Int? {
        for marker in ["near '", "global '", "local '", "upvalue '", "field '", "method '", "to '", "no '", "option '"] {
            guard let range = message.firstRange(of: marker) else { continue }
            var name = String(message[range.upperBound...].prefix { $0 != "'" })
            if let dot = name.lastIndex(where: { $0 == "." || $0 == ":" }), name.count > 1, marker != "near '" { name = String(name[name.index(after: dot)...]) }
            guard !name.isEmpty, name != "<eof>" else { continue }
            let found = occurrences(of: name, in: line)
            if found.count == 1 { return found[0] }
            if found.count > 1, marker == "near '" { return found.last }
        }
        return nil
    }

    /// Columns, from 0, at which a text stands that no letter goes on.
    private static func occurrences(of name: String, in line: String) -> [Int] {
        let line = Array(line), name = Array(name)
        guard name.count <= line.count else { return [] }
        func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
        return (0...(line.count - name.count)).filter { start in
            let end = start + name.count
            guard Array(line[start..<end]) == name else { return false }
            if isWord(name[0]), start > 0, isWord(line[start - 1]) { return false }
            return !(isWord(name[name.count - 1]) && end < line.count && isWord(line[end]))
        }
    }
}
