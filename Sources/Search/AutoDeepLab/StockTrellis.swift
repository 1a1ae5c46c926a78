import Base
import Networks
import Tensors

/// The paper's supernet (section 3 and 4.1): stem, a cell at every node of the trellis, a head at every stride of the last layer. Built by a space's function; its
/// decisions are `paths` and `cell.1`, `cell.2`, ... (see `TrellisSpace.decisionList`).
///
/// Written down by arrow and edge, each a region where weights can be exactly 0. Where none can, a plan computes what is equal of them as one (`Batching`).
final class StockTrellis: Module {
    private let space: TrellisSpace
    private let classes: Int
    private let paths: BuiltDecision
    /// By block.
    private let cells: [BuiltDecision]
    private let stem: [ConvNormReLU]
    private let nodes: [SupernetNode]
    private let heads: [(level: Int, module: SupernetHead)]

    init(_ space: TrellisSpace, classes: Int, registry: OperatorRegistry) throws {
        guard classes >= 2 else { throw TensorError("supernet", "classes should be 2 or more, got \(classes)") }
        let construction = try Construction.required(for: "nas.trellis")
        (self.space, self.classes) = (space, classes)
        let decisions = try space.decisionList().decisions.map { try construction.decide($0.name, $0.domain) }
        (paths, cells) = (decisions[0], Array(decisions[1...]))
        stem = try space.stem.map { try ConvNormReLU($0.inChannels, $0.outChannels, kernel: 3, stride: $0.stride, space.options) }
        nodes = try space.nodes.filter { $0.layer > 0 }.map { node in
            try located("nodes.\(node.layer).\(space.strides[node.level])") { try SupernetNode(space, node, registry) }
        }
        heads = try space.levels(atLayer: space.layers).map { level in
            (level, try SupernetHead(space.nodeChannels(level: level), classes: classes, rate: space.headRate(level: level), space.options))
        }
    }

    override var kind: String { "trellis" }
    override var details: String { "\(space.layers) layers, strides \(space.strides.map(String.init).joined(separator: " ")), \(classes) classes" }
    override var children: [(name: String, module: Module)] {
        let byLayer = Dictionary(grouping: nodes, by: \.node.layer)
        let layers = byLayer.keys.sorted().map { layer -> (name: String, module: Module) in
            (String(layer), Group("layer", (byLayer[layer] ?? []).map { (String(space.strides[$0.node.level]), $0) }))
        }
        return [
            ("stem", Group("stem", stem.enumerated().map { (String($0 + 1), $1) })), ("nodes", Group("nodes", layers)),
            ("heads", Group("heads", heads.map { (String(space.strides[$0.level]), $0.module) })),
        ]
    }

    /// Class scores [N, classes, H, W] of images [N, 3, H, W].
    override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank == 4, x.shape[1] == 3 else { throw TensorError("supernet", "expects images [N, 3, H, W], got \(x.shape)") }
        var h = x
        for (i, layer) in stem.enumerated() { h = try located("stem.\(i + 1)") { try layer(h) } }
        return try scores(h, ActiveTrellis(space, paths, cells), height: x.shape[2], width: x.shape[3])
    }

    /// Scores of what is on, from what the stem gives.
    private func scores(_ stem: Tensor, _ active: ActiveTrellis, height: Int, width: Int) throws -> Tensor {
        let sizes = levelSizes(stem)
        let outputs = try eachNode(stem) { node, previous, twoBack in
            let level = node.node.level
            func shape(_ channels: Int) -> [Int] { [stem.shape[0], channels, sizes[level].0, sizes[level].1] }
            return try node(
                previous: previous, twoBack: twoBack, active: active.cell(of: node.node), arrows: space.incoming(node.node).map { try active.arrow($0) },
                shape: shape(space.blockChannels(level: level)), outputShape: shape(space.nodeChannels(level: level)))
        }
        var total: Tensor?
        for (level, head) in heads {
            let node = TrellisNode(layer: space.layers, level: level)
            guard let input = outputs[node] else { continue }
            let part = try active.opening(of: node).within(shape: [stem.shape[0], classes, height, width]) {
                try located("heads.\(space.strides[level])") { try head(input) }.resize(.bilinearAlignCorners, height: height, width: width)
            }
            total = try total.map { try $0 + part } ?? part
        }
        guard let total else { throw TensorError("supernet", "has no head") }
        return total
    }

    /// What each node gives.
    /// - Parameter compute: is given what the nodes of the layer before give, by level, and what the one two layers before at the node's level gives, if there is one.
    private func eachNode(
        _ stem: Tensor, _ compute: (_ node: SupernetNode, _ previous: (Int) throws -> Tensor, _ twoBack: Tensor?) throws -> Tensor
    ) throws -> [TrellisNode: Tensor] {
        var outputs: [TrellisNode: Tensor] = [TrellisNode(layer: 0, level: 0): stem]
        for node in nodes {
            // Writing down a large supernet takes seconds.
            try checkInterrupt()
            let (layer, level) = (node.node.layer, node.node.level)
            func previous(_ source: Int) throws -> Tensor {
                guard let value = outputs[TrellisNode(layer: layer - 1, level: source)] else { throw TensorError("node", "its source was not computed") }
                return value
            }
            outputs[node.node] = try located("nodes.\(layer).\(space.strides[level])") {
                try compute(node, previous, outputs[TrellisNode(layer: layer - 2, level: level)])
            }
        }
        return outputs
    }

    /// Sizes by level: halved by ceil from what the stem gives.
    private func levelSizes(_ h: Tensor) -> [(Int, Int)] {
        var sizes = [(h.shape[2], h.shape[3])]
        for _ in 1..<max(space.levels, 1) { sizes.append(((sizes[sizes.count - 1].0 + 1) / 2, (sizes[sizes.count - 1].1 + 1) / 2)) }
        return sizes
    }
}
