/// The outer and the inner level of the search space as data (paper, section 3): which nodes and arrows the trellis has, and
/// the cell that every node repeats.
///
/// An arrow exists when the mask admits it and it lies on a path from the stem to layer L; a node exists when a path leads
/// through it. So a node that cannot be reached does not exist, and neither does one that leads nowhere: its heads are the
/// nodes of layer L, and what goes elsewhere would take probability (beta is normalised over the arrows that leave a node,
/// eq. 7) without a chance to be decoded. Hence at every node but those of layer L the outgoing betas sum to 1, and the
/// probabilities of all paths sum to 1. Nodes that the mask cut off are listed in `trimmed`.
public struct TrellisSpace: Hashable, Sendable {
    /// L.
    public let layers: Int
    /// The strides, finest first, each twice the one before.
    public let strides: [Int]
    /// F, the filters of a block at the finest stride; twice as many at each coarser one.
    public let filters: Int
    public let cell: CellSpace
    public let options: SpaceOptions

    /// All nodes that exist, by layer and level; the first is the stem (0, 0).
    public let nodes: [TrellisNode]
    /// All arrows that exist, by layer, source level and move.
    public let arrows: [TrellisArrow]
    /// Nodes without a mask that this mask takes away, by layer and level.
    public let trimmed: [TrellisNode]
    /// Whether a mask takes arrows away.
    public let isMasked: Bool

    /// Position in `arrows` of each entry of beta, or -1.
    private let arrowPositions: [Int]
    private let nodeExists: [Bool]

    /// - Parameters:
    ///   - layers: L, at least 1.
    ///   - strides: powers of two, each twice the one before; the stem leads to the first.
    ///   - filters: F.
    ///   - arrows: whether the arrow into `layer` (1...L) between these strides is to exist; asked once for every arrow
    ///     whose source can be reached, in the order of `arrows`. Its error is passed on.
    /// - Throws: `SpaceError` for a size that makes no sense and a mask that cuts every path.
    public init(
        layers: Int = 12, strides: [Int] = [4, 8, 16, 32], filters: Int = 8, cell: CellSpace, options: SpaceOptions = SpaceOptions(),
        arrows mask: (_ layer: Int, _ from: Int, _ to: Int) throws -> Bool = { _, _, _ in true }
    ) throws {
        try Self.validate(layers: layers, strides: strides, filters: filters)
        try options.validate()
        self.layers = layers
        self.strides = strides
        self.filters = filters
        self.cell = cell
        self.options = options

        let admitted = try Self.reachable(layers: layers, strides: strides, mask: mask)
        let full = Self.reachable(layers: layers, strides: strides) { _, _, _ in true }
        arrows = Self.leadingThrough(admitted, layers: layers)
        guard !arrows.isEmpty else {
            let last = admitted.last?.layer ?? 0
            throw SpaceError(
                .mask, at: "arrows", expected: "a path from the stem to layer \(layers)",
                got: "a mask that cuts every arrow into layer \(last + 1)",
                remedy: "let the predicate return true for some arrow into each layer")
        }
        nodes = [TrellisNode(layer: 0, level: 0)] + Set(arrows.map(\.target)).sorted()
        trimmed = Set(full.map(\.target)).subtracting(nodes).sorted()
        isMasked = arrows != full

        var positions = [Int](repeating: -1, count: layers * strides.count * Move.allCases.count)
        for (i, arrow) in arrows.enumerated() { positions[Self.betaIndex(arrow, levels: strides.count)] = i }
        arrowPositions = positions
        var exists = [Bool](repeating: false, count: (layers + 1) * strides.count)
        for node in nodes { exists[node.layer * strides.count + node.level] = true }
        nodeExists = exists
    }

    private static func validate(layers: Int, strides: [Int], filters: Int) throws {
        func fail(_ location: String, _ expected: String, _ got: String, _ remedy: String) -> SpaceError {
            SpaceError(.size, at: location, expected: expected, got: got, remedy: remedy)
        }
        // The upper bounds are far beyond use; they keep a mistyped number from filling the memory.
        guard (1...1000).contains(layers) else { throw fail("layers", "1 to 1000", "\(layers)", "the paper has 12") }
        guard (1...65_536).contains(filters) else { throw fail("filters", "1 to 65536", "\(filters)", "the paper searches with 8") }
        guard let first = strides.first else { throw fail("strides", "at least one stride", "none", "the paper has {4, 8, 16, 32}") }
        for (i, stride) in strides.enumerated() where !(1...65_536).contains(stride) {
            throw fail("strides[\(i + 1)]", "1 to 65536", "\(stride)", "the paper has {4, 8, 16, 32}")
        }
        guard first & (first - 1) == 0 else {
            throw fail("strides[1]", "a power of two", "\(first)", "each layer of the stem halves the image; the paper starts at 4")
        }
        for i in strides.indices.dropFirst() where strides[i] != 2 * strides[i - 1] {
            throw fail(
                "strides[\(i + 1)]", "\(2 * strides[i - 1]), twice the stride before it", "\(strides[i])",
                "an arrow halves or doubles the size; list every stride from the finest to the coarsest")
        }
    }

    /// The admitted arrows whose source can be reached from the stem, by layer, source level and move.
    private static func reachable(
        layers: Int, strides: [Int], mask: (Int, Int, Int) throws -> Bool
    ) rethrows -> [TrellisArrow] {
        var found: [TrellisArrow] = []
        var levels: Set<Int> = [0]
        for layer in 1...layers {
            var next: Set<Int> = []
            for from in levels.sorted() {
                for move in Move.allCases {
                    let to = from + move.step
                    guard strides.indices.contains(to), try mask(layer, strides[from], strides[to]) else { continue }
                    found.append(TrellisArrow(layer: layer, from: from, move: move))
                    next.insert(to)
                }
            }
            levels = next
        }
        return found
    }

