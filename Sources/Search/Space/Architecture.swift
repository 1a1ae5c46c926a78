/// A stock trellis as plain data: its sizes, operators, mask and options. What an architecture needs of its space to be read without it, and what decides names, shapes
/// and meaning of a supernet's weights.
public struct SpaceSummary: Hashable, Sendable {
    public var layers: Int
    public var strides: [Int]
    public var filters: Int
    public var blocks: Int
    public var operators: [String]
    /// The arrows that exist where a mask takes some away; nil when all do.
    public var arrows: [TrellisArrow]?
    public var options: SpaceOptions

    public init(
        layers: Int, strides: [Int], filters: Int, blocks: Int, operators: [String], arrows: [TrellisArrow]? = nil, options: SpaceOptions = SpaceOptions()
    ) {
        self.arrows = arrows
        self.layers = layers
        self.strides = strides
        self.filters = filters
        self.blocks = blocks
        self.operators = operators
        self.options = options
    }

    /// How far the heads' atrous taps looked in the search, in pixels. The derived network's ASPP follows it.
    public var headReach: Int {
        get { options.headReach }
        set { options.headReach = newValue }
    }

    /// The space itself, with its arrows and options.
    /// - Throws: `SpaceError` also for arrows that are none of such a space.
    public func space(catalogue: OperatorCatalogue = .standard) throws -> TrellisSpace {
        let cell = try CellSpace(blocks: blocks, operators: operators, catalogue: catalogue)
        guard let arrows else { return try TrellisSpace(layers: layers, strides: strides, filters: filters, cell: cell, options: options) }
        let admitted = Set(arrows)
        let space = try TrellisSpace(layers: layers, strides: strides, filters: filters, cell: cell, options: options) { layer, from, to in
            guard let level = strides.firstIndex(of: from), let target = strides.firstIndex(of: to), let move = Move(rawValue: target - level + 1) else { return false }
            return admitted.contains(TrellisArrow(layer: layer, from: level, move: move))
        }
        if let stray = arrows.first(where: { !space.contains($0) }) {
            throw SpaceError(
                .mask, at: "space.arrows", expected: "arrows on paths from the stem to layer \(layers)", got: "another one into layer \(stray.layer)",
                remedy: "compare with a file that Trellis wrote")
        }
        return space
    }
}

extension TrellisSpace {
    public var summary: SpaceSummary {
        SpaceSummary(
            layers: layers, strides: strides, filters: filters, blocks: cell.blocks, operators: cell.operators, arrows: isMasked ? arrows : nil,
            options: options)
    }
}

/// What decoding thought of an architecture.
public struct ArchitectureScores: Hashable, Sendable {
    /// Logarithm of the product of the betas along the path.
    public var pathLogProbability: Double?
    /// The weight of each branch's operator, block by block; empty when unknown.
    public var strengths: [Double]

    public init(pathLogProbability: Double? = nil, strengths: [Double] = []) {
        self.pathLogProbability = pathLogProbability
        self.strengths = strengths
    }
}

/// Where an architecture comes from.
public struct Provenance: Hashable, Sendable {
    public var seed: UInt64?
    /// As people write it, ISO 8601 by preference.
    public var date: String?
    /// The data set of the search.
    public var data: String?
    /// A paper or a file.
    public var source: String?

    public init(seed: UInt64? = nil, date: String? = nil, data: String? = nil, source: String? = nil) {
        self.seed = seed
        self.date = date
        self.data = data
        self.source = source
    }

    var isEmpty: Bool { seed == nil && date == nil && data == nil && source == nil }
}

/// A decided architecture: a path through the trellis and a cell that every layer repeats. Plain data; a network is built
/// from it, and nothing else.
public struct Architecture: Hashable, Sendable {
    public var name: String?
    public var space: SpaceSummary
    /// A stride for each layer.
    public var path: [Int]
    public var cell: CellGenotype
    public var scores: ArchitectureScores
    public var provenance: Provenance
    /// What the reader should know, one sentence each.
    public var notes: [String]

    /// Takes the parts as they are; `validate()` says whether they fit each other.
    public init(
        name: String? = nil, space: SpaceSummary, path: [Int], cell: CellGenotype, scores: ArchitectureScores = ArchitectureScores(),
        provenance: Provenance = Provenance(), notes: [String] = []
    ) {
        self.name = name
        self.space = space
        self.path = path
        self.cell = cell
        self.scores = scores
        self.provenance = provenance
        self.notes = notes
    }

    /// The level (from 0) of each layer.
    /// - Precondition: every stride of the path is one of the space; `validate()` sees to it.
    public var levels: [Int] { path.map { space.strides.firstIndex(of: $0) ?? 0 } }

    /// Whether path and cell fit the space that the architecture names.
    public func validate(catalogue: OperatorCatalogue = .standard) throws { try validate(in: space.space(catalogue: catalogue)) }

    /// Whether path and cell can be said in a space: strides, arrows (the mask included), blocks, operators, states.
    /// The number of filters may differ.
    public func validate(in space: TrellisSpace) throws {
        try Self.validate(path: path, in: space)
        try cell.validate(blocks: space.cell.blocks, operators: space.cell.operators)
        guard scores.strengths.isEmpty || scores.strengths.count == cell.branches.count else {
            throw SpaceError(
                .misfit, at: "scores.strengths", expected: "\(cell.branches.count) numbers, one a branch",
                got: "\(scores.strengths.count)", remedy: "leave them out when unknown")
        }
    }

    private static func validate(path: [Int], in space: TrellisSpace) throws {
        guard path.count == space.layers else {
            throw SpaceError(
                .misfit, at: "path", expected: "\(space.layers) strides, one a layer", got: "\(path.count)",
                remedy: "use a space with as many layers, or another path")
        }
        var from = 0
        for (i, stride) in path.enumerated() {
            guard let to = space.level(ofStride: stride) else {
                throw SpaceError(
                    .misfit, at: "path[\(i + 1)]", expected: "one of the strides \(space.strides)", got: "\(stride)",
                    remedy: "the path holds strides, not levels")
            }
            guard abs(to - from) <= 1 else {
                throw SpaceError(
                    .misfit, at: "path[\(i + 1)]", expected: "at most twice and at least half of \(space.strides[from])",
                    got: "\(stride)", remedy: "from layer to layer the stride doubles, stays or halves; the stem gives \(space.strides[0])")
            }
            let move = Move.allCases[to - from + 1]
            guard space.contains(TrellisArrow(layer: i + 1, from: from, move: move)) else {
                throw SpaceError(
                    .misfit, at: "path[\(i + 1)]", expected: "an arrow that exists",
                    got: "\(space.strides[from]) to \(stride) into layer \(i + 1), which the mask cuts",
                    remedy: "allow the arrow, or take another path")
            }
            from = to
        }
    }
}
