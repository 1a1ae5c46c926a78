import Base
import Networks
import Tensors

/// The network that holds every architecture of a space at once: built with all options, and logits for each decision. Weights and logits are trained in turn; then
/// `decode` reads the strongest architecture off the latter.
public final class Supernet: Module {
    public let space: ModuleSpace
    /// What the build function gave.
    public let root: Module
    public let classes: Int?
    /// What its initial weights came from.
    public let seed: UInt64
    public var decisions: DecisionList { space.decisions }
    /// Label that does not count.
    public var ignore: Int32 = 255
    /// What makes weights of the logits.
    public private(set) var relaxations: Relaxations

    private let construction: Construction
    private let logits: Logits
    private lazy var plans = StepPlans(self)
    /// The last step of weights alone.
    var lastStep: LastStep?
    var curvatures = CurvaturePlans()
    /// By mode and whether they end in the classes.
    private var inferences: [Int: Compiled] = [:]
    /// The weights of the computation that runs at once.
    private var present: DecisionWeights?
    /// See `at`.
    private var choice: ArchitectureChoice?
    /// That of the last architecture: its tensors are those that recordings know.
    private var spare: ArchitectureChoice?
    /// Whether a word was said about parts that the size of the images leaves without a purpose.
    private var hasRemarked = false

    /// - Parameter seed: decides every initial weight and logit.
    /// - Throws: what the build throws; for a relaxation of no decision.
    public init(_ space: ModuleSpace, classes: Int? = nil, seed: UInt64 = 0, relax: Relaxations) throws {
        try relax.check(space.decisions.decisions.map(\.name))
        (self.space, self.seed, relaxations) = (space, seed, relax)
        self.classes = classes ?? space.classes
        (logits, root, construction) = try RandomStreams.keeping {
            RandomStreams.start(seed: seed)
            let logits = try space.family?.logits() ?? Logits(of: space.decisions, seed: seed)
            let (root, construction) = try space.build(.supernet, classes: classes, seed: seed)
            return (logits, root, construction)
        }
        super.init()
        construction.source = self
    }

    public override var kind: String { "supernet" }
    public override var details: String { plural(decisions.decisions.count, "decision") }
    public override var summary: String { space.family?.overview(self) ?? overview }
    public override var ownParameters: [Named] { logits.parameters + root.ownParameters }
    public override var ownBuffers: [Named] { root.ownBuffers }
    public override var children: [(name: String, module: Module)] { root.children }
    public override func train(_ on: Bool = true) {
        super.train(on)
        root.train(on)
    }

    /// What weights are trained: all parameters but the logits, however deep those were made.
    public func weights() -> [Named] {
        let leaves = Set(logits.leaves.map { ObjectIdentifier($0.tensor) })
        return parameters().filter { !leaves.contains(ObjectIdentifier($0.tensor)) }
    }

    /// The logits of all decisions, as an optimiser moves them.
    public func architecture() -> [Named] { logits.leaves }

    /// - Throws: for a name that no decision has.
    func decision(_ name: String, at place: String) throws -> Decision {
        guard let decision = decisions[name] else { throw SpaceError.unknown("decision", name, known: decisions.decisions.map(\.name), at: place) }
        return decision
    }

    /// The logits of a decision: a leaf, or what of leaves belongs to it.
    /// - Throws: for a name that no decision has.
    public func logits(_ name: String) throws -> Tensor { try logits.of(decision(name, at: "logits")) }

    /// What makes weights of a decision's logits.
    public func relaxation(of name: String) throws -> Relaxation { try relaxations.relaxation(of: name) }

    public override func forward(_ x: Tensor) throws -> Tensor {
        try inOneComputation { try BatchNorm.using(choice?.statistics ?? .own(alone: true)) { try root.computing { try root.forward(x) } } }
    }

    /// Pixel cross entropy of class scores, mean over pixels whose label counts.
    public func loss(_ images: Tensor, _ labels: Tensor) throws -> Tensor { try self(images).crossEntropy(labels, ignore: ignore) }

