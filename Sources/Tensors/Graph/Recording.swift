/// A graph in the making: while one is current, operations are written down instead of run.
///
/// Equal operations on equal inputs become one (common subexpressions), so layers may be written as if nothing were shared.
public final class Recording {
    /// The recording that operations go to; nil: they run at once.
    nonisolated(unsafe) public private(set) static var current: Recording?

    /// What a plan will have to compute, in the order it was written.
    private(set) var tensors: [Tensor] = []
    /// Stored tensors that the graph writes: target, new value.
    private(set) var assignments: [(target: Tensor, value: Tensor)] = []
    /// Gradients that `backward` brought to leaves.
    private var gradients: [ObjectIdentifier: (leaf: Tensor, value: Tensor)] = [:]
    private(set) var gradientOrder: [ObjectIdentifier] = []
    /// Leaves whose gradient is forgotten at the start of each run.
    private(set) var cleared = Set<ObjectIdentifier>()
    /// Things to do after the graph has run, in order: optimiser steps.
    private(set) var effects: [() throws -> Void] = []
    /// What the recorded function read of the world besides tensors, as conditions under which its plan is still right.
    private(set) var conditions: [() -> Bool] = []
    /// Whether others are to read the graph (`RecordedGraph`): then operations that only a plan wants, for speed, are not used.
    public internal(set) var isForReaders = false
    private var known: [Key: Tensor] = [:]
    private var randoms = 0

    private struct Key: Hashable {
        let operation: Operation
        let inputs: [ObjectIdentifier]
        let gradient: Bool
    }

    public init() {}

    /// Runs `body` with this recording current.
    public func record<T>(_ body: () throws -> T) throws -> T {
        guard Recording.current == nil else { throw TensorError("compile", "a compiled function cannot be compiled from within another") }
        Recording.current = self
        defer { Recording.current = nil }
        return try body()
    }

    /// A tensor whose numbers are given at each run.
    public func input(_ shape: [Int], _ dtype: DType) -> Tensor { Tensor(shape: shape, dtype: dtype, recording: self) }

    func record(_ operation: Operation, _ inputs: [Tensor], _ shape: [Int], _ dtype: DType) throws -> Tensor {
        if !effects.isEmpty, inputs.contains(where: { !$0.isSymbolic }) {
            throw TensorError(operation.name, "a compiled function can compute nothing with parameters after an optimiser's step: the step comes last")
        }
        for input in inputs where input.freed { _ = try input.storage(for: operation.name) }
        if let simpler = try rewrite(operation, inputs) { return simpler }
        let requiresGrad: Bool
        if case .detach = operation {
            requiresGrad = false
        } else {
            requiresGrad = GradientMode.isEnabled && dtype == .float32 && inputs.contains(where: \.requiresGrad)
        }
        let key = Key(operation: operation, inputs: inputs.map(ObjectIdentifier.init), gradient: requiresGrad)
        if let same = known[key] { return same }
        let tensor = Tensor(shape: shape, dtype: dtype, recording: self)
        tensor.node = Node(operation, inputs, scope: ModulePath.text)
        tensor.requiresGrad = requiresGrad
        tensors.append(tensor)
        known[key] = tensor
        return tensor
    }

    func alias(_ tensor: Tensor) -> Tensor { (try? record(.detach, [tensor], tensor.shape, tensor.dtype)) ?? tensor }

    func random(_ distribution: RandomDistribution, _ shape: [Int]) throws -> Tensor {
        randoms += 1
        return try record(.random(distribution, shape: shape, id: randoms), [], shape, .float32)
    }

    func assign(_ value: Tensor, to target: Tensor) throws {
        guard !target.isSymbolic else {
            throw TensorError("assign", "a tensor computed inside a compiled function cannot be written in place")
        }
        let value = try value.cast(target.dtype).expand(target.shape)
        assignments.append((target, value))
    }

