/// The decisions that a network's build meets, in a tree: what was decided inside of an option is below it.
///
/// Everything that is asked of a space is a function of this list. An architecture is a value for each decision that is active: those at the top
/// always, a nested one where its option is on.
public struct DecisionList: Sendable {
    /// All decisions in the order in which a build met them, those that are fixed included; what is nested comes after what it is nested in.
    public let all: [Decision]
    /// The decisions that are open.
    public let decisions: [Decision]
    /// Values that `fixing` gave, of decisions that are open no more. Every assignment has them, where they are active.
    public let fixed: [String: Value]

    let positions: [String: Int]
    /// Positions in `all` of what is nested in an option.
    let nestedPositions: [Literal: [Int]]
    /// Positions in `all` of what is active always.
    let topPositions: [Int]
    /// Of decisions that are fixed: the one way that is left.
    private let fixedDiagrams: [Int: Diagram]
    private let countsOnce = Lazily<Fold<Natural>>()

    /// - Parameter all: parents before what is nested in them; names differ; what is fixed has a value of its domain.
    init(all: [Decision], fixed: [String: Value] = [:]) {
        self.all = all
        self.fixed = fixed
        decisions = all.filter { fixed[$0.name] == nil }
        positions = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.name, $0) })
        nestedPositions = Dictionary(grouping: all.indices.filter { all[$0].parent != nil }) { all[$0].parent ?? Literal(decision: "", option: 0) }
        topPositions = all.indices.filter { all[$0].parent == nil }
        fixedDiagrams = Dictionary(
            uniqueKeysWithValues: all.enumerated().compactMap { d, decision in
                fixed[decision.name].map { (d, Diagram(only: $0, of: decision.domain)) }
            })
    }

    /// The decision of a name, open or fixed.
    public subscript(name: String) -> Decision? { positions[name].map { all[$0] } }

    /// Decisions that are active always, open or fixed, in their order.
    public var topLevel: [Decision] { topPositions.map { all[$0] } }

    /// Decisions that are active where this option is on, open or fixed, in their order; not those that are nested deeper.
    public func children(of literal: Literal) -> [Decision] { (nestedPositions[literal] ?? []).map { all[$0] } }

    /// The number of assignments, exactly.
    /// - Throws: `SpaceError` where there are too many sets of states to go through (`many` paths).
    public func count() throws -> Natural { try counts().total }

    /// The number of ways from every place, found once.
    func counts() throws -> Fold<Natural> { try countsOnce.value { try fold(Counting()) { _, _, _, _ in 1 } } }

    func diagram(_ position: Int) throws -> Diagram { try fixedDiagrams[position] ?? all[position].diagram() }
}

extension DecisionList: Hashable {
    public static func == (a: DecisionList, b: DecisionList) -> Bool { a.all == b.all && a.fixed == b.fixed }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(all)
        hasher.combine(fixed)
    }
}
