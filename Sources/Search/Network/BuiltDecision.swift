import Tensors

/// A decision as a network has it: which options exist, and what multiplies what they give.
public final class BuiltDecision {
    public let decision: Decision
    let construction: Construction
    /// What the architecture of a derived network has on.
    private let on: Set<Int>

    /// A decision outside of a network.
    public convenience init(bare decision: Decision) { self.init(decision, in: Construction(.supernet), value: nil) }

    init(_ decision: Decision, in construction: Construction, value: Value?) {
        self.decision = decision
        self.construction = construction
        on = Set(value.map { decision.domain.options(of: $0) } ?? [])
    }

    /// Whether option (arrow; state · options + option of branches) `i`, from 0, exists in this network.
    public func isOn(_ i: Int) -> Bool {
        guard construction.isDerived else { return (0..<decision.optionCount).contains(i) }
        return on.contains(i)
    }

    /// What multiplies option `i`; nil where that is off for good.
    public func gate(_ i: Int) throws -> Gate? {
        guard isOn(i) else { return nil }
        return try gate(.option(decision.name, i))
    }

    private func gate(_ condition: Gate.Condition) throws -> Gate {
        if construction.isDerived { return Gate(condition, construction) }
        guard let source = construction.source else { return Gate(condition, construction) }
        return try source.gate(condition, of: decision, construction)
    }

    /// All weights in the present computation of a supernet, of the decision's shape.
    func table() throws -> DecisionTable {
        guard let source = construction.source else {
            throw SpaceError(
                .misfit, at: "decision '\(decision.name)'", expected: "a call within a supernet", got: "a network without logits", remedy: "call the supernet that it was built for")
        }
        return try source.table(of: decision)
    }

    // MARK: Paths

    /// - Throws: for a decision of another kind.
    func paths() throws -> Paths {
        if case .paths(let paths) = decision.domain { return paths }
        throw SpaceError(
            .misfit, at: "decision '\(decision.name)'", expected: "paths", got: "a decision without arrows", remedy: "only nas.paths has arrows, into and reached")
    }

    /// Arrows into a layer that exist, by source and target; `id` counts from 0 as options do.
    public func arrows(intoLayer layer: Int) throws -> [(from: Int, to: Int, id: Int)] {
        let arrows = try paths().arrows
        return arrows.indices.filter { arrows[$0].layer == layer && isOn($0) }.map { (arrows[$0].from, arrows[$0].to, $0) }
    }

    /// Arrows into a state of a layer, with what multiplies what comes over them: nothing where their source is not reached.
    public func into(layer: Int, state: Int) throws -> [(from: Int, gate: Gate, id: Int)] {
        try arrows(intoLayer: layer).filter { $0.to == state }.compactMap { arrow in try gate(arrow.id).map { (arrow.from, $0, arrow.id) } }
    }

    /// States that can be reached after a layer (0: where paths start), with a gate that is closed in runs where nothing reaches them; it multiplies by 1.
    public func reached(layer: Int) throws -> [(state: Int, gate: Gate)] {
        let paths = try paths()
        let outgoing = try Set(arrows(intoLayer: layer + 1).map(\.from)), incoming = try Set(arrows(intoLayer: layer).map(\.to))
        let states = layer == 0 ? paths.start.filter { outgoing.contains($0) } : paths.states.indices.filter { incoming.contains($0) }
        return try states.map { ($0, try gate(.reached(decision.name, layer: layer, state: $0))) }
    }
}

/// Who gives weights to the decisions of a supernet.
protocol DecisionWeightSource: AnyObject {
    func table(of decision: Decision) throws -> DecisionTable
    func gate(_ condition: Gate.Condition, of decision: Decision, _ construction: Construction) throws -> Gate
}
