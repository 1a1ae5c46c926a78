import Tensors

/// A strict reader of JSON (RFC 8259): no comments, no trailing commas, no member twice, nothing after the value, and no
/// deeper than a person would write.
struct JSONParser {
    private let bytes: [UInt8]
    private var at = 0
    /// Values so far: memory and interrupts are looked at from time to time.
    private var count = 0
    private let file: String
    private static let deepest = 64

    /// - Parameter file: what errors call the text.
    /// - Throws: `SpaceError` of kind `format` with line and column.
    static func parse(_ text: String, file: String) throws -> JSONValue {
        var parser = JSONParser(bytes: Array(text.utf8), file: file)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.at == parser.bytes.count else { throw parser.error("the end of the text") }
        return value
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func error(_ expected: String, got: String? = nil) -> SpaceError {
        let before = bytes[..<min(at, bytes.count)]
        let line = before.count(where: { $0 == UInt8(ascii: "\n") }) + 1
        let column = before.count - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
        let found = next.map { (0x20...0x7e).contains($0) ? "'\(Character(Unicode.Scalar($0)))'" : "byte \($0)" } ?? "the end"
        return SpaceError(
            .format, at: "\(file): line \(line), column \(column)", expected: expected, got: got ?? found,
            remedy: "the text is not JSON; was it cut short or edited?")
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        count += 1
        if count & 1023 == 0 {
            try checkInterrupt()
            try Memory.check(1 << 18, for: "json")
        }
        guard depth < Self.deepest else { throw error("at most \(Self.deepest) levels", got: "more") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[at...].starts(with: word.utf8) else { throw error("a value") }
        at += word.utf8.count
        return value
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        at += 1
        var items: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(items) }
            guard take(",") else { throw error("',' or ']'") }
        }
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        var keys = Set<String>()
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a key in quotes") }
            let key = try string()
            guard keys.insert(key).inserted else { throw error("every key once", got: "\"\(key)\" again") }
            skipSpace()
            guard take(":") else { throw error("':'") }
            members.append(.init(key, try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw error("',' or '}'") }
        }
    }

    private mutating func number() throws -> JSONValue {
        let start = at
        _ = take("-")
        guard next.map(Self.isDigit) ?? false else { throw error("a value") }
        if !take("0") { skipDigits() }
        if take(".") {
            guard next.map(Self.isDigit) ?? false else { throw error("a digit") }
            skipDigits()
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard next.map(Self.isDigit) ?? false else { throw error("a digit") }
            skipDigits()
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private mutating func skipDigits() {
        while let byte = next, Self.isDigit(byte) { at += 1 }
    }

    private mutating func string() throws -> String {
        at += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                at += 1
                text += String(try escape()).utf8
            case 0..<0x20:
                throw error("an escaped control character")
            default:
                text.append(byte)
                at += 1
            }
        }
        throw error("the closing quote")
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let simple: [UInt8: Unicode.Scalar] = [
            UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
            UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
        ]
        if let byte = next, let scalar = simple[byte] {
            at += 1
            return scalar
        }
        guard take("u") else { throw error("an escape") }
        let high = try hex4()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard (0xd800..<0xdc00).contains(high), take("\\"), take("u") else { throw error("a pair of surrogates") }
        let low = try hex4()
        guard (0xdc00..<0xe000).contains(low), let scalar = Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00)) else {
            throw error("a pair of surrogates")
        }
        return scalar
    }

    private mutating func hex4() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw error("a hexadecimal digit") }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }
}
