/// Reverse-mode differentiation over the recorded history.
public enum Gradient {
    /// Derivatives of the sum of `values` (weighted by `seeds`, which default to ones) with respect to `targets`.
    ///
    /// Only the part of the history that leads to a target is walked, so a step that wants the derivatives of the architecture alone
    /// computes no weight gradients. A target that the values do not depend on gets nil.
    /// - Parameter createGraph: keep the history of the derivatives themselves, for second derivatives.
    /// - Parameter stopAtTargets: treat targets as leaves even when they were computed from one another.
    public static func compute(
        of values: [Tensor], seeds: [Tensor]? = nil, with targets: [Tensor], createGraph: Bool = false, stopAtTargets: Bool = false
    ) throws -> [Tensor?] {
        let wanted = Set(targets.map(ObjectIdentifier.init))
        let found = try walk(values, seeds, createGraph: createGraph, wanted: wanted, stop: stopAtTargets)
        return try targets.map { target in
            guard let flow = found[ObjectIdentifier(target)], let recording = Recording.current else { return found[ObjectIdentifier(target)]?.gradient }
            return try GradientMode.with(createGraph) { try recording.emerge(flow.gradient, from: flow.place, to: recording.place) }
        }
    }

    /// The derivative by a tensor as far as it is known, and where in a recording it is computed.
    private struct Flow {
        var gradient: Tensor
        var place = Regions.everywhere

        /// Adds a part that was computed at a place.
        /// - Parameter own: where the tensor itself is computed: a place that covers those of all its readers.
        mutating func add(_ part: Tensor, from place: Regions, own: Regions) throws {
            guard let recording = Recording.current else { return gradient = try gradient + part }
            // Of what leaves its region, the derivative comes from a place that is wider than its own.
            let place = place.covers(own) ? own : place
            if !self.place.covers(place) {
                // More of it is read than when the first part came.
                let wider = self.place.union(own)
                gradient = try recording.emerge(gradient, from: self.place, to: wider)
                self.place = wider
            }
            let part = try recording.emerge(part, from: place, to: self.place)
            gradient = try recording.at(self.place) { try gradient + part }
        }
    }

    /// Adds the derivatives of the scalar `value` to the `grad` of every leaf that requires one.
    static func backward(_ value: Tensor, seed: Tensor?, targets: [Tensor]?, createGraph: Bool) throws {
        guard value.requiresGrad else {
            throw TensorError("backward", "no tensor that this value was computed from requires a gradient; create one with {requires_grad = true}")
        }
        if seed == nil, value.count != 1 {
            throw TensorError("backward", "the value has shape \(Shapes.text(value.shape)): reduce it to one number first, or give a gradient of that shape")
        }
        if let seed, seed.shape != value.shape {
            throw TensorError("backward", "gradient \(Shapes.text(seed.shape)) should have the value's shape \(Shapes.text(value.shape))")
        }
        let reached = try history(of: [value], stoppingAt: [])
        let leaves = targets.map { wanted in
            let ids = Set(reached.map(ObjectIdentifier.init))
            return wanted.filter { ids.contains(ObjectIdentifier($0)) }
        } ?? reached.filter { $0.isLeaf && $0.requiresGrad }
        if Recording.current == nil { try ReadOnly.allow("backward") }
        let found = try compute(of: [value], seeds: seed.map { [$0] }, with: leaves, createGraph: createGraph)
        var taken = Set(([seed].compactMap { $0 } + leaves).compactMap(\.storageIdentity))
        try GradientMode.with(createGraph) {
            for (leaf, gradient) in zip(leaves, found) {
                // The value depends on it, by functions whose derivative is 0 everywhere.
                let gradient = try gradient ?? Tensor.zeros(leaf.shape)
                if let recording = Recording.current {
                    try recording.gradients.accumulate(gradient, into: leaf)
                } else if let before = leaf.grad {
                    leaf.grad = try before + gradient
                } else {
                    let own = createGraph ? gradient : try gradient.detach().contiguous()
                    // A rule may hand on what it got: two leaves do not share memory, nor a leaf with the seed.
                    leaf.grad = own.storageIdentity.map { taken.insert($0).inserted } ?? true ? own : try own.clone()
                }
            }
        }
    }

    /// Leaves that require a gradient and that `value` was computed from, each with the module in which it was first read.
    public static func leaves(of value: Tensor) throws -> [(leaf: Tensor, module: String)] {
        var found: [(leaf: Tensor, module: String)] = []
        var seen = Set<ObjectIdentifier>()
        for tensor in try history(of: [value], stoppingAt: []) {
            for version in tensor.node?.inputs ?? [] {
                let input = version.origin ?? version
                if input.isLeaf, input.requiresGrad, seen.insert(ObjectIdentifier(input)).inserted { found.append((input, tensor.node?.scope ?? "")) }
            }
        }
        return found
    }

