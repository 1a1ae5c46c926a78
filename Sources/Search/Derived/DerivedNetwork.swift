import Networks
import Tensors

/// How an architecture becomes a network.
public struct DerivedOptions: Hashable, Sendable {
    /// The filter multiplier F: a block at level d has F·2^d channels.
    public var filters: Int
    /// Number of classes, 2 or more.
    public var classes: Int
    public var widths = DerivedWidths()
    /// Share of the batch in the running statistics. The released code has 0.0003 (a decay of 0.9997), for runs of a million steps from a
    /// trained start; in runs of some thousand steps statistics that slow still hold the initial values, so the default is the usual 0.1.
    public var batchNormMomentum: Float = 0.1
    /// The released code's.
    public var batchNormEpsilon: Float = 1e-3
    /// How far the taps of the ASPP's first atrous branch look, in pixels (the next look twice and three times as far); nil for the reach of
    /// the architecture's heads, published 96.
    public var headReach: Int?
    /// Probability with which the last cell drops a path at the end of training; see `DerivedNetwork.dropPath`.
    public var dropPath = 0.0

    public init(filters: Int, classes: Int) {
        self.filters = filters
        self.classes = classes
    }

    func validate() throws {
        func check(_ good: Bool, _ name: String, _ expected: String, _ got: Any, _ remedy: String = "leave it out for the default") throws {
            guard good else { throw SpaceError(.size, at: "network.\(name)", expected: expected, got: "\(got)", remedy: remedy) }
        }
        try check((1...65_536).contains(filters), "filters", "1 to 65536", filters, "the paper has 20, 32 and 48")
        try check((2...65_536).contains(classes), "classes", "2 or more", classes, "give the data set's number of classes")
        try widths.validate()
        try check(headReach.map(SpaceOptions.headReaches.contains) ?? true, "head_reach", "1 to 65536", headReach ?? 0)
        try check((0...1).contains(batchNormMomentum), "momentum", "0 to 1", batchNormMomentum)
        try check(batchNormEpsilon > 0 && batchNormEpsilon.isFinite, "eps", "above 0", batchNormEpsilon)
        try check(dropPath >= 0 && dropPath < 1, "drop_path", "a probability in [0, 1)", dropPath)
    }
}

/// The network of a decided architecture as the paper trains it (section 4.2; search-space.md, "Derived network"): stem, one cell a layer, ASPP,
/// DeepLabv3+'s decoder. Images [N, 3, H, W] of any size, odd ones included, to class scores [N, classes, H, W].
public final class DerivedNetwork: Module, DropPathScheduling {
    /// With the reach of `options`, if they have one.
    public private(set) var architecture: Architecture
    public let options: DerivedOptions
    /// What its initial weights came from.
    public let seed: UInt64
    private let layout: DerivedLayout
    private let stem: [ConvNormReLU]
    private let cells: [DerivedCell]
    private let aspp: DerivedASPP
    private let decoder: DerivedDecoder

    /// - Parameters:
    ///   - seed: decides every initial weight (uniform, variance 1/(3·fan-in), as in the released code).
    ///   - catalogue, registry: costs and modules of the operators.
    /// - Throws: `SpaceError` for an architecture that does not fit its space and options that make no sense, before any work.
    public init(
        _ architecture: Architecture, _ options: DerivedOptions, seed: UInt64, catalogue: OperatorCatalogue = .standard,
        registry: OperatorRegistry = .shared
    ) throws {
        try options.validate()
        let weights = try architecture.estimate(
            filters: options.filters, classes: options.classes, height: 1, width: 1, widths: options.widths, catalogue: catalogue
        ).parameters
        guard weights < 1 << 31 else {
            throw SpaceError(
                .size, at: "network", expected: "fewer than 2^31 weights", got: Module.grouped(weights), remedy: "give fewer filters or smaller widths")
        }
        var architecture = architecture
        // What is written about the network says its own reach; programs that know of none but the published one refuse to read another.
        architecture.space.headReach = options.headReach ?? architecture.space.headReach
        self.architecture = architecture
        self.options = options
        self.seed = seed
        let layout = DerivedLayout(architecture, filters: options.filters, widths: options.widths)
        self.layout = layout
        let before = RandomStreams.current
        RandomStreams.start(seed: seed)
        defer { before.resume() }
        stem = try layout.stem.map { try ConvNormReLU($0.inChannels, $0.outChannels, kernel: 3, stride: $0.stride, options) }
        cells = try layout.cells.enumerated().map { i, cell in
            try located("cells.\(i + 1)") {
                let drop = DerivedNetwork.dropPath(options.dropPath, cell: i, of: layout.cells.count)
                return try DerivedCell(cell, architecture.cell, options, dropPath: drop, registry)
            }
        }
        aspp = try DerivedASPP(layout, options)
        decoder = try DerivedDecoder(layout, options)
        dropPath = options.dropPath
    }

    /// Keeps what is known of its architecture besides path and cell: name, provenance, notes, scores.
    public func note(_ found: Architecture) {
        (architecture.name, architecture.provenance, architecture.notes) = (found.name, found.provenance, found.notes)
        architecture.scores.pathLogProbability = found.scores.pathLogProbability
        // Strengths go by the branches in their order.
        if found.cell == architecture.cell { architecture.scores = found.scores }
    }

