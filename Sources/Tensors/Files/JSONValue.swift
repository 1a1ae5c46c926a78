import CKernels

/// A JSON document (RFC 8259), read strictly: one value, no duplicate keys, valid UTF-8, no comments, bounded depth.
///
/// Objects keep the order of their keys, so that what is written can be read by people.
public indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits into 64 bits.
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A key of an object with its value.
    public struct Member: Equatable, Sendable {
        public var key: String
        public var value: JSONValue
        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// Deeper nesting than this is refused: the parser recurses.
    public static let maximumDepth = 128

    /// Parses a whole document.
    /// - Throws: `FileError` without path, with the byte offset of the mistake.
    public static func parse(_ text: some Sequence<UInt8>) throws(FileError) -> JSONValue {
        var parser = JSONParser(Array(text))
        return try parser.document()
    }

    /// The value of `key`, when this is an object that has it.
    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// What kind of value this is, for messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// Recursive descent over bytes.
private struct JSONParser {
    let text: [UInt8]
    var position = 0

    init(_ text: [UInt8]) { self.text = text }

    func failure(_ problem: String, at offset: Int? = nil) -> FileError {
        FileError("", "not valid JSON: \(problem) at byte \(offset ?? position)")
    }

    mutating func document() throws(FileError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == text.count else { throw failure("expected the end, got more text") }
        return value
    }

    mutating func skipSpace() {
        while position < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[position]) { position += 1 }
    }

    mutating func take(_ character: Character) -> Bool {
        guard position < text.count, text[position] == character.asciiValue else { return false }
        position += 1
        return true
    }

    /// Values so far: the tree is many times larger than its text.
    var count = 0

    mutating func value(depth: Int) throws(FileError) -> JSONValue {
        count += 1
        if count & 1023 == 0 {
            try Memory.checkCopy(1 << 18)
            if trellis_interrupt_pending() { throw failure("interrupted") }
        }
        guard depth <= JSONValue.maximumDepth else { throw failure("more than \(JSONValue.maximumDepth) levels of nesting") }
        skipSpace()
        guard position < text.count else { throw failure("expected a value, got the end") }
        switch text[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    mutating func word(_ word: String, _ value: JSONValue) throws(FileError) -> JSONValue {
        guard text[position...].starts(with: word.utf8) else { throw failure("expected a value") }
        position += word.utf8.count
        return value
    }

    mutating func object(depth: Int) throws(FileError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        var keys = Set<String>()
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            let start = position
            guard position < text.count, text[position] == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let key = try string()
            guard keys.insert(key).inserted else { throw failure("the key \"\(key)\" occurs twice", at: start) }
            skipSpace()
            guard take(":") else { throw failure("expected ':'") }
            members.append(.init(key, try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw failure("expected ',' or '}'") }
        }
    }

    mutating func array(depth: Int) throws(FileError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(values) }
            guard take(",") else { throw failure("expected ',' or ']'") }
        }
    }

    mutating func string() throws(FileError) -> String {
        let start = position
        position += 1
        var bytes: [UInt8] = []
        while position < text.count {
            let byte = text[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: bytes, as: UTF8.self) else {
                    throw failure("invalid UTF-8 in the string", at: start)
                }
                return string
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw failure("a control character in a string", at: position - 1)
            default: bytes.append(byte)
            }
        }
        throw failure("a string without end", at: start)
    }

    mutating func escape(into bytes: inout [UInt8]) throws(FileError) {
        guard position < text.count else { throw failure("a string without end") }
        let byte = text[position]
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
                guard 0xdc00..<0xe000 ~= low else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            bytes.append(contentsOf: String(Character(scalar)).utf8)
        default: throw failure("an unknown escape", at: position - 1)
        }
    }

    mutating func hex() throws(FileError) -> UInt16 {
        guard position + 4 <= text.count else { throw failure("expected four hexadecimal digits") }
        var code: UInt16 = 0
        for byte in text[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw failure("expected four hexadecimal digits") }
            code = code << 4 | UInt16(digit)
        }
        position += 4
        return code
    }

    /// A run of digits; false when there is none.
    mutating func digits() -> Bool {
        let start = position
        while position < text.count, 0x30...0x39 ~= text[position] { position += 1 }
        return position > start
    }

    mutating func number() throws(FileError) -> JSONValue {
        let start = position
        var whole = true
        _ = take("-")
        let first = position
        guard digits() else { throw failure("expected a value") }
        guard position == first + 1 || text[first] != 0x30 else { throw failure("a number with a leading zero", at: start) }
        if take(".") {
            whole = false
            guard digits() else { throw failure("expected digits after the point") }
        }
        if take("e") || take("E") {
            whole = false
            if !take("+") { _ = take("-") }
            guard digits() else { throw failure("expected digits of the exponent") }
        }
        let literal = String(decoding: text[start..<position], as: UTF8.self)
        if whole, let integer = Int(literal) { return .integer(integer) }
        guard let number = Double(literal), number.isFinite else { throw failure("the number \(literal) is too large", at: start) }
        return .number(number)
    }
}
