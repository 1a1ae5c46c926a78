import CKernels

/// Recursive descent over bytes.
struct JSONParser {
    private let text: [UInt8]
    private var position = 0
    /// Values so far: the tree is many times larger than its text.
    private var count = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == text.count else { throw failure("the end of the text") }
        return value
    }

    /// - Parameters:
    ///   - got: what stands at `offset`; the character there when nil.
    ///   - offset: where the mistake is; where the parser stands when nil.
    private func failure(_ expected: String, got: String? = nil, at offset: Int? = nil) -> JSONError {
        let offset = min(offset ?? position, text.count)
        let before = text[..<offset]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSONError(
            line: before.count(where: { $0 == UInt8(ascii: "\n") }) + 1, column: offset - lineStart + 1, expected: expected, got: got ?? found(offset))
    }

    private func found(_ offset: Int) -> String {
        guard offset < text.count else { return "the end" }
        let byte = text[offset]
        return (0x20...0x7e).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
    }

    private var next: UInt8? { position < text.count ? text[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        count += 1
        if count & 1023 == 0 { try breathe() }
        guard depth <= JSONValue.maximumDepth else { throw failure("at most \(JSONValue.maximumDepth) levels of nesting", got: "more") }
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

    /// Looks at what there is of memory, and at Ctrl-C.
    private func breathe() throws(JSONError) {
        do { try Memory.check(1 << 18, toHold: "the document") } catch { throw failure("memory for a larger document", got: error.problem) }
        if trellis_interrupt_pending() { throw failure("more", got: "an interrupt") }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard text[position...].starts(with: word.utf8) else { throw failure("a value") }
        position += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        var keys = Set<String>()
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            let start = position
            guard next == UInt8(ascii: "\"") else { throw failure("a key in quotes") }
            let key = try string()
            guard keys.insert(key).inserted else { throw failure("every key once", got: "\"\(key)\" again", at: start) }
            skipSpace()
            guard take(":") else { throw failure("':'") }
            members.append(.init(key, try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw failure("',' or '}'") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(values) }
            guard take(",") else { throw failure("',' or ']'") }
        }
    }

    private mutating func string() throws(JSONError) -> String {
        let start = position
        position += 1
        var bytes: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: bytes, as: UTF8.self) else { throw failure("UTF-8 in the string", got: "other bytes", at: start) }
                return string
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw failure("an escaped control character", at: position - 1)
            default: bytes.append(byte)
            }
        }
        throw failure("the closing quote of the string", got: "the end", at: start)
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
        let start = position - 1
        guard let byte = next else { throw failure("an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hex())
            if 0xd800..<0xdc00 ~= code, text[position...].starts(with: "\\u".utf8) {
                position += 2
                let low = UInt32(try hex())
                guard 0xdc00..<0xe000 ~= low else { throw failure("a pair of surrogates", got: "half of one", at: start) }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("a pair of surrogates", got: "half of one", at: start) }
            bytes.append(contentsOf: String(Character(scalar)).utf8)
        default: throw failure("an escape", at: position - 1)
        }
    }

    private mutating func hex() throws(JSONError) -> UInt16 {
        var code: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw failure("a hexadecimal digit") }
            code = code << 4 | UInt16(digit)
            position += 1
        }
        return code
    }

    /// A run of digits.
    private mutating func digits(_ expected: String) throws(JSONError) {
        let start = position
        while let byte = next, 0x30...0x39 ~= byte { position += 1 }
        guard position > start else { throw failure(expected) }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        var isWhole = true
        _ = take("-")
        let first = position
        try digits("a value")
        guard position == first + 1 || text[first] != 0x30 else { throw failure("a number without leading zeros", at: start) }
        if take(".") {
            isWhole = false
            try digits("a digit")
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            try digits("a digit")
        }
        let literal = String(decoding: text[start..<position], as: UTF8.self)
        if isWhole {
            if let integer = Int(literal) { return .integer(integer) }
            if let integer = UInt64(literal) { return .unsigned(integer) }
        }
        guard let number = Double(literal), number.isFinite else { throw failure("a number that a Double can hold", got: literal, at: start) }
        return .number(number)
    }
}
