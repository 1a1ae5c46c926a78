import Base
import Networks
import Tensors

/// The network that holds every architecture of a trellis at once (paper, section 3 and 4.1). Weights and architecture parameters are
/// trained in turn; then `decode` reads the strongest architecture off the latter.
public final class Supernet: Module {
    public let space: TrellisSpace
    public let classes: Int
    /// What its initial weights came from.
    public let seed: UInt64
    /// Logits of the operators, [edges, operators]; all cells share them.
    public let alpha: Tensor
    /// Logits of the arrows, [layers, levels, moves].
    public let beta: Tensor
    /// What its steps compute again in the backward pass instead of keeping it: less memory for more time.
    public var recompute = Recomputation.cheap {
        didSet { plans.recomputation = recompute }
    }
    /// Label that does not count.
    public var ignore: Int32 = 255

    private let stem: [ConvNormReLU]
    private let nodes: [SupernetNode]
    private let heads: [(level: Int, module: SupernetHead)]
    /// Where the weights of its operators and arrows come from, each time that its computation is written down; as they are by default softmax(alpha) and
    /// softmax(beta) (eq. 5 and 7). At an architecture (`at`) they are not asked for.
    public lazy var trellisWeights: () throws -> TrellisWeights = { [unowned self] in
        TrellisWeights(operators: try operatorProbabilities(), arrows: try (beta + betaMask).softmax(2))
    } {
        didSet {
            plans.forget()
            inferences = [:]
        }
    }
    /// See `at`.
    var choice: ArchitectureChoice?
    /// That of the last architecture: its tensors are those that recordings know.
    var spare: ArchitectureChoice?
    var chosen: Architecture?
    private lazy var plans = StepPlans(self)
    /// By mode and whether they end in the classes.
    private var inferences: [Int: Compiled] = [:]
    private let betaMask: Tensor
    /// Whether a word was said about parts that the size of the images leaves without a purpose.
    private var hasRemarked = false

    /// - Parameters:
    ///   - seed: decides every initial weight.
    ///   - registry: where the space's operators come from.
    public init(_ space: TrellisSpace, classes: Int, seed: UInt64, registry: OperatorRegistry = .shared) throws {
        guard classes >= 2 else { throw TensorError("supernet", "classes should be 2 or more, got \(classes)") }
        self.space = space
        self.classes = classes
        self.seed = seed
        let before = RandomStreams.current
        RandomStreams.start(seed: seed)
        defer { before.resume() }
        let deviation = space.options.initialDeviation
        alpha = try Tensor.random(.normal(mean: 0, deviation: deviation), space.alphaShape).requireGrad()
        beta = try Tensor.random(.normal(mean: 0, deviation: deviation), space.betaShape).requireGrad()
        stem = try space.stem.map { try ConvNormReLU($0.inChannels, $0.outChannels, kernel: 3, stride: $0.stride, space.options) }
        nodes = try space.nodes.filter { $0.layer > 0 }.map { node in
            try located("nodes.\(node.layer).\(space.strides[node.level])") { try SupernetNode(space, node, registry) }
        }
        heads = try space.levels(atLayer: space.layers).map { level in
            (level, try SupernetHead(space.nodeChannels(level: level), classes: classes, rate: space.headRate(level: level), space.options))
        }
        betaMask = try Tensor(space.betaMask.map { $0 ? 0 : -1e30 }, shape: space.betaShape)
    }

    public override var kind: String { "supernet" }
    public override var details: String { "\(space.layers) layers, strides \(space.strides.map(String.init).joined(separator: " ")), \(classes) classes" }
    public override var summary: String { overview }
    public override var ownParameters: [Named] { [("alpha", alpha), ("beta", beta)] }
    public override var children: [(name: String, module: Module)] {
        let byLayer = Dictionary(grouping: nodes, by: \.node.layer)
        let layers = byLayer.keys.sorted().map { layer -> (name: String, module: Module) in
            (String(layer), Group("layer", (byLayer[layer] ?? []).map { (String(space.strides[$0.node.level]), $0) }))
        }
        return [
            ("stem", Group("stem", stem.enumerated().map { (String($0 + 1), $1) })), ("nodes", Group("nodes", layers)),
            ("heads", Group("heads", heads.map { (String(space.strides[$0.level]), $0.module) })),
        ]
    }

    /// What SGD trains.
    public func weights() -> [Named] { parameters().filter { $0.tensor !== alpha && $0.tensor !== beta } }
    /// What Adam trains: alpha and beta.
    public func architecture() -> [Named] { ownParameters }

    /// softmax(beta) over the arrows that leave each node (eq. 7), 0 where there is none; [layers, levels, moves].
    public func arrowProbabilities() throws -> Tensor {
        try (beta + betaMask).softmax(2) * betaMask.compare(.eq, 0)
    }

