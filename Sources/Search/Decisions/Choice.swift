/// One of several options.
///
/// The option called `none` stands for nothing: it has a logit like the others, but it is never decoded, counted or drawn.
public struct Choice: Hashable, Sendable {
    public static let none = "none"

    public let options: [String]
    /// Neighbours are the next options only, as with numbers.
    public let isOrdered: Bool

    /// - Throws: `SpaceError` for options that are none, empty or named twice.
    public init(options: [String], isOrdered: Bool = false) throws {
        try Domain.check(options, "option", at: "options")
        guard options.contains(where: { $0 != Choice.none }) else {
            throw SpaceError(
                .size, at: "options", expected: "an option other than 'none'", got: "\(options)", remedy: "add one; 'none' can never be decoded")
        }
        self.options = options
        self.isOrdered = isOrdered
    }

    /// Positions of the options that can be chosen: all but `none`.
    public var decodable: [Int] { options.indices.filter { options[$0] != Choice.none } }
}
