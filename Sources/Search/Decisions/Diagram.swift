import Base

/// The ways through a domain: a graph without cycles in which every way from the first node to the last is one value, and every value is one way.
/// An edge switches an option on or off. So counting, drawing, going through all, the best and the k best are one algorithm for every kind of
/// decision, and a decision of a new kind is one more graph.
///
/// Edges stand in the order in which values are gone through: lower options first, on before off.
struct Diagram: Sendable {
    struct Edge: Sendable {
        /// -1 for an edge that says nothing.
        let option: Int
        let isOn: Bool
        let target: Int
    }

    /// Edges of each node; targets are later nodes, the last is the end.
    let edges: [[Edge]]
    /// The number of ways from each node to the end.
    let counts: [Natural]

    var end: Int { edges.count - 1 }

    /// Steps of a graph whose nodes are states at steps 0...steps.
    private struct Layered<State: Hashable> {
        let steps: Int
        let start: State
        let next: (_ step: Int, State) -> [(option: Int, isOn: Bool, State)]
        let accepts: (State) -> Bool
    }

    init(of domain: Domain, name: String) throws {
        switch domain {
        case .choice(let choice): try self.init(Self.one(of: choice.decodable), name)
        case .number(let number): try self.init(Self.one(of: Array(number.values.indices)), name)
        case .subset(let subset): try self.init(Self.sets(subset), name)
        case .branches(let branches): try self.init(Self.picks(branches), name)
        case .paths(let paths) where paths.isMany:
            guard paths.states.count <= 64 else { throw Self.tooLarge(name) }
            try self.init(Self.arrowSets(paths), name)
        case .paths(let paths): try self.init(Self.walks(paths), name)
        }
    }

    private static func one(of options: [Int]) -> Layered<Int> {
        Layered(steps: 1, start: 0, next: { _, _ in options.map { ($0, true, 0) } }, accepts: { _ in true })
    }

    /// States: how many are on, as far as it matters.
    private static func sets(_ subset: Subset) -> Layered<Int> {
        let count = subset.options.count
        let enough = subset.most < count ? subset.most : subset.least
        return Layered(
            steps: count, start: 0,
            next: { step, on in
                let more = on < enough || subset.most == count ? [(step, true, min(on + 1, enough))] : []
                return more + [(step, false, on)]
            },
            accepts: { $0 >= subset.least })
    }

    /// States: how many are kept.
    private static func picks(_ branches: Branches) -> Layered<Int> {
        let options = branches.decodable
        return Layered(
            steps: branches.states.count, start: 0,
            next: { state, kept in
                let more = kept < branches.keep ? options.map { (branches.position(of: .init(state: state, option: $0)), true, kept + 1) } : []
                return more + [(-1, false, kept)]
            },
            accepts: { $0 == branches.keep })
    }

    /// States: where the walk is; -1 before the first arrow.
    private static func walks(_ paths: Paths) -> Layered<Int> {
        Layered(
            steps: paths.layers, start: -1,
            next: { layer, state in
                let ids = state < 0 ? Array(paths.arrows(1)) : paths.outgoing(layer, state)
                return ids.map { ($0, true, paths.arrows[$0].to) }
            },
            accepts: { _ in true })
    }

    private struct Sets: Hashable {
        /// States that the layer before reached: all of them before the first layer, where none of them has to be left.
        var reached: UInt64
        var next: UInt64 = 0
        /// Whether the source at hand has an arrow.
        var isLeft = false
    }

