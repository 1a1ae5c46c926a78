import Networks

/// The parts of a network and what leads from one to another, while a picture is made of them.
struct FlowGraph {
    struct Part {
        var kind: NetworkFlow.Node.Kind
        var module: Module?
        /// Decisions that are made in it.
        var decisions: Set<String>
        var gates: Set<Gate.Condition>
        /// The first of its operations.
        var time: Int
        var shared: Set<String> = []

        /// Whether it only leads from one part to another, where something is on.
        var isPassage: Bool {
            if case .module = kind { return decisions.isEmpty && !gates.isEmpty }
            return false
        }
    }

    private var parts: [Int: Part] = [:]
    /// What has to be on for a connection to be used: one of the sets.
    private var links: [Int: [Int: Set<Set<Gate.Condition>>]] = [:]
    private static let input = -1, output = -2

    var count: Int { parts.count }

    init(_ units: FlowUnits, steps: [CostMeasure.Step], output: Int) {
        parts[Self.input] = Part(kind: .input, decisions: [], gates: [], time: -1)
        parts[Self.output] = Part(kind: .output, decisions: [], gates: [], time: steps.count)
        for (i, unit) in units.unitOf.enumerated() where parts[unit] == nil {
            let own = units.units[unit]
            parts[unit] = Part(kind: own.kind, module: own.module, decisions: own.decisions, gates: own.gates, time: i)
        }
        for (i, step) in steps.enumerated() {
            let to = units.unitOf[i]
            for input in step.inputs {
                let from = input < 0 ? Self.input : units.unitOf[input]
                if from != to { connect(from, to, [parts[from]?.gates ?? []]) }
            }
        }
        let last = output < 0 ? Self.input : units.unitOf[output]
        connect(last, Self.output, [parts[last]?.gates ?? []])
    }

    private mutating func connect(_ from: Int, _ to: Int, _ gates: Set<Set<Gate.Condition>>) { links[from, default: [:]][to, default: []].formUnion(gates) }

    private func sources(_ part: Int) -> [Int] { links.filter { $0.value[part] != nil }.map(\.key).sorted() }

    /// Makes lines of the parts that a predicate admits and that one thing leads to or from.
    mutating func contract(_ admits: (Part) -> Bool) {
        var isDone = false
        while !isDone {
            isDone = true
            for (id, part) in parts.sorted(by: { $0.value.time < $1.value.time }) where admits(part) {
                let (before, after) = (sources(id), links[id] ?? [:])
                // A number that nothing leads to, such as a constant.
                let isConstant = before.isEmpty
                guard isConstant || before.count == 1 || after.count == 1 else { continue }
                guard part.kind == .junction || before.count == 1 && after.count == 1, !isMeeting(id) || canMeet(after.keys) else { continue }
                for source in before {
                    for (target, gates) in after {
                        let own = links[source]?[id] ?? [[]]
                        connect(source, target, Set(own.flatMap { a in gates.map { a.union($0).union(part.gates) } }))
                    }
                }
                for target in after.keys { parts[target]?.decisions.formUnion(part.decisions.filter { name in !part.gates.contains { $0.decision == name } }) }
                remove(id)
                isDone = false
            }
        }
    }

    /// Whether options come together in a part, or numbers of a decision enter.
    private func isMeeting(_ id: Int) -> Bool {
        let before = sources(id)
        guard let part = parts[id], part.decisions.isEmpty else { return true }
        return before.count > 1 && before.contains { source in
            let gates = (links[source]?[id] ?? []).map { $0.union(parts[source]?.gates ?? []).subtracting(part.gates) }
            return gates.contains { !$0.isEmpty }
        }
    }

    /// Whether what comes together can be said to do so in the one part that follows: one that decides something itself.
    private func canMeet(_ targets: Dictionary<Int, Set<Set<Gate.Condition>>>.Keys) -> Bool {
        guard targets.count == 1, let target = targets.first.flatMap({ parts[$0] }) else { return false }
        return target.kind == .junction || target.module is Mix
    }

    private mutating func remove(_ id: Int) {
        parts[id] = nil
        links[id] = nil
        for source in links.keys { links[source]?[id] = nil }
    }

    /// Gives each decision to the one part in which it is made: a mix, or where all that depends on it meets. One that is made in several parts is shared.
    mutating func place(_ decisions: DecisionList) {
        let onPaths = Set(parts.values.compactMap { if case .paths(let name) = $0.kind { name } else { nil } })
        for (id, part) in parts {
            if case .paths = part.kind { parts[id]?.decisions = [] }
        }
        for decision in decisions.all {
            let name = decision.name
            let makers = parts.filter { $0.value.decisions.contains(name) }.keys
            for id in parts.keys { parts[id]?.decisions.remove(name) }
            guard !onPaths.contains(name) else { continue }
            if makers.count == 1, let id = makers.first {
                parts[id]?.decisions.insert(name)
            } else if makers.count > 1 {
                for id in makers { parts[id]?.shared.insert(name) }
            } else if let meeting = meeting(of: name) {
                parts[meeting]?.decisions.insert(name)
            }
        }
    }

    /// The one part to which all leads that depends on a decision.
    private func meeting(of decision: String) -> Int? {
        func depends(_ gates: Set<Gate.Condition>) -> Bool { gates.contains { $0.decision == decision } }
        var targets: Set<Int> = []
        for (source, list) in links {
            for (target, gates) in list where gates.contains(where: depends) || depends(parts[source]?.gates ?? []) {
                if !depends(parts[target]?.gates ?? []) { targets.insert(target) }
            }
        }
        return targets.count == 1 && targets.first != Self.output ? targets.first : nil
    }

    /// The parts in an order in which they can compute, and their connections.
    func result() -> ([NetworkFlow.Node], [NetworkFlow.Edge]) {
        var waiting = Dictionary(uniqueKeysWithValues: parts.keys.map { ($0, sources($0).count) })
        var order: [Int] = []
        while let next = waiting.filter({ $0.value == 0 }).keys.min(by: { (parts[$0]?.time ?? 0) < (parts[$1]?.time ?? 0) }) ?? waiting.keys.min() {
            waiting[next] = nil
            order.append(next)
            for target in (links[next] ?? [:]).keys { waiting[target]? -= 1 }
        }
        let position = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let nodes = order.compactMap { id in parts[id].map(node) }
        let edges = order.flatMap { from -> [NetworkFlow.Edge] in
            (links[from] ?? [:]).sorted { (position[$0.key] ?? 0) < (position[$1.key] ?? 0) }.compactMap { to, gates in
                guard let a = position[from], let b = position[to], a < b else { return nil }
                let own = parts[to]?.gates ?? []
                let beyond = gates.map { $0.subtracting(own) }
                let lists = beyond.contains([]) ? [] : beyond.map { $0.sorted { "\($0)" < "\($1)" } }.sorted { "\($0)" < "\($1)" }
                return NetworkFlow.Edge(from: a, to: b, gates: lists)
            }
        }
        return (nodes, edges)
    }

    private func node(_ part: Part) -> NetworkFlow.Node {
        var node = NetworkFlow.Node(kind: part.kind, note: part.module.map(Self.note) ?? "")
        node.decisions = part.decisions.sorted()
        node.shared = part.shared.sorted()
        node.gates = part.gates.sorted { "\($0)" < "\($1)" }
        return node
    }

    /// What a module is in a few words.
    private static func note(_ module: Module) -> String {
        if module is Mix { return "" }
        if module.details.isEmpty, module.kind == "sequential" { return module.children.map(\.module.kind).joined(separator: ", ") }
        return module.kind + (module.details.isEmpty ? "" : " " + module.details)
    }
}
