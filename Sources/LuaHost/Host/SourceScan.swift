/// What can be known of an unfinished piece of Lua by its brackets, strings and names alone.
struct SourceScan {
    let bytes: [UInt8]
    /// Brackets that are still open, outermost first.
    private(set) var open: [Int] = []
    /// Where the quote of an unfinished string stands.
    private(set) var openString: Int?
    private(set) var inComment = false
    /// Names and keywords outside of strings and comments.
    private(set) var words: [Range<Int>] = []
    /// Opening position for each closing bracket or quote.
    private var partner: [Int: Int] = [:]

    init(_ text: String) {
        bytes = Array(text.utf8)
        var i = 0
        while i < bytes.count {
            let byte = bytes[i]
            if byte == UInt8(ascii: "-"), at(i + 1) == byte {
                i = skipComment(i)
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                i = skipString(i)
            } else if byte == UInt8(ascii: "["), let end = longBracket(i) {
                if end == bytes.count { openString = i }
                i = end
            } else if isIdentifierByte(byte) {
                let start = i
                while isIdentifierByte(at(i)) { i += 1 }
                if !(48...57).contains(byte) { words.append(start..<i) }
            } else {
                note(bracket: byte, at: i)
                i += 1
            }
        }
    }

    private func at(_ i: Int) -> UInt8 { bytes.indices.contains(i) ? bytes[i] : 0 }

    private mutating func note(bracket: UInt8, at i: Int) {
        switch bracket {
        case UInt8(ascii: "("), UInt8(ascii: "{"), UInt8(ascii: "["): open.append(i)
        case UInt8(ascii: ")"), UInt8(ascii: "}"), UInt8(ascii: "]"):
            if let start = open.popLast() { partner[i] = start }
        default: break
        }
    }

    private mutating func skipComment(_ start: Int) -> Int {
        if at(start + 2) == UInt8(ascii: "["), let end = longBracket(start + 2) {
            inComment = end == bytes.count
            return end
        }
        guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else {
            inComment = true
            return bytes.count
        }
        return end
    }

    private mutating func skipString(_ start: Int) -> Int {
        var i = start + 1
        while i < bytes.count, bytes[i] != bytes[start], bytes[i] != UInt8(ascii: "\n") { i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1 }
        guard i < bytes.count else {
            openString = start
            return bytes.count
        }
        partner[i] = start
        return i + 1
    }

    /// The end of [[...]] or [=[...]=] that begins at `start`; the end of the text if it is not closed; nil if it is none.
    private func longBracket(_ start: Int) -> Int? {
        var level = 0
        while at(start + 1 + level) == UInt8(ascii: "=") { level += 1 }
        guard at(start + 1 + level) == UInt8(ascii: "[") else { return nil }
        var i = start + 2 + level
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "]"), at(i + level + 1) == UInt8(ascii: "]"),
                bytes[(i + 1)..<(i + 1 + level)].allSatisfy({ $0 == UInt8(ascii: "=") })
            {
                return i + level + 2
            }
            i += 1
        }
        return bytes.count
    }

    /// One step of a chain such as nn.conv2d(3, 8):parameters.
    struct Step {
        let name: String
        let isCalled: Bool
    }

    /// The chain that ends at `end`; nil if what stands there is no chain of names and calls.
    func chain(endingAt end: Int) -> [Step]? {
        var steps: [Step] = []
        var i = end
        while true {
            var isCalled = false
            while i > 0, let start = partner[i - 1] {
                if bytes[start] == UInt8(ascii: "[") { return nil }
                isCalled = true
                i = start
            }
            let nameStart = wordStart(i)
            guard nameStart < i, !(48...57).contains(bytes[nameStart]) else { return nil }
            steps.insert(Step(name: String(decoding: bytes[nameStart..<i], as: UTF8.self), isCalled: isCalled), at: 0)
            guard isSeparator(nameStart - 1) else { return steps }
            i = nameStart - 1
        }
    }

    /// The chain that a position of a text lies in, or behind; else the function whose arguments it lies in.
    /// - Parameter position: a byte offset.
    static func chain(in text: String, around position: Int) -> [Step]? {
        let bytes = Array(text.utf8)
        var end = max(0, min(position, bytes.count))
        while end < bytes.count, isIdentifierByte(bytes[end]) { end += 1 }
        let scan = SourceScan(String(decoding: bytes[..<end], as: UTF8.self))
        if scan.openString == nil, !scan.inComment, let chain = scan.chain(endingAt: end), !keywords.contains(chain[0].name) { return chain }
        for bracket in scan.open.reversed() where bytes[bracket] != UInt8(ascii: "[") {
            if let before = scan.lastBefore(bracket), let chain = scan.chain(endingAt: before + 1), !keywords.contains(chain[0].name) { return chain }
        }
        return nil
    }

    /// The spaces that a line behind an unfinished text begins with: those of its last line, and two more behind what opens a block.
    static func indent(after text: String) -> String {
        let last = text.split(separator: "\n", omittingEmptySubsequences: false).last ?? ""
        let margin = String(last.prefix { $0 == " " || $0 == "\t" })
        let line = last.trimmingSpaces
        let word = String(line.reversed().prefix { $0.isLetter || $0 == "_" }.reversed())
        let opens = ["then", "do", "else", "repeat"].contains(word) || "({[".contains(line.last ?? " ")
        let isFunction = line.last == ")" && line.split(whereSeparator: { !$0.isLetter }).contains("function")
        return margin + (opens || isFunction ? "  " : "")
    }

    /// Where the identifier that ends at `end` begins.
    func wordStart(_ end: Int) -> Int {
        var start = end
        while start > 0, isIdentifierByte(bytes[start - 1]) { start -= 1 }
        return start
    }

    /// Whether a "." or ":" that leads to a member stands at `i`.
    func isSeparator(_ i: Int) -> Bool {
        (at(i) == UInt8(ascii: ".") && at(i - 1) != UInt8(ascii: ".")) || (at(i) == UInt8(ascii: ":") && at(i - 1) != UInt8(ascii: ":"))
    }

    /// The last position before `i` that is not a space.
    func lastBefore(_ i: Int) -> Int? { bytes[..<i].lastIndex { $0 != 32 && $0 != 9 && $0 != 10 } }

    /// The function whose options the table around `position` is, and the position of that table's brace.
    func optionsCallee(around position: Int) -> (chain: [Step], brace: Int)? {
        guard let brace = open.last(where: { $0 < position }), bytes[brace] == UInt8(ascii: "{") else { return nil }
        if let before = lastBefore(brace), let chain = chain(endingAt: before + 1), !keywords.contains(chain[0].name) {
            return (chain, brace)
        }
        guard let index = open.lastIndex(of: brace), index > 0, bytes[open[index - 1]] == UInt8(ascii: "("),
            let before = lastBefore(open[index - 1]), let chain = chain(endingAt: before + 1)
        else { return nil }
        return (chain, brace)
    }
}