    /// softmax(alpha), [edges, operators].
    public func operatorProbabilities() throws -> Tensor { try alpha.softmax(1) }

    /// Class scores [N, classes, H, W] of images [N, 3, H, W].
    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank == 4, x.shape[1] == 3 else { throw TensorError("supernet", "expects images [N, 3, H, W], got \(x.shape)") }
        let (height, width) = (x.shape[2], x.shape[3])
        var h = x
        try BatchNorm.using(choice?.statistics ?? .own(alone: false)) {
            for (i, layer) in stem.enumerated() { h = try located("stem.\(i + 1)") { try layer(h) } }
        }
        let given = try choice?.weights ?? trellisWeights()
        let sizes = levelSizes(h)
        if given.isSparse { return try sparse(h, given, sizes, height: height, width: width) }
        let arrows = given.arrows
        let mixture = try MixtureWeights(given.operators, row: space.cell.index)
        var outputs: [TrellisNode: Tensor] = [TrellisNode(layer: 0, level: 0): h]
        for node in nodes {
            // Writing down a large supernet takes seconds.
            try checkInterrupt()
            let (layer, level) = (node.node.layer, node.node.level)
            let beta = try space.incoming(node.node).map { try arrows.element([$0.layer - 1, $0.from, $0.move.rawValue]) }
            outputs[node.node] = try located("nodes.\(layer).\(space.strides[level])") {
                try node(
                    previous: { source in
                        guard let value = outputs[TrellisNode(layer: layer - 1, level: source)] else { throw TensorError("node", "its source was not computed") }
                        return value
                    },
                    twoBack: outputs[TrellisNode(layer: layer - 2, level: level)], mixture: mixture, beta: beta, height: sizes[level].0,
                    width: sizes[level].1)
            }
        }
        var total: Tensor?
        for (level, head) in heads {
            guard let input = outputs[TrellisNode(layer: space.layers, level: level)] else { continue }
            let scores = try located("heads.\(space.strides[level])") { try head(input) }
            let full = try scores.resize(.bilinearAlignCorners, height: height, width: width)
            total = try total.map { try $0 + full } ?? full
        }
        guard let total else { throw TensorError("supernet", "has no head") }
        return total
    }

    /// Scores of what is on, from what the stem gives.
    private func sparse(_ stem: Tensor, _ given: TrellisWeights, _ sizes: [(Int, Int)], height: Int, width: Int) throws -> Tensor {
        let active = try ActiveWeights(given, space)
        var outputs: [TrellisNode: Tensor] = [TrellisNode(layer: 0, level: 0): stem]
        let scores = try BatchNorm.using(choice?.statistics ?? .own(alone: true)) {
            for node in nodes {
                try checkInterrupt()
                let (layer, level) = (node.node.layer, node.node.level)
                func shape(_ channels: Int) -> [Int] { [stem.shape[0], channels, sizes[level].0, sizes[level].1] }
                outputs[node.node] = try located("nodes.\(layer).\(space.strides[level])") {
                    try node(
                        previous: { source in
                            guard let value = outputs[TrellisNode(layer: layer - 1, level: source)] else { throw TensorError("node", "its source was not computed") }
                            return value
                        },
                        twoBack: outputs[TrellisNode(layer: layer - 2, level: level)], active: active.cell(of: node.node),
                        arrows: space.incoming(node.node).map { try active.arrow($0) }, shape: shape(space.blockChannels(level: level)),
                        outputShape: shape(space.nodeChannels(level: level)))
                }
            }
            return try heads.compactMap { level, head -> Tensor? in
                let node = TrellisNode(layer: space.layers, level: level)
                guard let input = outputs[node] else { return nil }
                return try Tensor.within(active.isReached(node), shape: [stem.shape[0], classes, height, width]) {
                    try located("heads.\(space.strides[level])") { try head(input) }.resize(.bilinearAlignCorners, height: height, width: width)
                }
            }
        }
        guard var total = scores.first else { throw TensorError("supernet", "has no head") }
        for part in scores.dropFirst() { total = try total + part }
        return total
    }

    /// Sizes by level: halved by ceil from what the stem gives.
    private func levelSizes(_ h: Tensor) -> [(Int, Int)] {
        var sizes = [(h.shape[2], h.shape[3])]
        for _ in 1..<max(space.levels, 1) { sizes.append(((sizes[sizes.count - 1].0 + 1) / 2, (sizes[sizes.count - 1].1 + 1) / 2)) }
        return sizes
    }

    public func loss(_ images: Tensor, _ labels: Tensor) throws -> Tensor {
        try self(images).crossEntropy(labels, ignore: ignore)
    }
}

extension Tensor {
    /// The one number at an index (from 0), as a tensor without dimensions.
    func element(_ index: [Int]) throws -> Tensor {
        try slice(starts: index, sizes: index.map { _ in 1 }).reshape([])
    }
}