    /// Every tensor that `values` were computed from and that requires a gradient, inputs before what is computed from them.
    /// - Throws: where a history was not kept.
    private static func history(of values: [Tensor], stoppingAt stop: Set<ObjectIdentifier>) throws -> [Tensor] {
        var order: [Tensor] = []
        var seen = Set<ObjectIdentifier>()
        var stack: [(tensor: Tensor, next: Int)] = []
        func enter(_ version: Tensor) {
            let tensor = version.origin ?? version
            if tensor.requiresGrad, seen.insert(ObjectIdentifier(tensor)).inserted { stack.append((tensor, 0)) }
        }
        for value in values {
            enter(value)
            while let (tensor, next) = stack.last {
                if case .lost(let reason)? = tensor.node?.operation { throw TensorError("backward", reason) }
                if let node = tensor.node, next < node.inputs.count, !stop.contains(ObjectIdentifier(tensor)) {
                    stack[stack.count - 1].next += 1
                    enter(node.inputs[next])
                } else {
                    order.append(tensor)
                    stack.removeLast()
                }
            }
        }
        return order
    }

    private static func walk(
        _ values: [Tensor], _ seeds: [Tensor]?, createGraph: Bool, wanted: Set<ObjectIdentifier>, stop: Bool
    ) throws -> [ObjectIdentifier: Flow] {
        if let recording = Recording.current { try Batching.run(recording, for: values, by: wanted) }
        let order = try history(of: values, stoppingAt: stop ? wanted : [])
        // Which tensors lead to a target.
        var useful = wanted
        for tensor in order {
            if let node = tensor.node, !(stop && wanted.contains(ObjectIdentifier(tensor))), node.inputs.contains(where: { useful.contains($0.identity) }) {
                useful.insert(ObjectIdentifier(tensor))
            }
        }
        var flows: [ObjectIdentifier: Flow] = [:]
        try differentiating(createGraph) {
            for (i, value) in values.enumerated() where useful.contains(value.identity) {
                let seed = try seeds?[i] ?? Tensor.full([], 1).expand(value.shape)
                let before = flows[value.identity]?.gradient
                flows[value.identity] = Flow(gradient: try before.map { try $0 + seed } ?? seed, place: Recording.current?.place ?? .everywhere)
            }
            for tensor in order.reversed() {
                let id = ObjectIdentifier(tensor)
                guard useful.contains(id), let node = tensor.node, let flow = flows[id], !(stop && wanted.contains(id)) else { continue }
                if !wanted.contains(id) { flows[id] = nil }
                try propagate(flow, through: node, to: tensor, useful, &flows)
            }
        }
        return flows
    }

    private static func differentiating(_ createGraph: Bool, _ body: () throws -> Void) throws {
        try GradientMode.with(createGraph) {
            if let recording = Recording.current { try recording.differentiating(body) } else { try body() }
        }
    }

    private static func propagate(
        _ flow: Flow, through node: Node, to output: Tensor, _ useful: Set<ObjectIdentifier>, _ flows: inout [ObjectIdentifier: Flow]
    ) throws {
        // A rule computes what its inputs ask for; inputs that lead nowhere are not asked. When the derivatives are to be differentiated they are: what
        // is computed from an input that seems to require nothing would have no history towards it.
        let unasked = GradientMode.isEnabled ? [] : node.inputs.filter { $0.requiresGrad && !useful.contains($0.identity) }
        for input in unasked { input.requiresGrad = false }
        defer { for input in unasked { input.requiresGrad = true } }
        let parts = try ModulePath.at(node.scope) {
            try StaleValues.refusing(node.stale(output), of: node.operation) {
                try Recording.atPlace(flow.place) { try node.operation.derivative(node.inputs, output, flow.gradient) }
            }
        }
        for (input, part) in zip(node.inputs, parts) {
            let id = input.identity
            guard let part, useful.contains(id), input.requiresGrad else { continue }
            let own = (input.origin ?? input).node?.regions ?? .everywhere
            if flows[id] == nil {
                let gradient = try Recording.current.map { try $0.emerge(part, from: flow.place, to: own) } ?? part
                flows[id] = Flow(gradient: gradient, place: own)
            } else {
                try flows[id]?.add(part, from: flow.place, own: own)
            }
        }
    }
}

/// Values that were written in place after they were used: a derivative rule may ask for their shape, but must not compute with them. Which rule reads
/// what is found out as it runs, so that nobody has to keep a list.
struct StaleValues {
    private let tensors: [Tensor]
    private let reader: String

    static func refusing<T>(_ stale: [Tensor], of operation: Operation, _ body: () throws -> T) throws -> T {
        stale.isEmpty ? try body() : try Surroundings.with(\.stale, StaleValues(tensors: stale, reader: operation.name), body)
    }

    func check(_ inputs: [Tensor]) throws {
        guard inputs.contains(where: { input in tensors.contains { $0 === input } }) else { return }
        throw TensorError(
            "backward", "a value that the derivative of \(reader) needs was changed in place after it was used; change a clone() instead")
    }
}

extension Tensor {
    /// Tells what derivatives belong to: a later value of a tensor counts as that tensor.
    fileprivate var identity: ObjectIdentifier { ObjectIdentifier(origin ?? self) }

    /// Adds this value's derivatives to the `grad` of every leaf it was computed from that requires one.
    /// - Parameter targets: only these leaves, and only what leads to them is computed.
    public func backward(gradient: Tensor? = nil, with targets: [Tensor]? = nil, createGraph: Bool = false) throws {
        try Gradient.backward(self, seed: gradient, targets: targets, createGraph: createGraph)
    }
}
