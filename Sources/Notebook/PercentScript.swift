import Base
import Tensors

/// A script in Jupytext's percent format: comments of the form `-- %% title [markdown] key=value` begin cells.
/// https://jupytext.readthedocs.io/en/latest/formats-scripts.html
public struct PercentScript {
    /// The notebook that a script is. A marker inside a long string or comment splits that, as in Jupytext; there is a warning.
    public static func read(_ text: String) -> NotebookDocument {
        let text = text.replacing("\r\n", with: "\n")
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        let start = header(lines)
        var cells: [NotebookCell] = []
        var open = NotebookCell(.code, "")
        open.line = start + 1
        var body: [String] = []
        var isOpen = false
        var longBracket = LongBracket()
        var warnings: [String] = []

        func close() {
            var cell = open
            cell.source = (cell.kind == .code ? withoutBlankEnd(body) : withoutBlankEnd(uncommented(body))).joined(separator: "\n")
            // What stands before the first marker is a cell if there is something in it.
            if isOpen || !cell.source.isEmpty { cells.append(cell) }
            body = []
        }

        for (index, line) in lines.enumerated().dropFirst(start) {
            if let marker = Marker(line) {
                if longBracket.isOpen { warnings.append("line \(index + 1): this marker inside a long string or comment begins a cell; indent its text otherwise if that is not meant") }
                close()
                open = marker.cell
                open.line = index + 2
                isOpen = true
                longBracket = LongBracket()
            } else {
                longBracket.read(line)
                body.append(line)
            }
        }
        close()
        var document = NotebookDocument(cells: cells)
        document.warnings = warnings
        return document
    }

    /// Lines before the first cell that are no Lua of it: `#!`, an encoding, a commented header of YAML.
    private static func header(_ lines: [String]) -> Int {
        var next = 0
        if next < lines.count, lines[next].hasPrefix("#!") { next += 1 }
        if next < lines.count, lines[next].hasPrefix("-- -*- coding:") { next += 1 }
        if next < lines.count, lines[next].trimmed == "-- ---" {
            guard let end = lines[(next + 1)...].firstIndex(where: { $0.trimmed == "-- ---" }), lines[next...end].allSatisfy({ $0.hasPrefix("--") }) else { return next }
            next = end + 1
        }
        return next
    }

    private static func withoutBlankEnd(_ lines: [String]) -> [String] {
        var lines = lines
        while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
        return lines
    }

    /// Lines of text without the marks that make comments of them.
    private static func uncommented(_ lines: [String]) -> [String] {
        lines.map { line in
            if line.hasPrefix("-- ") { return String(line.dropFirst(3)) }
            return line.hasPrefix("--") ? String(line.dropFirst(2)) : line
        }
    }
}

/// The line that begins a cell.
private struct Marker {
    let cell: NotebookCell

    /// nil for a line that is none: `-- %%time` is code.
    init?(_ line: String) {
        var rest = line.drop(while: { $0 == " " || $0 == "\t" })
        guard rest.hasPrefix("--") else { return nil }
        rest = rest.dropFirst(2).drop(while: { $0 == " " || $0 == "\t" })
        if Marker.isNumberedInput(rest) {
            cell = NotebookCell(.code, "")
            return
        }
        guard rest.hasPrefix("%%") else { return nil }
        rest = rest.dropFirst(2).drop(while: { $0 == "%" })
        guard rest.isEmpty || rest.first?.isWhitespace == true else { return nil }
        cell = Marker.cell(rest.trimmed)
    }

    /// `In[7]:` of old exports.
    private static func isNumberedInput(_ text: Substring) -> Bool {
        guard text.hasPrefix("In["), let end = text.firstIndex(of: "]") else { return false }
        let tail = text[text.index(after: end)...].trimmed
        return text[..<end].dropFirst(3).allSatisfy { $0.isNumber || $0 == " " } && (tail == ":" || tail.isEmpty)
    }

    /// Of `title [kind] key=value ...`, or with one JSON object at the end.
    private static func cell(_ text: String) -> NotebookCell {
        var cell = NotebookCell(.code, "")
        var title = text
        if let brace = text.firstIndex(of: "{"), case .object(let members)? = try? JSONValue.parse(text[brace...].utf8) {
            cell.metadata = members
            title = text[..<brace].trimmed
        } else {
            var members: [JSONValue.Member] = []
            while let (start, member) = lastOption(title) {
                members.insert(member, at: 0)
                title = title[..<start].trimmed
            }
            cell.metadata = members
        }
        for (word, kind) in [("[markdown]", NotebookCell.Kind.markdown), ("[md]", .markdown), ("[raw]", .raw)] where title.hasSuffix(word) {
            cell.kind = kind
            title = String(title.dropLast(word.count))
        }
        cell.title = title.trimmed
        cell.metadata.sort { $0.key < $1.key }
        return cell
    }

    /// The last `key=JSON` of a text, and where it begins.
    private static func lastOption(_ text: String) -> (String.Index, JSONValue.Member)? {
        var equals = text.endIndex
        while let found = text[..<equals].lastIndex(of: "=") {
            equals = found
            guard let value = try? JSONValue.parse(text[text.index(after: found)...].utf8) else { continue }
            var start = found
            while start > text.startIndex {
                let before = text.index(before: start)
                guard text[before].isLetter || text[before].isNumber || text[before] == "_" || text[before] == "-" || text[before] == "." else { break }
                start = before
            }
            guard start < found, start == text.startIndex || text[text.index(before: start)].isWhitespace else { return nil }
            return (start, JSONValue.Member(String(text[start..<found]), value))
        }
        return nil
    }
}

/// Whether a line of Lua ends inside of a long string or comment.
private struct LongBracket {
    /// Equals signs of the bracket that is open.
    private var level: Int?
    var isOpen: Bool { level != nil }

    mutating func read(_ line: String) {
        let bytes = Array(line.utf8)
        var i = 0
        while i < bytes.count {
            if let open = level {
                if LongBracket.bracket(bytes, i, UInt8(ascii: "]")) == open {
                    level = nil
                    i += open + 1
                }
                i += 1
            } else if bytes[i] == UInt8(ascii: "-"), i + 1 < bytes.count, bytes[i + 1] == UInt8(ascii: "-") {
                level = LongBracket.bracket(bytes, i + 2, UInt8(ascii: "["))
                if level == nil { return }
                i += 2
            } else if bytes[i] == UInt8(ascii: "\"") || bytes[i] == UInt8(ascii: "'") {
                let quote = bytes[i]
                i += 1
                while i < bytes.count, bytes[i] != quote { i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1 }
                i += 1
            } else {
                level = LongBracket.bracket(bytes, i, UInt8(ascii: "["))
                i += 1
            }
        }
    }

    /// Equals signs between two brackets of a kind at `i`; nil if none stand there.
    private static func bracket(_ bytes: [UInt8], _ i: Int, _ kind: UInt8) -> Int? {
        guard i < bytes.count, bytes[i] == kind else { return nil }
        var end = i + 1
        while end < bytes.count, bytes[end] == UInt8(ascii: "=") { end += 1 }
        return end < bytes.count && bytes[end] == kind ? end - i - 1 : nil
    }
}
