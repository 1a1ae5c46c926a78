/// A network while its build function runs, and afterwards what its decisions are in it: all options of a supernet, what an architecture chose of a derived
/// network.
public final class Construction {
    public enum Kind {
        /// Everything is built.
        case supernet
        /// What an architecture chooses is built.
        case derived(Assignment)
    }

    public let kind: Kind
    /// What the first build met: a decision that is not among these is an error.
    private let known: DecisionList?
    /// What the build met so far.
    private var builder = DecisionListBuilder()
    /// Options in whose builders the build is now, the outermost first.
    private var context: [Literal] = []
    /// What gives weights to decisions of a supernet.
    weak var source: DecisionWeightSource?

    /// The network that is being built.
    public static var current: Construction? { Surroundings.now.construction }

    public init(_ kind: Kind, known: DecisionList? = nil) { (self.kind, self.known) = (kind, known) }

    public var isDerived: Bool { if case .derived = kind { true } else { false } }
    /// The decisions that the build has met.
    public var decisions: DecisionList { builder.list() }

    /// Runs a build function.
    public func build<T>(_ body: () throws -> T) throws -> T { try Surroundings.with(\.construction, self, body) }

    /// The construction that a decision is made in.
    /// - Throws: outside of a build.
    public static func required(for what: String) throws -> Construction {
        if let current { return current }
        throw SpaceError(
            .misfit, at: what, expected: "a call while a network is built", got: "one outside of nas.space's function",
            remedy: "make decisions in the function that you give to nas.space, and keep them for the network's forward function")
    }

    /// A decision of this network: the one of that name, where there is one.
    /// - Parameters:
    ///   - within: the option on which it depends besides those in whose builders it is made.
    ///   - place: where in a script, for messages.
    /// - Throws: for another domain under a known name, and an architecture that has no value for it.
    public func decide(_ name: String, _ domain: Domain, within: Literal? = nil, place: String = "") throws -> BuiltDecision {
        let decision = try builder.meet(name, domain, within: context + (within.map { [$0] } ?? []), place: place)
        if let known, known[name]?.domain != domain { throw SpaceError.unrepeatable(known, got: decisions) }
        guard case .derived(let assignment) = kind else { return BuiltDecision(decision, in: self, value: nil) }
        let isActive = within.map { isOn($0, assignment) } ?? true
        guard let value = assignment[name] else {
            if !isActive { return BuiltDecision(decision, in: self, value: nil) }
            throw SpaceError(
                .misfit, at: "architecture", expected: "a value for decision '\(name)'", got: "none", remedy: "the architecture is of another space; its space's own network builds it")
        }
        return BuiltDecision(decision, in: self, value: value)
    }

    private func isOn(_ literal: Literal, _ assignment: Assignment) -> Bool {
        guard let value = assignment[literal.decision], let decision = builder.list()[literal.decision] else { return false }
        return decision.domain.options(of: value).contains(literal.option)
    }

    /// Runs the builder of an option: decisions made inside belong to it.
    public func within<T>(_ literal: Literal, _ body: () throws -> T) rethrows -> T {
        context.append(literal)
        defer { context.removeLast() }
        return try body()
    }
}
