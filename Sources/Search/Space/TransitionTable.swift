/// Transition probabilities [layers, states, moves] for `Viterbi`: entry (l, s, m) belongs to the arrow that leaves state s
/// of layer l (0 = the start) by move m.
///
/// States count from 0 here; the start is state 0. Entries of states that cannot be reached, and of moves that would leave
/// the states, do not matter and may be anything.
public struct TransitionTable: Hashable, Sendable {
    public let layers: Int
    public let states: Int
    /// Row by row.
    public let values: [Double]

    /// - Parameters:
    ///   - shape: [layers, states, 3], each at least 1.
    ///   - values: row by row.
    /// - Throws: `SpaceError` when shape and values do not fit each other. The values are checked where they are used.
    public init(shape: [Int], values: [Double]) throws {
        guard shape.count == 3, shape[0] >= 1, shape[1] >= 1, shape[2] == Move.allCases.count else {
            throw SpaceError(
                .shape, at: "probabilities", expected: "shape [layers, states, 3]", got: "\(shape)",
                remedy: "the moves are: to the finer state, same, to the coarser")
        }
        // Products are exact: their length grows with every layer.
        guard shape[0] <= 1000, shape[1] <= 1000 else {
            throw SpaceError(
                .size, at: "probabilities", expected: "at most 1000 layers and 1000 states", got: "\(shape)", remedy: "spaces have as many at most")
        }
        guard values.count == shape.reduce(1, *) else {
            throw SpaceError(
                .shape, at: "probabilities", expected: "\(shape.reduce(1, *)) numbers for \(shape)", got: "\(values.count)",
                remedy: "give every state of every layer its three moves")
        }
        layers = shape[0]
        states = shape[1]
        self.values = values
    }

    /// From rows of rows of moves.
    public init(_ nested: [[[Double]]]) throws {
        let shape = [nested.count, nested.first?.count ?? 0, nested.first?.first?.count ?? 0]
        for (l, layer) in nested.enumerated() {
            guard layer.count == shape[1], layer.allSatisfy({ $0.count == shape[2] }) else {
                throw SpaceError(
                    .shape, at: "probabilities[\(l + 1)]", expected: "\(shape[1]) states of \(shape[2]) moves, as the first layer",
                    got: "\(layer.map(\.count))", remedy: "give every layer the same states and moves")
            }
        }
        try self.init(shape: shape, values: nested.flatMap { $0.flatMap { $0 } })
    }

    /// The probability of leaving `state` (from 0) of `layer` (from 0) by `move`.
    public subscript(layer: Int, state: Int, move: Move) -> Double {
        values[(layer * states + state) * Move.allCases.count + move.rawValue]
    }
}
