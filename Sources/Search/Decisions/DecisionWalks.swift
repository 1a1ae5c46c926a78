/// All assignments of a list, made one at a time.
///
/// The order is that of a dictionary: by the first decision, then the second, ...; what is nested in an option is gone through directly behind that
/// option, before the rest of its own decision. Values of one decision stand in the order of their options, a set or a path by its lowest option
/// first, on before off. So `random` numbers, ties and `number(of:)` mean the same everywhere.
public struct AssignmentSequence: Sequence, IteratorProtocol {
    /// What remains to be decided: a decision from a node of its diagram on, then the rest.
    private final class Agenda {
        let decision: Int
        let node: Int
        let rest: Agenda?

        init(_ decision: Int, _ node: Int, _ rest: Agenda?) { (self.decision, self.node, self.rest) = (decision, node, rest) }
    }

    private let list: DecisionList
    private let diagrams: [Diagram]
    /// The edges taken, each with what remained before.
    private var taken: [(agenda: Agenda, edge: Int)] = []
    private var isStarted = false
    private var isFinished = false

    init(_ list: DecisionList) throws {
        self.list = list
        diagrams = try list.all.indices.map(list.diagram)
    }

    public mutating func next() -> Assignment? {
        guard !isFinished else { return nil }
        if isStarted {
            repeat {
                guard let (agenda, edge) = taken.popLast() else {
                    isFinished = true
                    return nil
                }
                if edge + 1 < diagrams[agenda.decision].edges[agenda.node].count {
                    descend(from: take(edge + 1, agenda))
                    break
                }
            } while true
        } else {
            isStarted = true
            descend(from: pushed(list.topPositions, onto: nil))
        }
        var on: [Int: [Int]] = [:]
        for (agenda, position) in taken {
            let edge = diagrams[agenda.decision].edges[agenda.node][position]
            if edge.isOn { on[agenda.decision, default: []].append(edge.option) } else { on[agenda.decision, default: []] += [] }
        }
        return list.assignment(on: on)
    }

    private func pushed(_ decisions: [Int], onto rest: Agenda?) -> Agenda? {
        decisions.reversed().reduce(rest) { Agenda($1, 0, $0) }
    }

    /// Takes an edge; what remains then.
    private mutating func take(_ position: Int, _ agenda: Agenda) -> Agenda? {
        taken.append((agenda, position))
        let edge = diagrams[agenda.decision].edges[agenda.node][position]
        let rest = Agenda(agenda.decision, edge.target, agenda.rest)
        return edge.isOn ? pushed(list.nested(agenda.decision, edge.option), onto: rest) : rest
    }

    /// Takes the first edge wherever something remains.
    private mutating func descend(from agenda: Agenda?) {
        var agenda = agenda
        while let now = agenda {
            agenda = now.node == diagrams[now.decision].end ? now.rest : take(0, now)
        }
    }
}

extension DecisionList {
    /// All assignments: `count()` says how many, before a loop over them.
    public func each() throws -> AssignmentSequence { try AssignmentSequence(self) }

    /// Positions in `all` of what is nested in an option.
    func nested(_ decision: Int, _ option: Int) -> [Int] { nestedPositions[Literal(decision: all[decision].name, option: option)] ?? [] }

    /// From the options that are on, for each position in `all` that is active.
    func assignment(on: [Int: [Int]]) -> Assignment {
        Assignment(Dictionary(uniqueKeysWithValues: on.map { (all[$0].name, all[$0].domain.value(of: $1)) }))
    }

    /// The first value of a decision and all that is nested in it.
    func takeFirst(_ decision: Int, into values: inout [String: Value]) throws {
        try take(decision, into: &values) { _, _ in 0 }
    }

    /// Goes down a decision's diagram and into what is nested on the way.
    func take(_ decision: Int, into values: inout [String: Value], _ choose: (_ diagram: Diagram, _ node: Int) throws -> Int) throws {
        var on: [Int] = []
        let diagram = try diagram(decision)
        var node = 0
        while node != diagram.end {
            let edge = diagram.edges[node][try choose(diagram, node)]
            if edge.isOn { on.append(edge.option) }
            node = edge.target
        }
        values[all[decision].name] = all[decision].domain.value(of: on)
        for option in on { for inner in nested(decision, option) { try take(inner, into: &values, choose) } }
    }
}

// MARK: - Numbers of assignments

extension DecisionList {
    /// The position of an assignment in `each()`.
    /// - Throws: `SpaceError` for one of another space, and for branches that name a state twice: they are data, but not gone through.
    public func number(of assignment: Assignment) throws -> Natural {
        try check(assignment)
        let counts = try counts()
        return try number(topPositions, assignment, counts)
    }

    private func number(_ decisions: [Int], _ assignment: Assignment, _ counts: Fold<Natural>) throws -> Natural {
        try decisions.reduce(0) { try $0 * counts.nodes[$1][0] + number($1, assignment, counts) }
    }

    private func number(_ position: Int, _ assignment: Assignment, _ counts: Fold<Natural>) throws -> Natural {
        let decision = all[position]
        let diagram = try diagram(position)
        guard let value = assignment[decision.name], let way = diagram.way(of: decision.domain.options(of: value)) else {
            throw SpaceError(
                .misfit, at: decision.name, expected: "different states", got: "one state twice", remedy: "such a block can be built, but it is none of those that are counted")
        }
        var number: Natural = 0
        var node = 0
        for taken in way {
            for edge in diagram.edges[node][..<taken] { number += counts.through(edge, position) }
            let edge = diagram.edges[node][taken]
            if edge.isOn { number += try self.number(nested(position, edge.option), assignment, counts) * counts.nodes[position][edge.target] }
            node = edge.target
        }
        return number
    }

    /// The assignment of a number below `count()`; nil for a larger one.
    public func assignment(at number: Natural) throws -> Assignment? {
        let counts = try counts()
        guard number < counts.total else { return nil }
        var values: [String: Value] = [:]
        try take(topPositions, at: number, counts, into: &values)
        return Assignment(values)
    }

    private func take(_ decisions: [Int], at number: Natural, _ counts: Fold<Natural>, into values: inout [String: Value]) throws {
        var rest = number
        for decision in decisions.reversed() {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: counts.nodes[decision][0])
            try take(decision, at: remainder, counts, into: &values)
            rest = quotient
        }
    }

    private func take(_ position: Int, at number: Natural, _ counts: Fold<Natural>, into values: inout [String: Value]) throws {
        let diagram = try diagram(position)
        var (rest, node, on) = (number, 0, [Int]())
        while node != diagram.end {
            for edge in diagram.edges[node] {
                let through = counts.through(edge, position)
                guard rest >= through else {
                    if edge.isOn {
                        on.append(edge.option)
                        let (inner, remainder) = rest.quotientAndRemainder(dividingBy: counts.nodes[position][edge.target])
                        try take(nested(position, edge.option), at: inner, counts, into: &values)
                        rest = remainder
                    }
                    node = edge.target
                    break
                }
                rest -= through
            }
        }
        values[all[position].name] = all[position].domain.value(of: on)
    }
}

extension Fold<Natural> {
    /// The ways that begin with an edge, with all that is nested in it.
    func through(_ edge: Diagram.Edge, _ decision: Int) -> Natural {
        let rest = nodes[decision][edge.target]
        return edge.isOn ? nested[decision][edge.option] * rest : rest
    }
}
