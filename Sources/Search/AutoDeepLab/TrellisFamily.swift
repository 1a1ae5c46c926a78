import Base
import Foundation
import Networks
import Tensors

/// The stock trellis as a family of spaces: its logits are alpha and beta, its supernets' files are what they were before any space had decisions.
extension TrellisSpace: SpaceFamily {
    static let alphaName = "alpha", betaName = "beta"

    /// alpha [edges, operators], whose rows are those of the blocks one below the other, and beta [layers, strides, moves], which has entries for arrows that do not exist.
    public func logits() throws -> Logits {
        let deviation = options.initialDeviation
        let alpha = try Tensor.random(.normal(mean: 0, deviation: deviation), alphaShape).requireGrad()
        let beta = try Tensor.random(.normal(mean: 0, deviation: deviation), betaShape).requireGrad()
        let places = try Tensor(ints: arrows.map { Int32(betaIndex(of: $0)) }, shape: [arrows.count])
        var rows: [String: (first: Int, count: Int)] = [:], first = 0
        for block in 1...cell.blocks {
            rows[Self.blockName(block)] = (first, block + 1)
            first += block + 1
        }
        return Logits([(Self.alphaName, alpha), (Self.betaName, beta)]) { decision in
            guard let rows = rows[decision.name] else { return try beta.reshape([beta.count]).gather(0, places) }
            return try alpha.narrow(0, rows.first, rows.count)
        }
    }

    /// Numbers of the arrows as a table like beta, 0 where there is no arrow.
    /// - Parameter arrows: by position in `arrows`.
    func table(ofArrows numbers: Tensor) throws -> Tensor {
        var places = [Int32](repeating: Int32(arrows.count), count: betaMask.count)
        for (i, arrow) in arrows.enumerated() { places[betaIndex(of: arrow)] = Int32(i) }
        return try Tensor.concat([numbers, Tensor.zeros([1])], 0).gather(0, Tensor(ints: places, shape: [places.count])).reshape(betaShape)
    }

    public var formerConfiguration: [String: String] {
        var values = [
            "layers": "\(layers)", "strides": strides.map(String.init).joined(separator: " "), "filters": "\(filters)", "blocks": "\(cell.blocks)",
            "operators": cell.operators.joined(separator: " "), "arrows": betaMask.map { $0 ? "1" : "0" }.joined(), "stem": options.stem.rawValue,
            "down": options.down.rawValue, "down_kernel": "\(options.downKernel)", "operator_sets": options.operatorSets.rawValue, "affine": "\(options.affine)",
            "eps": "\(options.batchNormEpsilon)", "head_reach": "\(options.headReach)",
        ]
        if let width = options.stemWidth { values["stem_width"] = "\(width)" }
        if let width = options.headWidth { values["head_width"] = "\(width)" }
        return values
    }

    /// The space down to the order of its operators and each of its arrows, and the options: what shapes of tensors do not tell.
    public var formerIdentity: [(name: String, value: String)] {
        let arrows = arrows.map { "\($0.layer):\(strides[$0.from])>\(strides[$0.to])" }
        return [
            ("layers", "\(layers)"), ("strides", "\(strides)"), ("filters", "\(filters)"), ("blocks", "\(cell.blocks)"),
            ("operators", cell.operators.joined(separator: ", ")), ("arrows", arrows.joined(separator: "\n")), ("options", "\(options)"),
        ]
    }

    /// Parameters of an edge from a two-back input that does not exist, which some implementations keep.
    public func mayHold(_ name: String) -> Bool {
        let parts = name.split(separator: ".")
        guard parts.count > 5, parts[0] == "nodes", let layer = Int(parts[1]), let stride = Int(parts[2]), parts[3].hasPrefix("block"), parts[5] == "1",
            let level = level(ofStride: stride)
        else { return false }
        return !hasTwoBack(TrellisNode(layer: layer, level: level))
    }

    /// A line for each layer: the tree itself has thousands of modules.
    public func overview(_ net: Supernet) -> String {
        let weights = net.weights()
        let count = weights.reduce(0) { $0 + $1.tensor.count }
        var rows = [["", "nodes", "parameters"]]
        for (name, part) in net.children {
            guard name == "nodes" else {
                rows.append([name, "\(part.children.count)", NumberText.grouped(part.parameterCount)])
                continue
            }
            for (layer, group) in part.children {
                let strides = group.children.map(\.name).joined(separator: " ")
                rows.append(["layer \(layer): stride \(strides)", "\(group.children.count)", NumberText.grouped(group.parameterCount)])
            }
        }
        let operators = cell.operators.filter { $0 != OperatorCatalogue.none }.joined(separator: ", ")
        return """
            supernet(\(net.root.details)), seed \(net.seed)\(net.isTraining ? "" : ", evaluation mode")
            weights       \(NumberText.grouped(count)) in \(NumberText.grouped(weights.count)) tensors
            architecture  alpha \(alphaShape), beta \(betaShape)
            each node     \(plural(cell.blocks, "block")), \(plural(cell.edgeCount, "edge")) of \(operators)
            \(alignColumns(rows))
            """
    }
}