    /// Runs `body` with each decision relaxed once.
    public func inOneComputation<T>(_ body: () throws -> T) rethrows -> T {
        if Recording.current != nil || present != nil { return try body() }
        present = newWeights()
        defer { present = nil }
        return try body()
    }

    private func newWeights() -> DecisionWeights {
        DecisionWeights(
            logits: { [unowned self] in try logits.of($0) }, relaxation: { [choice, relaxations] in try choice?.relaxation(of: $0) ?? relaxations.relaxation(of: $0.name) })
    }

    /// The weights of the present computation.
    var weightsNow: DecisionWeights {
        if let recording = Recording.current { return recording.kept(for: self) { newWeights() } }
        return present ?? newWeights()
    }

    /// The weights of a decision's options as they are now, and how probable each is.
    public func relaxed(_ name: String) throws -> Relaxation.Weights { try weightsNow.all(decision(name, at: "probabilities")) }

    /// What it is and how its weights are spread.
    private var overview: String {
        let weights = weights()
        let rows = decisions.all.map { [$0.name, $0.domain.kind, "\($0.shape)", (try? relaxation(of: $0.name).name) ?? ""] }
        return """
            supernet(\(details)), seed \(seed)\(isTraining ? "" : ", evaluation mode")
            weights  \(NumberText.grouped(weights.reduce(0) { $0 + $1.tensor.count })) in \(NumberText.grouped(weights.count)) tensors
            \(alignColumns([["decision", "kind", "logits", "relaxation"]] + rows))
            """
    }
}

extension Supernet: DecisionWeightSource {
    func table(of decision: Decision) throws -> DecisionTable { try weightsNow.table(of: decision) }
    func gate(_ condition: Gate.Condition, of decision: Decision, _ construction: Construction) throws -> Gate {
        try weightsNow.gate(condition, of: decision, construction)
    }
}

// MARK: - One architecture

extension Supernet {
    /// The architecture that it is at; nil: all of them at once.
    public var assignment: Assignment? { choice?.assignment }

    /// Makes it the network of one architecture, or with nil of all again: from then on everything that it computes is that of this architecture, and only that
    /// is computed. Weights, running statistics and what optimisers know stay those of the supernet.
    ///
    /// - Plans are made once for all architectures, beside those of the whole.
    /// - Steps: gradients of weights that it does not have are 0, and an optimiser leaves them alone, as in a network that has only what is on.
    /// - Scores: by the batch's statistics, for the running ones of a supernet mean nothing for one architecture, or after `recalibrate` by those.
    /// - Throws: `SpaceError` for an architecture that is none of its space.
    public func at(_ assignment: Assignment?) throws {
        guard let assignment else { return choice = nil }
        try decisions.check(assignment)
        let next = try spare ?? ArchitectureChoice(decisions)
        try next.set(assignment)
        (spare, choice) = (next, next)
    }

    /// Takes the statistics that batches of images have at the present architecture, averaged; its scores go by them until the next `at`.
    /// - Parameter next: the images of a batch; nil after the last.
    public func recalibrate(_ next: () throws -> Tensor?) throws {
        guard let choice else { throw TensorError("recalibrate", "the supernet is at no architecture: its running statistics are those of all, which training moves") }
        choice.isRecalibrated = false
        try choice.kept.start()
        var batches = 0
        while let images = try next() {
            try choice.using(.filling(choice.kept)) { _ = try inference(training: true, classify: false)([images], context: context) }
            try choice.kept.take()
            batches += 1
        }
        guard batches > 0 else { throw TensorError("recalibrate", "expects at least one batch of images") }
        try choice.kept.finish()
        choice.isRecalibrated = true
    }

    /// What of `at` a recording depends on.
    var context: Int { choice?.context ?? 0 }
}

// MARK: - Steps and evaluation

extension Supernet {
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

