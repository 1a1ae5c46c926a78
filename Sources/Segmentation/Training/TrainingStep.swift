import Base
import Networks
import Tensors

/// A loss of a run's own.
public struct Objective {
    /// Tells losses apart: the function's source, say.
    public let text: String
    /// One number of inputs and targets, in the order of the data set's parts.
    public let body: ([Tensor]) throws -> Tensor

    public init(text: String, _ body: @escaping ([Tensor]) throws -> Tensor) { (self.text, self.body) = (text, body) }
}

/// Loss and gradients of a network on a batch, as a compiled plan.
final class TrainingStep {
    private let parts: Int
    private let names: [String]
    private let weights: Tensor?
    private let plan: Compiled
    private let hasObjective: Bool

    /// - Parameters:
    ///   - targets: what gradients are wanted for.
    ///   - names: of the data set's parts.
    ///   - classWeights: [classes].
    ///   - parts: a batch goes through the network in so many parts.
    ///   - objective: nil for the cross entropy of the network's scores.
    init(_ network: Module, targets: [Tensor], names: [String], classWeights: [Float]?, parts: Int, objective: Objective? = nil) throws {
        self.parts = parts
        self.names = names
        hasObjective = objective != nil
        let weights = try classWeights.map { try Tensor($0) }
        self.weights = weights
        var hasRemarked = false
        plan = Compiled { inputs in
            let given = Array(inputs.dropLast()), share = inputs[inputs.count - 1]
            // Training mode for good, whatever the network's own: evaluation in between then leaves the plan as it is.
            let result = try Module.inMode(training: true) { try objective?.body(given) ?? network(given[0]) }
            if !hasRemarked, let recording = Recording.current, given[0].rank == 4 {
                hasRemarked = true
                for text in recording.remarks(height: given[0].shape[2], width: given[0].shape[3]) { Notice.say("training: \(text)") }
            }
            try network.requireOwnLeaves(of: result)
            if objective != nil, result.count != 1 { throw DataError("expected a loss that is one number, got \(result.shape)", remedy: "reduce it, with mean() say") }
            let loss = try (objective == nil ? TrainingStep.loss(result, given[1], weights) : result.reshape([])) * share
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
    /// - Returns: the loss: the mean over all pixels of the batch that count, by their class weights; of an objective the mean over the parts.
    func callAsFunction(_ batch: [Tensor]) throws -> Double {
        guard parts > 1 else { return try plan(batch + [Tensor.scalar(1)], keepingWritten: true)[0].item() }
        let count = batch[0].shape[0] / parts
        let pieces = try (0..<parts).map { part in try batch.map { try $0.narrow(0, part * count, count).contiguous() } }
        // The mean over all is not the mean of the parts' means: parts have more or fewer pixels that count.
        let shares = try hasObjective ? pieces.map { _ in 1 } : pieces.map { try weight($0[1]) }
        let total = shares.reduce(0, +)
        guard total > 0 else { return 0 }
        var loss = 0.0
        for (i, (piece, share)) in zip(pieces, shares).enumerated() {
            loss += try plan(piece + [Tensor.scalar(Float(share / total))], keepingWritten: i == 0)[0].item()
        }
        return loss
    }

    /// Puts running statistics back to where they stood before the last call.
    func takeBack() throws { try plan.takeBack() }

    /// The tensors that `callAsFunction` computes from, by name, for messages.
    func given(_ batch: [Tensor]) -> [Module.Named] {
        zip(names, batch).filter { $0.1.dtype == .float32 }.map { ("the " + $0, $1) } + (weights.map { [("the class weights", $0)] } ?? [])
    }

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