    public override var kind: String { "network" }
    public override var details: String {
        "\(plural(architecture.path.count, "layer")), F = \(options.filters), \(options.classes) classes"
    }
    public override var children: [(name: String, module: Module)] {
        func group(_ kind: String, _ modules: [Module]) -> Module { Group(kind, modules.enumerated().map { (String($0 + 1), $1) }) }
        return [("stem", group("stem", stem)), ("cells", group("cells", cells)), ("aspp", aspp), ("decoder", decoder)]
    }

    /// Scheduled drop path: the last cell's final probability; cell i of n (from 1) has i/n of it, and all grow from 0 with `advance(to:)`.
    /// It applies to every branch but `skip_connect`, per sample, in training only, and kept values are divided by the keep probability.
    /// Values outside of [0, 1) are brought into it.
    public var dropPath: Double {
        didSet {
            dropPath = dropPath.isFinite ? min(max(dropPath, 0), 1.0.nextDown) : oldValue
            for (i, cell) in cells.enumerated() {
                cell.dropPath.probability = DerivedNetwork.dropPath(dropPath, cell: i, of: cells.count)
            }
        }
    }

    private static func dropPath(_ last: Double, cell: Int, of count: Int) -> Double { last * Double(cell + 1) / Double(count) }

    /// Class scores [N, classes, H, W] of images [N, 3, H, W].
    /// - Throws: for another shape, and for images smaller than the coarsest stride of the path.
    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank == 4, x.shape[1] == 3 else { throw TensorError("network", "expects images [N, 3, H, W], got \(x.shape)") }
        let coarsest = architecture.path.max() ?? 1
        guard min(x.shape[2], x.shape[3]) >= coarsest else {
            throw TensorError("network", "expects images of \(coarsest)x\(coarsest) or more, the path goes down to stride \(coarsest); got \(x.shape[2])x\(x.shape[3])")
        }
        var (back, previous) = (x, x)
        for (i, layer) in stem.enumerated() { (back, previous) = (previous, try located("stem.\(i + 1)") { try layer(previous) }) }
        var sizes = [(height: previous.shape[2], width: previous.shape[3])]
        for _ in architecture.space.strides.dropFirst() {
            let last = sizes[sizes.count - 1]
            sizes.append(((last.height + 1) / 2, (last.width + 1) / 2))
        }
        var low = previous
        for (i, cell) in cells.enumerated() {
            try checkInterrupt()
            let output = try located("cells.\(i + 1)") { try cell(previous, twoBack: back, size: sizes[cell.layout.level]) }
            (back, previous) = (previous, output)
            if i == layout.lowCell { low = output }
        }
        let features = try located("aspp") { try aspp(previous.unary(.relu)) }
        let scores = try located("decoder") { try decoder(features, lowLevel: low, size: sizes[0]) }
        return try scores.resize(.bilinearAlignCorners, height: x.shape[2], width: x.shape[3])
    }

    public override var countedParts: [(name: String, path: String)] {
        [("stem", "stem")] + architecture.path.enumerated().map { ("layer \($0 + 1), stride \($1)", "cells.\($0 + 1)") }
            + [("ASPP", "aspp"), ("decoder", "decoder")]
    }

    /// A line for each part: the tree itself has hundreds of modules.
    public override var summary: String {
        var rows = [["stem", "3x3, " + layout.stem.map { "\($0.outChannels)" }.joined(separator: ", "), Module.grouped(children[0].module.parameterCount)]]
        for (i, cell) in cells.enumerated() {
            let move = cell.layout.level == cell.layout.from ? "" : cell.layout.isDown ? ", down" : ", up"
            rows.append([
                "cells.\(i + 1)", "stride \(architecture.path[i])\(move), \(architecture.cell.blocks.count)x\(cell.layout.channels) channels",
                Module.grouped(cell.parameterCount),
            ])
        }
        rows.append(["aspp", "rates \(layout.rates.map(String.init).joined(separator: ", ")), \(layout.widths.aspp) channels", Module.grouped(aspp.parameterCount)])
        rows.append(["decoder", "\(layout.widths.lowLevel) low-level, \(layout.widths.decoder) channels", Module.grouped(decoder.parameterCount)])
        let cell = architecture.cell.blocks.enumerated().map { b, block in "  block \(b + 1)  \(block.first) + \(block.second)" }.joined(separator: "\n")
        return """
            network(\(details))  \(Module.grouped(parameterCount)) parameters\(dropPath > 0 ? ", drop path \(Float(dropPath))" : "")\(isTraining ? "" : ", evaluation mode")
            \(alignColumns(rows))
            each cell:
            \(cell)
            """
    }
}

extension DerivedNetwork: CheckpointIdentified {
    public var checkpointIdentity: [(name: String, value: String)] {
        let w = options.widths
        var identity: [(name: String, value: String)] = [
            ("path", architecture.path.map(String.init).joined(separator: " ")),
            ("cell", architecture.cell.branches.map(\.description).joined(separator: " ")),
            ("strides", architecture.space.strides.map(String.init).joined(separator: " ")),
            ("filters", "\(options.filters)"), ("classes", "\(options.classes)"),
            ("widths", "\(w.stem) \(w.stemOutput) \(w.aspp) \(w.lowLevel) \(w.decoder)"),
        ]
        // Checkpoints say nothing of the published reach, as those of before there was another.
        let reach = architecture.space.headReach
        if reach != SpaceOptions.publishedHeadReach { identity.append(("head_reach", "\(reach)")) }
        return identity
    }
}
