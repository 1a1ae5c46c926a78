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
        /// Other parameters stand one step of their optimiser ahead where it is taken; nil: all stand where they are.
        var unrolling: Unrolling?

        init(id: AnyHashable, _ body: @escaping ([Tensor]) throws -> Tensor) {
            self.id = id
            self.body = body
        }

        /// - Throws: for more than one number, and leaves that are no parameters of the network.
        func value(_ inputs: [Tensor], _ network: Module) throws -> Tensor {
            let value = try body(inputs)
            guard value.count == 1 else { throw TensorError("step", "a loss is one number, got a tensor \(value.shape); reduce it, with mean() say") }
            try network.requireOwnLeaves(of: value)
            return value
        }

        /// Leaves its derivatives at `targets`.
        fileprivate func differentiate(_ inputs: [Tensor], _ targets: [Tensor], _ network: Module) throws -> Tensor {
            guard let unrolling else {
                let value = try value(inputs, network)
                try value.backward(with: targets)
                return value
            }
            let (value, gradients) = try unrolling.differentiate(self, inputs, targets, network)
            for (target, gradient) in zip(targets, gradients) { if let gradient { try target.setGradient(gradient) } }
            return value
        }
    }

    private struct Key: Hashable {
        let optimiser: ObjectIdentifier
        let loss: AnyHashable
        /// Of an unrolling: its optimiser, and its loss.
        let ahead: ObjectIdentifier?
        let training: AnyHashable?

        init(_ optimiser: Optimiser, _ loss: Loss) {
            (self.optimiser, self.loss) = (ObjectIdentifier(optimiser), loss.id)
            (ahead, training) = (loss.unrolling.map { ObjectIdentifier($0.ahead.optimiser) }, loss.unrolling?.training.id)
        }

        func knows(_ optimiser: ObjectIdentifier) -> Bool { self.optimiser == optimiser || ahead == optimiser }
    }

    private unowned let network: Module
    private var plans: [Key: Compiled] = [:]
    /// Optimisers that `plans` know: alive as long as their plans.
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
        let names = loss.unrolling?.inputNames ?? ["the images"]
        let given = inputs.enumerated().filter { $0.element.dtype == .float32 }.map { i, tensor in
            (name: names.indices.contains(i) ? names[i] : "input \(i + 1)", tensor: tensor)
        }
        let place = try network.whereNotFinite(given: given) { _ = try compiled(inputs, context: context, keepingWritten: true) }
        try compiled.takeBack()
        optimiser.zeroGrad()
        return TensorError(
            "step", "\(what) at step \(optimiser.steps + 1) of \(optimiser.rule.rawValue): \(place); lower the learning rate, or clip the gradient")
    }

    private func compiled(_ optimiser: Optimiser, _ loss: Loss) throws -> Compiled {
        let key = Key(optimiser, loss)
        if let known = plans[key] { return known }
        forgetAbandonedOptimisers()
        let targets = optimiser.parameters.map(\.tensor)
        let own = Set(network.parameters().map { ObjectIdentifier($0.tensor) })
        let optimisers = [optimiser] + (loss.unrolling.map { [$0.ahead.optimiser] } ?? [])
        for (name, tensor) in optimisers.flatMap(\.parameters) where !own.contains(ObjectIdentifier(tensor)) {
            throw TensorError("step", "the optimiser's parameter \(name) is not this supernet's")
        }
        // A step trains, so it uses the batch's statistics whatever the mode; evaluation in between leaves its plan as it is.
        let compiled = Compiled { [unowned network, unowned optimiser] inputs in
            optimiser.zeroGrad()
            return [try Module.inMode(training: true) { try loss.differentiate(inputs, targets, network) }]
        }
        compiled.recomputation = recomputation
        // As much memory as the weights; the arena has room for them when the activations are gone.
        compiled.ownsGradients = false
        compiled.leavesOff = true
        plans[key] = compiled
        for one in optimisers where !kept.contains(where: { $0 === one }) { kept.append(one) }
        return compiled
    }

    /// An optimiser that nobody else holds will not be met again; its plans own as much memory as the weights.
    private func forgetAbandonedOptimisers() {
        for i in kept.indices.reversed() where isKnownUniquelyReferenced(&kept[i]) {
            let gone = ObjectIdentifier(kept[i])
            plans = plans.filter { !$0.key.knows(gone) }
            kept.remove(at: i)
        }
    }
}
