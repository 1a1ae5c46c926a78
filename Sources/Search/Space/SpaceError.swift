import Base

/// What went wrong with a search space, an architecture or a table read against one.
///
/// The parts are kept apart so that a host can phrase them its own way; `description` joins them into one sentence:
/// where, what was expected, what came, what to do.
public struct SpaceError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// A size of the space: layers, strides, filters, blocks, an option.
        case size
        /// An operator, option, key or file member of an unknown name.
        case unknownName
        /// An arrow mask that leaves no path.
        case mask
        /// A table of the wrong shape.
        case shape
        /// A number that is no probability.
        case probability
        /// Every path has probability zero.
        case noPath
        /// An architecture that does not fit its space.
        case misfit
        /// A budget that nothing meets.
        case budget
        /// A filter that lets nothing through.
        case filter
        /// A result that no strategy can take, or what was not asked.
        case result
        /// A file that is no architecture, or one of another version.
        case format
    }

    public let kind: Kind
    /// Where, in the notation of the design: `cell.block 2.state 1`, `arrows`, `found.json: line 3, column 7`.
    public let location: String
    public let expected: String
    public let got: String
    /// What to do about it.
    public let remedy: String

    public init(_ kind: Kind, at location: String, expected: String, got: String, remedy: String) {
        self.kind = kind
        self.location = location
        self.expected = expected
        self.got = got
        self.remedy = remedy
    }

    public var description: String {
        "\(location): expected \(expected), got \(got); \(remedy)"
    }

    /// The error for a name that is none of `known`, with the nearest right name.
    public static func unknown(_ what: String, _ name: String, known: [String], at location: String) -> SpaceError {
        let list = known.isEmpty ? "none is known here" : "known are " + known.joined(separator: ", ")
        let remedy = nearestName(to: name, in: known).map { "did you mean '\($0)'? \(list)" } ?? list
        return SpaceError(.unknownName, at: location, expected: "a known \(what)", got: "'\(name)'", remedy: remedy)
    }
}
