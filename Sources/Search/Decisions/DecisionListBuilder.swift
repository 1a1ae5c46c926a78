/// Makes a list of the decisions that a build meets.
public struct DecisionListBuilder {
    private var all: [Decision] = []
    private var positions: [String: Int] = [:]

    public init() {}

    /// Called each time a build meets a decision: one name, one decision. A decision that is met in several places belongs to their nearest common
    /// ancestor.
    /// - Parameters:
    ///   - chain: the options inside of whose builders the build is, outermost first; the last says where, the others are above it already.
    ///   - place: where in the script, "script.lua:12".
    /// - Returns: the decision. Its parent is what is known so far; the list's own is the final one.
    /// - Throws: `SpaceError` for the name of a decision with another domain, and for a chain that is none.
    @discardableResult
    public mutating func meet(_ name: String, _ domain: Domain, within chain: [Literal] = [], place: String = "") throws -> Decision {
        guard !name.isEmpty else {
            throw SpaceError(.size, at: place.isEmpty ? "decision" : place, expected: "a name", got: "an empty one", remedy: "name the decision")
        }
        for literal in chain { try check(literal, name, place) }
        guard let position = positions[name] else {
            let decision = Decision(name: name, domain: domain, parent: chain.last, place: place)
            positions[name] = all.count
            all.append(decision)
            return decision
        }
        let decision = all[position]
        guard decision.domain == domain else {
            let first = decision.place.isEmpty ? "" : " at \(decision.place)"
            throw SpaceError(
                .misfit, at: place.isEmpty ? name : place, expected: "the decision '\(name)' as it was met first\(first): \(decision.domain.summary)",
                got: domain.summary == decision.domain.summary ? "one with other arrows" : domain.summary,
                remedy: "one name is one decision; give this one another name")
        }
        // Of an option inside of the decision itself the ancestors end in its own parent: nothing changes.
        let old = ancestors(of: decision.parent)
        let new = Set(ancestors(of: chain.last))
        all[position] = decision.moved(to: old.first(where: new.contains))
        return all[position]
    }

    /// The decisions that were met.
    public func list() -> DecisionList { DecisionList(all: all) }

    /// The option and those around it, innermost first.
    private func ancestors(of literal: Literal?) -> [Literal] {
        Array(sequence(first: literal) { literal in literal.map { all[positions[$0.decision] ?? 0].parent } }.prefix { $0 != nil }.compactMap { $0 })
    }

    private func check(_ literal: Literal, _ name: String, _ place: String) throws {
        let at = place.isEmpty ? name : place
        guard let position = positions[literal.decision] else {
            throw SpaceError.unknown("decision", literal.decision, known: all.map(\.name), at: "\(at): within")
        }
        let outer = all[position]
        guard (0..<outer.optionCount).contains(literal.option) else {
            throw SpaceError(
                .misfit, at: "\(at): within", expected: "option 1 to \(outer.optionCount) of '\(outer.name)'", got: "\(literal.option + 1)",
                remedy: "options and arrows count from 1")
        }
        if case .branches = outer.domain {
            throw SpaceError(
                .misfit, at: "\(at): within", expected: "a choice, a subset, a number or paths", got: "'\(outer.name)', branches",
                remedy: "branches hold no decisions; make a choice for each state and a subset of the states")
        }
        guard outer.domain.canBeOn(literal.option) else {
            throw SpaceError(
                .misfit, at: "\(at): within", expected: "an option that can be on", got: "'none' of '\(outer.name)'", remedy: "nothing can be decided inside of nothing")
        }
    }
}

extension Domain {
    /// "a choice of conv, pool", for errors.
    public var summary: String {
        func list(_ labels: [String]) -> String {
            labels.count <= 12 ? labels.joined(separator: ", ") : labels.prefix(10).joined(separator: ", ") + ", ... (\(labels.count))"
        }
        switch self {
        case .choice(let choice): return "\(choice.isOrdered ? "an ordered choice" : "a choice") of \(list(choice.options))"
        case .subset(let subset): return "a subset of \(list(subset.options)), \(subset.least) to \(subset.most) of them"
        case .number(let number): return "a number of \(list(number.labels))"
        case .branches(let branches): return "\(branches.keep) branches from \(list(branches.states)) with \(list(branches.options))"
        case .paths(let paths):
            return "\(paths.isMany ? "several paths" : "a path") of \(paths.layers) layers through \(list(paths.states)) from "
                + "\(list(paths.start.map { paths.states[$0] })), \(paths.arrows.count) arrows"
        }
    }
}
