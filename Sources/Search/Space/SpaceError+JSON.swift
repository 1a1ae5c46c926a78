import Base

extension SpaceError {
    /// The error for a member that is wrong.
    init(_ fault: JSONFault) {
        if let known = fault.known {
            self = SpaceError.unknown("member", fault.got, known: known, at: fault.place)
        } else {
            self.init(.format, at: fault.place, expected: fault.expected, got: fault.got, remedy: "compare with a file that Trellis wrote")
        }
    }
}

extension JSONReader {
    /// Errors are `SpaceError`s.
    init(_ value: JSONValue, at place: String) { self.init(value, at: place, fails: SpaceError.init) }

    /// - Parameter file: what errors call the text.
    /// - Throws: `SpaceError` of kind `format` with line and column.
    init(text: String, file: String) throws {
        do throws(JSONError) { self.init(try JSONValue.document(text.utf8), at: file) } catch {
            throw SpaceError(
                .format, at: "\(file): line \(error.line), column \(error.column)", expected: error.expected, got: error.got,
                remedy: "the text is not JSON; was it cut short or edited?")
        }
    }
}