    /// Those of `arrows` from which layer L can be reached.
    private static func leadingThrough(_ arrows: [TrellisArrow], layers: Int) -> [TrellisArrow] {
        var alive = Set(arrows.filter { $0.layer == layers }.map(\.target))
        var kept: [TrellisArrow] = []
        for arrow in arrows.reversed() where alive.contains(arrow.target) {
            kept.append(arrow)
            alive.insert(arrow.source)
        }
        return kept.reversed()
    }
}

// MARK: - Looking up

extension TrellisSpace {
    /// The number of strides.
    public var levels: Int { strides.count }

    /// The shape of beta: [L, levels, 3], indexed by the layer an arrow leads into (less one), its source's level and its
    /// move. Entries without an arrow do not matter.
    public var betaShape: [Int] { [layers, levels, Move.allCases.count] }

    /// The shape of alpha: [edges, operators].
    public var alphaShape: [Int] { [cell.edgeCount, cell.operators.count] }

    private static func betaIndex(_ arrow: TrellisArrow, levels: Int) -> Int {
        ((arrow.layer - 1) * levels + arrow.from) * Move.allCases.count + arrow.move.rawValue
    }

    /// Position of an arrow's weight in beta, laid out row by row.
    public func betaIndex(of arrow: TrellisArrow) -> Int { Self.betaIndex(arrow, levels: levels) }

    /// Position in `arrows`, or nil when there is no such arrow.
    public func index(of arrow: TrellisArrow) -> Int? {
        guard (1...layers).contains(arrow.layer), strides.indices.contains(arrow.from) else { return nil }
        let position = arrowPositions[betaIndex(of: arrow)]
        return position < 0 ? nil : position
    }

    public func contains(_ arrow: TrellisArrow) -> Bool { index(of: arrow) != nil }

    public func contains(_ node: TrellisNode) -> Bool {
        (0...layers).contains(node.layer) && strides.indices.contains(node.level) && nodeExists[node.layer * levels + node.level]
    }

    /// For every entry of beta, row by row, whether its arrow exists: the mask of the softmax (eq. 7).
    public var betaMask: [Bool] { arrowPositions.map { $0 >= 0 } }

    /// The levels that exist at a layer, finest first. Layer L's are those with a head.
    public func levels(atLayer layer: Int) -> [Int] {
        strides.indices.filter { contains(TrellisNode(layer: layer, level: $0)) }
    }

    /// The arrows that leave a node, finest target first.
    public func outgoing(_ node: TrellisNode) -> [TrellisArrow] {
        Move.allCases.map { TrellisArrow(layer: node.layer + 1, from: node.level, move: $0) }.filter(contains)
    }

    /// The arrows that lead into a node, finest source first.
    public func incoming(_ node: TrellisNode) -> [TrellisArrow] {
        Move.allCases.reversed().map { TrellisArrow(layer: node.layer, from: node.level - $0.step, move: $0) }.filter(contains)
    }

    /// Whether state 1 of the node's cell is there: H^{l-2} at the node's own stride.
    public func hasTwoBack(_ node: TrellisNode) -> Bool {
        contains(TrellisNode(layer: node.layer - 2, level: node.level))
    }

    /// The level of a stride.
    public func level(ofStride stride: Int) -> Int? { strides.firstIndex(of: stride) }
}

// MARK: - Channels and sizes

extension TrellisSpace {
    /// Channels of a block at a level: F·2^d.
    public func blockChannels(level: Int) -> Int { filters << level }

    /// Channels of a node's output: B·F·2^d.
    public func nodeChannels(level: Int) -> Int { cell.blocks * blockChannels(level: level) }

    /// The rate of the atrous branch of a head: 96/s, at least 1.
    public func headRate(level: Int) -> Int { max(1, options.headReach / strides[level]) }

    /// Height and width of the nodes of each level for an image: halved by ceil, once for every layer of the stem that
    /// halves and once for every level.
    public func sizes(height: Int, width: Int) -> [(height: Int, width: Int)] {
        strides.map { stride in ((height + stride - 1) / stride, (width + stride - 1) / stride) }
    }

    /// A 3x3 convolution of the stem, followed by BN and ReLU.
    public struct StemLayer: Hashable, Sendable {
        public let inChannels: Int
        public let outChannels: Int
        public let stride: Int
    }

    /// The stem: two layers, or as many as the finest stride needs halvings; the last halves, so do the first unless one
    /// halving is enough. With the option `three` one more that does not halve stands before the last.
    public var stem: [StemLayer] {
        TrellisSpace.stem(stride: strides[0], channels: nodeChannels(level: 0), options.stem, width: options.stemWidth)
    }

    /// - Parameters:
    ///   - stride: a power of two.
    ///   - width: channels inside; nil for half of those that it gives.
    static func stem(stride: Int, channels out: Int, _ stem: SpaceOptions.Stem, width: Int?) -> [StemLayer] {
        let halvings = stride.trailingZeroBitCount
        let inner = width ?? max(1, out / 2)
        var steps = [Int](repeating: 1, count: max(0, 2 - halvings)) + [Int](repeating: 2, count: halvings)
        if stem == .three { steps.insert(1, at: steps.count - 1) }
        return steps.enumerated().map { i, step in
            StemLayer(inChannels: i == 0 ? 3 : inner, outChannels: i == steps.count - 1 ? out : inner, stride: step)
        }
    }
}