    func accumulate(_ gradient: Tensor, into leaf: Tensor) {
        let id = ObjectIdentifier(leaf)
        if let before = gradients[id] {
            gradients[id] = (leaf, (try? before.value + gradient) ?? gradient)
        } else {
            gradients[id] = (leaf, gradient)
            gradientOrder.append(id)
        }
    }

    /// Gradients of leaves that the graph computes.
    var leafGradients: [(leaf: Tensor, value: Tensor)] { gradientOrder.compactMap { gradients[$0] } }

    /// What the graph has so far of a leaf's gradient.
    public func gradient(of leaf: Tensor) -> Tensor? { gradients[ObjectIdentifier(leaf)]?.value }

    /// Forgets gradients (`zero_grad` inside a compiled function).
    public func clearGradient(of leaf: Tensor) {
        cleared.insert(ObjectIdentifier(leaf))
        if gradients.removeValue(forKey: ObjectIdentifier(leaf)) != nil { gradientOrder.removeAll { $0 == ObjectIdentifier(leaf) } }
    }

    /// Lets go of everything once a plan is made of it, or will not be: tensors know their recording and the recording its tensors, so
    /// that neither would ever be freed, nor the parameters they were computed from.
    public func dismantle() {
        tensors = []
        assignments = []
        gradients = [:]
        gradientOrder = []
        effects = []
        known = [:]
    }

    /// The recorded function depends on something that may change: its plan is used while `condition` holds.
    public func depends(on condition: @escaping () -> Bool) { conditions.append(condition) }

    /// Does `effect` after each run of the graph.
    public func after(_ effect: @escaping () throws -> Void) { effects.append(effect) }
}

extension Recording {
    /// Rewrites that are exact and save work, made while the graph is written so that derivatives profit too.
    private func rewrite(_ operation: Operation, _ inputs: [Tensor]) throws -> Tensor? {
        switch operation {
        case .scalar(.mul, 1, _), .scalar(.add, 0, _), .scalar(.div, 1, scalarFirst: false), .scalar(.sub, 0, scalarFirst: false):
            return inputs[0]
        case .binary(.add):
            return try Recording.concatenation(inputs[0], inputs[1])
        case .binary(.mul):
            // A number times a batch norm without weights rides on the norm's scale.
            for (norm, factor) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] where factor.count == 1 && factor.rank <= norm.rank {
                guard let node = norm.node, case .batchNorm(let epsilon, let batchStatistics, gamma: false, beta: false) = node.operation,
                    norm.isSymbolic, norm.rank >= 2, GradientMode.isEnabled == norm.requiresGrad || !GradientMode.isEnabled
                else { continue }
                let gamma = try factor.reshape([1]).expand([norm.shape[1]])
                return try Operation.batchNorm(epsilon: epsilon, batchStatistics: batchStatistics, gamma: true, beta: false)
                    .apply(node.inputs + [gamma])
            }
            return nil
        default:
            return nil
        }
    }

    /// Two slices of one tensor that are all of it have derivatives that fill each other's zeros: their sum is a concatenation.
    private static func concatenation(_ a: Tensor, _ b: Tensor) throws -> Tensor? {
        guard let x = a.node, let y = b.node, a.shape == b.shape, a.isSymbolic, b.isSymbolic,
            case .unslice(let shape, let starts, let steps) = x.operation, case .unslice(_, let otherStarts, let otherSteps) = y.operation,
            (steps + otherSteps).allSatisfy({ $0 == 1 })
        else { return nil }
        let (part, other) = (x.inputs[0], y.inputs[0])
        let cut = shape.indices.filter { part.shape[$0] != shape[$0] || other.shape[$0] != shape[$0] }
        guard cut.count == 1, let axis = cut.first, part.shape[axis] + other.shape[axis] == shape[axis] else { return nil }
        if starts[axis] == 0, otherStarts[axis] == part.shape[axis] { return try Tensor.concat([part, other], axis) }
        if otherStarts[axis] == 0, starts[axis] == other.shape[axis] { return try Tensor.concat([other, part], axis) }
        return nil
    }
}
