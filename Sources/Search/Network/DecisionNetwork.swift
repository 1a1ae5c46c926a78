import Networks
import Tensors

/// The supernet of any space: the network built with all options, and logits for each decision.
public final class DecisionNetwork: Module {
    public let space: ModuleSpace
    /// What the build function gave.
    public let root: Module
    public let classes: Int?
    public let seed: UInt64
    public var decisions: DecisionList { space.decisions }
    /// Label that does not count.
    public var ignore: Int32 = 255

    private let construction: Construction
    private let relax: Relaxations
    private let logitList: [Named]
    private let logitByName: [String: Tensor]
    private lazy var plans = StepPlans(self)
    /// The last step of weights alone.
    var lastStep: LastStep?
    var curvatures = CurvaturePlans()
    private var inferences: [Int: Compiled] = [:]
    /// The weights of the computation that runs at once.
    private var present: DecisionWeights?
    /// The architecture that it computes now; nil: all of it. See `at`.
    public private(set) var assignment: Assignment?
    /// The weights at an architecture: zeros and ones that are written into.
    private var ones: (relaxation: [String: Fixed], values: [String: Tensor])?
    /// Logits start as N(0, deviation²).
    private static let deviation: Float = 1e-3

    init(_ space: ModuleSpace, _ root: Module, _ construction: Construction, _ relax: Relaxations, seed: UInt64) throws {
        self.space = space
        self.root = root
        self.construction = construction
        self.relax = relax
        self.seed = seed
        classes = space.classes
        let state = RandomState(seed: seed &+ 0x9e37_79b9)
        logitList = try space.decisions.decisions.map { decision in
            (decision.name, try Tensor.random(.normal(mean: 0, deviation: Self.deviation), decision.shape, from: state).requireGrad())
        }
        logitByName = Dictionary(uniqueKeysWithValues: logitList.map { ($0.name, $0.tensor) })
        super.init()
        construction.source = self
    }

    public override var kind: String { "supernet" }
    public override var details: String { plural(decisions.decisions.count, "decision") }
    public override var ownParameters: [Named] { logitList.map { ("logits." + $0.name, $0.tensor) } + root.ownParameters }
    public override var ownBuffers: [Named] { root.ownBuffers }
    public override var children: [(name: String, module: Module)] { root.children }
    public override func train(_ on: Bool = true) {
        super.train(on)
        root.train(on)
    }

    /// What weights are trained: all parameters but the logits, however deep those were made.
    public func weights() -> [Named] {
        let logits = Set(logitList.map { ObjectIdentifier($0.tensor) })
        return parameters().filter { !logits.contains(ObjectIdentifier($0.tensor)) }
    }
    /// The logits of all decisions, by name.
    public func architecture() -> [Named] { logitList }

    /// - Throws: for a name that no decision has.
    public func logits(_ name: String) throws -> Tensor {
        guard let tensor = logitByName[name] else { throw SpaceError.unknown("decision", name, known: logitList.map(\.name), at: "logits") }
        return tensor
    }

    public override func forward(_ x: Tensor) throws -> Tensor { try inOneComputation { try root.computing { try root.forward(x) } } }

    /// Runs `body` with each decision relaxed once.
    public func inOneComputation<T>(_ body: () throws -> T) rethrows -> T {
        if Recording.current != nil || present != nil { return try body() }
        present = newWeights()
        defer { present = nil }
        return try body()
    }

    private func newWeights() -> DecisionWeights {
        let hard = assignment == nil ? nil : ones?.relaxation
        return DecisionWeights(
            logits: { [unowned self] in try logits($0.name) }, relaxation: { [relax] in try hard?[$0.name] ?? relax.relaxation(of: $0.name) })
    }

    private var weightsNow: DecisionWeights {
        if let recording = Recording.current { return recording.kept(for: self) { newWeights() } }
        return present ?? newWeights()
    }

    /// The weights of a decision's options as they are now, and how probable each is.
    public func relaxed(_ name: String) throws -> Relaxation.Weights {
        guard let decision = decisions[name] else { throw SpaceError.unknown("decision", name, known: decisions.decisions.map(\.name), at: "probabilities") }
        return try weightsNow.all(decision)
    }

    /// What makes weights of a decision's logits.
    public func relaxation(of name: String) throws -> Relaxation { try relax.relaxation(of: name) }

