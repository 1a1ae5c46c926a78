import Base
import Networks
import Tensors

/// Loss and gradients of a network on a batch, as a compiled plan.
final class TrainingStep {
    /// A loss of its own: a number of network, images and labels.
    typealias Objective = (Tensor, Tensor) throws -> Tensor

    private let parts: Int
    private let weights: Tensor?
    private let plan: Compiled
    private let hasObjective: Bool

    /// - Parameters:
    ///   - targets: what gradients are wanted for.
    ///   - classWeights: [classes].
    ///   - parts: a batch goes through the network in so many parts.
    ///   - objective: of images and labels; nil for the cross entropy of the network's scores.
    init(_ network: Module, targets: [Tensor], classWeights: [Float]?, parts: Int, objective: Objective? = nil) throws {
        self.parts = parts
        hasObjective = objective != nil
        let weights = try classWeights.map { try Tensor($0) }
        self.weights = weights
        var hasRemarked = false
        plan = Compiled { inputs in
            // Training mode for good, whatever the network's own: evaluation in between then leaves the plan as it is.
            let result = try Module.inMode(training: true) { try objective?(inputs[0], inputs[1]) ?? network(inputs[0]) }
            if !hasRemarked, let recording = Recording.current {
                hasRemarked = true
                for text in recording.remarks(height: inputs[0].shape[2], width: inputs[0].shape[3]) { Notice.say("training: \(text)") }
            }
            try network.requireOwnLeaves(of: result)
            if objective != nil, result.count != 1 { throw DataError("expected a loss that is one number, got \(result.shape)") }
            let loss = try (objective == nil ? TrainingStep.loss(result, inputs[1], weights) : result.reshape([])) * inputs[2]
            try loss.backward(with: targets)
            return [loss]
        }
    }

    /// Mean of the pixels' weighted cross entropies; scores of another size than the labels are resized to them.
    private static func loss(_ scores: Tensor, _ labels: Tensor, _ weights: Tensor?) throws -> Tensor {
        try scores.resize(.bilinearAlignCorners, height: labels.shape[1], width: labels.shape[2])
            .crossEntropy(labels, ignore: Int32(LabelMap.ignore), weights: weights)
    }

    /// Adds the gradients of a batch to those that the parameters have.
    /// - Returns: the loss: the mean over all pixels of the batch that count, by their class weights.
    func callAsFunction(_ images: Tensor, _ labels: Tensor) throws -> Double {
        guard parts > 1 else { return try plan([images, labels, Tensor.scalar(1)], keepingWritten: true)[0].item() }
        let count = images.shape[0] / parts
        let pieces = try (0..<parts).map { part in
            (try images.narrow(0, part * count, count).contiguous(), try labels.narrow(0, part * count, count).contiguous())
        }
        // The mean over all is not the mean of the parts' means: parts have more or fewer pixels that count.
        let shares = try hasObjective ? pieces.map { _ in 1 } : pieces.map { try weight($0.1) }
        let total = shares.reduce(0, +)
        guard total > 0 else { return 0 }
        var loss = 0.0
        for (i, (piece, share)) in zip(pieces, shares).enumerated() {
            loss += try plan([piece.0, piece.1, Tensor.scalar(Float(share / total))], keepingWritten: i == 0)[0].item()
        }
        return loss
    }

    /// Puts running statistics back to where they stood before the last call.
    func takeBack() throws { try plan.takeBack() }

    /// The tensors that `callAsFunction` computes from, by name, for messages.
    func given(_ images: Tensor, _ labels: Tensor) -> [Module.Named] { [("the images", images)] + (weights.map { [("the class weights", $0)] } ?? []) }

    /// Sum of the class weights of the pixels that count.
    private func weight(_ labels: Tensor) throws -> Double {
        let weights = try self.weights?.floats()
        var counts: [Int32: Int] = [:]
        for label in try labels.ints() { counts[label, default: 0] += 1 }
        return counts.reduce(0) { sum, entry in
            guard entry.key != Int32(LabelMap.ignore) else { return sum }
            let weight = weights.map { $0.indices.contains(Int(entry.key)) ? Double($0[Int(entry.key)]) : 0 } ?? 1
            return sum + weight * Double(entry.value)
        }
    }
}
