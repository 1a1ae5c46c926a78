/// An edge of the cell: from a state into a block. Both count from 1.
///
/// States: 1 = the two-back input H^{l-2}, 2 = the previous input H^{l-1}, 2 + b = the output of block b.
public struct CellEdge: Hashable, Sendable, CustomStringConvertible {
    public let block: Int
    public let state: Int

    public init(block: Int, state: Int) {
        self.block = block
        self.state = state
    }

    public var description: String { "(\(block),\(state))" }
}

/// The inner level of the search space: a cell of B blocks, every block the sum over the 1 + b states before it of a mixed
/// operator (paper eq. 1-4), with one architecture weight alpha for each edge and operator.
public struct CellSpace: Hashable, Sendable {
    /// B.
    public let blocks: Int
    /// Candidate operators by name, in the order of alpha's columns.
    public let operators: [String]

    /// The cell of the paper: 5 blocks, 8 operators, dense atrous convolutions.
    public static let paperOperators = [
        "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5",
    ]

    /// The states that exist before the first block.
    public static let inputStates = 2

    /// - Parameter catalogue: the operators that may be named.
    /// - Throws: `SpaceError` for fewer than one block or more than 100, an operator that is unknown (with the nearest right name) or named
    ///   twice, or a list that holds nothing but `none`.
    public init(
        blocks: Int = 5, operators: [String] = CellSpace.paperOperators, catalogue: OperatorCatalogue = .standard
    ) throws {
        guard (1...100).contains(blocks) else {
            throw SpaceError(.size, at: "cell.blocks", expected: "1 to 100", got: "\(blocks)", remedy: "the paper has 5")
        }
        for (i, name) in operators.enumerated() {
            guard catalogue.contains(name) else {
                throw SpaceError.unknown("operator", name, known: catalogue.names, at: "cell.operators[\(i + 1)]")
            }
            if let first = operators.firstIndex(of: name), first < i {
                throw SpaceError(
                    .size, at: "cell.operators[\(i + 1)]", expected: "every operator once",
                    got: "'\(name)' again (first at \(first + 1))", remedy: "leave one of them out")
            }
        }
        guard operators.contains(where: { $0 != OperatorCatalogue.none }) else {
            throw SpaceError(
                .size, at: "cell.operators", expected: "an operator other than 'none'", got: "\(operators)",
                remedy: "add one; 'none' can never be decoded")
        }
        self.blocks = blocks
        self.operators = operators
    }

    /// The edges in alpha's row order: (1,1) (1,2) (2,1) (2,2) (2,3) (3,1) ...
    public var edges: [CellEdge] {
        (1...blocks).flatMap { block in (1...(block + 1)).map { CellEdge(block: block, state: $0) } }
    }

    /// B(B+3)/2; 20 for five blocks.
    public var edgeCount: Int { blocks * (blocks + 3) / 2 }

    /// States that block `block` (from 1) can read.
    public func states(of block: Int) -> Int { block + 1 }

    /// Alpha's row (from 0) of an edge: the blocks before `b` have 2 + 3 + ... + b = (b-1)(b+2)/2 edges.
    /// - Returns: nil when the cell has no such edge.
    public func index(of edge: CellEdge) -> Int? {
        guard (1...blocks).contains(edge.block), (1...(edge.block + 1)).contains(edge.state) else { return nil }
        return (edge.block - 1) * (edge.block + 2) / 2 + edge.state - 1
    }

    /// The edge of a row of alpha (from 0), or nil when there is no such row.
    public func edge(at index: Int) -> CellEdge? {
        guard index >= 0, index < edgeCount else { return nil }
        var block = 1
        var first = 0
        while first + block + 1 <= index {
            first += block + 1
            block += 1
        }
        return CellEdge(block: block, state: index - first + 1)
    }

    /// Alpha's columns (from 0) that decoding may choose: all but `none`.
    public var decodable: [Int] { operators.indices.filter { operators[$0] != OperatorCatalogue.none } }

    /// The name of a state for people: `two-back`, `previous`, `block 2`.
    public static func name(ofState state: Int) -> String {
        switch state {
        case 1: "two-back"
        case 2: "previous"
        default: "block \(state - inputStates)"
        }
    }
}
