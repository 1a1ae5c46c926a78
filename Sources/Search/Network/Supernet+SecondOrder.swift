import Networks
import Tensors

/// A step of the weights' optimiser on a batch, in thought: after it a loss is taken, see `Unrolling`.
public struct StepAhead {
    /// Plain or with momentum and weight decay: `Optimiser.Rule.sgd`.
    public let optimiser: Optimiser
    /// The training batch: images and targets.
    public let inputs: [Tensor]
    /// L_train; nil: the loss that is taken afterwards.
    public let loss: Supernet.Loss?
    /// ξ; nil: the optimiser's.
    public let rate: Double?

    public init(_ optimiser: Optimiser, _ inputs: [Tensor], loss: Supernet.Loss? = nil, rate: Double? = nil) {
        (self.optimiser, self.inputs, self.loss, self.rate) = (optimiser, inputs, loss, rate)
    }
}

/// What a step of the weights was: who holds on to nothing else asks for one like it.
struct LastStep {
    weak var optimiser: Optimiser?
    let inputs: [Tensor]
    let loss: Supernet.Loss
}

extension Supernet {
    /// Remembers a step of weights alone.
    func note(_ optimiser: Optimiser, _ inputs: [Tensor], _ loss: Loss) {
        let isKnown = lastStep?.optimiser === optimiser
        if isKnown || !holdsLogits(optimiser) { lastStep = LastStep(optimiser: optimiser, inputs: inputs, loss: loss) }
    }

    /// The last step of the weights once more: by its optimiser as that stands now, on the same batch, by the same loss.
    /// - Throws: where there was none, or its optimiser is gone.
    public func stepAheadAsBefore() throws -> StepAhead {
        guard let lastStep, let optimiser = lastStep.optimiser else {
            throw TensorError(
                "step", "second_order = true goes ahead by the last step of the weights, and there was none; make one first, or say which: second_order = {sgd, images, targets}")
        }
        return StepAhead(optimiser, lastStep.inputs, loss: lastStep.loss)
    }

    /// The loss with the weights a step ahead, and all that its plan is given at each run.
    func unrolled(_ loss: Loss, _ inputs: [Tensor], _ ahead: StepAhead, of optimiser: Optimiser) throws -> (StepPlans.Loss, [Tensor]) {
        let moved = Set(optimiser.parameters.map { ObjectIdentifier($0.tensor) })
        if let (name, _) = ahead.optimiser.parameters.first(where: { moved.contains(ObjectIdentifier($0.tensor)) }) {
            throw TensorError(
                "step", "second_order: \(name) is a parameter of both optimisers; the step is one of the logits, optim.adam(net:architecture()) say, and goes ahead with one of the weights, optim.sgd(net:weights(), ...)")
        }
        let step = try VirtualStep(of: ahead.optimiser, rate: ahead.rate)
        var result = own(loss)
        result.unrolling = Unrolling(ahead: step, training: own(ahead.loss ?? loss), validationCount: inputs.count, trainingCount: ahead.inputs.count)
        return (result, try inputs + ahead.inputs + step.arguments())
    }

    private func holdsLogits(_ optimiser: Optimiser) -> Bool {
        let own = Set(architecture().map { ObjectIdentifier($0.tensor) })
        return optimiser.parameters.contains { own.contains(ObjectIdentifier($0.tensor)) }
    }
}
