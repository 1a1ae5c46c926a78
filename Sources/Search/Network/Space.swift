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
        /// What initial weights come from.
        public let seed: UInt64
    }

    private let function: (Context) throws -> Module
    public let classes: Int?
    public let decisions: DecisionList
    /// The family that it is of, if that is written in Swift.
    public let family: (any SpaceFamily)?
    /// The script that made it, where one did whose text is known.
    public var script: SpaceScript?
    /// What files keep of it.
    public var record: SpaceRecord { SpaceRecord(decisions, trellis: trellis?.summary, script: script) }

    /// Runs the function once, to learn what decisions it meets.
    /// - Throws: what the function throws.
    public init(classes: Int? = nil, _ function: @escaping (Context) throws -> Module) throws {
        (self.function, self.classes, family) = (function, classes, nil)
        let construction = Construction(.supernet)
        decisions = try RandomStreams.keeping {
            RandomStreams.start(seed: 0)
            _ = try construction.build { try function(Context(classes: classes, isDerived: false, seed: 0)) }
            return construction.decisions
        }
    }

    /// A space of a family, which knows its decisions without a build.
    init(_ family: any SpaceFamily, _ decisions: DecisionList, _ function: @escaping (Context) throws -> Module) {
        (self.function, classes, self.decisions, self.family) = (function, nil, decisions, family)
    }

    /// Builds a network; random numbers come from the present streams.
    /// - Throws: for a build that meets other decisions than the first time.
    func build(_ kind: Construction.Kind, classes: Int?, seed: UInt64) throws -> (root: Module, construction: Construction) {
        let construction = Construction(kind, known: decisions)
        let root = try construction.build { try function(Context(classes: classes ?? self.classes, isDerived: construction.isDerived, seed: seed)) }
        // A derived network meets those that its architecture leaves.
        guard construction.isDerived || construction.decisions == decisions else { throw SpaceError.unrepeatable(decisions, got: construction.decisions) }
        return (root, construction)
    }

    /// The supernet: all options, and logits for each decision.
    /// - Parameter seed: decides its initial weights.
    public func supernet(classes: Int? = nil, seed: UInt64 = 0, relax: Relaxations) throws -> Supernet {
        try Supernet(self, classes: classes, seed: seed, relax: relax)
    }

    /// The network of an architecture: the same function, building only what was chosen.
    /// - Parameter source: a supernet of the space (or of a larger one over the same function), from which weights and running statistics are taken by name.
    public func network(_ assignment: Assignment, from source: Supernet? = nil, classes: Int? = nil, seed: UInt64 = 0) throws -> Module {
        try decisions.check(assignment)
        let root = try RandomStreams.keeping {
            RandomStreams.start(seed: seed)
            return try build(.derived(assignment), classes: classes ?? source?.classes, seed: seed).root
        }
        guard let source else { return root }
        if let heir = root as? any SupernetHeir { try heir.takeWeights(from: source) } else { try root.take(from: source) }
        return root
    }
}

/// A derived network that is built another way than the supernet, and finds its weights there by names of its own.
protocol SupernetHeir: Module {
    @discardableResult
    func takeWeights(from source: Supernet) throws -> LoadReport
}

extension Module {
    /// Takes over every tensor that another network has by the same name and in the same shape.
    /// - Returns: how many.
    @discardableResult
    func take(from source: Module) throws -> Int {
        let known = asNamedHere(Dictionary(source.state().map { ($0.name, $0.tensor) }, uniquingKeysWith: { a, _ in a }))
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

extension SpaceError {
    /// A build met other decisions than the first one.
    static func unrepeatable(_ known: DecisionList, got met: DecisionList) -> SpaceError {
        func text(_ list: DecisionList) -> String { list.decisions.map { "\($0.name) (\($0.domain.summary))" }.joined(separator: ", ") }
        return SpaceError(
            .misfit, at: "space", expected: "the decisions of the first build: \(text(known))", got: "another build's: \(text(met))",
            remedy: "the build function has to make the same decisions each time; let it depend on its argument only")
    }
}
