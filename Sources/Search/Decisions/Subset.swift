/// A set of options of which at least `least` and at most `most` are on.
public struct Subset: Hashable, Sendable {
    public let options: [String]
    public let least: Int
    public let most: Int

    /// - Parameter most: all of them when nil.
    /// - Throws: `SpaceError` for bounds that no set meets, and for options that are none, empty, named twice or called `none`.
    public init(options: [String], least: Int = 1, most: Int? = nil) throws {
        try Domain.check(options, "option", at: "options")
        if let none = options.firstIndex(of: Choice.none) {
            throw SpaceError(
                .size, at: "options[\(none + 1)]", expected: "options that can be in a set", got: "'none'",
                remedy: "leave it out; nothing is the empty set, least = 0")
        }
        let most = most ?? options.count
        guard (0...options.count).contains(least) else {
            throw SpaceError(.size, at: "least", expected: "0 to \(options.count), the number of options", got: "\(least)", remedy: "1 when left out")
        }
        guard (max(1, least)...options.count).contains(most) else {
            throw SpaceError(
                .size, at: "most", expected: "\(max(1, least)) to \(options.count), the number of options", got: "\(most)", remedy: "all when left out")
        }
        self.options = options
        self.least = least
        self.most = most
    }
}
