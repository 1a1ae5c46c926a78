import Tensors

/// A computation of a function: one operation, a layer, or another function.
struct Unit {
    enum Kind {
        case operation
        case layer(Part)
        case call(Part)
    }

    let kind: Kind
    var inputs: [Int] = []
    var outputs: [Int] = []
    /// Position of its first value, which orders what could come in any order.
    var place: Int
}

/// Which operation belongs to which function: the modules that are called once become functions, what is written in others is written where they are called.
struct Analysis {
    let graph: ProbedGraph
    let root: Part
    /// Of each value: the part whose function computes it, nil for inputs and stored tensors.
    private(set) var owners: [Part?] = []
    /// Of the result of a layer: the layer and its input.
    private(set) var layers: [Int: (part: Part, input: Int)] = [:]
    /// Values inside of a layer, which nobody else reads.
    private(set) var absorbed = Set<Int>()
    /// Units of each function in an order in which they can run.
    private(set) var units: [ObjectIdentifier: [Unit]] = [:]
    /// Values that a function is given, in the order in which it reads them.
    private(set) var arguments: [ObjectIdentifier: [Int]] = [:]
    private(set) var results: [ObjectIdentifier: [Int]] = [:]
    let readers: [[Int]]

    init(_ graph: ProbedGraph, _ root: Part) throws {
        self.graph = graph
        self.root = root
        homes = try TensorIndex(root.all.flatMap { part in part.own.map { ((part, $0.name), $0.tensor) } })
        readers = graph.readers
        let parts = graph.values.map { value -> Part? in
            guard case .operation(_, _, let scope) = value.source else { return nil }
            return root.part(at: scope)
        }
        try findLayers(parts)
        for part in parts { mark(part) }
        var callable = root.all.filter { $0 === root || isCallable($0) }
        while true {
            for part in root.all { part.isCalled = callable.contains { $0 === part } }
            owners = parts.enumerated().map { i, part in absorbed.contains(i) ? nil : part.map { ($0.layer == nil ? $0 : $0.parent ?? $0).function } }
            guard let stuck = arrange(callable) else { break }
            callable.removeAll { $0 === stuck }
        }
    }

    private func mark(_ part: Part?) {
        var at = part
        while let now = at, !now.isComputed {
            now.isComputed = true
            at = now.parent
        }
    }

    /// One that is computed more than once is written out each time; so is what has no parameters.
    private func isCallable(_ part: Part) -> Bool {
        part.layer == nil && !part.module.isContainer && part.isNeeded && part.isComputed && part.all.allSatisfy { $0.uses <= 1 }
    }

    // MARK: Layers

    private mutating func findLayers(_ parts: [Part?]) throws {
        for (i, part) in parts.enumerated() {
            guard let part, let layer = part.layer, case .operation(let operations, let inputs, let scope) = graph.values[i].source else { continue }
            switch (layer, operations[0]) {
            case (.conv, .conv2d), (.dropPath, .alias), (.dropout, .alias):
                layers[i] = (part, inputs[0])
            case (.norm(let norm), .batchNorm):
                guard norm.ownBuffers.count == 2 else {
                    throw TensorError("nn.branch", "statistics of several branches have no counterpart in PyTorch; give each branch a norm of its own", path: scope)
                }
                layers[i] = (part, inputs[0])
                part.inputRank = graph.values[inputs[0]].rank
            case (.linear(let linear), .matmul):
                let input = inputs[0]
                let sum = linear.bias == nil ? i : readers[i].first { parts[$0] === part } ?? i
                layers[sum] = (part, input)
                // The transposed weight, and the product before the bias.
                absorbed.formUnion(inputs.filter { $0 != input && parts[$0] === part } + (sum == i ? [] : [i] + spread(into: sum, parts, part)))
            default: continue
            }
        }
        for (_, call) in layers where !call.part.module.parameters().isEmpty || !call.part.module.buffers().isEmpty { call.part.uses += 1 }
    }

