/// A piece of Lua's source.
struct LuaToken {
    enum Kind { case name, keyword, number, string, comment, symbol }
    let kind: Kind
    /// Bytes of the source.
    let range: Range<Int>
    /// Of its first byte, from 1.
    let line: Int
    let text: String

    func isSymbol(_ symbol: String) -> Bool { kind == .symbol && text == symbol }
    func isKeyword(_ word: String) -> Bool { kind == .keyword && text == word }
}

/// Lua's source in pieces; what is no Lua is a symbol of one character. Unfinished strings and comments go to the end.
enum LuaTokens {
    static func of(_ source: String) -> [LuaToken] {
        var scanner = Scanner(source)
        var tokens: [LuaToken] = []
        while let token = scanner.next() { tokens.append(token) }
        return tokens
    }

    private struct Scanner {
        private let bytes: [UInt8]
        private var at = 0
        private var line = 1

        init(_ source: String) { bytes = Array(source.utf8) }

        private func byte(_ i: Int) -> UInt8 { i < bytes.count ? bytes[i] : 0 }

        mutating func next() -> LuaToken? {
            while at < bytes.count, bytes[at] <= 32 {
                if bytes[at] == 10 { line += 1 }
                at += 1
            }
            guard at < bytes.count else { return nil }
            let start = at, first = line
            let kind = scan()
            at = min(max(at, start + 1), bytes.count)
            for i in start..<at where bytes[i] == 10 { line += 1 }
            return LuaToken(kind: kind, range: start..<at, line: first, text: String(decoding: bytes[start..<at], as: UTF8.self))
        }

        /// Moves behind the token that begins here.
        private mutating func scan() -> LuaToken.Kind {
            let b = bytes[at]
            if isIdentifierByte(b), !isDigit(b) { return word() }
            if isDigit(b) || (b == UInt8(ascii: ".") && isDigit(byte(at + 1))) {
                number()
                return .number
            }
            if b == UInt8(ascii: "-"), byte(at + 1) == b {
                if let end = longBracket(at + 2) { at = end } else { at = bytes[at...].firstIndex(of: 10) ?? bytes.count }
                return .comment
            }
            if b == UInt8(ascii: "\"") || b == UInt8(ascii: "'") {
                quoted(b)
                return .string
            }
            if b == UInt8(ascii: "["), let end = longBracket(at) {
                at = end
                return .string
            }
            let symbols = ["...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"]
            at += symbols.first { Array($0.utf8) == Array(bytes[at..<min(at + $0.utf8.count, bytes.count)]) }?.utf8.count ?? 1
            while byte(at) & 0xC0 == 0x80 { at += 1 }
            return .symbol
        }

        private mutating func word() -> LuaToken.Kind {
            let start = at
            while at < bytes.count, isIdentifierByte(bytes[at]) { at += 1 }
            return keywords.contains(String(decoding: bytes[start..<at], as: UTF8.self)) ? .keyword : .name
        }

        private mutating func number() {
            let exponents = byte(at + 1) | 32 == UInt8(ascii: "x") ? "pP" : "eE"
            while at < bytes.count, isIdentifierByte(bytes[at]) || bytes[at] == UInt8(ascii: ".") {
                let isExponent = exponents.utf8.contains(bytes[at])
                at += 1
                if isExponent, byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
            }
        }

        private mutating func quoted(_ quote: UInt8) {
            at += 1
            while at < bytes.count, bytes[at] != quote, bytes[at] != 10 { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
            if at < bytes.count, bytes[at] == quote { at += 1 }
        }

        /// The end of [[...]] or [=[...]=] that begins at `start`, the end of the text if it is not closed; nil if it is none.
        private func longBracket(_ start: Int) -> Int? {
            guard byte(start) == UInt8(ascii: "[") else { return nil }
            var level = 0
            while byte(start + 1 + level) == UInt8(ascii: "=") { level += 1 }
            guard byte(start + 1 + level) == UInt8(ascii: "[") else { return nil }
            let close = [UInt8(ascii: "]")] + [UInt8](repeating: UInt8(ascii: "="), count: level) + [UInt8(ascii: "]")]
            var i = start + 2 + level
            while i + close.count <= bytes.count {
                if bytes[i] == close[0], Array(bytes[i..<(i + close.count)]) == close { return i + close.count }
                i += 1
            }
            return bytes.count
        }

        private func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    }
}