    /// One step of `optimiser` on a batch: loss, derivatives with respect to its parameters only, update. The computation is recorded at the
    /// first step with an optimiser, a loss and a batch size, and runs as a plan from then on.
    ///
    /// The gradients can be read until the next computation that runs as a plan; `gradients` gives lasting ones.
    /// - Parameters:
    ///   - inputs: what the loss takes: images and targets.
    ///   - ahead: the loss is taken with the weights one step ahead.
    /// - Returns: the loss before the step.
    /// - Throws: `TensorError` when the loss or its gradient is NaN or infinite, with the place where it began; parameters and running statistics are
    ///   as they were.
    @discardableResult
    public func step(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss = .crossEntropy, ahead: StepAhead? = nil) throws -> Tensor {
        guard let ahead else {
            let value = try plans.step(optimiser, inputs, own(loss), context: context)
            note(optimiser, inputs, loss)
            return value
        }
        let (loss, inputs) = try unrolled(loss, inputs, ahead, of: optimiser)
        return try plans.step(optimiser, inputs, loss, context: context)
    }

    /// Loss and gradients of an optimiser's parameters without the update.
    /// - Throws: as `step` does.
    public func gradients(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss = .crossEntropy, ahead: StepAhead? = nil) throws -> Tensor {
        guard let ahead else { return try plans.gradients(optimiser, inputs, own(loss), context: context) }
        let (loss, inputs) = try unrolled(loss, inputs, ahead, of: optimiser)
        return try plans.gradients(optimiser, inputs, loss, context: context)
    }

    /// The plan of a step, for profiles and counts.
    public func stepPlan(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss = .crossEntropy) throws -> Plan {
        try plans.plan(optimiser, inputs, own(loss), context: context)
    }

    func own(_ loss: Loss) -> StepPlans.Loss {
        StepPlans.Loss(id: loss.id) { [unowned self] inputs in
            let value = try loss.body(self, inputs)
            if let images = inputs.first, images.rank == 4 { remark(on: images.shape) }
            return value
        }
    }

    /// Says once what of the network does nothing at the size of its first images, [N, C, H, W].
    private func remark(on shape: [Int]) {
        guard !hasRemarked, let recording = Recording.current else { return }
        hasRemarked = true
        for text in recording.remarks(height: shape[2], width: shape[3]) { Notice.say("supernet: \(text)") }
    }

    /// How often its computation was written down: once for each optimiser, loss, kind of result and size of batch, once more of each for all architectures that it
    /// is at, and anew where something else that it read had changed (frozen parameters, values of operators in Lua).
    public var recordingCount: Int { plans.recordingCount + curvatures.recordingCount + inferences.values.reduce(0) { $0 + $1.recordingCount } }

    /// What its steps compute again in the backward pass instead of keeping it: less memory for more time.
    public var recompute: Recomputation {
        get { plans.recomputation }
        set { plans.recomputation = newValue }
    }

    /// What it gives for an input, class scores [N, classes, H, W] of images say, through a plan, without a history.
    /// - Parameter training: by the batch's statistics (which move the running ones) or by the running ones; nil for the present mode. At an architecture (`at`)
    ///   the running ones mean nothing: by the batch's, without moving them, or those of `recalibrate`.
    public func scores(_ input: Tensor, training: Bool? = nil) throws -> Tensor {
        try infer(input, training ?? isTraining, classify: false)[0]
    }

    /// The class with the highest score of each pixel, int32 [N, H, W] from 0, through a plan.
    /// - Throws: `TensorError` where the scores hold NaN.
    public func predict(_ images: Tensor, training: Bool = false) throws -> Tensor {
        try ClassScores.classes(infer(images, training, classify: true))
    }

    private func infer(_ input: Tensor, _ training: Bool, classify: Bool) throws -> [Tensor] {
        let compiled = inference(training: training, classify: classify)
        guard let choice, !training else { return try compiled([input], context: context) }
        return try choice.using(choice.isRecalibrated ? .kept(choice.kept) : .batch) { try compiled([input], context: context) }
    }

    private func inference(training: Bool, classify: Bool) -> Compiled {
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
