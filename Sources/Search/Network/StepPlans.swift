import Base
import Networks
import Tensors

/// The steps of a network that is searched: each is written down at its first use with an optimiser, a loss and a size of batch, and runs as a plan from then on.
final class StepPlans {
    /// What a step minimises: one number, of the inputs.
    struct Loss {
        /// Tells losses apart.
        let id: AnyHashable
        let body: ([Tensor]) throws -> Tensor

        init(id: AnyHashable, _ body: @escaping ([Tensor]) throws -> Tensor) {
            self.id = id
            self.body = body
        }
    }

    private struct Key: Hashable {
        let optimiser: ObjectIdentifier
        let loss: AnyHashable
    }

    private unowned let network: Module
    private var plans: [Key: Compiled] = [:]
    /// Optimisers that `plans` knows: alive as long as their plans.
    private var kept: [Optimiser] = []
    /// What is computed again in the backward pass instead of being kept.
    var recomputation = Recomputation.cheap { didSet { for plan in plans.values { plan.recomputation = recomputation } } }

    init(_ network: Module) { self.network = network }

    /// Drops all plans: what they computed has become another thing.
    func forget() { (plans, kept) = ([:], []) }

    var recordingCount: Int { plans.values.reduce(0) { $0 + $1.recordingCount } }

    /// One step: the loss, derivatives with respect to the optimiser's parameters only, update.
    /// - Parameter context: tells recordings apart that differ in what they compute.
    /// - Returns: the loss before the step.
    /// - Throws: `TensorError` when the loss or its gradient is NaN or infinite, with the place where it began; parameters and running statistics are as they were.
    func step(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss, context: Int) throws -> Tensor {
        let drawn = RandomState.global.draws
        let value = try finiteLoss(optimiser, inputs, loss, context)
        do { try optimiser.step(requiresFinite: true) } catch is NonFiniteGradient {
            throw try failure("the gradient is not finite", optimiser, inputs, loss, context, drawn)
        }
        Plan.spendGradients()
        return value
    }

    /// Loss and gradients of an optimiser's parameters without the update; the same errors.
    func gradients(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss, context: Int) throws -> Tensor {
        let drawn = RandomState.global.draws
        let value = try finiteLoss(optimiser, inputs, loss, context)
        for (_, tensor) in optimiser.parameters where try !tensor.isGradientOff && tensor.grad?.nonFinite() != nil {
            throw try failure("the gradient is not finite", optimiser, inputs, loss, context, drawn)
        }
        return value
    }

    /// The plan of a step, for profiles and counts.
    func plan(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss, context: Int) throws -> Plan {
        try compiled(optimiser, loss).plan(for: inputs, context: context)
    }

    private func finiteLoss(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss, _ context: Int) throws -> Tensor {
        let drawn = RandomState.global.draws
        let value = try compiled(optimiser, loss)(inputs, context: context, keepingWritten: true)[0]
        let number = try value.item()
        guard number.isFinite else { throw try failure("the loss is \(number.isNaN ? "nan" : "\(number)")", optimiser, inputs, loss, context, drawn) }
        return value
    }

    /// - Parameter drawn: random numbers drawn before the step.
    private func failure(_ what: String, _ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss, _ context: Int, _ drawn: UInt64) throws -> TensorError {
        let now = RandomState.global.draws
        RandomState.global.draws = drawn
        defer { RandomState.global.draws = now }
        let compiled = try compiled(optimiser, loss)
        try compiled.takeBack()
        let given = inputs.enumerated().filter { $0.element.dtype == .float32 }.map { (name: $0.offset == 0 ? "the images" : "input \($0.offset + 1)", tensor: $0.element) }
        let place = try network.whereNotFinite(given: given) { _ = try compiled(inputs, context: context, keepingWritten: true) }
        try compiled.takeBack()
        optimiser.zeroGrad()
        return TensorError(
            "step", "\(what) at step \(optimiser.steps + 1) of \(optimiser.rule.rawValue): \(place); lower the learning rate, or clip the gradient")
    }

    private func compiled(_ optimiser: Optimiser, _ loss: Loss) throws -> Compiled {
        let key = Key(optimiser: ObjectIdentifier(optimiser), loss: loss.id)
        if let known = plans[key] { return known }
        forgetAbandonedOptimisers()
        let targets = optimiser.parameters.map(\.tensor)
        let own = Set(network.parameters().map { ObjectIdentifier($0.tensor) })
        for (name, tensor) in optimiser.parameters where !own.contains(ObjectIdentifier(tensor)) {
            throw TensorError("step", "the optimiser's parameter \(name) is not this supernet's")
        }
        // A step trains, so it uses the batch's statistics whatever the mode; evaluation in between leaves its plan as it is.
        let compiled = Compiled { [unowned network, unowned optimiser] inputs in
            optimiser.zeroGrad()
            let value = try Module.inMode(training: true) { try loss.body(inputs) }
            guard value.count == 1 else { throw TensorError("step", "a loss is one number, got a tensor \(value.shape); reduce it, with mean() say") }
            try network.requireOwnLeaves(of: value)
            try value.backward(with: targets)
            return [value]
        }
        compiled.recomputation = recomputation
        // As much memory as the weights; the arena has room for them when the activations are gone.
        compiled.ownsGradients = false
        compiled.leavesOff = true
        plans[key] = compiled
        if !kept.contains(where: { $0 === optimiser }) { kept.append(optimiser) }
        return compiled
    }

    /// An optimiser that nobody else holds will not be met again; its plans own as much memory as the weights.
    private func forgetAbandonedOptimisers() {
        for i in kept.indices.reversed() where isKnownUniquelyReferenced(&kept[i]) {
            let gone = ObjectIdentifier(kept[i])
            plans = plans.filter { $0.key.optimiser != gone }
            kept.remove(at: i)
        }
    }
}
