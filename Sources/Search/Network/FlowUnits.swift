import Networks
import Tensors

/// Which part of a picture each operation of a network belongs to.
struct FlowUnits {
    /// A part.
    struct Unit {
        var kind: NetworkFlow.Node.Kind
        var module: Module?
        /// What all of its operations need.
        var gates: Set<Gate.Condition> = []
        /// What some of its operations need, or read.
        var decisions: Set<String> = []
    }

    private(set) var units: [Unit] = []
    /// The unit of each operation.
    private(set) var unitOf: [Int] = []

    private let steps: [CostMeasure.Step]
    private let decisions: DecisionList

    init(_ root: Module, steps: [CostMeasure.Step], output: Int, decisions: DecisionList) {
        self.steps = steps
        self.decisions = decisions
        let owners = owners(root)
        let paths = pathUnits(output)
        var current: (path: String, unit: Int)?
        var ofPaths: [String: Int] = [:]
        for (i, step) in steps.enumerated() {
            if let name = paths[i] {
                let unit = ofPaths[name] ?? add(Unit(kind: .paths(name)))
                ofPaths[name] = unit
                unitOf.append(unit)
            } else if let (path, module) = owners[step.scope] ?? nil {
                // Each call of a module is a part of its own.
                if current?.path != path { current = (path, add(Unit(kind: .module(path), module: module))) }
                unitOf.append(current?.unit ?? 0)
                continue
            } else {
                unitOf.append(add(Unit(kind: .junction)))
            }
            current = nil
        }
        freeShared()
        for unit in units.indices { describe(unit) }
    }

    private mutating func add(_ unit: Unit) -> Int {
        units.append(unit)
        return units.count - 1
    }

    // MARK: Modules

    /// The module that stands for each scope, with its path: the outermost one in which nothing is decided, or a mix; nil where operations stand in none such.
    private func owners(_ root: Module) -> [String: (path: String, module: Module)?] {
        var places: [String: Set<Set<[Gate.Condition]>>] = [:]
        // What several modules share was written in one of them by chance.
        for step in steps where step.places.count < 2 {
            var prefix = ""
            for name in step.scope.split(separator: ".") {
                prefix += (prefix.isEmpty ? "" : ".") + name
                places[prefix, default: []].insert(step.places)
            }
        }
        var owners: [String: (path: String, module: Module)?] = [:]
        for scope in Set(steps.map(\.scope)) { owners[scope] = .some(owner(of: scope, in: root) { (places[$0]?.count ?? 0) > 1 }) }
        return owners
    }

    private func owner(of scope: String, in root: Module, decidesInside: (String) -> Bool) -> (path: String, module: Module)? {
        var (module, path, rest) = (root, "", Substring(scope))
        while !rest.isEmpty {
            // Names of modules may have dots in scopes that several parts make; the longest one that is there counts.
            guard let (name, child) = module.children.filter({ rest == $0.name || rest.hasPrefix($0.name + ".") }).max(by: { $0.name.count < $1.name.count }) else { return nil }
            path += (path.isEmpty ? "" : ".") + name
            module = child
            rest = rest.dropFirst(name.count).drop { $0 == "." }
            if module is Mix || !module.isContainer && !decidesInside(path) { return (path, module) }
        }
        return nil
    }

    // MARK: Paths

    /// The paths decision on whose arrows and states each operation stands, or between them.
    private func pathUnits(_ output: Int) -> [String?] {
        var found = [String?](repeating: nil, count: steps.count)
        for decision in decisions.all {
            guard case .paths = decision.domain else { continue }
            let own = steps.map { step in !step.places.isEmpty && step.places.allSatisfy { $0.contains { $0.decision == decision.name } } }
            guard own.contains(true) else { continue }
            var before = [Bool](repeating: false, count: steps.count), after = before
            for (i, step) in steps.enumerated() { before[i] = step.inputs.contains { $0 >= 0 && (own[$0] || before[$0]) } }
            for (i, step) in steps.enumerated().reversed() where own[i] || after[i] { for input in step.inputs where input >= 0 { after[input] = true } }
            for i in steps.indices where found[i] == nil && (own[i] || before[i] && after[i]) { found[i] = decision.name }
        }
        return found
    }

    // MARK: What belongs to whom

    /// Equal operations on equal values are written once, by the module that comes first; where others read them too, they belong to none.
    private mutating func freeShared() {
        var readers = [Set<Int>](repeating: [], count: steps.count)
        for (i, step) in steps.enumerated() { for input in step.inputs where input >= 0 { readers[input].insert(unitOf[i]) } }
        for (i, step) in steps.enumerated() {
            guard case .module = units[unitOf[i]].kind, readers[i].contains(unitOf[i]), readers[i].count > 1,
                step.inputs.allSatisfy({ $0 < 0 || unitOf[$0] != unitOf[i] })
            else { continue }
            unitOf[i] = add(Unit(kind: .junction))
        }
    }

    private mutating func describe(_ unit: Int) {
        var common: Set<Gate.Condition>?
        var some: Set<String> = []
        for (i, step) in steps.enumerated() where unitOf[i] == unit {
            some.formUnion(step.reads)
            for place in step.places.isEmpty ? [[]] : step.places {
                if step.places.count == 1 { some.formUnion(place.map(\.decision)) }
                common = common.map { $0.intersection(place) } ?? Set(place)
            }
        }
        var gates = common ?? []
        if let mix = units[unit].module as? Mix { gates = gates.filter { $0.decision != mix.decision.decision.name } }
        units[unit].gates = gates
        units[unit].decisions = some.subtracting(gates.map(\.decision))
    }
}
