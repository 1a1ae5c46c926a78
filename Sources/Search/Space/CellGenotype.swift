/// One of the two branches of a block: an operator applied to a state (1 = two-back, 2 = previous, 2 + b = block b).
public struct CellBranch: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var operation: String
    public var state: Int

    public init(_ operation: String, _ state: Int) {
        self.operation = operation
        self.state = state
    }

    /// By state, then by name.
    public static func < (a: CellBranch, b: CellBranch) -> Bool { (a.state, a.operation) < (b.state, b.operation) }

    public var description: String { "\(operation)(\(CellSpace.name(ofState: state)))" }
}

/// A block: the sum of its two branches (the only combination that the paper has).
public struct CellBlock: Hashable, Sendable {
    public var first: CellBranch
    public var second: CellBranch

    public init(_ first: CellBranch, _ second: CellBranch) {
        self.first = first
        self.second = second
    }

    public var branches: [CellBranch] { [first, second] }
}

/// A decided cell; its output is the concatenation of all its blocks.
public struct CellGenotype: Hashable, Sendable {
    public var blocks: [CellBlock]

    public init(blocks: [CellBlock]) { self.blocks = blocks }

    /// All branches, block by block.
    public var branches: [CellBranch] { blocks.flatMap(\.branches) }

    /// The same cell with the branches of every block by state, then by name: addition does not mind the order.
    public var canonical: CellGenotype {
        CellGenotype(blocks: blocks.map { $0.second < $0.first ? CellBlock($0.second, $0.first) : $0 })
    }

    /// The blocks (from 1) that no decoding gives, as both branches read one state: decoding takes the two states that are strongest. The
    /// paper's count has such cells (section 3.1: the two inputs of a block may be the same), and published ones are among them.
    public var undecodableBlocks: [Int] { blocks.indices.filter { blocks[$0].first.state == blocks[$0].second.state }.map { $0 + 1 } }

    /// A sentence on them; nil when every block can be decoded.
    public var undecodableNote: String? {
        let numbers = undecodableBlocks.map(String.init)
        guard let last = numbers.last else { return nil }
        let names = numbers.count == 1 ? "block \(last) reads" : "blocks \(numbers.dropLast().joined(separator: ", ")) and \(last) read"
        return "\(names) one state twice: a cell of the paper's count, but none that decoding gives"
    }

    /// Share of the branches that have this operator.
    public func share(of operation: String) -> Double {
        branches.isEmpty ? 0 : Double(branches.filter { $0.operation == operation }.count) / Double(branches.count)
    }

    /// Whether the cell can be said in a space of these operators.
    /// - Throws: `SpaceError` with block and branch (from 1) of the first that can not.
    public func validate(blocks count: Int, operators: [String]) throws {
        guard blocks.count == count else {
            throw SpaceError(
                .misfit, at: "cell", expected: "\(count) blocks", got: "\(blocks.count)",
                remedy: "use a space with as many blocks, or another architecture")
        }
        let useful = operators.filter { $0 != OperatorCatalogue.none }
        for (b, block) in blocks.enumerated() {
            for (i, branch) in block.branches.enumerated() {
                let place = "cell.block \(b + 1).branch \(i + 1)"
                guard useful.contains(branch.operation) else {
                    throw SpaceError.unknown("operator of the space", branch.operation, known: useful, at: place)
                }
                guard (1...(b + 2)).contains(branch.state) else {
                    throw SpaceError(
                        .misfit, at: place, expected: "a state from 1 to \(b + 2)", got: "\(branch.state)",
                        remedy: "a block reads the two inputs (1 two-back, 2 previous) and the blocks before it (2 + b)")
                }
            }
        }
    }
}

// MARK: - Published notation

extension CellGenotype {
    /// Which of a published cell's inputs 0 and 1 is which; 2, 3, ... are the blocks in both.
    public enum Notation: Sendable {
        /// 0 = the previous cell's output, 1 = the output before it: NASNet, PNASNet, Auto-DeepLab as released.
        case previousFirst
        /// 0 = the output before the previous, 1 = the previous: DARTS and its kin.
        case twoBackFirst
    }

    /// A published genotype: a flat list of (operator, input), two for each block.
    public init(published pairs: [(operation: String, input: Int)], notation: Notation) {
        let branches = pairs.map { pair in
            let swapped = notation == .previousFirst && pair.input < CellSpace.inputStates ? 1 - pair.input : pair.input
            return CellBranch(pair.operation, swapped + 1)
        }
        self.init(
            blocks: stride(from: 0, to: branches.count - 1, by: 2).map { CellBlock(branches[$0], branches[$0 + 1]) })
    }

    /// The inverse of `init(published:notation:)`.
    public func published(notation: Notation) -> [(operation: String, input: Int)] {
        branches.map { branch in
            let input = branch.state - 1
            return (branch.operation, notation == .previousFirst && input < CellSpace.inputStates ? 1 - input : input)
        }
    }
}
