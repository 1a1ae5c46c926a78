/// What a block of a cell decides (DARTS' rule): `keep` pairs of a state that is read and the option on it.
///
/// As data a state may stand twice (NASNet-A has such blocks, and the paper's count has them); what is decoded, counted, enumerated and drawn
/// has different states and no `none`.
public struct Branches: Hashable, Sendable {
    /// One of the pairs.
    public struct Pick: Hashable, Comparable, Sendable {
        public var state: Int
        public var option: Int

        public init(state: Int, option: Int) {
            self.state = state
            self.option = option
        }

        public static func < (a: Pick, b: Pick) -> Bool { (a.state, a.option) < (b.state, b.option) }
    }

    public let states: [String]
    public let options: [String]
    public let keep: Int

    /// - Throws: `SpaceError` for lists that are empty or name something twice, for nothing but `none`, and for more to keep than there are states.
    public init(states: [String], options: [String], keep: Int = 2) throws {
        try Domain.check(states, "state", at: "states")
        _ = try Choice(options: options)
        guard states.count * options.count <= Domain.mostOptions else {
            throw SpaceError(
                .size, at: "options", expected: "at most \(Domain.mostOptions) pairs of state and option", got: "\(states.count * options.count)",
                remedy: "split the decision")
        }
        guard (1...states.count).contains(keep) else {
            throw SpaceError(.size, at: "keep", expected: "1 to \(states.count), the number of states", got: "\(keep)", remedy: "2 when left out")
        }
        self.states = states
        self.options = options
        self.keep = keep
    }

    /// Positions of the options that can be chosen: all but `none`.
    public var decodable: [Int] { options.indices.filter { options[$0] != Choice.none } }

    /// The position of a pair in the logits, row by row.
    public func position(of pick: Pick) -> Int { pick.state * options.count + pick.option }

    /// The pair at a position in the logits.
    public func pick(at position: Int) -> Pick { Pick(state: position / options.count, option: position % options.count) }

    /// The number of blocks as the paper counts them (section 3.1): states and options in order and with repetition, `none` among them: (n·K)^keep.
    public var published: Natural {
        (0..<keep).reduce(1 as Natural) { product, _ in product * Natural(states.count) * Natural(options.count) }
    }
}
