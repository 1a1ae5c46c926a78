import Notebook

/// A piece of Lua's source that the compiler would see as one; what is no Lua is a symbol of one byte. Unfinished strings and comments go to the end.
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

    static func all(in source: String) -> [LuaToken] {
        var tokens: [LuaToken] = [], at = 0, line = 1
        for piece in LuaTokens.pieces(source) {
            let bytes = Array(piece.text.utf8)
            if let kind = kind(piece.kind) {
                tokens.append(LuaToken(kind: kind, range: at..<(at + bytes.count), line: line, text: piece.text))
            } else {
                tokens += symbols(bytes, at, line)
            }
            at += bytes.count
            line += bytes.count { $0 == newline }
        }
        return tokens
    }

    private static let newline = UInt8(ascii: "\n")

    /// nil for what lies between: symbols and spaces.
    private static func kind(_ kind: LuaTokens.Kind) -> Kind? {
        switch kind {
        case .keyword: .keyword
        case .string: .string
        case .number: .number
        case .comment: .comment
        case .name: .name
        case .other: nil
        }
    }

    private static let longSymbols = ["...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"].map { Array($0.utf8) }

    private static func symbols(_ bytes: [UInt8], _ start: Int, _ first: Int) -> [LuaToken] {
        var tokens: [LuaToken] = [], i = 0, line = first
        while i < bytes.count {
            if bytes[i] == newline { line += 1 }
            guard bytes[i] > 32 else {
                i += 1
                continue
            }
            let count = longSymbols.first { bytes[i...].starts(with: $0) }?.count ?? 1
            tokens.append(LuaToken(kind: .symbol, range: (start + i)..<(start + i + count), line: line, text: String(decoding: bytes[i..<(i + count)], as: UTF8.self)))
            i += count
        }
        return tokens
    }
}
