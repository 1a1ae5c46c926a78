import Base

/// What is summed over values and multiplied along them: numbers to count with, the better of two scores, lists of the k best.
///
/// `plus` and `times` need not mind the order of their operands, but may: sums and products are taken in the order in which values are gone
/// through (`DecisionList.each`).
public protocol Semiring {
    associatedtype Element
    /// Of no value.
    var zero: Element { get }
    /// Of the one value that says nothing.
    var one: Element { get }
    func plus(_ a: Element, _ b: Element) throws -> Element
    func times(_ a: Element, _ b: Element) throws -> Element
}

/// Natural numbers.
public struct Counting: Semiring {
    public init() {}
    public var zero: Natural { 0 }
    public var one: Natural { 1 }
    public func plus(_ a: Natural, _ b: Natural) -> Natural { a + b }
    public func times(_ a: Natural, _ b: Natural) -> Natural { a * b }
}

/// The sum over everything that remains to be decided, at every place of a list.
struct Fold<Element> {
    /// Of all assignments.
    var total: Element
    /// For each decision and node of its diagram: of the ways from there to the end, with what is nested on them.
    var nodes: [[Element]]
    /// For each decision and option: of what is nested in it.
    var nested: [[Element]]
}

/// An edge of a decision's diagram.
struct Taken: Hashable {
    /// Position in `DecisionList.all`.
    let decision: Int
    let node: Int
    let edge: Int
}

extension DecisionList {
    /// Sums over all assignments the products of weights: one for each option of an active decision that is on, and for subsets and `many` paths
    /// one for each that is off.
    /// - Parameter weight: of an option (from 0) of a decision.
    public func fold<S: Semiring>(
        _ semiring: S, weight: (_ decision: Decision, _ option: Int, _ isOn: Bool) throws -> S.Element
    ) throws -> S.Element {
        try fold(semiring) { decision, edge, _, _ in
            edge.option < 0 || !(edge.isOn || decision.domain.isSet) ? semiring.one : try weight(decision, edge.option, edge.isOn)
        }.total
    }

    /// - Parameter weight: of an edge of a decision's diagram; the decision's position in `all`, the edge's node and position.
    func fold<S: Semiring>(
        _ semiring: S, edgeWeight weight: (Decision, Diagram.Edge, _ decision: Int, _ position: Taken) throws -> S.Element
    ) throws -> Fold<S.Element> {
        var nodes = [[S.Element]](repeating: [], count: all.count)
        var nested = [[S.Element]](repeating: [], count: all.count)
        // What is nested comes later in the list.
        for (d, decision) in all.enumerated().reversed() {
            let diagram = try diagram(d)
            nested[d] = try (0..<decision.optionCount).map { option in
                try (nestedPositions[Literal(decision: decision.name, option: option)] ?? []).reduce(semiring.one) { try semiring.times($0, nodes[$1][0]) }
            }
            var totals = [S.Element](repeating: semiring.zero, count: diagram.edges.count)
            totals[diagram.end] = semiring.one
            for node in (0..<diagram.end).reversed() {
                try checkInterrupt()
                var sum = semiring.zero
                for (e, edge) in diagram.edges[node].enumerated() {
                    var product = try weight(decision, edge, d, Taken(decision: d, node: node, edge: e))
                    if edge.isOn { product = try semiring.times(product, nested[d][edge.option]) }
                    sum = try semiring.plus(sum, semiring.times(product, totals[edge.target]))
                }
                totals[node] = sum
            }
            nodes[d] = totals
        }
        return Fold(total: try topPositions.reduce(semiring.one) { try semiring.times($0, nodes[$1][0]) }, nodes: nodes, nested: nested)
    }
}

extension Fold: Sendable where Element: Sendable {}