// Training.
extension Supernet {
    /// One step of `optimiser` on a batch: loss, derivatives with respect to its parameters only, update. The computation is recorded at the
    /// first step with an optimiser and a batch size, and runs as a plan from then on.
    ///
    /// The gradients can be read until the next computation that runs as a plan; `gradients` gives lasting ones.
    /// - Returns: the loss before the step.
    /// - Throws: `TensorError` when the loss or its gradient is NaN or infinite, with the place where it began; parameters and running statistics are
    ///   as they were.
    @discardableResult
    public func step(_ optimiser: Optimiser, _ images: Tensor, _ labels: Tensor, _ loss: Loss = .crossEntropy) throws -> Tensor {
        try step(optimiser, [images, labels], loss)
    }

    /// The same for a loss of other inputs than images and labels.
    @discardableResult
    public func step(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss) throws -> Tensor {
        try plans.step(optimiser, inputs, own(loss), context: context)
    }

    /// A loss of a script or program, which is recorded once for each optimiser.
    public struct Loss {
        let id: AnyHashable
        let body: (Supernet, [Tensor]) throws -> Tensor
        public init(id: AnyHashable, _ body: @escaping (Supernet, [Tensor]) throws -> Tensor) {
            self.id = id
            self.body = body
        }

        /// What `loss` gives.
        public static var crossEntropy: Loss { Loss(id: "cross entropy") { net, inputs in try net.loss(inputs[0], inputs[1]) } }
    }

    private func own(_ loss: Loss) -> StepPlans.Loss {
        StepPlans.Loss(id: loss.id) { [unowned self] inputs in
            let value = try loss.body(self, inputs)
            remark(on: inputs[0].shape)
            return value
        }
    }

    /// Loss and gradients of an optimiser's parameters without the update.
    /// - Throws: as `step` does.
    public func gradients(_ optimiser: Optimiser, _ images: Tensor, _ labels: Tensor) throws -> Tensor {
        try plans.gradients(optimiser, [images, labels], own(.crossEntropy), context: context)
    }

    /// The plan of a step, for profiles and counts.
    public func stepPlan(_ optimiser: Optimiser, _ images: Tensor, _ labels: Tensor) throws -> Plan {
        try plans.plan(optimiser, [images, labels], own(.crossEntropy), context: context)
    }

    /// How often its computation was written down: once for each optimiser, loss, kind of result and size of batch, and anew where something else that it read had
    /// changed (frozen parameters, values of operators in Lua).
    public var recordingCount: Int { plans.recordingCount + inferences.values.reduce(0) { $0 + $1.recordingCount } }

    /// Says once what of the network does nothing at the size of its first images.
    private func remark(on shape: [Int]) {
        guard !hasRemarked, let recording = Recording.current else { return }
        hasRemarked = true
        for text in recording.remarks(height: shape[2], width: shape[3]) { Notice.say("supernet: \(text)") }
    }

    /// What of `at` a recording depends on.
    private var context: Int { choice?.context ?? 0 }

    /// Class scores [N, classes, H, W] through a plan, without a history.
    /// - Parameter training: by the batch's statistics (which move the running ones) or by the running ones; nil for the present mode. At an architecture (`at`)
    ///   the running ones mean nothing: by the batch's, without moving them, or those of `recalibrate`.
    public func scores(_ images: Tensor, training: Bool? = nil) throws -> Tensor {
        try infer(images, training ?? isTraining, classify: false)[0]
    }

    /// The class with the highest score of each pixel, int32 [N, H, W] from 0, through a plan.
    /// - Throws: `TensorError` where the scores hold NaN.
    public func predict(_ images: Tensor, training: Bool = false) throws -> Tensor {
        try ClassScores.classes(infer(images, training, classify: true))
    }

    private func infer(_ images: Tensor, _ training: Bool, classify: Bool) throws -> [Tensor] {
        let compiled = inference(training, classify: classify)
        guard let choice, !training else { return try compiled([images], context: context) }
        return try choice.using(choice.isRecalibrated ? .kept(choice.kept) : .batch) { try compiled([images], context: context) }
    }

    /// A pass of images that puts their statistics down in `choice.kept`.
    func fill(_ images: Tensor, _ choice: ArchitectureChoice) throws {
        try choice.using(.filling(choice.kept)) { _ = try inference(true, classify: false)([images], context: context) }
        try choice.kept.take()
    }

    private func inference(_ training: Bool, classify: Bool) -> Compiled {
        let key = (training ? 1 : 0) + (classify ? 2 : 0)
        if let known = inferences[key] { return known }
        let compiled = Compiled { [unowned self] inputs in
            try GradientMode.disabled {
                let scores = try Module.inMode(training: training) { try self(inputs[0]) }
                return classify ? try ClassScores.pick(scores) : [scores]
            }
        }
        inferences[key] = compiled
        return compiled
    }
}
