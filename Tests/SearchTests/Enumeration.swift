@testable import Search

// All of a stock trellis by closed forms of its own: what decisions are compared with.

/// Every path of a space in lexicographic order of strides, made one at a time.
struct PathSequence: Sequence, IteratorProtocol {
    private let space: TrellisSpace
    /// The nodes of the path to come, and for each step which of its outgoing arrows was taken.
    private var nodes = [TrellisNode(layer: 0, level: 0)]
    private var taken: [Int] = []
    private var finished = false

    init(_ space: TrellisSpace) { self.space = space }

    /// A stride for each layer.
    mutating func next() -> [Int]? {
        guard !finished else { return nil }
        // Every node that exists leads to layer L, so the first arrows always do.
        while nodes.count <= space.layers { follow(0) }
        let path = nodes.dropFirst().map { space.strides[$0.level] }
        var arrow: Int
        repeat {
            guard let last = taken.popLast() else {
                finished = true
                return path
            }
            nodes.removeLast()
            arrow = last + 1
        } while arrow >= space.outgoing(nodes[nodes.count - 1]).count
        follow(arrow)
        return path
    }

    private mutating func follow(_ arrow: Int) {
        nodes.append(space.outgoing(nodes[nodes.count - 1])[arrow].target)
        taken.append(arrow)
    }
}

/// Every cell that decoding could give, made one at a time; the last block changes fastest.
struct CellSequence: Sequence, IteratorProtocol {
    private let space: CellSpace
    private var choices: [Int]?

    init(_ space: CellSpace) {
        self.space = space
        choices = [Int](repeating: 0, count: space.blocks)
    }

    mutating func next() -> CellGenotype? {
        guard var choices else { return nil }
        let cell = CellGenotype(blocks: choices.enumerated().map { space.block($0 + 1, choice: $1) })
        var block = space.blocks
        while block >= 1, choices[block - 1] + 1 == space.choices(of: block) {
            choices[block - 1] = 0
            block -= 1
        }
        if block >= 1 { choices[block - 1] += 1 }
        self.choices = block >= 1 ? choices : nil
        return cell
    }
}

extension TrellisSpace {
    /// All paths, `count().paths` of them.
    var paths: PathSequence { PathSequence(self) }

    /// All architectures that decoding could give, cells within paths: `count()` says how many, before a loop over them.
    var architectures: some Sequence<Architecture> {
        paths.lazy.flatMap { path in
            CellSequence(cell).lazy.map { Architecture(space: summary, path: path, cell: $0) }
        }
    }
}

extension CellSpace {
    /// All cells that decoding could give, `SpaceCount.decodableCells` of them.
    var cells: CellSequence { CellSequence(self) }

    /// The number of ways to decide a block: two of its states, an operator other than `none` on each.
    func choices(of block: Int) -> Int {
        let states = states(of: block)
        return states * (states - 1) / 2 * decodable.count * decodable.count
    }

    /// The block of a number below `choices(of:)`: by lower state, upper state, first operator, second operator.
    func block(_ block: Int, choice: Int) -> CellBlock {
        let useful = decodable
        let (pair, pick) = choice.quotientAndRemainder(dividingBy: useful.count * useful.count)
        var lower = 1
        var rest = pair
        while rest >= states(of: block) - lower {
            rest -= states(of: block) - lower
            lower += 1
        }
        return CellBlock(
            CellBranch(operators[useful[pick / useful.count]], lower),
            CellBranch(operators[useful[pick % useful.count]], lower + 1 + rest))
    }
}
