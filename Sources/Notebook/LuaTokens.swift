/// Lua source cut into pieces that are shown alike, for colours. What is no Lua is cut somehow; all of the text is in the pieces.
public enum LuaTokens {
    public enum Kind: String, Sendable {
        case keyword, string, number, comment, name, other
    }

    public static let keywords: Set<String> = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then",
        "true", "until", "while",
    ]

    public static func pieces(_ source: String) -> [(kind: Kind, text: String)] {
        let bytes = Array(source.utf8)
        var pieces: [(Kind, String)] = []
        var i = 0
        while i < bytes.count {
            let (kind, end) = piece(bytes, i)
            let text = String(decoding: bytes[i..<end], as: UTF8.self)
            let found = kind == .name && keywords.contains(text) ? .keyword : kind
            if let last = pieces.last, last.0 == found, found == .other { pieces[pieces.count - 1].1 += text } else { pieces.append((found, text)) }
            i = end
        }
        return pieces
    }

    private static func piece(_ bytes: [UInt8], _ start: Int) -> (Kind, Int) {
        let byte = bytes[start], next = start + 1 < bytes.count ? bytes[start + 1] : 0
        if byte == UInt8(ascii: "-"), next == byte {
            if let end = longBracket(bytes, start + 2) { return (.comment, end) }
            return (.comment, bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count)
        }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return (.string, quoted(bytes, start)) }
        if byte == UInt8(ascii: "["), let end = longBracket(bytes, start) { return (.string, end) }
        if isDigit(byte) || (byte == UInt8(ascii: ".") && isDigit(next)) { return (.number, number(bytes, start)) }
        var end = start + 1
        if isWord(byte) {
            while end < bytes.count, isWord(bytes[end]) || isDigit(bytes[end]) { end += 1 }
            return (.name, end)
        }
        // A character of several bytes stays whole.
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return (.other, end)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    private static func isWord(_ byte: UInt8) -> Bool { (65...90).contains(byte) || (97...122).contains(byte) || byte == 95 }

    private static func number(_ bytes: [UInt8], _ start: Int) -> Int {
        var end = start + 1
        let isHexadecimal = bytes[start] == UInt8(ascii: "0") && end < bytes.count && bytes[end] | 0x20 == UInt8(ascii: "x")
        let exponent = isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")
        while end < bytes.count {
            let isSign = (bytes[end] == UInt8(ascii: "+") || bytes[end] == UInt8(ascii: "-")) && bytes[end - 1] | 0x20 == exponent
            guard isDigit(bytes[end]) || isWord(bytes[end]) || bytes[end] == UInt8(ascii: ".") || isSign else { break }
            end += 1
        }
        return end
    }

    private static func quoted(_ bytes: [UInt8], _ start: Int) -> Int {
        var end = start + 1
        while end < bytes.count, bytes[end] != bytes[start], bytes[end] != UInt8(ascii: "\n") { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(bytes.count, end + (end < bytes.count && bytes[end] == bytes[start] ? 1 : 0))
    }

    private static func longBracket(_ bytes: [UInt8], _ start: Int) -> Int? {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "[") else { return nil }
        var i = start + 1
        while i < bytes.count, bytes[i] == UInt8(ascii: "=") { i += 1 }
        let level = i - start - 1
        guard i < bytes.count, bytes[i] == UInt8(ascii: "[") else { return nil }
        while i + level + 1 < bytes.count {
            i += 1
            guard bytes[i] == UInt8(ascii: "]"), i + level + 1 < bytes.count, bytes[i + level + 1] == UInt8(ascii: "]"),
                bytes[(i + 1)..<(i + 1 + level)].allSatisfy({ $0 == UInt8(ascii: "=") })
            else { continue }
            return i + level + 2
        }
        return bytes.count
    }
}