    /// One step for each arrow. States: what the layer before reached, what this one reaches so far.
    private static func arrowSets(_ paths: Paths) -> Layered<Sets> {
        let arrows = paths.arrows
        return Layered(
            steps: arrows.count, start: Sets(reached: ~0),
            next: { step, sets in
                let arrow = arrows[step]
                let following = step + 1 < arrows.count ? arrows[step + 1] : nil
                let endsLayer = following?.layer != arrow.layer
                let endsSource = endsLayer || following?.from != arrow.from
                let isReached = sets.reached >> UInt64(arrow.from) & 1 == 1
                func after(_ isOn: Bool) -> (option: Int, isOn: Bool, Sets)? {
                    var after = sets
                    if isOn {
                        guard isReached else { return nil }
                        after.next |= 1 << UInt64(arrow.to)
                        after.isLeft = true
                    }
                    if endsSource {
                        if isReached, !after.isLeft, arrow.layer > 1 { return nil }
                        after.isLeft = false
                    }
                    if endsLayer {
                        guard after.next != 0 else { return nil }
                        after = Sets(reached: after.next)
                    }
                    return (step, isOn, after)
                }
                return [after(true), after(false)].compactMap { $0 }
            },
            accepts: { _ in true })
    }

    private init<State>(_ layered: Layered<State>, _ name: String) throws {
        // Forward: all nodes, by step. A node that leads nowhere is taken out on the way back.
        var nodes: [[Edge]] = []
        var starts = [0]
        var layer = [layered.start]
        for step in 0..<layered.steps {
            try checkInterrupt()
            var positions: [State: Int] = [:]
            var next: [State] = []
            let first = nodes.count + layer.count
            for state in layer {
                nodes.append(
                    layered.next(step, state).map { option, isOn, target in
                        let position = positions[target] ?? next.count
                        if position == next.count {
                            positions[target] = position
                            next.append(target)
                        }
                        return Edge(option: option, isOn: isOn, target: first + position)
                    })
            }
            starts.append(first)
            layer = next
            guard nodes.count + layer.count <= Self.mostNodes else { throw Self.tooLarge(name) }
        }
        let last = nodes.count
        // Backward: the last layer's nodes that are accepted become the end.
        var renumbered = [Int](repeating: -1, count: last + layer.count)
        for (i, state) in layer.enumerated() where layered.accepts(state) { renumbered[last + i] = 0 }
        var kept: [[Edge]] = [[]]
        var counts: [Natural] = [1]
        for node in (0..<last).reversed() {
            let alive = nodes[node].filter { renumbered[$0.target] >= 0 }.map { Edge(option: $0.option, isOn: $0.isOn, target: renumbered[$0.target]) }
            guard !alive.isEmpty else { continue }
            renumbered[node] = kept.count
            kept.append(alive)
            counts.append(alive.reduce(0) { $0 + counts[$1.target] })
        }
        let end = kept.count - 1
        edges = kept.reversed().map { $0.map { Edge(option: $0.option, isOn: $0.isOn, target: end - $0.target) } }
        self.counts = counts.reversed()
    }

    /// The one way of a value.
    init(only value: Value, of domain: Domain) {
        let on = domain.options(of: value)
        let chain = domain.isSet ? (0..<domain.optionCount).map { ($0, on.contains($0)) } : on.map { ($0, true) }
        edges = chain.enumerated().map { [Edge(option: $1.0, isOn: $1.1, target: $0 + 1)] } + [[]]
        counts = [Natural](repeating: 1, count: edges.count)
    }

    private static let mostNodes = 1 << 20

    private static func tooLarge(_ name: String) -> SpaceError {
        SpaceError(
            .size, at: name, expected: "at most \(mostNodes) sets of states to go through", got: "more",
            remedy: "its values cannot be counted, drawn or decoded exactly; take fewer states or layers, or admit fewer arrows")
    }

    /// The edges, one a node on the way, that switch exactly these options on; nil when no way does.
    /// - Parameter options: ascending.
    func way(of options: [Int]) -> [Int]? {
        var on = Set(options)
        guard on.count == options.count else { return nil }
        var taken: [Int] = []
        var node = 0
        while node != end {
            // An edge that switches on is taken where it is wanted; one that does not where its step has nothing wanted.
            guard let edge = edges[node].firstIndex(where: { $0.isOn && on.contains($0.option) })
                ?? edges[node].firstIndex(where: { !$0.isOn && !on.contains($0.option) })
            else { return nil }
            if edges[node][edge].isOn { on.remove(edges[node][edge].option) }
            taken.append(edge)
            node = edges[node][edge].target
        }
        return on.isEmpty ? taken : nil
    }
}
