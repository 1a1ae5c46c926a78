import Base
import Networks
import Tensors

/// A trellis whose cells are modules of one's own: stem, nodes, heads of the paper (section 3.2), with one `paths` decision and whatever decisions the cells make.
/// Built by a space's function, as supernet or for one architecture alike.
public final class TrellisNetwork: Module {
    /// Where a cell stands.
    public struct Place {
        public let layer: Int
        public let stride: Int
        /// Opens where the node two layers before at the cell's stride is reached; nil where there is none.
        public let twoBack: Gate?
    }

    /// Makes a cell of so many channels a block, at a place: a module of (two-back or nil, previous).
    public typealias CellBuilder = (_ channels: Int, _ place: Place) throws -> Module
    /// Runs a cell.
    public typealias CellRunner = (_ cell: Module, _ twoBack: Tensor?, _ previous: Tensor) throws -> Tensor

    private struct Node {
        let level: Int
        let back: InputProjection?
        /// By arrow id.
        let inputs: [(from: Int, id: Int, module: InputProjection)]
        let cell: Module
    }

    private let paths: BuiltDecision
    private let space: TrellisSpace
    private let stem: Module
    private let nodes: [[Node]]
    private let heads: [(level: Int, module: SupernetHead)]
    private let run: CellRunner

    /// - Parameters:
    ///   - space: sizes, arrows and options; of its cell only the number of blocks matters.
    public init(_ space: TrellisSpace, classes: Int, cell: CellBuilder, run: @escaping CellRunner, place: String = "") throws {
        let construction = try Construction.required(for: "nas.trellis")
        let paths = try construction.decide(TrellisSpace.pathsName, .paths(space.pathDomain()), place: place)
        (self.space, self.paths, self.run) = (space, paths, run)
        stem = Group("stem", try space.stem.enumerated().map { ("\($0.offset + 1)", try ConvNormReLU($0.element.inChannels, $0.element.outChannels, kernel: 3, stride: $0.element.stride, space.options)) })
        nodes = try (1...space.layers).map { layer in
            try paths.reached(layer: layer).map { level, _ in
                try located("nodes.\(layer).\(space.strides[level])") {
                    let channels = space.blockChannels(level: level)
                    let twoBack = layer >= 2 ? try paths.reached(layer: layer - 2).first { $0.state == level }?.gate : nil
                    let back = twoBack == nil ? nil : try InputProjection(space.sourceChannels(layer - 2, level), channels, move: nil, space.options)
                    let inputs = try paths.arrows(intoLayer: layer).filter { $0.to == level }.map { from, to, id in
                        (from, id, try InputProjection(space.sourceChannels(layer - 1, from), channels, move: Move(rawValue: to - from + 1), space.options))
                    }
                    return Node(level: level, back: back, inputs: inputs, cell: try cell(channels, Place(layer: layer, stride: space.strides[level], twoBack: twoBack)))
                }
            }
        }
        heads = try paths.reached(layer: space.layers).map { level, _ in
            (level, try SupernetHead(space.nodeChannels(level: level), classes: classes, rate: space.headRate(level: level), space.options))
        }
        super.init()
        if construction.isDerived { settleStatistics() }
    }

    /// In the network of an architecture one arrow leads into a node: norms that serve no other node's arrow keep one pair of statistics, without its name.
    private func settleStatistics() {
        var served: [ObjectIdentifier: (norm: BatchNorm, arrows: Set<String>)] = [:]
        for node in nodes.joined() {
            for (from, _, _) in node.inputs {
                node.cell.eachBatchNorm { served[ObjectIdentifier($0), default: ($0, [])].arrows.insert(arrowName(from: from, to: node.level)) }
            }
        }
        for (norm, arrows) in served.values where arrows.count == 1 { arrows.forEach(norm.serve(only:)) }
    }

    private func arrowName(from: Int, to: Int) -> String { Move(rawValue: to - from + 1)?.arrowName ?? "" }

