import Tensors

/// A JSON value with its place in the file, read member by member with errors that name the place.
struct JSONReader {
    let value: JSONValue
    let place: String

    /// - Parameter file: what errors call the text.
    /// - Throws: `SpaceError` of kind `format` with line and column.
    init(text: String, file: String) throws {
        do throws(JSONError) { self.init(try JSONValue.document(text.utf8), at: file) } catch {
            throw SpaceError(
                .format, at: "\(file): line \(error.line), column \(error.column)", expected: error.expected, got: error.got,
                remedy: "the text is not JSON; was it cut short or edited?")
        }
    }

    init(_ value: JSONValue, at place: String) {
        self.value = value
        self.place = place
    }

    func error(_ expected: String, got: String? = nil) -> SpaceError {
        SpaceError(
            .format, at: place, expected: expected, got: got ?? value.kind, remedy: "compare with a file that Trellis wrote")
    }

    private func members() throws -> [JSONValue.Member] {
        guard case .object(let members) = value else { throw error("an object") }
        return members
    }

    /// Refuses members that nobody reads: a misspelt one would be lost in silence.
    func allow(_ keys: [String]) throws {
        for member in try members() where !keys.contains(member.key) {
            throw SpaceError.unknown("member", member.key, known: keys, at: place)
        }
    }

    func optional(_ key: String) throws -> JSONReader? {
        try members().first { $0.key == key }.map { JSONReader($0.value, at: "\(place).\(key)") }
    }

    func required(_ key: String) throws -> JSONReader {
        guard let member = try optional(key) else { throw error("a member \"\(key)\"", got: "none") }
        return member
    }

    func items(count: Int? = nil) throws -> [JSONReader] {
        guard case .array(let items) = value else { throw error("a list") }
        if let count, items.count != count { throw error("a list of \(count)", got: "\(items.count)") }
        return items.enumerated().map { JSONReader($1, at: "\(place)[\($0 + 1)]") }
    }

    func string() throws -> String {
        guard case .string(let text) = value else { throw error("a string") }
        return text
    }

    func int() throws -> Int {
        guard case .integer(let number) = value else { throw error("a whole number", got: digits) }
        return number
    }

    func uint64() throws -> UInt64 {
        switch value {
        case .integer(let number) where number >= 0: return UInt64(number)
        case .unsigned(let number): return number
        default: throw error("a whole number from 0 to \(UInt64.max)", got: digits)
        }
    }

    func double() throws -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .number(let number): return number
        default: throw error("a number")
        }
    }

    /// Nil for what is neither true nor false.
    var boolean: Bool? {
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
