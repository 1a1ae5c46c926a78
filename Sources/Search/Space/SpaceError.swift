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

/// The name of `names` with the smallest edit distance to `name` (of equals the first), or nil when none comes near:
/// more than half of the longer name would have to change.
public func nearestName(to name: String, in names: [String]) -> String? {
    let wanted = Array(name.lowercased())
    var best: (name: String, distance: Int)?
    for candidate in names {
        let distance = editDistance(wanted, Array(candidate.lowercased()))
        guard 2 * distance <= max(wanted.count, candidate.count) else { continue }
        if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.name
}

/// Levenshtein's distance, in which a swap of neighbours counts one.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
            row.append(cost)
        }
        before = last
        last = row
    }
    return last[b.count]
}