    /// A bias that was spread over its rows.
    private func spread(into sum: Int, _ parts: [Part?], _ part: Part) -> [Int] {
        guard case .operation(_, let inputs, _) = graph.values[sum].source else { return [] }
        return inputs.filter { i in
            guard parts[i] === part, case .operation(let operations, _, _) = graph.values[i].source, case .broadcast = operations[0] else { return false }
            return true
        }
    }

    /// What the value is computed from, layers taken whole.
    func inputs(of value: Int) -> [Int] {
        if let layer = layers[value] { return [layer.input] }
        guard case .operation(_, let inputs, _) = graph.values[value].source else { return [] }
        return inputs
    }

    // MARK: Functions

    /// Where a stored tensor lies in the network; nil for a constant.
    func home(of value: Int) -> (part: Part, name: String)? {
        guard case .stored(let tensor) = graph.values[value].source else { return nil }
        return homes[tensor]
    }
    /// Parameters and buffers of the parts that are no layers.
    private let homes: TensorIndex<(part: Part, name: String)>

    /// The child function of `function` in which `owner` lies; nil when it is that function itself.
    private func child(_ function: Part, towards owner: Part) -> Part? {
        var (at, found): (Part?, Part?) = (owner, nil)
        while let now = at, now !== function {
            if now.isCalled { found = now }
            at = now.parent
        }
        return found
    }

    /// Fills `units`, `arguments` and `results`.
    /// - Returns: a function that cannot be called at one time, because it needs something that is computed from its own results.
    private mutating func arrange(_ functions: [Part]) -> Part? {
        units = [:]
        for function in functions {
            (arguments[ObjectIdentifier(function)], results[ObjectIdentifier(function)]) = boundary(function)
        }
        for function in functions {
            var all: [Unit] = []
            var calls = Set<ObjectIdentifier>()
            for (i, owner) in owners.enumerated() {
                guard let owner, owner.isInside(function) else { continue }
                if let inner = child(function, towards: owner) {
                    guard calls.insert(ObjectIdentifier(inner)).inserted else { continue }
                    all.append(Unit(
                        kind: .call(inner), inputs: arguments[ObjectIdentifier(inner)] ?? [], outputs: results[ObjectIdentifier(inner)] ?? [], place: i))
                } else {
                    all.append(Unit(kind: layers[i].map { .layer($0.part) } ?? .operation, inputs: inputs(of: i), outputs: [i], place: i))
                }
            }
            guard let ordered = order(all) else { return all.compactMap { if case .call(let part) = $0.kind { part } else { nil } }.last ?? function }
            units[ObjectIdentifier(function)] = ordered
        }
        return nil
    }

    private func boundary(_ function: Part) -> (arguments: [Int], results: [Int]) {
        var arguments: [Int] = [], results: [Int] = [], seen = Set<Int>()
        for (i, owner) in owners.enumerated() {
            guard let owner, owner.isInside(function) else { continue }
            for input in inputs(of: i) where !seen.contains(input) && isOutside(input, of: function) {
                seen.insert(input)
                arguments.append(input)
            }
            let isRead = readersOfWhole(i).contains { reader in owners[reader].map { !$0.isInside(function) } ?? false }
            if isRead || i == graph.output { results.append(i) }
        }
        return (arguments, results)
    }

    /// Readers, those inside of a layer as the layer.
    private func readersOfWhole(_ value: Int) -> [Int] {
        readers[value].flatMap { absorbed.contains($0) ? readersOfWhole($0) : [$0] }
    }

    private func isOutside(_ value: Int, of function: Part) -> Bool {
        switch graph.values[value].source {
        case .input: true
        case .stored, .filled: home(of: value).map { !$0.part.isInside(function) } ?? false
        case .operation: owners[value].map { !$0.isInside(function) } ?? false
        }
    }

    private func order(_ all: [Unit]) -> [Unit]? {
        var made = Set(all.flatMap(\.outputs))
        var (rest, ordered) = (all, [Unit]())
        while !rest.isEmpty {
            guard let next = rest.indices.filter({ rest[$0].inputs.allSatisfy { !made.contains($0) } }).min(by: { rest[$0].place < rest[$1].place }) else { return nil }
            let unit = rest.remove(at: next)
            made.subtract(unit.outputs)
            ordered.append(unit)
        }
        return ordered
    }
}