extension ModuleSpace {
    /// The stock trellis. Its supernet is that of the paper's search, its networks those that the paper trains afterwards, with the space's filters.
    /// - Parameters:
    ///   - registry, catalogue: modules of the operators, and their costs.
    public convenience init(
        _ trellis: TrellisSpace, registry: OperatorRegistry = .shared, catalogue: @escaping () -> OperatorCatalogue = { .standard }
    ) throws {
        self.init(trellis, try trellis.decisionList()) { told in
            guard let classes = told.classes else {
                throw SpaceError(.size, at: "classes", expected: "the number of classes", got: "none", remedy: "a trellis has heads: {classes = 19}, say")
            }
            switch try Construction.required(for: "nas.trellis").kind {
            case .supernet: return try StockTrellis(trellis, classes: classes, registry: registry)
            case .derived(let assignment):
                let options = DerivedOptions(filters: trellis.filters, classes: classes)
                return try DerivedNetwork(trellis.architecture(of: assignment), options, seed: told.seed, catalogue: catalogue(), registry: registry)
            }
        }
    }

    /// The stock trellis that this space is; nil for others.
    public var trellis: TrellisSpace? { family as? TrellisSpace }

    /// - Parameter what: needs a stock trellis.
    /// - Throws: for another space.
    public func requireTrellis(for what: String) throws -> TrellisSpace {
        guard let trellis else {
            throw SpaceError(.misfit, at: what, expected: "a space of nas.trellis with stock cells", got: "a space of a function", remedy: "its decisions say what there is to know of it")
        }
        return trellis
    }
}

extension DerivedNetwork: SupernetHeir {}

// MARK: - Supernets of it

extension Supernet {
    /// The supernet of a stock trellis.
    public convenience init(_ trellis: TrellisSpace, classes: Int, seed: UInt64, relax: Relaxations? = nil, registry: OperatorRegistry = .shared) throws {
        try self.init(ModuleSpace(trellis, registry: registry), classes: classes, seed: seed, relax: relax ?? Relaxations())
    }

    private func leaf(_ name: String) throws -> Tensor {
        guard let leaf = architecture().first(where: { $0.name == name }), space.trellis != nil else {
            throw SpaceError(
                .misfit, at: name, expected: "a supernet of nas.trellis with stock cells", got: "one whose decisions are \(decisions.decisions.map(\.name).joined(separator: ", "))",
                remedy: "logits and probabilities of a decision go by its name")
        }
        return leaf.tensor
    }

    /// Logits of the operators of a stock trellis, [edges, operators]; all cells share them.
    public var alpha: Tensor { get throws { try leaf(TrellisSpace.alphaName) } }
    /// Logits of its arrows, [layers, levels, moves].
    public var beta: Tensor { get throws { try leaf(TrellisSpace.betaName) } }

    /// Probabilities of the operators of a stock trellis, [edges, operators]: softmax(alpha) (eq. 5), or what its relaxations make of alpha.
    public func operatorProbabilities() throws -> Tensor {
        let trellis = try space.requireTrellis(for: "alpha")
        return try Tensor.concat((1...trellis.cell.blocks).map { try probabilities(TrellisSpace.blockName($0)) }, 0)
    }

    /// Probabilities of the arrows that leave each node (softmax(beta), eq. 7, by default), 0 where there is none; [layers, levels, moves].
    public func arrowProbabilities() throws -> Tensor {
        try space.requireTrellis(for: "beta").table(ofArrows: probabilities(TrellisSpace.pathsName))
    }

    /// Makes it the network of one architecture of a stock trellis; see `at`.
    public func at(_ architecture: Architecture) throws { try at(space.requireTrellis(for: "at").assignment(of: architecture)) }

    /// Entropy of the operators of each edge and of the arrows that leave each node of a stock trellis.
    public func entropy() throws -> (alpha: TableEntropy, beta: TableEntropy) {
        let trellis = try space.requireTrellis(for: "entropy")
        let cells = try (1...trellis.cell.blocks).map { try entropy(TrellisSpace.blockName($0)) }
        return (TableEntropy(cells), try entropy(TrellisSpace.pathsName))
    }

    /// What an assignment says of a stock trellis, with what the supernet thinks of it; its provenance names the seed.
    public func architecture(of assignment: Assignment, _ provenance: Provenance = Provenance()) throws -> Architecture {
        let trellis = try space.requireTrellis(for: "architecture")
        var found = try trellis.architecture(of: assignment)
        found.provenance = provenance
        found.provenance.seed = provenance.seed ?? seed
        found.scores = try scores(of: assignment, trellis)
        return found
    }

    private func scores(of assignment: Assignment, _ trellis: TrellisSpace) throws -> ArchitectureScores {
        func chosen(_ name: String) throws -> [Double] {
            let decision = try decision(name, at: "architecture"), numbers = try numbers(decision)
            return (assignment[name].map { decision.domain.options(of: $0) } ?? []).map { numbers[$0] }
        }
        return ArchitectureScores(
            pathLogProbability: try chosen(TrellisSpace.pathsName).reduce(0) { $0 + log($1) }, strengths: try (1...trellis.cell.blocks).flatMap { try chosen(TrellisSpace.blockName($0)) })
    }

    /// The strongest architecture of a stock trellis (paper, section 3.4): the path of the largest product of betas, of each block the two states whose strongest
    /// operator other than `none` is strongest. Of equal ones the lower stride, operator and state first.
    public func strongest(_ provenance: Provenance = Provenance()) throws -> Architecture { try architecture(of: decode()[0].assignment, provenance) }
}