    /// How probable it is that a part of the network is used, one number.
    func probability(_ condition: Gate.Condition) throws -> Tensor {
        guard let decision = decisions[condition.decision] else { return try Tensor.ones([1]) }
        return try Recording.everywhere { try weightsNow.probability(condition, of: decision) }
    }
}

extension DecisionNetwork: DecisionWeightSource {
    func gate(_ condition: Gate.Condition, of decision: Decision, _ construction: Construction) throws -> Gate {
        try weightsNow.gate(condition, of: decision, construction)
    }
}

// MARK: - One architecture

extension DecisionNetwork {
    /// Makes it the network of one architecture, or of all again: weights become stored zeros and ones, so that one plan serves all architectures and computes only
    /// the path.
    /// - Throws: for an architecture of another space.
    public func at(_ assignment: Assignment?) throws {
        guard let assignment else { return self.assignment = nil }
        try decisions.check(assignment)
        if ones == nil {
            let values = try Dictionary(uniqueKeysWithValues: decisions.decisions.map { ($0.name, try Tensor.zeros($0.shape)) })
            ones = (try values.mapValues { try Fixed($0) }, values)
        }
        guard let ones else { return }
        try GradientMode.disabled {
            for decision in decisions.decisions {
                let on = Set(assignment[decision.name].map { decision.domain.options(of: $0) } ?? [])
                let numbers = (0..<decision.optionCount).map { on.contains($0) ? Float(1) : 0 }
                try ones.values[decision.name]?.assign(Tensor(numbers, shape: decision.shape))
            }
        }
        self.assignment = assignment
    }

    var context: Int { assignment == nil ? 0 : 1 }
}

// MARK: - Steps and evaluation

extension DecisionNetwork {
    /// A loss of a script or program, which is recorded once for each optimiser.
    public struct Loss {
        let id: AnyHashable
        let body: (DecisionNetwork, [Tensor]) throws -> Tensor
        public init(id: AnyHashable, _ body: @escaping (DecisionNetwork, [Tensor]) throws -> Tensor) {
            self.id = id
            self.body = body
        }

        /// Pixel cross entropy of class scores, mean over pixels whose label counts.
        public static var crossEntropy: Loss { Loss(id: "cross entropy") { net, inputs in try net(inputs[0]).crossEntropy(inputs[1], ignore: net.ignore) } }
    }

    /// One step of `optimiser` on a batch, see `StepPlans.step`.
    /// - Parameters:
    ///   - inputs: what the loss takes: images and targets.
    ///   - ahead: the loss is taken with the weights one step ahead.
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
    public func gradients(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss = .crossEntropy, ahead: StepAhead? = nil) throws -> Tensor {
        guard let ahead else { return try plans.gradients(optimiser, inputs, own(loss), context: context) }
        let (loss, inputs) = try unrolled(loss, inputs, ahead, of: optimiser)
        return try plans.gradients(optimiser, inputs, loss, context: context)
    }

    public func stepPlan(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss = .crossEntropy) throws -> Plan {
        try plans.plan(optimiser, inputs, own(loss), context: context)
    }

    func own(_ loss: Loss) -> StepPlans.Loss {
        StepPlans.Loss(id: loss.id) { [unowned self] inputs in try loss.body(self, inputs) }
    }

    /// How often a computation of it was written down.
    public var recordingCount: Int { plans.recordingCount + curvatures.recordingCount + inferences.values.reduce(0) { $0 + $1.recordingCount } }

    public var recompute: Recomputation {
        get { plans.recomputation }
        set { plans.recomputation = newValue }
    }

    /// What it gives for an input, through a plan, without a history.
    /// - Parameter training: by the batch's statistics (which move the running ones); nil for the present mode. At an architecture (`at`) running statistics mean
    ///   nothing: nil is by the batch's, without moving them.
    public func scores(_ input: Tensor, training: Bool? = nil) throws -> Tensor {
        if training == nil, assignment != nil { return try infer(input, training: false, key: 2) { try BatchNorm.using(.batch, $0) } }
        let training = training ?? isTraining
        return try infer(input, training: training, key: training ? 1 : 0) { try $0() }
    }

    private func infer(_ input: Tensor, training: Bool, key: Int, _ around: @escaping (() throws -> [Tensor]) throws -> [Tensor]) throws -> Tensor {
        let compiled = inferences[key] ?? Compiled { [unowned self] inputs in
            try GradientMode.disabled { try Module.inMode(training: training) { try around { [try self(inputs[0])] } } }
        }
        inferences[key] = compiled
        return try compiled([input], context: context)[0]
    }
}