    public override var kind: String { "trellis" }
    public override var details: String { "\(space.layers) layers, strides \(space.strides.map(String.init).joined(separator: " "))" }
    public override var children: [(name: String, module: Module)] {
        let layers = nodes.enumerated().map { i, layer -> (name: String, module: Module) in
            (String(i + 1), Group("layer", layer.map { node in
                let inputs = (node.back.map { [("back", $0 as Module)] } ?? []) + node.inputs.map { (arrowName(from: $0.from, to: node.level), $0.module as Module) }
                return (String(space.strides[node.level]), Group("node", [("input", Group("inputs", inputs)), ("cell", node.cell)]))
            }))
        }
        return [("stem", stem), ("nodes", Group("nodes", layers)), ("heads", Group("heads", heads.map { (String(space.strides[$0.level]), $0.module) }))]
    }

    /// H(l, s) = Σ over arrows of w · Cell(H(l-2, s), H(l-1, s')) (eq. 6).
    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank == 4, x.shape[1] == 3 else { throw TensorError("trellis", "expects images [N, 3, H, W], got \(x.shape)") }
        var h = x
        for (name, module) in stem.children { h = try located("stem.\(name)") { try module(h) } }
        var sizes = [(h.shape[2], h.shape[3])]
        for _ in 1..<max(space.levels, 1) { sizes.append(((sizes[sizes.count - 1].0 + 1) / 2, (sizes[sizes.count - 1].1 + 1) / 2)) }
        var outputs: [TrellisNode: Tensor] = [TrellisNode(layer: 0, level: 0): h]
        for (i, layer) in nodes.enumerated() {
            for node in layer {
                try checkInterrupt()
                outputs[TrellisNode(layer: i + 1, level: node.level)] = try located("nodes.\(i + 1).\(space.strides[node.level])") { try compute(node, i + 1, sizes[node.level], outputs) }
            }
        }
        var total: Tensor?
        let reached = Dictionary(try paths.reached(layer: space.layers).map { ($0.state, $0.gate) }, uniquingKeysWith: { a, _ in a })
        for (level, head) in heads {
            guard let gate = reached[level], let input = outputs[TrellisNode(layer: space.layers, level: level)] else { continue }
            let scores = try gate.when { try located("heads.\(space.strides[level])") { try head(input) }.resize(.bilinearAlignCorners, height: x.shape[2], width: x.shape[3]) }
            total = try total.map { try $0 + scores } ?? scores
        }
        guard let total else { throw TensorError("trellis", "has no head") }
        return total
    }

    private func compute(_ node: Node, _ layer: Int, _ size: (Int, Int), _ outputs: [TrellisNode: Tensor]) throws -> Tensor {
        let gates = Dictionary(try paths.into(layer: layer, state: node.level).map { ($0.id, $0.gate) }, uniquingKeysWith: { a, _ in a })
        var twoBack: Tensor?
        if let back = node.back, let source = outputs[TrellisNode(layer: layer - 2, level: node.level)], let gate = try paths.reached(layer: layer - 2).first(where: { $0.state == node.level })?.gate {
            twoBack = try gate.when { try located("input.back") { try back(source, height: size.0, width: size.1) } }
        }
        var total: Tensor?
        for (from, id, module) in node.inputs {
            guard let gate = gates[id], let source = outputs[TrellisNode(layer: layer - 1, level: from)] else { continue }
            let arrow = arrowName(from: from, to: node.level)
            let term = try gate.when {
                let previous = try located("input.\(arrow)") { try module(source, height: size.0, width: size.1) }
                // A node's cell serves all its arrows; running statistics are kept for each.
                return try BatchNorm.inBranch(arrow) { try located("cell") { try run(node.cell, twoBack, previous) } }
            }
            total = try total.map { try $0 + term } ?? term
        }
        guard let total else { throw TensorError("node", "has no incoming arrow") }
        return total
    }
}
