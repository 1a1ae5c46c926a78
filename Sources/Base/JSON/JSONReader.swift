/// What is wrong with a member of a JSON document, for the errors of who reads it.
public struct JSONFault: Sendable {
    /// Where: `found.json.space.layers`, `decisions.op[2]`.
    public let place: String
    public let expected: String
    public let got: String
    /// For a member that nobody reads: the ones there are.
    public let known: [String]?
}

/// A JSON value with its place in the file, read member by member with errors that name the place.
public struct JSONReader {
    public let value: JSONValue
    public let place: String
    /// Makes the errors that are thrown.
    private let fails: @Sendable (JSONFault) -> any Error

    public init(_ value: JSONValue, at place: String, fails: @escaping @Sendable (JSONFault) -> any Error) {
        self.value = value
        self.place = place
        self.fails = fails
    }

    public func error(_ expected: String, got: String? = nil) -> any Error {
        fails(JSONFault(place: place, expected: expected, got: got ?? value.kind, known: nil))
    }

    private func members() throws -> [JSONValue.Member] {
        guard case .object(let members) = value else { throw error("an object") }
        return members
    }

    /// Refuses members that nobody reads: a misspelt one would be lost in silence.
    public func allow(_ keys: [String]) throws {
        for member in try members() where !keys.contains(member.key) {
            throw fails(JSONFault(place: place, expected: "a known member", got: member.key, known: keys))
        }
    }

    public func optional(_ key: String) throws -> JSONReader? {
        try members().first { $0.key == key }.map { JSONReader($0.value, at: "\(place).\(key)", fails: fails) }
    }

    public func required(_ key: String) throws -> JSONReader {
        guard let member = try optional(key) else { throw error("a member \"\(key)\"", got: "none") }
        return member
    }

    public func items(count: Int? = nil) throws -> [JSONReader] {
        guard case .array(let items) = value else { throw error("a list") }
        if let count, items.count != count { throw error("a list of \(count)", got: "\(items.count)") }
        return items.enumerated().map { JSONReader($1, at: "\(place)[\($0 + 1)]", fails: fails) }
    }

    public func string() throws -> String {
        guard case .string(let text) = value else { throw error("a string") }
        return text
    }

    public func int() throws -> Int {
        guard case .integer(let number) = value else { throw error("a whole number", got: digits) }
        return number
    }

    public func uint64() throws -> UInt64 {
        switch value {
        case .integer(let number) where number >= 0: return UInt64(number)
        case .unsigned(let number): return number
        default: throw error("a whole number from 0 to \(UInt64.max)", got: digits)
        }
    }

    public func double() throws -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .number(let number): return number
        default: throw error("a number")
        }
    }

    /// Nil for what is neither true nor false.
    public var boolean: Bool? {
        guard case .bool(let flag) = value else { return nil }
        return flag
    }

    /// The number as people write it; nil for what is no number.
    private var digits: String? {
        switch value {
        case .integer, .unsigned, .number: value.text()
        default: nil
        }
    }
}
