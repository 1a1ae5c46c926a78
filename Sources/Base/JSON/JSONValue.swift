/// A JSON document (RFC 8259), read strictly: one value, no duplicate keys, valid UTF-8, no comments, bounded depth.
///
/// Objects keep the order of their keys, so that what is written can be read by people.
public indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits into 64 bits.
    case integer(Int)
    /// One that is too large for that, and fits without a sign: seeds are.
    case unsigned(UInt64)
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

    /// Parses a whole document, in time that grows with its length.
    /// - Throws: `FileError` without path, with line and column of the mistake.
    public static func parse(_ text: some Sequence<UInt8>) throws(FileError) -> JSONValue {
        do throws(JSONError) { return try document(text) } catch { throw FileError("", "not valid JSON: \(error)") }
    }

    /// The same for callers with errors of their own.
    public static func document(_ text: some Sequence<UInt8>) throws(JSONError) -> JSONValue {
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
        case .integer, .unsigned, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// Where a text is no JSON, and why.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// From 1; columns are bytes.
    public let line: Int
    public let column: Int
    public let expected: String
    public let got: String

    /// "line 3, column 7: expected ':', got '}'".
    public var description: String { "line \(line), column \(column): expected \(expected), got \(got)" }
}
