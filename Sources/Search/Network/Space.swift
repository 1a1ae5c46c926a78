import Networks
import Tensors

/// A search space: a function that builds a network in which named decisions occur. All else (counts, sampling, the supernet, the network of an architecture, costs)
/// follows from the decisions that it meets.
public final class ModuleSpace {
    /// What a build function is told.
    public struct Context {
        /// Number of classes, where one was given.
        public let classes: Int?
        /// Whether the network of one architecture is built.
        public let isDerived: Bool
    }

    private let function: (Context) throws -> Module
    public let classes: Int?
    public let decisions: DecisionList
    /// The script that made it, where one did whose text is known.
    public var script: SpaceScript?
    /// What files keep of it.
    public var record: SpaceRecord { SpaceRecord(decisions, script: script) }

    /// Runs the function once, to learn what decisions it meets.
    /// - Throws: what the function throws.
    public init(classes: Int? = nil, _ function: @escaping (Context) throws -> Module) throws {
        self.function = function
        self.classes = classes
        let construction = Construction(.supernet)
        let before = RandomStreams.current
        RandomStreams.start(seed: 0)
        defer { before.resume() }
        _ = try construction.build { try function(Context(classes: classes, isDerived: false)) }
        decisions = construction.decisions
    }

    /// Builds a network.
    /// - Throws: for a build that meets other decisions than the first time.
    func make(_ kind: Construction.Kind, classes: Int?, seed: UInt64) throws -> (root: Module, construction: Construction) {
        let construction = Construction(kind)
        let before = RandomStreams.current
        RandomStreams.start(seed: seed)
        defer { before.resume() }
        let root = try construction.build { try function(Context(classes: classes ?? self.classes, isDerived: construction.isDerived)) }
        let met = construction.decisions
        let isSame = construction.isDerived ? met.decisions.allSatisfy { decisions[$0.name]?.domain == $0.domain } : met == decisions
        guard isSame else {
            throw SpaceError(
                .misfit, at: "space", expected: "the decisions of the first build: \(decisions.decisions.map(\.name).joined(separator: ", "))", got: "another build's: \(met.decisions.map(\.name).joined(separator: ", "))",
                remedy: "the build function has to make the same decisions each time; let it depend on its argument only")
        }
        return (root, construction)
    }

    /// The supernet: all options, and logits for each decision.
    /// - Parameter seed: decides its initial weights.
    public func supernet(classes: Int? = nil, seed: UInt64 = 0, relax: Relaxations) throws -> DecisionNetwork {
        try relax.check(decisions.decisions.map(\.name))
        let (root, construction) = try make(.supernet, classes: classes, seed: seed)
        return try DecisionNetwork(self, root, construction, relax, seed: seed)
    }

    /// The network of an architecture: the same function, building only what was chosen.
    /// - Parameter source: a supernet of the space (or of a larger one over the same function), from which weights and running statistics are taken by name.
    public func network(_ assignment: Assignment, from source: DecisionNetwork? = nil, classes: Int? = nil, seed: UInt64 = 0) throws -> Module {
        try decisions.check(assignment)
        let (root, _) = try make(.derived(assignment), classes: classes ?? source?.classes, seed: seed)
        if let source { try root.take(from: source) }
        return root
    }
}

extension Module {
    /// Takes over every tensor that another network has by the same name and in the same shape.
    /// - Returns: how many.
    @discardableResult
    func take(from source: Module) throws -> Int {
        let known = Dictionary(source.state().map { ($0.name, $0.tensor) }, uniquingKeysWith: { a, _ in a })
        var count = 0
        try GradientMode.disabled {
            for (name, tensor) in state() {
                guard let value = known[name], value.shape == tensor.shape else { continue }
                try tensor.assign(value)
                count += 1
            }
        }
        return count
    }
}
